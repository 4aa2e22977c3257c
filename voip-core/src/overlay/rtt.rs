//! How long a neighbour takes to answer (RFC 6298, with milder bounds).

use crate::time::Duration;

/// Before anything is measured.
const FIRST_GUESS: Duration = Duration::from_millis(200);
const SHORTEST: Duration = Duration::from_millis(1);
/// Answers that take longer count as if they took so long.
const LONGEST: Duration = Duration::from_secs(3);

/// Smoothed round-trip time and its variation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rtt {
    smoothed: Duration,
    variation: Duration,
    is_measured: bool,
}

impl Default for Rtt {
    fn default() -> Self {
        Rtt { smoothed: FIRST_GUESS, variation: FIRST_GUESS / 2, is_measured: false }
    }
}

impl Rtt {
    pub(crate) fn measure(&mut self, sample: Duration) {
        let sample = sample.clamp(SHORTEST, LONGEST);
        if self.is_measured {
            self.variation = (self.variation * 3 + self.smoothed.abs_diff(sample)) / 4;
            self.smoothed = (self.smoothed * 7 + sample) / 8;
        } else {
            *self = Rtt { smoothed: sample, variation: sample / 2, is_measured: true };
        }
    }

    /// SRTT.
    pub(crate) fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// RTO: after that an answer is late.
    pub(crate) fn timeout(&self) -> Duration {
        self.smoothed + self.variation * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_and_stays_within_its_bounds() {
        let mut rtt = Rtt::default();
        rtt.measure(Duration::from_millis(80));
        assert_eq!(rtt.smoothed(), Duration::from_millis(80));
        for _ in 0..100 {
            rtt.measure(Duration::from_millis(20));
        }
        assert!(rtt.timeout() < Duration::from_millis(22), "{rtt:?}");
        rtt.measure(Duration::MAX);
        assert!(rtt.timeout() < LONGEST * 5, "{rtt:?}");
        let mut zero = Rtt::default();
        zero.measure(Duration::ZERO);
        assert!(zero.timeout() >= SHORTEST);
    }
}
