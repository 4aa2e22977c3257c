//! Many streams → one: a sum with a gain for each, and a limiter that keeps it in range.

use crate::error::{Error, ErrorKind};
use crate::frame::{AudioFrame, BLOCK};
use crate::voice::level::peak;

/// The limiter leaves everything below this alone: −1 dBFS.
const THRESHOLD: f32 = 0.891_250_9;
/// How fast the limiter lets go, per sample: a time constant of 60 ms, long enough not to distort
/// low voices, short enough not to be heard as pumping.
const RELEASE: f32 = 1.0 - 1.0 / (0.060 * 48_000.0);
/// How fast it bears down on a peak that comes later in the block: 1.5 ms.
const ATTACK: f32 = 1.0 - 1.0 / (0.001_5 * 48_000.0);
/// Samples beyond this are taken for this: far louder than anything, and sums of it stay finite.
const MOST: f32 = 1e6;

/// The gain of one input of a [`Mixer`]. Changes glide over one block.
#[derive(Clone, Debug)]
pub struct Gain {
    current: f32,
    target: f32,
}

impl Default for Gain {
    fn default() -> Self {
        Self::new()
    }
}

impl Gain {
    /// Unchanged loudness.
    pub const fn new() -> Self {
        Gain { current: 1.0, target: 1.0 }
    }

    /// Glides to a factor of 0.0 to 2.0 (+6 dB) over the next block.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] out of that range.
    pub fn set(&mut self, gain: f32) -> Result<(), Error> {
        if !(0.0..=2.0).contains(&gain) {
            let m = format!("gain is {gain}: 0.0 to 2.0 is possible");
            return Err(Error::new(ErrorKind::InvalidArgument, m));
        }
        self.target = gain;
        Ok(())
    }

    /// The factor it is at or glides to.
    pub fn get(&self) -> f32 {
        self.target
    }
}

/// Sums blocks and limits the sum.
///
/// The limiter adds no delay, is transparent below −1 dBFS, never lets a sample beyond ±1.0 and
/// never clips hard: above the threshold the envelope is bent softly towards full scale.
#[derive(Clone, Debug)]
pub struct Mixer {
    sum: [f32; BLOCK],
    envelope: f32,
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

impl Mixer {
    /// A mixer with an empty sum.
    pub const fn new() -> Self {
        Mixer { sum: [0.0; BLOCK], envelope: 0.0 }
    }

    /// Adds one input to the sum. Samples that are no numbers count as silence.
    pub fn add(&mut self, input: &AudioFrame, gain: &mut Gain) {
        let step = (gain.target - gain.current) / BLOCK as f32;
        for ((sum, &sample), n) in self.sum.iter_mut().zip(&input.0).zip(1u16..) {
            let factor = gain.current + step * f32::from(n);
            let sample = if sample.is_nan() { 0.0 } else { sample.clamp(-MOST, MOST) };
            *sum += factor * sample;
        }
        gain.current = gain.target;
    }

    /// Writes the limited sum to `out` and starts the next one.
    pub fn finish(&mut self, out: &mut AudioFrame) {
        if peak(&self.sum).max(self.envelope) <= THRESHOLD {
            self.envelope = 0.0;
            out.0 = self.sum;
        } else {
            self.limit(out);
        }
        self.sum = [0.0; BLOCK];
    }

