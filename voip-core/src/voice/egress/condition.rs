//! Makes samples fit to encode and measures them: level and voice activity.

use crate::voice::level::{Level, LevelMeter};

/// Louder than this is taken for voice, dBFS.
const VOICE_DBFS: f32 = -50.0;
/// Voice is taken to last this long after the last loud frame, in samples: 200 ms, the pause
/// between two words.
const HANGOVER: usize = 9_600;

pub(super) struct Condition {
    meter: LevelMeter,
    quiet_for: usize,
}

impl Condition {
    pub(super) fn new() -> Self {
        Condition { meter: LevelMeter::new(), quiet_for: HANGOVER }
    }

    /// Brings every sample into −1.0 ..= 1.0, what is no number to 0; returns the frame's level.
    pub(super) fn run(&mut self, frame: &mut [f32]) -> Level {
        for sample in frame.iter_mut() {
            *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
        }
        let level = self.meter.observe(frame);
        if level.rms > VOICE_DBFS {
            self.quiet_for = 0;
        } else {
            self.quiet_for = self.quiet_for.saturating_add(frame.len());
        }
        level
    }

    pub(super) fn voice(&self) -> bool {
        self.quiet_for < HANGOVER
    }

    pub(super) fn level(&self) -> Level {
        self.meter.level()
    }
}
