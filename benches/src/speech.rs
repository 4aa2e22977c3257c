//! The repository's recorded speech at the rate of a call.

use std::path::Path;

use rubato::audioadapter::Adapter;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// The first `seconds` of the English clip, 48 kHz mono, again from its start where it is shorter.
pub fn speech(seconds: usize) -> Vec<f32> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/speech/english.wav");
    let mut reader = hound::WavReader::open(file).expect("the repository's speech");
    let rate = reader.spec().sample_rate as usize;
    let samples: Vec<f32> =
        reader.samples::<i16>().map(|s| f32::from(s.unwrap()) / 32_768.0).collect();
    let input = InterleavedSlice::new(&samples, 1, samples.len()).unwrap();
    let mut resampler = Fft::<f32>::new(rate, 48_000, 1024, 1, FixedSync::Input).unwrap();
    let output = resampler.process_all(&input, samples.len(), None).unwrap();
    (0..output.frames())
        .filter_map(|i| output.read_sample(0, i))
        .cycle()
        .take(seconds * 48_000)
        .collect()
}
