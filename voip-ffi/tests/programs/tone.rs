//! WAV files of 48 kHz, mono, 16 bits: written with a tone, and read again.

use std::fs;
use std::path::PathBuf;

use crate::cc;

const RATE: u32 = 48_000;
const HEADER: usize = 44;

/// A tone of 440 Hz with an amplitude of 0.3.
pub(crate) fn wav(name: &str, seconds: f64) -> PathBuf {
    let count = (seconds * f64::from(RATE)) as u32;
    let bytes = 2 * count;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    // Length, PCM, one channel, rate, bytes a second, bytes a sample, bits.
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(RATE.to_le_bytes());
    file.extend((2 * RATE).to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    for i in 0..count {
        let turns = 440.0 * f64::from(i) / f64::from(RATE);
        let sample = 0.3 * (std::f64::consts::TAU * turns).sin();
        file.extend(((sample * 32767.0) as i16).to_le_bytes());
    }
    let path = cc::scratch().join(name);
    fs::write(&path, file).unwrap();
    path
}

/// The RMS of the half second in which a recording is loudest, and how many seconds it has.
pub(crate) fn loudness(path: &str) -> (f64, f64) {
    let file = fs::read(path).unwrap();
    let samples: Vec<f64> = file[HEADER..]
        .chunks_exact(2)
        .map(|two| f64::from(i16::from_le_bytes([two[0], two[1]])) / 32768.0)
        .collect();
    let rms = |part: &[f64]| (part.iter().map(|s| s * s).sum::<f64>() / part.len() as f64).sqrt();
    let loudest = samples.chunks(RATE as usize / 2).map(rms).fold(0.0, f64::max);
    (loudest, samples.len() as f64 / f64::from(RATE))
}
