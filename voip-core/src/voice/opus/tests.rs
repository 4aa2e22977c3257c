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
    encoded(&mut Encoder::new(config).unwrap(), sound)
}

fn encoded(encoder: &mut Encoder, sound: &[f32]) -> Vec<Vec<u8>> {
    sound
        .chunks_exact(encoder.frame().samples())
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

#[cfg(feature = "dred")]
mod deep {
    use super::*;

    /// A second of packets with deep redundancy; the voice begins with the twenty-first.
    fn onset() -> (Vec<Vec<u8>>, Vec<f32>) {
        let mut sound = buzz(48_000);
        sound[..20 * 960].fill(0.0);
        let config = EncoderConfig { fec: false, expected_loss: 5, ..Default::default() };
        let mut encoder = Encoder::new(&config).unwrap();
        encoder.set_deep_redundancy(Duration::from_millis(200)).unwrap();
        (encoded(&mut encoder, &sound), sound)
    }

    #[test]
    fn what_began_in_a_gap_is_rebuilt_from_the_packet_after_it() {
        let (packets, sound) = onset();
        let (mut deep, mut blind) = (Decoder::new().unwrap(), Decoder::new().unwrap());
        let mut out = [0.0; MAX_PACKET_SAMPLES];
        for packet in &packets[..20] {
            deep.decode(packet, &mut out).unwrap();
            blind.decode(packet, &mut out).unwrap();
        }
        let (lost, after) = (20..24, &packets[24]);
        let gap = lost.len() * 960;
        assert!(
            Decode::deep(&mut deep, after).describes(gap),
            "{:?}",
            Decode::deep(&mut deep, after)
        );
        assert!(deep.load_deep(after));
        let (mut rebuilt, mut made_up) = (vec![0.0; gap], vec![0.0; gap]);
        for (n, out) in rebuilt.chunks_exact_mut(480).enumerate() {
            assert!(deep.decode_deep(gap - 480 * n, out));
        }
        made_up.chunks_exact_mut(480).for_each(|out| blind.conceal(out));
        let end = gap - 960..;
        let said = energy(&sound[lost.start * 960..lost.end * 960][end.clone()]);
        let (rebuilt, made_up) =
            (energy(&rebuilt[end.clone()]) / said, energy(&made_up[end]) / said);
        assert!((0.3..3.0).contains(&rebuilt), "{rebuilt}");
        assert!(made_up < 0.01, "{made_up}");
    }

    #[test]
    fn without_deep_redundancy_there_is_nothing_to_rebuild_from() {
        let plain = &packets(&EncoderConfig::default(), &buzz(9_600))[5];
        let mut decoder = Decoder::new().unwrap();
        assert!(!decoder.decode_deep(960, &mut [0.0; 480]), "nothing loaded");
        assert_eq!(Decode::deep(&mut decoder, plain), Deep::default());
        assert!(!decoder.load_deep(plain));
        assert!(!decoder.decode_deep(960, &mut [0.0; 480]));
        assert_eq!(Decode::deep(&mut decoder, &[]), Deep::default());
    }

    #[test]
    fn a_reach_out_of_range_is_refused() {
        let mut encoder = Encoder::new(&EncoderConfig::default()).unwrap();
        assert!(encoder.set_deep_redundancy(Duration::from_millis(1_040)).is_ok());
        let refused = encoder.set_deep_redundancy(Duration::from_millis(1_050)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn in_place_of_copies_and_back() {
        let mut encoder = Encoder::new(&EncoderConfig::default()).unwrap();
        let sound = buzz(48_000);
        let mut decoder = Decoder::new().unwrap();
        let described = Redundancy::Deep { reach_ms: 200 };
        for (redundancy, expected_loss) in
            [(Redundancy::Copies, 10), (described, 5), (Redundancy::Copies, 10)]
        {
            let effort = Effort { bitrate: 32_000, expected_loss, redundancy };
            Encode::set_effort(&mut encoder, effort);
            let packets = encoded(&mut encoder, &sound);
            let half = &packets[packets.len() / 2..];
            let copies = half.iter().any(|p| Decoder::inspect(p).unwrap().fec_samples > 0);
            let deep = half.iter().any(|p| Decode::deep(&mut decoder, p).begin > 0);
            let wanted = redundancy == described;
            assert_eq!((copies, deep), (!wanted, wanted));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn whatever_is_in_it(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
            len in any::<prop::sample::Index>(),
            before in 0usize..60_000,
        ) {
            let mut payload = DAMAGED.with(Clone::clone);
            for (at, byte) in changes {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            payload.truncate(len.index(payload.len()) + 1);
            let mut decoder = Decoder::new().unwrap();
            prop_assert!(Decode::deep(&mut decoder, &payload).begin <= 49_920);
            let mut out = [0.0; 480];
            if decoder.load_deep(&payload) {
                decoder.decode_deep(before, &mut out);
            }
            prop_assert!(out.iter().all(|s| s.is_finite()));
        }
    }

    thread_local! {
        /// A packet with deep redundancy.
        static DAMAGED: Vec<u8> = onset().0.swap_remove(40);
    }
}
