//! Time stretching of speech without a change of pitch: a stretch of sound that resembles what
//! follows it is left out, or said twice (WSOLA: Verhelst and Roelands, ICASSP 1993).
//!
//! In a voice, such a stretch is a pitch period or several; in quiet, any length will do.

use crate::voice::level::mean_square;

/// The shortest stretch and the longest, in samples: 2.5 ms and 15 ms, pitches down to 67 Hz.
const SHORTEST: usize = 120;
pub(super) const LONGEST: usize = 720;
/// What is said again may be longer than wanted by so many samples, as it has to be whole periods: 7.5 ms.
const ROUNDER: usize = 360;
/// What is compared: 8 ms.
const COMPARED: usize = 384;
/// What is faded from one stretch to the next: 5 ms.
const FADE: usize = 240;
/// Samples that must be there for a stretch to be left out.
pub(super) const ENOUGH: usize = LONGEST + COMPARED;
/// The search looks at every eighth sample of the smoothed sound first, then around the best.
const COARSE: usize = 8;
/// How alike they must be to be joined.
const ALIKE: f32 = 0.8;
/// Sound below this level resembles any other: −45 dBFS as a mean square.
const QUIET: f32 = 3.2e-5;

/// A stretch of sound to leave out or to say again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    pub(super) samples: usize,
    /// How much what it joins is alike: 1.0 for the same, 0.0 for unrelated.
    likeness: f32,
}

/// The best stretch to leave out at the beginning of `sound`: `most` samples at most. `voice_too` if not only
/// quiet will do.
pub(super) fn shorter(sound: &[f32], most: usize, voice_too: bool) -> Option<Stretch> {
    // If there is much to do, by long ones.
    let shortest = (most / 8).clamp(SHORTEST, LONGEST / 2);
    let most = most.min(LONGEST).min(sound.len().checked_sub(COMPARED)?);
    let template = &sound[..COMPARED];
    if most >= 1 && is_quiet(&sound[..most + COMPARED]) {
        return Some(Stretch { samples: most, likeness: 1.0 });
    }
    let sound = Some(&sound[..most + COMPARED]).filter(|_| voice_too)?;
    best(template, sound, shortest..=most, |lag| lag)
}

/// The best stretch of `past` to say again before `sound`; at least `least` samples in quiet.
pub(super) fn longer(
    past: &[f32],
    sound: &[f32],
    least: usize,
    voice_too: bool,
) -> Option<Stretch> {
    let template = sound.get(..COMPARED)?;
    let most = LONGEST.min(past.len()).min(least.saturating_add(ROUNDER));
    let wanted = least.clamp(1, most.max(1));
    if most >= wanted && is_quiet(&past[past.len() - wanted..]) && is_quiet(template) {
        return Some(Stretch { samples: wanted, likeness: 1.0 });
    }
    if !voice_too {
        return None;
    }
    // Both in one piece: the stretch may be shorter than what is compared.
    let mut both = [0.0; LONGEST + COMPARED];
    both[..most].copy_from_slice(&past[past.len() - most..]);
    both[most..most + COMPARED].copy_from_slice(template);
    best(template, &both[..most + COMPARED], SHORTEST..=most, |lag| most - lag)
}

/// Leaves out so many samples at the beginning of `sound`: what is to be played begins after
/// them.
pub(super) fn leave_out(sound: &mut [f32], samples: usize) {
    let fade = FADE.min(sound.len() - samples);
    let mut went_on = [0.0; FADE];
    went_on[..fade].copy_from_slice(&sound[..fade]);
    fade_over(&went_on[..fade], &mut sound[samples..samples + fade]);
}

/// Says the last `samples` before `at` once more: they are put in at `at`, and all after it moves on.
/// `sound` has that much room at its end.
pub(super) fn say_again(sound: &mut [f32], at: usize, samples: usize) {
    let end = sound.len() - samples;
    let fade = FADE.min(end - at);
    let mut went_on = [0.0; FADE];
    went_on[..fade].copy_from_slice(&sound[at..at + fade]);
    sound.copy_within(at - samples..end, at);
    fade_over(&went_on[..fade], &mut sound[at..at + fade]);
}

/// Lets `to` begin as `from` does, and end as it ends itself.
fn fade_over(from: &[f32], to: &mut [f32]) {
    let len = from.len() as f32;
    for (n, (from, to)) in from.iter().zip(to).enumerate() {
        let part = (n as f32 + 0.5) / len;
        *to = from + part * (*to - from);
    }
}

fn is_quiet(sound: &[f32]) -> bool {
    mean_square(sound) < QUIET
}