    /// Divides by an envelope that rises towards each peak ahead of it and falls slowly after.
    fn limit(&mut self, out: &mut AudioFrame) {
        let mut ahead = 0.0f32;
        for (out, sum) in out.0.iter_mut().zip(&self.sum).rev() {
            ahead = (ahead * ATTACK).max(sum.abs());
            *out = ahead;
        }
        for (out, sum) in out.0.iter_mut().zip(&self.sum) {
            self.envelope = (self.envelope * RELEASE).max(*out);
            *out = sum * factor(self.envelope);
        }
    }
}

/// The factor that brings this level into range: 1 up to the threshold, and above it such that the
/// slope of the result falls from 1 to 0 towards full scale.
fn factor(level: f32) -> f32 {
    const ROOM: f32 = 1.0 - THRESHOLD;
    if level <= THRESHOLD {
        return 1.0;
    }
    (THRESHOLD + ROOM * ((level - THRESHOLD) / ROOM).tanh()) / level
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::f32::consts::TAU;

    use super::*;

    fn tone(hertz: f32, amplitude: f32, block: usize) -> AudioFrame {
        AudioFrame(std::array::from_fn(|i| {
            amplitude * (TAU * hertz * (block * BLOCK + i) as f32 / 48_000.0).sin()
        }))
    }

    fn mixed(mixer: &mut Mixer, inputs: &mut [(AudioFrame, Gain)]) -> AudioFrame {
        let mut out = AudioFrame::SILENCE;
        for (frame, gain) in inputs {
            mixer.add(frame, gain);
        }
        mixer.finish(&mut out);
        out
    }

    #[test]
    fn below_the_threshold_a_sum_is_exact() {
        let mut mixer = Mixer::new();
        for block in 0..20 {
            let (a, b) = (tone(200.0, 0.4, block), tone(333.0, 0.45, block));
            let out = mixed(&mut mixer, &mut [(a, Gain::new()), (b, Gain::new())]);
            let sum: [f32; BLOCK] = std::array::from_fn(|i| a.0[i] + b.0[i]);
            assert_eq!(out.0, sum);
        }
    }

    #[test]
    fn ten_loud_voices_stay_in_range_without_clipping_flat() {
        let mut mixer = Mixer::new();
        let (mut flat, mut highest) = (0, 0.0f32);
        for block in 0..50 {
            let mut inputs: Vec<_> =
                (0..10).map(|n| (tone(150.0 + 37.0 * n as f32, 0.9, block), Gain::new())).collect();
            let out = mixed(&mut mixer, &mut inputs);
            flat += out.0.windows(2).filter(|w| w[0] == w[1] && w[0].abs() > 0.999).count();
            highest = out.0.iter().fold(highest, |m, s| m.max(s.abs()));
        }
        assert!(highest <= 1.0 && highest > 0.9, "{highest}");
        // A flat top is what hard clipping looks like.
        assert!(flat < 50 * BLOCK / 100, "{flat} samples in flat tops");
    }

    #[test]
    fn after_an_overload_the_level_is_back_within_a_quarter_of_a_second() {
        let mut mixer = Mixer::new();
        mixed(&mut mixer, &mut [(tone(200.0, 3.0, 0), Gain::new())]);
        for block in 1..25 {
            mixed(&mut mixer, &mut [(tone(200.0, 0.5, block), Gain::new())]);
        }
        let quiet = tone(200.0, 0.5, 25);
        assert_eq!(mixed(&mut mixer, &mut [(quiet, Gain::new())]), quiet);
    }

    #[test]
    fn a_change_of_gain_glides() {
        let mut mixer = Mixer::new();
        let mut gain = Gain::new();
        gain.set(0.0).unwrap();
        let mut out = AudioFrame::SILENCE;
        mixer.add(&AudioFrame([0.5; BLOCK]), &mut gain);
        mixer.finish(&mut out);
        assert!(out.0[0] > 0.49 && out.0[BLOCK - 1] < 0.01);
        assert!(out.0.windows(2).all(|w| (w[0] - w[1]).abs() < 0.01));
        for wrong in [-0.1, 2.1, f32::NAN] {
            assert!(gain.set(wrong).is_err());
        }
        assert_eq!(gain.get(), 0.0);
    }

    #[test]
    fn what_is_no_number_is_not_heard() {
        let mut mixer = Mixer::new();
        let mut out = AudioFrame::SILENCE;
        for poison in [f32::NAN, f32::INFINITY, f32::MAX] {
            mixer.add(&AudioFrame([poison; BLOCK]), &mut Gain::new());
            mixer.add(&AudioFrame([poison; BLOCK]), &mut Gain::new());
            mixer.finish(&mut out);
            assert!(out.0.iter().all(|s| s.abs() <= 1.0));
        }
    }
}
