//! The engine's side of a microphone: takes what its callbacks left in the ring, at once and in any
//! count, and hands it on at 48 kHz by the system's clock.

use std::sync::Arc;

use rtrb::Consumer;

use super::callback::{Beat, Vitals};
use super::card::{End, Mean};
use super::keeper::{News, SoundNews};
use super::{AHEAD, stream};
use crate::device::Direction;
use crate::error::Error;
use crate::frame::SAMPLE_RATE;
use crate::io::driver::Requests;
use crate::time::{Duration, Instant};
use crate::voice::{Drift, DriftResampler};

pub(crate) struct Microphone {
    rate: u32,
    ring: Consumer<f32>,
    beats: Consumer<Beat>,
    last: Option<Beat>,
    begun: Option<Instant>,
    resampler: DriftResampler,
    drift: Drift,
    taken: Vec<f32>,
    converted: Vec<f32>,
    /// Samples handed on in all, at 48 kHz.
    given: u64,
    delay: Mean,
}

impl Microphone {
    pub(super) fn new(
        rate: u32,
        ring: Consumer<f32>,
        beats: Consumer<Beat>,
    ) -> Result<Microphone, Error> {
        Ok(Microphone {
            rate,
            ring,
            beats,
            last: None,
            begun: None,
            resampler: DriftResampler::new(rate, SAMPLE_RATE)?,
            drift: Drift::default(),
            taken: Vec::new(),
            converted: Vec::new(),
            given: 0,
            delay: Mean::default(),
        })
    }

    /// Hands on whatever there is, with the time when the last of it was in the air.
    pub(super) fn serve(&mut self, now: Instant, mut hear: impl FnMut(Instant, &[f32])) {
        while let Ok(beat) = self.beats.pop() {
            self.last = Some(beat);
        }
        let Some(beat) = self.last else { return };
        self.taken.clear();
        if let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) {
            self.taken.extend(chunk);
        }
        if self.taken.is_empty() {
            return;
        }
        self.converted.clear();
        self.resampler.process(&self.taken, &mut self.converted);
        let passed = now.since(*self.begun.get_or_insert(now));
        let after = self.given + self.converted.len() as u64;
        if Duration::from_micros(after * 125 / 6) > passed + AHEAD {
            return;
        }
        self.given = after;
        self.measure_delay(now, beat);
        hear(beat.edge - self.resampler.delay(self.rate), &self.converted);
        let too_fast = self.drift.observe(beat.at, self.given as f64);
        self.resampler.set_speed(1.0 - too_fast);
    }

    /// The age of the middle of what was just taken.
    fn measure_delay(&mut self, now: Instant, beat: Beat) {
        let half = self.taken.len() as f64 / f64::from(self.rate) / 2.0;
        let age = now.micros_since(beat.edge) as f64 / 1e6;
        let filter = self.resampler.delay(self.rate).as_secs_f64();
        self.delay.add(age + half + filter);
    }
}

impl End for Microphone {
    const DIRECTION: Direction = Direction::Input;

    fn open(
        device: &cpal::Device,
        requests: &Requests,
    ) -> Result<(cpal::Stream, Self, Arc<Vitals>, u16), Error> {
        stream::microphone(device, requests)
    }

    fn news(news: News<Self>) -> SoundNews {
        SoundNews::Microphone(news)
    }

    fn last_beat(&mut self) -> Option<Beat> {
        self.last.or_else(|| self.beats.peek().ok().copied())
    }

    fn last_served(&self) -> Option<Beat> {
        self.last
    }

    fn rate(&self) -> u32 {
        self.rate
    }

    fn drift_ppm(&self) -> f64 {
        self.drift.ppm()
    }

    fn delay(&self) -> Duration {
        self.delay.get()
    }
}