/// The lag of those at which `sound`, from where `at` says, is most like the template, if it is alike.
fn best(
    template: &[f32],
    sound: &[f32],
    lags: std::ops::RangeInclusive<usize>,
    at: impl Fn(usize) -> usize,
) -> Option<Stretch> {
    let (first, last) = (*lags.start(), *lags.end());
    if first > last {
        return None;
    }
    let (mut coarse_template, mut coarse) = ([0.0; COMPARED / COARSE], [0.0; ENOUGH / COARSE]);
    smooth(template, &mut coarse_template);
    let coarse = &mut coarse[..sound.len() / COARSE];
    smooth(sound, coarse);
    let rough = (first.div_ceil(COARSE)..=last / COARSE).filter_map(|lag| {
        let from = at(lag * COARSE) / COARSE;
        let there = coarse.get(from..from + coarse_template.len())?;
        Some((likeness(&coarse_template, there), lag * COARSE))
    });
    let (_, rough) = rough.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let near = rough.saturating_sub(COARSE).max(first)..=(rough + COARSE).min(last);
    let fine = near.filter_map(|lag| {
        let there = sound.get(at(lag)..at(lag) + COMPARED)?;
        Some(Stretch { samples: lag, likeness: likeness(template, there) })
    });
    fine.max_by(|a, b| a.likeness.total_cmp(&b.likeness)).filter(|best| best.likeness >= ALIKE)
}

fn smooth(sound: &[f32], out: &mut [f32]) {
    for (out, samples) in out.iter_mut().zip(sound.chunks_exact(COARSE)) {
        *out = samples.iter().sum();
    }
}

/// Normalised cross-correlation.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [[1e-9_f32; LANES]; 3];
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[0][lane] += a[lane] * b[lane];
            sums[1][lane] += a[lane] * a[lane];
            sums[2][lane] += b[lane] * b[lane];
        }
    }
    let [product, of_a, of_b] = sums.map(|lanes| lanes.iter().sum::<f32>());
    product / (of_a * of_b).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(hertz: f32, from: usize, count: usize) -> Vec<f32> {
        (from..from + count).map(|n| 0.3 * (TAU * hertz * n as f32 / 48_000.0).sin()).collect()
    }

    fn steepest(sound: &[f32]) -> f32 {
        sound.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_voice_is_cut_by_whole_periods_and_goes_on_smoothly() {
        // 200 Hz: 240 samples.
        let mut sound = tone(200.0, 0, 2_000);
        let found = shorter(&sound, LONGEST, true).unwrap();
        assert!(found.likeness > 0.99 && found.samples.is_multiple_of(240), "{found:?}");
        let before = steepest(&sound);
        leave_out(&mut sound, found.samples);
        assert!(steepest(&sound[found.samples..]) < before * 1.05);
        assert!((sound[found.samples] - 0.0).abs() < 0.01, "it begins as it began");
    }

    #[test]
    fn a_stretch_shorter_than_the_fade_is_left_out_smoothly() {
        let mut sound = tone(400.0, 0, 1_000);
        let before = steepest(&sound);
        leave_out(&mut sound, 120);
        assert!(steepest(&sound[120..]) < before * 1.05);
    }

    #[test]
    fn a_voice_is_lengthened_by_whole_periods_and_goes_on_smoothly() {
        let all = tone(150.0, 0, 3_000);
        let found = longer(&all[..1_000], &all[1_000..], 480, true).unwrap();
        assert!(found.likeness > 0.99 && found.samples.is_multiple_of(320), "{found:?}");
        let before = steepest(&all);
        let mut sound = all.clone();
        sound.resize(3_000 + found.samples, 0.0);
        say_again(&mut sound, 1_000, found.samples);
        assert!(steepest(&sound) < before * 1.05);
        assert_eq!(sound[3_000 + found.samples - 1], all[2_999]);
    }

    #[test]
    fn quiet_is_cut_by_as_much_as_is_wanted_and_noise_is_alike_nowhere() {
        let quiet = [1e-4; ENOUGH];
        assert_eq!(shorter(&quiet, 480, false).map(|s| s.samples), Some(480));
        let mut n = 1_u32;
        let noise: Vec<f32> = std::iter::repeat_with(|| {
            n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            n as f32 / u32::MAX as f32 - 0.5
        })
        .take(ENOUGH)
        .collect();
        assert_eq!(shorter(&noise, LONGEST, true), None);
        assert_eq!(shorter(&noise[..COMPARED - 1], 480, true), None);
        let voice = tone(200.0, 0, 2_000);
        assert_eq!(shorter(&voice, LONGEST, false), None, "only quiet was asked for");
        assert_eq!(shorter(&voice, 100, true), None, "too short for loud sound");
        assert_eq!(longer(&voice[..1_000], &voice[1_000..], 480, false), None);
    }
}
