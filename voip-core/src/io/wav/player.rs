//! Sound files as a microphone: any rate and channel count becomes 48 kHz mono.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError};

use hound::{SampleFormat, WavReader};

use super::file_error;
use crate::error::{Error, ErrorKind};
use crate::frame::{AudioFrame, BLOCK, SAMPLE_RATE};
use crate::voice::Resampler;

/// Reads a WAV file of any rate and channel count as 48 kHz mono.
pub(crate) struct Player<R> {
    path: PathBuf,
    reader: WavReader<R>,
    resampler: Resampler,
    /// Samples still to be cut off: what the resampler puts before the file's first.
    ahead: usize,
    /// What makes the largest integer sample 1.0.
    scale: f32,
    raw: Vec<f32>,
    ready: Vec<f32>,
    /// A block that did not fit into the queue.
    held: Option<AudioFrame>,
    ended: bool,
}

impl Player<BufReader<File>> {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| file_error(path, "read", &e.into()))?;
        Player::read(BufReader::new(file), path)
    }
}

impl<R: Read> Player<R> {
    /// Reads `contents`; `path` is for messages.
    pub(crate) fn read(contents: R, path: &Path) -> Result<Self, Error> {
        let reader = WavReader::new(contents).map_err(|e| file_error(path, "read", &e))?;
        let spec = reader.spec();
        if spec.channels == 0 {
            let message = format!("{} has no channel", path.display());
            return Err(Error::new(ErrorKind::File, message));
        }
        let resampler = Resampler::for_files(spec.sample_rate, SAMPLE_RATE)
            .map_err(|e| Error::new(ErrorKind::File, format!("{}: {e}", path.display())))?;
        Ok(Player {
            path: path.into(),
            reader,
            ahead: (resampler.delay().as_secs_f64() * f64::from(SAMPLE_RATE)).round() as usize,
            resampler,
            scale: 1.0 / (1u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32,
            raw: Vec::new(),
            ready: Vec::new(),
            held: None,
            ended: false,
        })
    }

    /// Fills the queue. False when the file is over.
    pub(super) fn fill(&mut self, queue: &SyncSender<AudioFrame>) -> bool {
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

    /// The next 10 ms; `None` after the end, the last block filled up with silence.
    pub(crate) fn next_block(&mut self) -> Option<AudioFrame> {
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
        let cut = self.ahead.min(self.ready.len());
        self.ready.drain(..cut);
        self.ahead -= cut;
    }
}
