//! The real clocks.

use std::sync::OnceLock;
use std::time::SystemTime;

use crate::engine::Stopwatch;
use crate::time::{Epoch, Instant, UnixMillis};

static ZERO: OnceLock<std::time::Instant> = OnceLock::new();

/// The process's monotonic clock and the system's wall clock. All `Clock`s of a process agree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    zero: std::time::Instant,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock that others are handed")]
    pub(crate) fn new() -> Self {
        Clock { zero: *ZERO.get_or_init(std::time::Instant::now) }
    }

    /// Microseconds since the process first asked.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.zero.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Wall-clock time; 1970 on a machine that thinks it is earlier.
    #[allow(clippy::disallowed_methods, reason = "this is the clock that others are handed")]
    pub(crate) fn wall(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// What the wall clock would have said at [`Instant::ZERO`]: its later jumps are not followed.
    pub(crate) fn wall_at_zero(&self) -> UnixMillis {
        UnixMillis(self.wall().0.saturating_sub(self.now().as_micros() / 1000))
    }

    /// Wall-clock time at `t`, microseconds since 1970-01-01 UTC, as the wall clock has it now.
    #[allow(clippy::disallowed_methods, reason = "this is the clock that others are handed")]
    pub(crate) fn wall_micros(&self, t: Instant) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let ago = self.now().micros_since(t);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX).saturating_add_signed(-ago)
    }

    /// For libraries that want `std::time::Instant`.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::new(self.zero)
    }
}

/// The stopwatch of real engines.
pub(crate) struct ProcessorClock;

impl Stopwatch for ProcessorClock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock that others are handed")]
    fn nanos(&mut self) -> u64 {
        ZERO.get_or_init(std::time::Instant::now).elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_agree_and_go_forward() {
        let (a, b) = (Clock::new(), Clock::new());
        let first = a.now();
        let second = b.now();
        assert!(first <= second && second <= a.now());
        assert!(a.wall() > UnixMillis(1_600_000_000_000), "later than 2020");
    }
}
