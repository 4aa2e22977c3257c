//! The engine's side of a microphone: takes what its callbacks left in the ring, at once and in any
//! count, and hands it on at 48 kHz by the system's clock.

use std::sync::Arc;

use rtrb::Consumer;

use super::callback::{Health, Stamp};
use super::card::DeviceEnd;
use super::keeper::{News, SoundNews};
use super::pace::Pace;
use super::stream;
use crate::device::DeviceDirection;
use crate::engine::Mean;
use crate::error::Error;
use crate::frame::SAMPLE_RATE;
use crate::io::driver::Requests;
use crate::time::{Duration, Instant};
use crate::voice::{Drift, DriftResampler};

pub(crate) struct Microphone {
    rate: u32,
    ring: Consumer<f32>,
    stamps: Consumer<Stamp>,
    last: Option<Stamp>,
    pace: Pace,
    resampler: DriftResampler,
    drift: Drift,
    taken: Vec<f32>,
    converted: Vec<f32>,
    /// Samples handed on in all, at 48 kHz.
    given: u64,
    delay_ms: Mean,
}

impl Microphone {
    pub(super) fn new(
        rate: u32,
        ring: Consumer<f32>,
        stamps: Consumer<Stamp>,
    ) -> Result<Microphone, Error> {
        Ok(Microphone {
            rate,
            ring,
            stamps,
            last: None,
            pace: Pace::default(),
            resampler: DriftResampler::new(rate, SAMPLE_RATE)?,
            drift: Drift::default(),
            taken: Vec::new(),
            converted: Vec::new(),
            given: 0,
            delay_ms: Mean::default(),
        })
    }

    /// Hands on whatever there is, with the time when the last of it was in the air.
    pub(super) fn serve(&mut self, now: Instant, mut hear: impl FnMut(Instant, &[f32])) {
        while let Ok(stamp) = self.stamps.pop() {
            self.last = Some(stamp);
        }
        let Some(stamp) = self.last else { return };
        self.taken.clear();
        if let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) {
            self.taken.extend(chunk);
        }
        if self.taken.is_empty() {
            return;
        }
        let about = self.taken.len() as u64 * u64::from(SAMPLE_RATE) / u64::from(self.rate);
        if !self.pace.allows(now, about as usize) {
            return;
        }
        self.converted.clear();
        self.resampler.process(&self.taken, &mut self.converted);
        self.given += self.converted.len() as u64;
        self.measure_delay(now, stamp);
        hear(stamp.edge - self.resampler.delay(self.rate), &self.converted);
        let too_fast = self.drift.observe(stamp.at, self.given as f64);
        self.resampler.set_speed(1.0 - too_fast);
    }

    /// The age of the middle of what was just taken.
    fn measure_delay(&mut self, now: Instant, stamp: Stamp) {
        let half = self.taken.len() as f64 / f64::from(self.rate) / 2.0;
        let age = now.micros_since(stamp.edge) as f64 / 1e6;
        let filter = self.resampler.delay(self.rate).as_secs_f64();
        self.delay_ms.add(1e3 * (age + half + filter));
    }
}

impl DeviceEnd for Microphone {
    const DIRECTION: DeviceDirection = DeviceDirection::Input;

    fn open(
        device: &cpal::Device,
        requests: &Requests,
    ) -> Result<(cpal::Stream, Self, Arc<Health>, u16), Error> {
        stream::microphone(device, requests)
    }

    fn news(news: News<Self>) -> SoundNews {
        SoundNews::Microphone(news)
    }

    fn last_stamp(&self) -> Option<Stamp> {
        self.last
    }

    fn rate(&self) -> u32 {
        self.rate
    }

    fn drift_ppm(&self) -> f64 {
        self.drift.ppm()
    }

    fn delay(&self) -> Duration {
        Duration::from_secs_f64(self.delay_ms.get().max(0.0) / 1e3)
    }
}
