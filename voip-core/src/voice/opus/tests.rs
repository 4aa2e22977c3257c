#![allow(clippy::unwrap_used)]
use std::f32::consts::TAU;

use proptest::prelude::*;

use super::*;
use crate::voice::MAX_PAYLOAD;

/// Something that the codec takes for a voice: a buzz of harmonics that swells and fades.
fn buzz(len: usize) -> Vec<f32> {
    (0..len)
        .map(|n| {
            let t = n as f32 / 48_000.0;
            let swell = 0.2 + 0.15 * (TAU * 3.0 * t).sin();
            (1..12).map(|h| (TAU * 140.0 * h as f32 * t).sin() / h as f32).sum::<f32>() * swell
        })
        .collect()
}

fn packets(config: &EncoderConfig, sound: &[f32]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(config).unwrap();
    sound
        .chunks_exact(config.frame.samples())
        .map(|frame| {
            let mut out = [0; MAX_PAYLOAD];
            let len = encoder.encode(frame, &mut out).unwrap();
            out[..len].to_vec()
        })
        .collect()
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32
}

#[test]
fn every_frame_length_goes_through() {
    let sound = buzz(48_000);
    for frame in
        [FrameDuration::Ms10, FrameDuration::Ms20, FrameDuration::Ms40, FrameDuration::Ms60]
    {
        let config = EncoderConfig { frame, ..Default::default() };
        let mut decoder = Decoder::new().unwrap();
        let mut heard = Vec::new();
        for packet in packets(&config, &sound) {
            let mut out = [0.0; MAX_PACKET_SAMPLES];
            assert_eq!(Decoder::inspect(&packet).unwrap().samples, frame.samples());
            assert_eq!(decoder.decode(&packet, &mut out).unwrap(), frame.samples());
            heard.extend_from_slice(&out[..frame.samples()]);
        }
        let ratio = energy(&heard[4_800..]) / energy(&sound[4_800..]);
        assert!((0.7..1.3).contains(&ratio), "{frame:?}: {ratio}");
    }
}

#[test]
fn the_defaults_carry_a_copy_that_sounds_like_the_lost_frame() {
    let sound = buzz(48_000);
    for frame in
        [FrameDuration::Ms10, FrameDuration::Ms20, FrameDuration::Ms40, FrameDuration::Ms60]
    {
        let packets = packets(&EncoderConfig { frame, ..Default::default() }, &sound);
        let (mut whole, mut lossy) = (Decoder::new().unwrap(), Decoder::new().unwrap());
        let mut out = [0.0; MAX_PACKET_SAMPLES];
        // The codec repeats voiced frames only.
        let with_copy = |n: &usize| Decoder::inspect(&packets[n + 1]).unwrap().fec_samples > 0;
        let lost = (packets.len() / 2..packets.len() - 1).find(with_copy).unwrap();
        for packet in &packets[..lost] {
            whole.decode(packet, &mut out).unwrap();
            lossy.decode(packet, &mut out).unwrap();
        }
        whole.decode(&packets[lost], &mut out).unwrap();
        let next = &packets[lost + 1];
        // With more than 8 kHz of bandwidth a packet of 40 or 60 ms is several frames of 20 ms, and only
        // the last of the lost ones is repeated.
        let copied = Decoder::inspect(next).unwrap().fec_samples;
        assert_eq!(copied, frame.samples().min(960), "{frame:?}");
        let (concealed, original) = out[..frame.samples()].split_at(frame.samples() - copied);
        lossy.conceal(&mut vec![0.0; concealed.len()]);
        let mut copy = vec![0.0; copied];
        lossy.decode_fec(next, &mut copy).unwrap();
        let product: f32 = original.iter().zip(&copy).map(|(a, b)| a * b).sum();
        let alike = product / (energy(original) * energy(&copy)).sqrt() / copied as f32;
        assert!(alike > 0.6, "{frame:?}: {alike}");
    }
}

#[test]
fn without_fec_no_copy_is_told_of() {
    let none = EncoderConfig { fec: false, ..Default::default() };
    let transform = EncoderConfig { application: Application::LowDelay, ..Default::default() };
    for config in [none, transform] {
        for packet in packets(&config, &buzz(48_000)) {
            assert_eq!(Decoder::inspect(&packet).unwrap().fec_samples, 0);
        }
    }
}

#[test]
fn with_dtx_silence_makes_packets_without_data() {
    let config = EncoderConfig { dtx: true, ..Default::default() };
    let mut sound = buzz(48_000);
    sound.extend([0.0; 48_000]);
    let packets = packets(&config, &sound);
    assert!(packets[..50].iter().all(|p| p.len() > 2));
    let silent = packets[70..].iter().filter(|p| p.len() <= 2).count();
    assert!(silent > 20, "{silent} of 30");
}

#[test]
fn concealment_goes_on_and_then_fades() {
    let mut decoder = Decoder::new().unwrap();
    let mut out = [0.0; MAX_PACKET_SAMPLES];
    for packet in packets(&EncoderConfig::default(), &buzz(48_000)) {
        decoder.decode(&packet, &mut out).unwrap();
    }
    let before = energy(&out[..960]);
    decoder.conceal(&mut out[..960]);
    assert!(energy(&out[..960]) > before / 4.0);
    decoder.conceal(&mut out[..7]);
    assert_eq!(out[..7], [0.0; 7]);
}

#[test]
fn options_out_of_range_name_themselves() {
    let good = EncoderConfig::default();
    for (config, field) in [
        (EncoderConfig { bitrate: 5_999, ..good.clone() }, "bitrate"),
        (EncoderConfig { bitrate: 510_001, ..good.clone() }, "bitrate"),
        (EncoderConfig { complexity: 11, ..good.clone() }, "complexity"),
        (EncoderConfig { expected_loss: 101, ..good.clone() }, "expected_loss"),
    ] {
        let error = Encoder::new(&config).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().starts_with(field), "{error}");
    }
    let mut encoder = Encoder::new(&good).unwrap();
    assert!(encoder.set_bitrate(600_000).is_err());
    assert!(encoder.set_expected_loss(101).is_err());
    encoder.set_bitrate(64_000).unwrap();
    encoder.set_expected_loss(20).unwrap();
    let wrong_length = encoder.encode(&[0.0; 480], &mut [0; MAX_PAYLOAD]).err().unwrap();
    assert_eq!(wrong_length.kind(), ErrorKind::InvalidArgument);
    assert_eq!(encoder.lookahead(), Duration::from_micros(6_500));
}

#[test]
fn a_longer_packet_than_fits_is_never_made() {
    let config =
        EncoderConfig { bitrate: 510_000, frame: FrameDuration::Ms60, ..Default::default() };
    for packet in packets(&config, &buzz(48_000)) {
        assert!(packet.len() <= MAX_PAYLOAD);
        assert!(Decoder::inspect(&packet).is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_bytes_are_safe(payload in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut decoder = Decoder::new().unwrap();
        let mut out = [0.0; MAX_PACKET_SAMPLES];
        if let Some(info) = Decoder::inspect(&payload) {
            prop_assert!(info.samples <= MAX_PACKET_SAMPLES);
            prop_assert!(info.fec_samples <= MAX_PACKET_SAMPLES);
            let _ = decoder.decode_fec(&payload, &mut out[..info.fec_samples]);
            if let Ok(samples) = decoder.decode(&payload, &mut out) {
                prop_assert_eq!(samples, info.samples);
            }
        } else {
            prop_assert!(decoder.decode(&payload, &mut out).is_err());
        }
        decoder.conceal(&mut out[..480]);
        prop_assert!(out.iter().all(|s| s.is_finite()));
    }
}
