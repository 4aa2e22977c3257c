//! Encodes a voice for `replay`: packets with the redundancy asked for.
//!
//! `pack --voice V.wav --packets P.pkts [--bitrate 32000] [--loss 10] [--fec] [--deep MS]`
//!
//! - the voice: 48 kHz, mono, 16 bits;
//! - the packets, 20 ms each: a length (16 bits, little-endian) and as many bytes of Opus;
//! - `--loss` is the loss to expect in per cent; `--fec` has copies made of the packet before, `--deep` deep
//!   redundancy (DRED) that reaches back so far.
//!
//! Standard output is JSON: the bit rate, and microseconds of processor time for each packet.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use std::fs;

use clap::Parser;
use voip_benches::cpu::thread_nanos;
use voip_core::{Duration, Encoder, EncoderConfig, FrameDuration, MAX_PAYLOAD};

/// Encodes a voice for `replay`.
#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    voice: String,
    #[arg(long)]
    packets: String,
    #[arg(long, default_value_t = 32_000)]
    bitrate: u32,
    #[arg(long, default_value_t = 10)]
    loss: u8,
    #[arg(long)]
    fec: bool,
    #[arg(long, default_value_t = 0)]
    deep: u64,
}

fn main() {
    let arguments = Arguments::parse();
    let mut wav = hound::WavReader::open(&arguments.voice).unwrap();
    let spec = wav.spec();
    assert_eq!((spec.sample_rate, spec.channels, spec.bits_per_sample), (48_000, 1, 16));
    let voice: Vec<f32> =
        wav.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect();
    let config = EncoderConfig {
        bitrate: arguments.bitrate,
        expected_loss: arguments.loss,
        fec: arguments.fec,
        ..EncoderConfig::default()
    };
    let mut encoder = Encoder::new(&config).unwrap();
    encoder.set_deep_redundancy(Duration::from_millis(arguments.deep)).unwrap();
    let (mut bytes, mut packets) = (Vec::new(), 0);
    let before = thread_nanos();
    for frame in voice.chunks_exact(FrameDuration::Ms20.samples()) {
        let mut packet = [0; MAX_PAYLOAD];
        let len = encoder.encode(frame, &mut packet).unwrap();
        bytes.extend((len as u16).to_le_bytes());
        bytes.extend(&packet[..len]);
        packets += 1;
    }
    let nanos = thread_nanos() - before;
    let payload = bytes.len() - 2 * packets;
    fs::write(&arguments.packets, bytes).unwrap();
    println!(
        "{}",
        serde_json::json!({
            "packets": packets,
            "bitrate": payload * 8 * 50 / packets,
            "encode_us": nanos as f64 / 1e3 / packets as f64,
        })
    );
}
