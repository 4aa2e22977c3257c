//! Other sample rates to and from 48 kHz: manual PCM at the user's rate, and sound files.
//!
//! Streaming and free of allocation once made. The count of samples that has come out is always
//! exactly the count that went in times the ratio, rounded down, so that 20 ms in are 20 ms out
//! and no frame waits for one missing sample.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Resampler as _, Resizable as _, SincInterpolationParameters,
    SincInterpolationType, WindowFunction,
};

use crate::error::{Error, ErrorKind};
use crate::time::Duration;

const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;
/// Samples given to the filter at a time, at most.
pub(super) const CHUNK: usize = 512;
/// Half the filter's length for live sound, in samples of the lower of both rates: 2 ms at 16 kHz,
/// for a roll-off that begins at seven eighths of the band.
pub(super) const LIVE_HALF: usize = 32;
/// The same for files, where delay costs nothing: the roll-off begins at 97 % of the band.
const FILE_HALF: usize = 192;
/// Silence put before the output, in samples of the input rate, so that what the filter holds back
/// never leaves it short.
const HEAD_START: usize = 3;

/// Changes the sample rate of one mono stream.
pub(crate) struct Resampler {
    from: u32,
    to: u32,
    filter: Option<Filter>,
}

/// The filter itself: what comes out for a chunk lands in `ready`.
pub(super) struct Filter {
    pub(super) inner: Async<f32>,
    pub(super) half: usize,
    scratch: Vec<f32>,
    pub(super) ready: Vec<f32>,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A resampler between two rates of 8 000 to 192 000 Hz; equal rates copy. For live sound:
    /// short of delay.
    pub(crate) fn new(from: u32, to: u32) -> Result<Self, Error> {
        Resampler::with_half(from, to, LIVE_HALF)
    }

    /// The same for files: true to the whole band, at a [`Resampler::delay`] to be cut off.
    pub(crate) fn for_files(from: u32, to: u32) -> Result<Self, Error> {
        Resampler::with_half(from, to, FILE_HALF)
    }

    fn with_half(from: u32, to: u32, half: usize) -> Result<Self, Error> {
        check_rates(from, to)?;
        let filter = if from == to { None } else { Some(Filter::new(from, to, half, 1.0)?) };
        Ok(Resampler { from, to, filter })
    }

    /// Appends to `out` what comes out for `input`: at most [`Resampler::most`] samples.
    pub(crate) fn process(&mut self, input: &[f32], out: &mut Vec<f32>) {
        let Some(filter) = &mut self.filter else {
            out.extend_from_slice(input);
            return;
        };
        for chunk in input.chunks(CHUNK) {
            filter.run(chunk);
            filter.taken += chunk.len() as u64;
            let due = filter.taken * u64::from(self.to) / u64::from(self.from) - filter.given;
            filter.give(usize::try_from(due).unwrap_or(usize::MAX), out);
        }
    }

    /// Appends what is still inside the filter: call once, at the end of a file.
    pub(crate) fn flush(&mut self, out: &mut Vec<f32>) {
        let Some(filter) = &mut self.filter else { return };
        let mut rest = filter.half + HEAD_START;
        while rest > 0 {
            let now = rest.min(CHUNK);
            self.process(&[0.0; CHUNK][..now], out);
            rest -= now;
        }
    }

    /// The most samples that [`Resampler::process`] appends for `input` samples.
    pub(crate) fn most(&self, input: usize) -> usize {
        (input as u64 * u64::from(self.to)).div_ceil(u64::from(self.from)) as usize
    }

    /// How long sound takes through the filter.
    pub(crate) fn delay(&self) -> Duration {
        let Some(filter) = &self.filter else { return Duration::ZERO };
        Duration::from_secs_f64((filter.half + HEAD_START) as f64 / f64::from(self.from))
    }
}

pub(super) fn check_rates(from: u32, to: u32) -> Result<(), Error> {
    for rate in [from, to] {
        if !RATES.contains(&rate) {
            let m = format!("sample_rate is {rate}: 8000 to 192000 is possible");
            return Err(Error::new(ErrorKind::InvalidArgument, m));
        }
    }
    Ok(())
}

impl Filter {
    /// `adjustable` is the most by which its ratio can be multiplied or divided later.
    pub(super) fn new(from: u32, to: u32, half: usize, adjustable: f64) -> Result<Self, Error> {
        let ratio = f64::from(to) / f64::from(from);
        let half = (half as f64 * (1.0 / ratio).max(1.0)).ceil() as usize;
        // The filter's length is a multiple of eight.
        let half = half.next_multiple_of(4);
        let parameters = SincInterpolationParameters {
            sinc_len: 2 * half,
            oversampling_factor: 128,
            interpolation: SincInterpolationType::Linear,
            ..SincInterpolationParameters::new(2 * half, WindowFunction::BlackmanHarris2)
        };
        let inner = Async::new_sinc(ratio, adjustable, &parameters, CHUNK, 1, FixedAsync::Input)
            .map_err(|e| Error::new(ErrorKind::InvalidArgument, format!("no resampler: {e}")))?;
        let longest = inner.output_frames_max();
        let head_start = (HEAD_START as f64 * ratio).ceil() as usize;
        let mut ready = Vec::with_capacity(longest + head_start + 16);
        ready.resize(head_start, 0.0);
        Ok(Filter { inner, half, scratch: vec![0.0; longest], ready, taken: 0, given: 0 })
    }

