//! No card may get far ahead of the time: an unpaced device, such as ALSA's `null`, must not play an
//! hour in a second.

use crate::time::{Duration, Instant};

/// How far ahead it may get at once.
const AHEAD: Duration = Duration::from_millis(100);
/// How much faster than its rate says it may be for good, percent: more than any real card.
const FASTER: u64 = 1;
/// After so long without any sound it begins anew.
const STOPPED: Duration = Duration::from_millis(300);

/// Sound of one device, against the time.
#[derive(Debug, Default)]
pub(super) struct Pace {
    begun: Option<Instant>,
    last: Instant,
    /// Samples of 48 kHz since it began.
    moved: u64,
}

impl Pace {
    /// Whether so many more samples of 48 kHz may be moved `now`; then they count.
    pub(super) fn allows(&mut self, now: Instant, samples: usize) -> bool {
        if now.since(std::mem::replace(&mut self.last, now)) > STOPPED {
            self.begun = None;
        }
        if self.begun.is_none() {
            self.moved = 0;
        }
        let passed = now.since(*self.begun.get_or_insert(now));
        let allowed = passed + passed / 100 * FASTER as u32 + AHEAD;
        let moved = self.moved + samples as u64;
        let fits = Duration::from_micros(moved * 125 / 6) <= allowed;
        if fits {
            self.moved = moved;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of sound that a device moves in `seconds`, called for 10 ms every `period_us`.
    fn moved(period_us: u64, seconds: u64) -> f64 {
        let mut pace = Pace::default();
        let calls = seconds * 1_000_000 / period_us;
        let fits = |n: &u64| pace.allows(Instant::from_micros(n * period_us), 480);
        (0..calls).filter(fits).count() as f64 / 100.0
    }

    #[test]
    fn real_cards_are_never_refused() {
        for period_us in [9_950, 10_000, 10_050] {
            let calls = (600 * 1_000_000 / period_us) as f64 / 100.0;
            assert_eq!(moved(period_us, 600), calls, "every {period_us} us");
        }
    }

    #[test]
    fn unpaced_ones_are_held_to_the_time() {
        assert!((10.0..10.4).contains(&moved(10, 10)), "{}", moved(10, 10));
    }

    #[test]
    fn a_night_asleep_is_no_credit() {
        let mut pace = Pace::default();
        assert!(pace.allows(Instant::ZERO, 480));
        let morning = Instant::ZERO + Duration::from_secs(30_000);
        let fits = (0..1_000).filter(|_| pace.allows(morning, 480)).count();
        assert_eq!(fits, 10, "100 ms");
    }
}
