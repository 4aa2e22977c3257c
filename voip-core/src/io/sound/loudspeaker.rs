//! The engine's side of a loudspeaker: whenever its callbacks have taken sound, fills the ring up
//! again to what the next one may want. So the card's own pace is the clock of playout; what that
//! pace is off by against the system's clock is taken out by the resampler before the ring.

use std::sync::Arc;

use rtrb::{Consumer, Producer};

use super::callback::{Health, Stamp};
use super::card::DeviceEnd;
use super::keeper::{News, SoundNews};
use super::pace::Pace;
use super::stream;
use crate::device::DeviceDirection;
use crate::engine::Mean;
use crate::error::Error;
use crate::frame::{AudioFrame, BLOCK, SAMPLE_RATE};
use crate::io::driver::Requests;
use crate::time::{Duration, Instant};
use crate::voice::{Drift, DriftResampler};

/// What the ring holds at least when a callback is expected, whatever its size.
const STANDING: Duration = Duration::from_millis(5);
/// By how much more it holds after each time that it ran dry.
const CUSHION_STEP: Duration = Duration::from_micros(2_500);
/// The most that it holds more.
const CUSHION_MOST: Duration = Duration::from_millis(40);
/// After so long without running dry, one step less.
const CALM: Duration = Duration::from_secs(20);
/// Over so long the callbacks' sizes count.
const SIZES_OVER: Duration = Duration::from_secs(2);

pub(crate) struct Loudspeaker {
    rate: u32,
    ring: Producer<f32>,
    stamps: Consumer<Stamp>,
    last: Option<Stamp>,
    pace: Pace,
    resampler: DriftResampler,
    speed: f64,
    drift: Drift,
    converted: Vec<f32>,
    /// Samples of 48 kHz asked for in all, and frames put into the ring in all.
    pulled: u64,
    put: u64,
    sizes: Sizes,
    cushion: Duration,
    was_dry: bool,
    calm_since: Instant,
    delay_ms: Mean,
}

impl Loudspeaker {
    pub(super) fn new(
        rate: u32,
        ring: Producer<f32>,
        stamps: Consumer<Stamp>,
    ) -> Result<Loudspeaker, Error> {
        Ok(Loudspeaker {
            rate,
            ring,
            stamps,
            last: None,
            pace: Pace::default(),
            resampler: DriftResampler::new(SAMPLE_RATE, rate)?,
            speed: 1.0,
            drift: Drift::default(),
            converted: Vec::new(),
            pulled: 0,
            put: 0,
            sizes: Sizes::default(),
            cushion: Duration::ZERO,
            was_dry: false,
            calm_since: Instant::ZERO,
            delay_ms: Mean::default(),
        })
    }

    /// Asks for as many blocks as the ring lacks.
    pub(super) fn serve(
        &mut self,
        now: Instant,
        frame: &mut AudioFrame,
        mut pull: impl FnMut(&mut AudioFrame),
    ) {
        self.take_stamps(now);
        let Some(stamp) = self.last else { return };
        let need = self.frames(STANDING).max(self.sizes.get()) + self.frames(self.cushion);
        while self.waiting() < need && self.pace.allows(now, BLOCK) {
            self.measure_delay(now, stamp);
            pull(frame);
            self.put(frame);
        }
    }

    fn take_stamps(&mut self, now: Instant) {
        while let Ok(stamp) = self.stamps.pop() {
            let is_dry = self.last.is_some_and(|last| stamp.missed > last.missed);
            if is_dry {
                self.calm_since = now;
            }
            // An engine that comes late finds many dry callbacks: that is once.
            if is_dry && !self.was_dry {
                self.cushion = (self.cushion + CUSHION_STEP).min(CUSHION_MOST);
            }
            self.was_dry = is_dry;
            self.sizes.add(stamp.at, stamp.frames as usize);
            self.last = Some(stamp);
            self.follow_clock(stamp);
        }
        if now.since(self.calm_since) > CALM {
            self.cushion = self.cushion.saturating_sub(CUSHION_STEP);
            self.calm_since = now;
        }
    }

    /// How far the card has come, in samples of 48 kHz: what was asked for less what still waits,
    /// and what it went without.
    fn follow_clock(&mut self, stamp: Stamp) {
        let ratio = f64::from(self.rate) / f64::from(SAMPLE_RATE) * self.speed;
        let waiting = self.put.saturating_sub(stamp.total) as f64;
        let position = self.pulled as f64 + (stamp.missed as f64 - waiting) / ratio;
        self.speed = 1.0 + self.drift.observe(stamp.at, position);
        self.resampler.set_speed(self.speed);
    }

    fn put(&mut self, frame: &AudioFrame) {
        self.pulled += BLOCK as u64;
        self.converted.clear();
        self.resampler.process(&frame.0, &mut self.converted);
        for sample in &self.converted {
            // The ring has room for far more than is ever needed.
            if self.ring.push(*sample).is_ok() {
                self.put += 1;
            }
        }
    }

    /// Frames in the ring.
    fn waiting(&self) -> usize {
        self.ring.buffer().capacity() - self.ring.slots()
    }

    fn frames(&self, time: Duration) -> usize {
        (time.as_micros() as u64 * u64::from(self.rate)).div_ceil(1_000_000) as usize
    }

    /// When the block that is asked for now will be in the air: behind what the card has taken
    /// already and what waits in the ring.
    fn measure_delay(&mut self, now: Instant, stamp: Stamp) {
        let taken = stamp.edge.micros_since(now) as f64 / 1e6;
        let waiting = self.waiting() as f64 / f64::from(self.rate);
        let filter = self.resampler.delay(SAMPLE_RATE).as_secs_f64();
        self.delay_ms.add(1e3 * (taken.max(0.0) + waiting + filter));
    }
}

impl DeviceEnd for Loudspeaker {
    const DIRECTION: DeviceDirection = DeviceDirection::Output;

    fn open(
        device: &cpal::Device,
        requests: &Requests,
    ) -> Result<(cpal::Stream, Self, Arc<Health>, u16), Error> {
        stream::loudspeaker(device, requests)
    }

    fn news(news: News<Self>) -> SoundNews {
        SoundNews::Loudspeaker(news)
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

/// The size of callbacks to be ready for: the second largest of the last seconds. A server that was
/// late once asks for twice as much once; to wait with that much for seconds would cost delay.
#[derive(Default)]
struct Sizes {
    before: [usize; 2],
    now: [usize; 2],
    since: Instant,
}

impl Sizes {
    fn add(&mut self, at: Instant, frames: usize) {
        if at.since(self.since) > SIZES_OVER {
            self.before = std::mem::take(&mut self.now);
            self.since = at;
        }
        let [first, second] = &mut self.now;
        if frames > *first {
            *second = std::mem::replace(first, frames);
        } else if frames > *second {
            *second = frames;
        }
    }

    /// Until there are two, the only one.
    fn get(&self) -> usize {
        let second = self.before[1].max(self.now[1]);
        if second == 0 { self.now[0] } else { second }
    }
}
