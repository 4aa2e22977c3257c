//! The WAV device: a file as the microphone, a file of what is heard.
//!
//! The engine keeps its clock (10 ms a block) and never touches the disk: the thread `voip-disk`
//! reads ahead and writes behind through two bounded queues.

mod player;

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::error::{Error, ErrorKind};
use crate::frame::{AudioFrame, SAMPLE_RATE};
use crate::io::driver::SoundDevice;
pub(crate) use player::Player;

/// Blocks read ahead, and blocks that may wait to be written: two seconds each.
const QUEUE: usize = 200;
/// How often the reading side is topped up while nothing is written.
const TOP_UP: Duration = Duration::from_millis(100);
/// Blocks between header updates, so that a killed program leaves a valid file.
const FLUSH_EVERY: u32 = 100;

/// How long closing waits for the recording to be finished.
const LAST_WRITE: Duration = Duration::from_millis(150);

/// The engine's end of the device.
pub(crate) struct WavDevice {
    microphone: Option<Receiver<AudioFrame>>,
    /// The thread lives as long as this end of its queue.
    recorder: Option<SyncSender<AudioFrame>>,
    records: bool,
    /// Disconnected when the thread has written everything.
    finished: Receiver<()>,
    dropped: u64,
}

impl WavDevice {
    /// Opens both files; what cannot be read or written is said here, not during a call.
    pub(crate) fn open(play: Option<&Path>, record: Option<&Path>) -> Result<WavDevice, Error> {
        if let (Some(play), Some(record)) = (play, record)
            && is_same_file(play, record)
        {
            let message = format!("{} cannot be played and recorded at once", play.display());
            return Err(Error::new(ErrorKind::File, message));
        }
        let player = play.map(Player::open).transpose()?;
        let writer = record.map(create).transpose()?;
        let (to_engine, microphone) = sync_channel(QUEUE);
        let (recorder, to_disk) = sync_channel(QUEUE);
        let microphone = player.is_some().then_some(microphone);
        let records = writer.is_some();
        let work = Disk { player, to_engine, writer, to_disk };
        let (running, finished) = sync_channel(0);
        super::spawn("voip-disk", move || {
            work.run();
            drop(running);
        })?;
        Ok(WavDevice { microphone, recorder: Some(recorder), records, finished, dropped: 0 })
    }
}

impl SoundDevice for WavDevice {
    /// Silence after the end of the file.
    fn capture(&mut self, out: &mut AudioFrame) {
        let next = self.microphone.as_ref().and_then(|m| m.try_recv().ok());
        *out = next.unwrap_or(AudioFrame::SILENCE);
    }

    /// A disk that cannot keep up costs sound, never time.
    fn play(&mut self, frame: &AudioFrame) {
        if self.records
            && let Some(recorder) = &self.recorder
            && let Err(TrySendError::Full(_)) = recorder.try_send(*frame)
        {
            self.dropped += 1;
            tracing::warn!(blocks = self.dropped, "the disk cannot keep up with the recording");
        }
    }
}

impl Drop for WavDevice {
    fn drop(&mut self) {
        self.recorder = None;
        self.microphone = None;
        // A disk that hangs must not hold up whoever closes the node.
        let _ = self.finished.recv_timeout(LAST_WRITE);
    }
}

struct Disk {
    player: Option<Player<BufReader<File>>>,
    to_engine: SyncSender<AudioFrame>,
    writer: Option<WavWriter<BufWriter<File>>>,
    to_disk: Receiver<AudioFrame>,
}

impl Disk {
    fn run(mut self) {
        let mut unflushed = 0;
        loop {
            let playing = match &mut self.player {
                Some(player) => player.fill(&self.to_engine),
                None => false,
            };
            if !playing {
                self.player = None;
            }
            let wait = if playing { TOP_UP } else { Duration::MAX };
            match self.to_disk.recv_timeout(wait) {
                Ok(frame) => {
                    self.write(&frame);
                    unflushed += 1;
                    if unflushed == FLUSH_EVERY {
                        unflushed = 0;
                        self.flush();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(writer) = self.writer.take()
            && let Err(error) = writer.finalize()
        {
            tracing::error!(%error, "the recording could not be finished");
        }
    }

    fn write(&mut self, frame: &AudioFrame) {
        let Some(writer) = &mut self.writer else { return };
        for sample in frame.0 {
            let value = (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
            if let Err(error) = writer.write_sample(value) {
                tracing::error!(%error, "the recording stops here");
                self.writer = None;
                return;
            }
        }
    }

    fn flush(&mut self) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.flush()
        {
            tracing::error!(%error, "the recording stops here");
            self.writer = None;
        }
    }
}

/// Recording begins by emptying its file.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(a).is_some_and(|a| real(b) == Some(a))
}

fn create(path: &Path) -> Result<WavWriter<BufWriter<File>>, Error> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    WavWriter::create(path, spec).map_err(|e| file_error(path, "written", &e))
}

fn file_error(path: &Path, done: &str, error: &hound::Error) -> Error {
    let why = match error {
        hound::Error::IoError(e) => e.to_string(),
        hound::Error::FormatError(_) | hound::Error::Unsupported => {
            format!("no WAV file ({error})")
        }
        other => other.to_string(),
    };
    Error::new(ErrorKind::File, format!("{} cannot be {done}: {why}", path.display()))
}
