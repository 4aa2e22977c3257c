//! How loud a block is, as people and RFC 6464 count it.

/// Silence as RFC 6464 writes it, in −dBov.
const SILENT: u8 = 127;

/// Loudness of a stretch of sound, in dB relative to full scale (a square wave of ±1.0 is 0 dB).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// Root mean square, dBFS, −127 for silence.
    pub(crate) rms: f32,
    /// Highest magnitude, dBFS, −127 for silence.
    pub(crate) peak: f32,
}

impl Level {
    pub(crate) const SILENCE: Level = Level { rms: -127.0, peak: -127.0 };

    /// The level as RFC 6464 sends it: 0 (loudest) to 127 (silence), in −dBov.
    pub(crate) fn minus_dbov(self) -> u8 {
        // The cast saturates, and `of` keeps NaN out.
        ((-self.rms).round() as u8).min(SILENT)
    }

    /// The level of these samples; of none at all, silence.
    pub(crate) fn of(samples: &[f32]) -> Level {
        let (sum, peak) = samples
            .iter()
            .fold((0.0f32, 0.0f32), |(sum, peak), s| (sum + s * s, peak.max(s.abs())));
        if samples.is_empty() || !sum.is_finite() {
            return Level::SILENCE;
        }
        Level { rms: decibel((sum / samples.len() as f32).sqrt()), peak: decibel(peak) }
    }
}

fn decibel(amplitude: f32) -> f32 {
    (20.0 * amplitude.max(1e-7).log10()).max(-127.0)
}

/// Follows the level of a stream: up at once, down by 20 dB a second, as a meter on a screen does.
#[derive(Clone, Debug)]
pub(crate) struct LevelMeter {
    now: Level,
}

const FALL_DB_PER_SAMPLE: f32 = 20.0 / 48_000.0;

impl LevelMeter {
    pub(crate) fn new() -> Self {
        LevelMeter { now: Level::SILENCE }
    }

    /// Takes in the next samples; returns their own level.
    pub(crate) fn observe(&mut self, samples: &[f32]) -> Level {
        let level = Level::of(samples);
        let fall = FALL_DB_PER_SAMPLE * samples.len() as f32;
        self.now = Level {
            rms: level.rms.max(self.now.rms - fall),
            peak: level.peak.max(self.now.peak - fall),
        };
        level
    }

    /// What the meter shows.
    pub(crate) fn level(&self) -> Level {
        self.now
    }
}
