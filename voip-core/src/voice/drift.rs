//! How fast a sound card's clock runs against ours, so that its resampler can take the difference
//! out: a PI controller over the time by which the card is ahead.
//!
//! A card's callbacks come late and in bursts, by milliseconds, while its clock is off by
//! millionths. So the lead is low-passed first, and what follows is slow: a card that is off by
//! 200 ppm is ahead by 1.5 ms at worst, and back within a minute or two.

use rubato::Adjustable as _;

use super::resample::{CHUNK, Filter, LIVE_HALF, check_rates};
use crate::error::Error;
use crate::frame::SAMPLE_RATE;
use crate::time::{Duration, Instant};

/// The most that is believed of a card, as a part of its rate. Crystals are off by 100 ppm at most;
/// more is a card that lies about its rate.
const MOST: f64 = 500e-6;
/// Time constant of the low pass over the lead, seconds.
const SMOOTHING: f64 = 2.0;
/// The loop's natural frequency, radians per second, critically damped.
const OMEGA: f64 = 0.05;
const PROPORTIONAL: f64 = 2.0 * OMEGA;
const INTEGRAL: f64 = OMEGA * OMEGA;
/// A card that has just been opened fills its buffers first: what it does then is no clock.
const SETTLE: Duration = Duration::from_secs(1);
/// A silence of the card for longer than this means that it stopped: where it stands now counts anew.
const STOPPED: Duration = Duration::from_millis(300);
/// A lead that differs from what is known by more than this is no drift, seconds: a callback that
/// comes late, or a card that dropped or repeated sound.
const STEP: f64 = 0.01;
/// After so long with nothing but such leads it was the card: counting begins anew.
const STEPPED: Duration = Duration::from_secs(1);

/// The clock of one device in one direction.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    begun: Option<Instant>,
    last: Option<Instant>,
    origin: Option<Origin>,
    /// When the lead was last what could be expected.
    expected: Instant,
    /// By how many seconds the card is ahead, low-passed.
    lead: f64,
    /// What the card's speed was found to be, beyond 1.
    integral: f64,
    speed: f64,
}

/// Where counting began.
#[derive(Clone, Copy, Debug)]
struct Origin {
    at: Instant,
    position: f64,
}

impl Drift {
    /// At `now` the card had moved `position` samples of 48 kHz in all. Returns by which part its
    /// clock is to be taken as too fast: within ± 0.0005.
    pub(crate) fn observe(&mut self, now: Instant, position: f64) -> f64 {
        let begun = *self.begun.get_or_insert(now);
        let passed = now.since(self.last.replace(now).unwrap_or(now));
        if now.since(begun) < SETTLE {
            return self.speed;
        }
        if passed > STOPPED {
            self.origin = None;
        }
        let Some(origin) = self.origin else { return self.start_over(now, position) };
        let moved = (position - origin.position) / f64::from(SAMPLE_RATE);
        let lead = moved - now.since(origin.at).as_secs_f64();
        if (lead - self.lead).abs() > STEP {
            if now.since(self.expected) > STEPPED {
                return self.start_over(now, position);
            }
            return self.speed;
        }
        self.expected = now;
        let passed = passed.as_secs_f64();
        self.lead += (lead - self.lead) * passed / (SMOOTHING + passed);
        self.integral = (self.integral + INTEGRAL * self.lead * passed).clamp(-MOST, MOST);
        self.speed = (self.integral + PROPORTIONAL * self.lead).clamp(-MOST, MOST);
        self.speed
    }

    /// What the card's clock was found to be off by, in millionths.
    pub(crate) fn ppm(&self) -> f64 {
        self.integral * 1e6
    }

    /// Counts from here; what was learnt of the card's speed stays.
    fn start_over(&mut self, now: Instant, position: f64) -> f64 {
        self.origin = Some(Origin { at: now, position });
        self.expected = now;
        self.lead = 0.0;
        self.speed = self.integral;
        self.speed
    }
}

/// Changes the sample rate of one mono stream, and a little more or less than that. What comes out
/// comes when it is made, in any count.
pub(crate) struct DriftResampler {
    filter: Filter,
}

