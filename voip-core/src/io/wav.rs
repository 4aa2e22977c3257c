//! The WAV device: a file as the microphone, a file of what is heard.
//!
//! The engine keeps its clock (10 ms a block) and never touches the disk: the thread `voip-disk`
//! reads ahead and writes behind through two bounded queues.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::error::{Error, ErrorKind};
use crate::frame::{AudioFrame, BLOCK, SAMPLE_RATE};
use crate::io::driver::SoundDevice;
use crate::voice::Resampler;

/// Blocks read ahead, and blocks that may wait to be written: two seconds each.
const QUEUE: usize = 200;
/// How often the reading side is topped up while nothing is written.
const TOP_UP: Duration = Duration::from_millis(100);
/// Blocks between header updates, so that a killed program leaves a valid file.
const FLUSH_EVERY: u32 = 100;

/// The engine's end of the device.
pub(crate) struct WavDevice {
    microphone: Option<Receiver<AudioFrame>>,
    /// The thread lives as long as this end of its queue.
    recorder: Option<SyncSender<AudioFrame>>,
    records: bool,
    disk: Option<JoinHandle<()>>,
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
        let mut player = play.map(Player::open).transpose()?;
        let writer = record.map(create).transpose()?;
        let (to_engine, microphone) = sync_channel(QUEUE);
        let (recorder, to_disk) = sync_channel(QUEUE);
        if let Some(player) = &mut player {
            player.fill(&to_engine);
        }
        let microphone = player.is_some().then_some(microphone);
        let records = writer.is_some();
        let work = Disk { player, to_engine, writer, to_disk };
        let disk = Some(super::spawn("voip-disk", move || work.run())?);
        Ok(WavDevice { microphone, recorder: Some(recorder), records, disk, dropped: 0 })
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
        if let Some(disk) = self.disk.take() {
            let _ = disk.join();
        }
    }
}

struct Disk {
    player: Option<Player>,
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

/// Reads a WAV file of any rate and channel count as 48 kHz mono.
struct Player {
    path: PathBuf,
    reader: WavReader<BufReader<File>>,
    resampler: Resampler,
    /// What makes the largest integer sample 1.0.
    scale: f32,
    raw: Vec<f32>,
    ready: Vec<f32>,
    /// A block that did not fit into the queue.
    held: Option<AudioFrame>,
    ended: bool,
}

impl Player {
    fn open(path: &Path) -> Result<Player, Error> {
        let reader = WavReader::open(path).map_err(|e| file_error(path, "read", &e))?;
        let spec = reader.spec();
        if spec.channels == 0 {
            let message = format!("{} has no channel", path.display());
            return Err(Error::new(ErrorKind::File, message));
        }
        let resampler = Resampler::new(spec.sample_rate, SAMPLE_RATE)
            .map_err(|e| Error::new(ErrorKind::File, format!("{}: {e}", path.display())))?;
        Ok(Player {
            path: path.into(),
            reader,
            resampler,
            scale: 1.0 / (1u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32,
            raw: Vec::new(),
            ready: Vec::new(),
            held: None,
            ended: false,
        })
    }

    /// Fills the queue. False when the file is over.
    fn fill(&mut self, queue: &SyncSender<AudioFrame>) -> bool {
        loop {
            let Some(frame) = self.held.take().or_else(|| self.next_block()) else { return false };
            match queue.try_send(frame) {
                Ok(()) => {}
                Err(TrySendError::Full(frame)) => {
                    self.held = Some(frame);
                    return true;
                }
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
    }

    fn next_block(&mut self) -> Option<AudioFrame> {
        while self.ready.len() < BLOCK && !self.ended {
            self.read_some();
        }
        if self.ready.is_empty() {
            return None;
        }
        let mut frame = AudioFrame::SILENCE;
        let count = self.ready.len().min(BLOCK);
        frame.0[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        Some(frame)
    }

    /// Reads 100 ms.
    fn read_some(&mut self) {
        let spec = self.reader.spec();
        let channels = usize::from(spec.channels);
        let wanted = (spec.sample_rate as usize / 10).max(1) * channels;
        self.raw.clear();
        let scale = self.scale;
        let result: Result<(), hound::Error> = match spec.sample_format {
            SampleFormat::Float => self
                .reader
                .samples::<f32>()
                .take(wanted)
                .try_for_each(|s| s.map(|s| self.raw.push(if s.is_finite() { s } else { 0.0 }))),
            SampleFormat::Int => self
                .reader
                .samples::<i32>()
                .take(wanted)
                .try_for_each(|s| s.map(|s| self.raw.push(s as f32 * scale))),
        };
        if let Err(error) = result {
            tracing::warn!(%error, path = %self.path.display(), "the file ends early");
            self.ended = true;
        }
        self.ended |= self.raw.len() < wanted;
        for i in 0..self.raw.len() / channels {
            let all = &self.raw[i * channels..(i + 1) * channels];
            self.raw[i] = all.iter().sum::<f32>() / channels as f32;
        }
        self.raw.truncate(self.raw.len() / channels);
        self.resampler.process(&self.raw, &mut self.ready);
        if self.ended {
            self.resampler.flush(&mut self.ready);
        }
    }
}
