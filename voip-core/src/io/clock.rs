//! The real clocks.

use std::sync::OnceLock;
use std::time::SystemTime;

use crate::time::{Instant, UnixMillis};

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
