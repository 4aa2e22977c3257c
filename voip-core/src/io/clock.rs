//! The real clocks.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::engine::Stopwatch;
use crate::time::{Duration, Epoch, Instant, UnixMillis};

/// A monotonic clock whose zero is the moment it was made, and what the wall clock said then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    zero: std::time::Instant,
    wall_at_zero: Duration,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place where clocks are read")]
    pub(crate) fn start() -> Clock {
        // A wall clock before 1970 counts as 1970.
        let wall_at_zero = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { zero: std::time::Instant::now(), wall_at_zero }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where clocks are read")]
    pub(crate) fn now(&self) -> Instant {
        let elapsed = std::time::Instant::now().saturating_duration_since(self.zero);
        Instant::from_micros(elapsed.as_micros() as u64)
    }

    /// For libraries that want `std::time::Instant`.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::new(self.zero)
    }

    /// Wall-clock time at `Instant::ZERO`: jumps of the system's clock after that are not followed.
    pub(crate) fn wall_at_zero(&self) -> UnixMillis {
        UnixMillis(self.wall_at_zero.as_millis() as u64)
    }

    /// Wall-clock time of `t`, microseconds since 1970-01-01 UTC.
    pub(crate) fn unix_micros(&self, t: Instant) -> u64 {
        self.wall_at_zero.as_micros() as u64 + t.as_micros()
    }
}

/// The stopwatch of real engines.
pub(crate) struct ProcessorClock;

impl Stopwatch for ProcessorClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where clocks are read")]
    fn nanos(&mut self) -> u64 {
        static ZERO: OnceLock<std::time::Instant> = OnceLock::new();
        ZERO.get_or_init(std::time::Instant::now).elapsed().as_nanos() as u64
    }
}