impl DriftResampler {
    /// A resampler between two rates of 8 000 to 192 000 Hz, equal ones too.
    pub(crate) fn new(from: u32, to: u32) -> Result<Self, Error> {
        check_rates(from, to)?;
        let mut filter = Filter::new(from, to, LIVE_HALF, 1.0 + 2.0 * MOST)?;
        filter.ready.clear();
        Ok(DriftResampler { filter })
    }

    /// From the next samples on, `speed` times as many come out as the rates say: 1 ± 0.0005.
    pub(crate) fn set_speed(&mut self, speed: f64) {
        // Within its bounds the filter takes any.
        let speed = speed.clamp(1.0 - MOST, 1.0 + MOST);
        let _ = self.filter.inner.set_resample_ratio_relative(speed, true);
    }

    /// Appends to `out` what comes out for `input`.
    pub(crate) fn process(&mut self, input: &[f32], out: &mut Vec<f32>) {
        for chunk in input.chunks(CHUNK) {
            self.filter.run(chunk);
            out.append(&mut self.filter.ready);
        }
    }

    /// How long sound takes through the filter, which stands at `from` samples per second.
    pub(crate) fn delay(&self, from: u32) -> Duration {
        Duration::from_secs_f64(self.filter.half as f64 / f64::from(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a card that is off by `ppm`, called back every `period` with the jitter given, for
    /// `seconds`. Its position goes through the resampler that the answers steer. Returns the
    /// greatest lead after the first ten seconds, in milliseconds, and the last answer in ppm.
    fn run(ppm: f64, seconds: u64, jitter: impl Fn(u64) -> u64) -> (f64, f64) {
        let (mut drift, mut position, mut speed, mut worst) = (Drift::default(), 0.0, 0.0, 0.0_f64);
        for n in 0..seconds * 100 {
            // 480 of its own samples, every 10 ms by its own clock.
            let at = (n as f64 * 10_000.0 / (1.0 + ppm * 1e-6)) as u64 + jitter(n);
            position += 480.0 * (1.0 - speed);
            speed = drift.observe(Instant::from_micros(at), position);
            if n > 1_000 {
                worst = worst.max((position / 48.0 - at as f64 / 1e3).abs());
            }
        }
        (worst, drift.ppm())
    }

    #[test]
    fn two_hundred_millionths_are_found_and_taken_out() {
        for ppm in [-200.0, -50.0, 0.0, 50.0, 200.0] {
            let (worst, found) = run(ppm, 600, |_| 0);
            assert!((found - ppm).abs() < 1.0, "{ppm}: found {found}");
            assert!(worst < 13.0, "{ppm}: {worst} ms apart, 10 of them one callback");
        }
    }

    #[test]
    fn callbacks_that_come_late_do_not_disturb_it() {
        // Up to 8 ms late, by a pattern that looks like chance.
        let (_, found) = run(100.0, 600, |n| n.wrapping_mul(2_654_435_761) % 8_000);
        assert!((found - 100.0).abs() < 15.0, "found {found}");
    }

    #[test]
    fn a_card_that_stops_for_a_while_is_no_slow_card() {
        let (_, found) = run(100.0, 600, |n| if n > 30_000 { 5_000_000 } else { 0 });
        assert!((found - 100.0).abs() < 2.0, "found {found}");
    }

    #[test]
    fn sound_that_the_card_dropped_is_no_drift() {
        let mut drift = Drift::default();
        for n in 0..60_000_u64 {
            // Every minute the card drops 30 ms.
            let dropped = n / 6_000 * 1_440;
            let position = (n * 480) as f64 - dropped as f64;
            drift.observe(Instant::from_micros(n * 10_000), position);
            assert!(drift.ppm().abs() < 1.0, "at {n}: {}", drift.ppm());
        }
    }

    #[test]
    fn a_card_that_lies_is_not_believed() {
        for ppm in [-20_000.0, -1_000.0, 1_000.0, 20_000.0] {
            let (_, found) = run(ppm, 60, |_| 0);
            assert!(found.abs() <= 500.0, "found {found}");
        }
    }
}
