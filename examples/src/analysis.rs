//! How much of what was said was heard, and how late: by comparing the two recordings.
//!
//! The overall alignment is the peak of the cross-correlation of the whole recordings. Then each
//! 320 ms window of active speech looks for its own place, ±25 ms around that: the normalised
//! correlation there says how well it was heard, the place how late.

use realfft::RealFftPlanner;

use crate::clip::{Clip, RATE};

/// Length of a window, milliseconds.
pub const WINDOW_MS: usize = 320;
/// How far a window may lie from the overall alignment, milliseconds.
pub const SEARCH_MS: usize = 25;
/// A window is active speech when its level is at most this far below the loudest one's.
pub const ACTIVE_DB: f64 = 25.0;

const WINDOW: usize = WINDOW_MS * RATE as usize / 1000;
const SEARCH: i64 = (SEARCH_MS * RATE as usize / 1000) as i64;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Mean over the windows of the best normalised correlation, 0 to 1; 0 without any window.
    pub heard: f64,
    /// How much later the recording has the sound than the original, milliseconds; negative if
    /// the recording began later than the sound.
    pub lag_ms: f64,
    /// The windows of active speech, in order.
    pub windows: Vec<Window>,
}

/// One window of active speech.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Where it begins in the original, seconds.
    pub at_s: f64,
    /// Its best normalised correlation, 0 to 1.
    pub correlation: f64,
    /// Its own lag, milliseconds.
    pub lag_ms: f64,
}

/// Compares what was heard with the first `seconds` of what was said.
pub fn compare(sent: &Clip, heard: &Clip, seconds: f64) -> Comparison {
    let said = ((seconds * f64::from(RATE)) as usize).min(sent.0.len());
    let (sent, heard) = (&sent.0[..said], &heard.0[..]);
    let lag = alignment(sent, heard);
    let energies = RunningEnergy::new(heard);
    let windows: Vec<Window> = active_windows(sent)
        .map(|start| best_place(&sent[start..start + WINDOW], start, heard, &energies, lag))
        .collect();
    let sum: f64 = windows.iter().map(|w| w.correlation).sum();
    Comparison { heard: sum / windows.len().max(1) as f64, lag_ms: milliseconds(lag), windows }
}

/// The value that `percent` of `values` do not exceed, between neighbours by proportion; 0 for none.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = (percent / 100.0).clamp(0.0, 1.0) * last as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

fn milliseconds(samples: i64) -> f64 {
    samples as f64 * 1e3 / f64::from(RATE)
}

/// The lag with the largest cross-correlation, found in the frequency domain.
fn alignment(sent: &[f32], heard: &[f32]) -> i64 {
    let size = (sent.len() + heard.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |signal: &[f32]| {
        let mut padded = signal.to_vec();
        padded.resize(size, 0.0);
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut padded, &mut spectrum).map(|()| spectrum)
    };
    let mut correlation = inverse.make_output_vec();
    let (Ok(a), Ok(b)) = (spectrum(sent), spectrum(heard)) else { return 0 };
    let mut product: Vec<_> = a.iter().zip(&b).map(|(a, b)| a.conj() * b).collect();
    if inverse.process(&mut product, &mut correlation).is_err() {
        return 0;
    }
    let peak = (0..size).max_by(|a, b| correlation[*a].total_cmp(&correlation[*b])).unwrap_or(0);
    // The upper half of a circular correlation holds the negative lags.
    if peak < heard.len() { peak as i64 } else { peak as i64 - size as i64 }
}

/// Starts of the windows of `sent` in which somebody speaks, one after the other.
fn active_windows(sent: &[f32]) -> impl Iterator<Item = usize> {
    let energy = |start: usize| sent[start..start + WINDOW].iter().map(square).sum::<f64>();
    let starts = (0..sent.len() / WINDOW).map(|i| i * WINDOW);
    let energies: Vec<(usize, f64)> = starts.map(|start| (start, energy(start))).collect();
    let loudest = energies.iter().map(|(_, e)| *e).fold(0.0, f64::max);
    let least = loudest * 10f64.powf(-ACTIVE_DB / 10.0);
    energies.into_iter().filter(move |(_, e)| *e > 0.0 && *e >= least).map(|(start, _)| start)
}

fn square(sample: &f32) -> f64 {
    f64::from(*sample) * f64::from(*sample)
}

/// Energy of any stretch of a signal at the cost of one subtraction.
struct RunningEnergy(Vec<f64>);

impl RunningEnergy {
    fn new(signal: &[f32]) -> Self {
        let mut sums = Vec::with_capacity(signal.len() + 1);
        let mut sum = 0.0;
        sums.push(sum);
        sums.extend(signal.iter().map(|s| {
            sum += square(s);
            sum
        }));
        RunningEnergy(sums)
    }

    fn between(&self, from: usize, to: usize) -> f64 {
        self.0[to] - self.0[from]
    }
}

