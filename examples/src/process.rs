//! What this process costs, and the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01 UTC.
pub fn unix_micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// What a process has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Time on a processor, in the program and in the system for it.
    pub cpu: Duration,
    /// The most memory it ever had, bytes.
    pub peak_rss: u64,
}

/// What this process has used, where the system tells (Unix).
#[cfg(unix)]
pub fn usage() -> Option<Usage> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::{TimeVal, TimeValLike};

    let used = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let time = |t: TimeVal| Duration::from_micros(t.num_microseconds().unsigned_abs());
    // macOS counts bytes, the others kilobytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Some(Usage {
        cpu: time(used.user_time()) + time(used.system_time()),
        peak_rss: u64::try_from(used.max_rss()).unwrap_or(0) * unit,
    })
}

/// What this process has used, where the system tells (Unix).
#[cfg(not(unix))]
pub fn usage() -> Option<Usage> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time_and_memory() {
        let before = usage().unwrap();
        let filled = std::hint::black_box(vec![1u8; 50_000_000]);
        let sum: u64 = filled.iter().map(|b| u64::from(*b)).sum();
        let after = usage().unwrap();
        assert_eq!(sum, 50_000_000);
        assert!(after.cpu > before.cpu);
        assert!(after.peak_rss >= 50_000_000, "{after:?}");
    }
}
