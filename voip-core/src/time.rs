//! Time as a number.
//!
//! State machines never read a clock: the caller passes an [`Instant`] in. The real clock lives in
//! `io/`, the virtual one in `sim/`.

use std::ops::{Add, AddAssign, Sub};
pub use std::time::Duration;

/// A point on a monotonic clock, in microseconds since that clock's own zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The zero of the clock.
    pub const ZERO: Instant = Instant(0);
    /// Later than anything that happens: "no timeout pending".
    pub const FAR_FUTURE: Instant = Instant(u64::MAX / 4);

    /// The instant `micros` microseconds after [`Instant::ZERO`].
    pub const fn from_micros(micros: u64) -> Self {
        Instant(micros)
    }

    /// Microseconds since [`Instant::ZERO`].
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time since `earlier`, zero if `earlier` is later.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Signed microseconds since `other`.
    pub const fn micros_since(self, other: Instant) -> i64 {
        self.0.wrapping_sub(other.0) as i64
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX / 4)
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, d: Duration) -> Instant {
        Instant(self.0.saturating_add(micros(d)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, d: Duration) -> Instant {
        Instant(self.0.saturating_sub(micros(d)))
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

/// Milliseconds as a fraction, for statistics.
pub(crate) fn millis(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// Wall-clock time: milliseconds since 1970-01-01 UTC. For what people and signatures need; it may
/// jump, so nothing is timed with it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The moment `d` later.
    pub const fn plus(self, d: Duration) -> Self {
        UnixMillis(self.0.saturating_add(d.as_millis() as u64))
    }

    /// Whether `self` and `other` lie no further apart than `tolerance`.
    pub const fn is_within(self, tolerance: Duration, other: UnixMillis) -> bool {
        self.0.abs_diff(other.0) <= tolerance.as_millis() as u64
    }
}

/// Ties [`Instant`] to `std::time::Instant` for libraries that insist on the latter.
///
/// `std::time::Instant` has no zero, so whoever owns the clock (`io/`, `sim/`) picks one moment
/// and hands it down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(std::time::Instant);

impl Epoch {
    pub(crate) fn new(zero: std::time::Instant) -> Self {
        Epoch(zero)
    }

    pub(crate) fn std(self, t: Instant) -> std::time::Instant {
        self.0 + Duration::from_micros(t.0.min(Instant::FAR_FUTURE.0 >> 16))
    }

    /// Rounded up, so that a timer set for the result has really expired when it fires.
    pub(crate) fn ours(self, t: std::time::Instant) -> Instant {
        let nanos = t.saturating_duration_since(self.0).as_nanos();
        Instant(u64::try_from(nanos.div_ceil(1000)).unwrap_or(u64::MAX / 4).min(u64::MAX / 4))
    }
}