fn best_place(
    window: &[f32],
    start: usize,
    heard: &[f32],
    energies: &RunningEnergy,
    lag: i64,
) -> Window {
    let own = window.iter().map(square).sum::<f64>();
    let mut best = (0.0, lag);
    for lag in lag - SEARCH..=lag + SEARCH {
        let from = start as i64 + lag;
        let Some(from) = usize::try_from(from).ok().filter(|f| f + WINDOW <= heard.len()) else {
            continue;
        };
        let energy = own * energies.between(from, from + WINDOW);
        // Rounding leaves a trace of energy in digital silence.
        if energy < 1e-12 {
            continue;
        }
        let correlation = dot(window, &heard[from..from + WINDOW]) / energy.sqrt();
        if correlation > best.0 {
            best = (correlation, lag);
        }
    }
    let at_s = start as f64 / f64::from(RATE);
    Window { at_s, correlation: best.0, lag_ms: milliseconds(best.1) }
}

/// In eight lanes, so that the compiler can use vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().map(|l| f64::from(*l)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech() -> Clip {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/speech/english.wav");
        Clip::read(std::path::Path::new(file)).unwrap()
    }

    fn noise(len: usize, mut seed: u32) -> Vec<f32> {
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            seed as f32 / u32::MAX as f32 - 0.5
        };
        (0..len).map(|_| next() * 0.3).collect()
    }

    fn delayed(samples: &[f32], by: usize) -> Clip {
        Clip([vec![0.0; by], samples.to_vec()].concat())
    }

    #[test]
    fn a_delayed_quieter_copy_is_heard_whole_and_late() {
        let sent = speech();
        let quieter: Vec<f32> = sent.0.iter().map(|s| s * 0.3).collect();
        let result = compare(&sent, &delayed(&quieter, 1_000), 15.0);
        assert!(result.heard > 0.9999, "{}", result.heard);
        assert_eq!(result.lag_ms, 62.5);
        assert!(result.windows.len() > 30, "{}", result.windows.len());
        assert!(result.windows.iter().all(|w| w.lag_ms == 62.5));
    }

    #[test]
    fn a_recording_that_began_later_has_a_negative_lag() {
        let sent = speech();
        let result = compare(&sent, &Clip(sent.0[800..].to_vec()), 15.0);
        assert_eq!(result.lag_ms, -50.0);
        // The first window lies before the recording.
        assert!(result.heard > 0.9);
    }

    #[test]
    fn a_gently_filtered_copy_is_still_heard() {
        let sent = speech();
        let mut low = 0.0;
        let filtered: Vec<f32> = sent
            .0
            .iter()
            .map(|s| {
                low += 0.6 * (s - low);
                low
            })
            .collect();
        let result = compare(&sent, &delayed(&filtered, 320), 15.0);
        assert!(result.heard > 0.9, "{}", result.heard);
        assert!((result.lag_ms - 20.0).abs() < 0.2, "{}", result.lag_ms);
    }

    #[test]
    fn windows_find_their_own_place() {
        let sent = speech();
        let (early, late) = sent.0.split_at(RATE as usize * 8);
        // From second 8 on everything comes 10 ms later.
        let heard = Clip([early, &[0.0; 160], late].concat());
        let windows = compare(&sent, &heard, 15.0).windows;
        let lags = |range: std::ops::Range<f64>| -> Vec<f64> {
            windows.iter().filter(|w| range.contains(&w.at_s)).map(|w| w.lag_ms).collect()
        };
        assert!(lags(0.0..7.5).iter().all(|l| *l == 0.0));
        assert!(lags(8.1..15.0).iter().all(|l| *l == 10.0));
    }

    #[test]
    fn noise_other_speech_and_nothing_are_not_heard() {
        let sent = speech();
        let backwards = Clip(sent.0.iter().rev().copied().collect());
        assert!(compare(&sent, &Clip(noise(sent.0.len(), 7)), 15.0).heard < 0.2);
        assert!(compare(&sent, &backwards, 15.0).heard < 0.5);
        assert_eq!(compare(&sent, &Clip(vec![0.0; 99_999]), 15.0).heard, 0.0);
        assert_eq!(compare(&sent, &Clip::default(), 15.0).heard, 0.0);
        assert_eq!(compare(&Clip::default(), &sent, 15.0).heard, 0.0);
    }

    #[test]
    fn half_a_recording_is_half_heard() {
        let sent = speech();
        let half = Clip(sent.0[..RATE as usize * 8].to_vec());
        let heard = compare(&sent, &half, 15.8).heard;
        assert!((0.4..0.6).contains(&heard), "{heard}");
    }

    #[test]
    fn percentiles() {
        let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 50.0), 50.0);
        assert_eq!(percentile(&values, 95.0), 95.0);
        assert_eq!(percentile(&[1.0, 2.0], 50.0), 1.5);
        assert_eq!(percentile(&[], 50.0), 0.0);
    }
}
