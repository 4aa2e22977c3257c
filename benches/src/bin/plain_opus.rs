//! A plain Opus round trip of a WAV file at the library's default settings: what no network and no
//! jitter buffer can improve on. The yardstick for `benches/quality/run`.
//!
//! `plain_opus IN.wav OUT.wav`: any rate libopus takes (8, 12, 16, 24, 48 kHz), mono, 16 bit.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use voip_core::EncoderConfig;

fn main() {
    let mut args = std::env::args().skip(1);
    let (input, output) = (args.next().unwrap(), args.next().unwrap());
    let mut reader = hound::WavReader::open(input).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.bits_per_sample), (1, 16));
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let config = EncoderConfig::default();
    let mode = opus::Application::Voip;
    let mut encoder = opus::Encoder::new(spec.sample_rate, opus::Channels::Mono, mode).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(config.bitrate as i32)).unwrap();
    encoder.set_complexity(i32::from(config.complexity)).unwrap();
    encoder.set_inband_fec(config.fec).unwrap();
    encoder.set_packet_loss_perc(i32::from(config.expected_loss)).unwrap();
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let spec48 = hound::WavSpec { sample_rate: 48_000, ..spec };
    let mut writer = hound::WavWriter::create(output, spec48).unwrap();
    let (mut packet, mut out) = ([0; 1500], [0i16; 960]);
    for frame in samples.chunks_exact(spec.sample_rate as usize / 50) {
        let len = encoder.encode(frame, &mut packet).unwrap();
        let count = decoder.decode(&packet[..len], &mut out, false).unwrap();
        out[..count].iter().for_each(|s| writer.write_sample(*s).unwrap());
    }
    writer.finalize().unwrap();
}