    /// Takes at most [`CHUNK`] samples.
    pub(super) fn run(&mut self, chunk: &[f32]) {
        let made = self.resample(chunk).unwrap_or(0);
        self.ready.extend_from_slice(&self.scratch[..made]);
    }

    fn resample(&mut self, chunk: &[f32]) -> Option<usize> {
        self.inner.set_chunk_size(chunk.len()).ok()?;
        let input = InterleavedSlice::new(chunk, 1, chunk.len()).ok()?;
        let room = self.scratch.len();
        let mut output = InterleavedSlice::new_mut(&mut self.scratch, 1, room).ok()?;
        let (_, made) = self.inner.process_into_buffer(&input, &mut output, None).ok()?;
        Some(made)
    }

    fn give(&mut self, due: usize, out: &mut Vec<f32>) {
        let now = due.min(self.ready.len());
        out.extend(self.ready.drain(..now));
        self.given += now as u64;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::f32::consts::TAU;

    use super::*;

    fn sine(hertz: f32, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| 0.5 * (TAU * hertz * n as f32 / rate as f32).sin()).collect()
    }

    /// Signal to noise in dB against the best-fitting sine of that frequency.
    fn snr(heard: &[f32], hertz: f32, rate: u32) -> f64 {
        let angle =
            |n: usize| f64::from(hertz) * std::f64::consts::TAU * n as f64 / f64::from(rate);
        let (mut s, mut c, mut power) = (0.0, 0.0, 0.0);
        for (n, &x) in heard.iter().enumerate() {
            s += f64::from(x) * angle(n).sin();
            c += f64::from(x) * angle(n).cos();
            power += f64::from(x).powi(2);
        }
        let signal = 2.0 * (s * s + c * c) / heard.len() as f64;
        10.0 * (signal / (power - signal).max(1e-12)).log10()
    }

    #[test]
    fn a_tone_stays_a_tone_at_every_usual_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 96_000, 192_000] {
            for (from, to) in [(rate, 48_000), (48_000, rate)] {
                let mut resampler = Resampler::new(from, to).unwrap();
                let mut heard = Vec::new();
                // Two seconds; the second, a whole number of periods, is looked at.
                for chunk in sine(1_000.0, from, from as usize * 2).chunks(from as usize / 50) {
                    resampler.process(chunk, &mut heard);
                }
                assert_eq!(heard.len(), to as usize * 2, "{from} to {to}");
                let quality = snr(&heard[to as usize..], 1_000.0, to);
                assert!(quality > 60.0, "{from} to {to}: {quality} dB");
            }
        }
    }

    #[test]
    fn twenty_milliseconds_in_are_twenty_out_every_time() {
        for rate in [8_000, 16_000, 22_050, 44_100, 96_000] {
            let mut resampler = Resampler::new(rate, 48_000).unwrap();
            let frame = sine(300.0, rate, rate as usize / 50);
            let mut out = Vec::with_capacity(resampler.most(frame.len()));
            for _ in 0..500 {
                out.clear();
                resampler.process(&frame, &mut out);
                assert_eq!(out.len(), 960, "at {rate} Hz");
            }
        }
    }

    #[test]
    fn a_click_arrives_after_the_delay_told() {
        for (from, to) in [(16_000, 48_000), (48_000, 16_000), (44_100, 48_000)] {
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut click = vec![0.0; 1_000];
            click[500] = 1.0;
            let mut heard = Vec::new();
            resampler.process(&click, &mut heard);
            resampler.flush(&mut heard);
            let peak = (0..heard.len()).max_by(|&a, &b| heard[a].total_cmp(&heard[b])).unwrap();
            let told = 500.0 / f64::from(from) + resampler.delay().as_secs_f64();
            let off = peak as f64 - told * f64::from(to);
            assert!(off.abs() <= 1.5, "{from} to {to}: {off} samples off");
        }
    }

    #[test]
    fn equal_rates_copy_and_foolish_ones_are_refused() {
        let mut out = Vec::new();
        let mut copy = Resampler::new(48_000, 48_000).unwrap();
        copy.process(&[0.1, 0.2], &mut out);
        copy.flush(&mut out);
        assert_eq!(out, [0.1, 0.2]);
        for (from, to) in [(0, 48_000), (48_000, 200_000), (7_999, 48_000)] {
            assert!(Resampler::new(from, to).is_err());
        }
    }
}
