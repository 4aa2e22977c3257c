//! Notices a microphone that gives *digital silence*: the same value over and over.
//!
//! Zeros come from a microphone that is unplugged, muted in hardware or by the system, or forbidden
//! to the program; some converters give another constant. A quiet room is something else: what a
//! converter makes of an open input trembles.

use crate::frame::SAMPLE_RATE;

/// Digital silence has lasted this long, in samples, before it is believed: 1 s. Pauses that a
/// noise gate makes between words are shorter.
const BELIEVED: usize = SAMPLE_RATE as usize;
/// Samples closer together than the least step of 24 bits are the same value, which a resampler may
/// have rounded this way and that.
const STEP: f32 = 1.0 / (1 << 23) as f32;

#[derive(Default)]
pub(super) struct DigitalSilence {
    /// The first value of the silence that may be one.
    value: f32,
    /// Samples since then.
    lasted: usize,
}

impl DigitalSilence {
    /// Takes in the next samples of the microphone.
    pub(super) fn observe(&mut self, samples: &[f32]) {
        let Some(&first) = samples.first() else { return };
        let is_same = |value: f32| move |s: &f32| (s - value).abs() < STEP;
        if self.lasted > 0 && samples.iter().all(is_same(self.value)) {
            self.lasted = self.lasted.saturating_add(samples.len());
        } else {
            let silent = samples.iter().all(is_same(first));
            *self = DigitalSilence { value: first, lasted: if silent { samples.len() } else { 0 } };
        }
    }

    /// Whether the microphone gives nothing else.
    pub(super) fn is_believed(&self) -> bool {
        self.lasted >= BELIEVED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is believed after `frames` of 20 ms.
    fn believed(frames: usize, sample: impl Fn(usize) -> f32) -> bool {
        let mut silence = DigitalSilence::default();
        let samples: Vec<f32> = (0..frames * 960).map(sample).collect();
        samples.chunks(960).for_each(|frame| silence.observe(frame));
        silence.is_believed()
    }

    #[test]
    fn zeros_and_other_constants_are_believed_after_a_second() {
        for value in [0.0, 0.25, -1.0] {
            assert!(!believed(49, |_| value));
            assert!(believed(50, |_| value));
        }
        assert!(believed(50, |i| 0.25 + if i % 2 == 0 { 3e-8 } else { 0.0 }), "rounded");
    }

    #[test]
    fn the_least_noise_is_a_living_microphone() {
        let least = 1.0 / 32_768.0;
        assert!(!believed(500, |i| if i % 900 == 0 { least } else { 0.0 }));
        assert!(!believed(500, |i| if i % 900 == 0 { least / 256.0 } else { 0.0 }));
        assert!(!believed(500, |_| f32::NAN), "what is no number is no silence");
        assert!(!believed(99, |i| if i < 50 * 960 { 0.0 } else { 0.1 }), "begun anew");
    }
}
