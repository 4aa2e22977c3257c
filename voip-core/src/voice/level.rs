//! How loud a block is, as people and RFC 6464 count it.

/// Silence as RFC 6464 writes it, in −dBov.
const SILENT: u8 = 127;
/// Samples taken at a time: four registers of the narrowest vector unit.
const LANES: usize = 16;

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
        let mean = mean_square(samples);
        if !mean.is_finite() {
            return Level::SILENCE;
        }
        Level { rms: decibel(mean.sqrt()), peak: decibel(peak(samples)) }
    }
}

/// Mean of the squares; of no samples at all, not a number.
pub(crate) fn mean_square(samples: &[f32]) -> f32 {
    reduce(samples, |sample| sample * sample, |a, b| a + b) / samples.len() as f32
}

/// Highest magnitude. What is no number does not count.
pub(crate) fn peak(samples: &[f32]) -> f32 {
    reduce(samples, f32::abs, |a, b| if b > a { b } else { a })
}

/// Joins what `of` makes of the samples, beginning with 0.0. Every [`LANES`]th sample goes to one of
/// as many results: independent of one another, they fit vector registers. The compiler may not
/// reorder floating-point operations by itself.
fn reduce(samples: &[f32], of: impl Fn(f32) -> f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = samples.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &sample) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, of(sample));
        }
    }
    let joined = lanes.into_iter().fold(0.0, &join);
    rest.iter().fold(joined, |joined, &sample| join(joined, of(sample)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_relative_to_full_scale() {
        let square = Level::of(&[1.0, -1.0, 1.0, -1.0]);
        assert_eq!((square.rms, square.peak, square.minus_dbov()), (0.0, 0.0, 0));
        let tenth = Level::of(&[0.1, 0.0, 0.0, 0.0]);
        assert!((tenth.peak + 20.0).abs() < 0.01 && (tenth.rms + 26.02).abs() < 0.01);
        for silence in [&[][..], &[0.0; 10], &[f32::NAN; 10]] {
            assert_eq!(Level::of(silence).minus_dbov(), 127);
        }
    }

    #[test]
    fn a_meter_rises_at_once_and_falls_by_twenty_decibels_a_second() {
        let mut meter = LevelMeter::new();
        meter.observe(&[0.5; 480]);
        assert!((meter.level().rms + 6.02).abs() < 0.01);
        for _ in 0..50 {
            meter.observe(&[0.0; 480]);
        }
        assert!((meter.level().peak + 16.02).abs() < 0.05);
    }
}
