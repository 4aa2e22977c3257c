//! Where the time goes between mouth and ear, and how it is measured.

use crate::time::{Duration, millis};

/// Measures computing time. Real engines read the processor's clock; simulated ones answer zero,
/// so that a run is the same twice.
pub(crate) trait Stopwatch: Send {
    /// A reading in nanoseconds; only differences count.
    fn nanos(&mut self) -> u64;
}

/// Exponential means, milliseconds.
#[derive(Debug, Default)]
pub(super) struct StageMeter {
    capture_ms: Mean,
    encode_ms: Mean,
    decode_ms: Mean,
}

impl StageMeter {
    /// A frame was complete so long ago in the air.
    pub(super) fn captured(&mut self, ago: Duration) {
        self.capture_ms.add(millis(ago));
    }

    pub(super) fn encoded(&mut self, nanos: u64) {
        self.encode_ms.add(millis(Duration::from_nanos(nanos)));
    }

    pub(super) fn decoded(&mut self, nanos: u64) {
        self.decode_ms.add(millis(Duration::from_nanos(nanos)));
    }

    pub(super) fn capture_ms(&self) -> f64 {
        self.capture_ms.get()
    }

    pub(super) fn encode_ms(&self) -> f64 {
        self.encode_ms.get()
    }

    pub(super) fn decode_ms(&self) -> f64 {
        self.decode_ms.get()
    }
}

/// A mean that forgets with a time constant of 64 values.
#[derive(Debug, Default)]
pub(crate) struct Mean(Option<f64>);

impl Mean {
    pub(crate) fn add(&mut self, value: f64) {
        let mean = self.0.get_or_insert(value);
        *mean += (value - *mean) / 64.0;
    }

    /// Zero before the first value.
    pub(crate) fn get(&self) -> f64 {
        self.0.unwrap_or(0.0)
    }
}
