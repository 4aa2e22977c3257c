//! A WAV file as numbers: mono, at the one rate at which sound is compared.

use std::fmt;
use std::path::Path;

use rubato::audioadapter::Adapter;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// Samples per second of a [`Clip`].
pub const RATE: u32 = 16_000;

/// Mono sound at [`RATE`], −1.0 to 1.0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clip(pub Vec<f32>);

impl Clip {
    /// Reads a WAV file of any rate, channel count and sample format.
    pub fn read(path: &Path) -> Result<Clip, ClipError> {
        let fail = |why: &dyn fmt::Display| ClipError(format!("{}: {why}", path.display()));
        let mut reader = hound::WavReader::open(path).map_err(|e| fail(&e))?;
        let spec = reader.spec();
        let samples: Result<Vec<f32>, _> = match spec.sample_format {
            hound::SampleFormat::Float => reader.samples::<f32>().collect(),
            hound::SampleFormat::Int => {
                let scale = 1.0 / (1u64 << (spec.bits_per_sample - 1)) as f32;
                reader.samples::<i32>().map(|s| s.map(|s| s as f32 * scale)).collect()
            }
        };
        let samples = samples.map_err(|e| fail(&e))?;
        let channels = usize::from(spec.channels).max(1);
        let mono: Vec<f32> = samples
            .chunks_exact(channels)
            .map(|c| c.iter().sum::<f32>() / c.len() as f32)
            .collect();
        resample(&mono, spec.sample_rate).map(Clip).map_err(|e| fail(&e))
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.0.len() as f64 / f64::from(RATE)
    }
}

/// Why a file is no clip.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipError(String);

impl fmt::Display for ClipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ClipError {}

/// The filter's delay is taken out again: sample 0 stays sample 0.
fn resample(samples: &[f32], rate: u32) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    if rate == RATE || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let mut resampler = Fft::<f32>::new(rate as usize, RATE as usize, 1024, 1, FixedSync::Input)?;
    let input = InterleavedSlice::new(samples, 1, samples.len())?;
    let output = resampler.process_all(&input, samples.len(), None)?;
    Ok((0..output.frames()).filter_map(|i| output.read_sample(0, i)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_keeps_the_time_of_a_click() {
        let mut click = vec![0.0; 48_000];
        click[24_000] = 1.0;
        let out = resample(&click, 48_000).unwrap();
        let loudest = (0..out.len()).max_by(|a, b| out[*a].abs().total_cmp(&out[*b].abs()));
        assert_eq!(out.len(), 16_000);
        assert_eq!(loudest, Some(8_000));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Clip::read(Path::new("/nowhere/x.wav")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/x.wav: "), "{error}");
    }
}
