//! Wire → ear: buffer → decode → playout, for each stream, then mix.
//!
//! Packets come in with their arrival time; whoever plays asks for 10 ms at a time, and that
//! asking is the playout clock. A [`JitterBuffer`] is one stream's way up to the mixer.

mod buffer;
mod decode;
mod mix;
mod playout;
mod stretch;

#[cfg(test)]
mod tests;

pub use buffer::{JitterBuffer, JitterConfig, JitterStats};
pub use mix::{Gain, Mixer};

use super::codec::Decode;
use super::level::{Level, LevelMeter};
use super::report::Report;
use crate::error::Error;
use crate::frame::AudioFrame;
use crate::id::{RtpTimestamp, SequenceNumber};
use crate::stats::JitterSecond;
use crate::time::{Duration, Instant};

/// One stream at this node, numbered by whoever adds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StreamKey(pub(crate) u32);

struct Stream {
    key: StreamKey,
    buffer: JitterBuffer,
    gain: Gain,
    meter: LevelMeter,
}

impl Stream {
    fn get(&mut self, now: Instant, out: &mut AudioFrame) {
        self.buffer.get(now, out);
        self.meter.observe(&out.0);
    }
}

/// All streams that one node hears.
pub(crate) struct Ingress {
    config: JitterConfig,
    streams: Vec<Stream>,
    mixer: Mixer,
}

impl Ingress {
    /// Streams added later get jitter buffers with these options.
    pub(crate) fn new(config: JitterConfig) -> Result<Self, Error> {
        config.validate()?;
        Ok(Ingress { config, streams: Vec::new(), mixer: Mixer::new() })
    }

    /// Adds a stream, in place of the one that had the key.
    pub(crate) fn add(&mut self, key: StreamKey, decoder: Box<dyn Decode>) {
        self.remove(key);
        let buffer = JitterBuffer::with_codec(&self.config, decoder);
        self.streams.push(Stream { key, buffer, gain: Gain::new(), meter: LevelMeter::new() });
    }

    /// Removes a stream with all it holds.
    pub(crate) fn remove(&mut self, key: StreamKey) {
        self.streams.retain(|s| s.key != key);
    }

    /// Takes a packet from the network. A key nobody added is ignored.
    pub(crate) fn insert(
        &mut self,
        key: StreamKey,
        arrival: Instant,
        sequence: SequenceNumber,
        timestamp: RtpTimestamp,
        payload: &[u8],
    ) {
        if let Some(stream) = self.stream(key) {
            stream.buffer.insert(arrival, sequence, timestamp, payload);
        }
    }

    /// See [`JitterBuffer::insert_repeated`].
    pub(crate) fn insert_repeated(
        &mut self,
        key: StreamKey,
        arrival: Instant,
        carrier: SequenceNumber,
        age: u32,
        payload: &[u8],
    ) {
        if let Some(stream) = self.stream(key) {
            stream.buffer.insert_repeated(arrival, carrier, age, payload);
        }
    }

    /// The next 10 ms of everything, mixed.
    pub(crate) fn get(&mut self, now: Instant, out: &mut AudioFrame) {
        for stream in &mut self.streams {
            stream.get(now, out);
            self.mixer.add(out, &mut stream.gain);
        }
        self.mixer.finish(out);
    }

    /// The next 10 ms of one stream alone, unmixed and without its gain; false, and silence, for an
    /// unknown key. A stream is played by this or by [`Ingress::get`], not by both.
    pub(crate) fn get_one(&mut self, key: StreamKey, now: Instant, out: &mut AudioFrame) -> bool {
        let Some(stream) = self.stream(key) else {
            *out = AudioFrame::SILENCE;
            return false;
        };
        stream.get(now, out);
        true
    }

    /// What to tell the sender of a stream; `None` if nothing came since the last time.
    pub(crate) fn take_report(&mut self, key: StreamKey) -> Option<Report> {
        self.stream(key).and_then(|s| s.buffer.take_report())
    }

    /// See [`JitterBuffer::best_lag`]; zero for an unknown key.
    pub(crate) fn best_lag(&self, key: StreamKey) -> Duration {
        let stream = self.streams.iter().find(|s| s.key == key);
        stream.map_or(Duration::ZERO, |s| s.buffer.best_lag())
    }

    /// How loud a stream is, before its gain.
    pub(crate) fn level(&self, key: StreamKey) -> Option<Level> {
        self.streams.iter().find(|s| s.key == key).map(|s| s.meter.level())
    }

    pub(crate) fn stats(&self, key: StreamKey) -> Option<JitterStats> {
        self.streams.iter().find(|s| s.key == key).map(|s| s.buffer.stats())
    }

    /// See [`JitterBuffer::history`].
    pub(crate) fn history(&self, key: StreamKey) -> Vec<JitterSecond> {
        let stream = self.streams.iter().find(|s| s.key == key);
        stream.map_or(Vec::new(), |s| s.buffer.history().collect())
    }

    fn stream(&mut self, key: StreamKey) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|s| s.key == key)
    }
}
