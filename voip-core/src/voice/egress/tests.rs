#![allow(clippy::unwrap_used)]
use std::f32::consts::TAU;

use super::*;
use crate::frame::FrameDuration;
use crate::voice::codec::EncoderConfig;
use crate::voice::opus::Encoder;
use crate::voice::standin::StandInEncoder;

const START: RtpTimestamp = RtpTimestamp(u32::MAX - 500);

fn egress(config: &EncoderConfig) -> Egress {
    Egress::new(Box::new(StandInEncoder::new(config)), config, START)
}

fn ms(n: u64) -> Instant {
    Instant::from_micros(n * 1_000)
}

fn tone(len: usize) -> Vec<f32> {
    (0..len).map(|n| 0.5 * (TAU * 400.0 * n as f32 / 48_000.0).sin()).collect()
}

/// Timestamps since the start in milliseconds, with a star for the marker.
fn sent(egress: &mut Egress) -> String {
    let mut all = Vec::new();
    while let Some(frame) = egress.next_packet() {
        let at = frame.timestamp.distance_from(START) / 48;
        all.push(format!("{at}{}", if frame.marker { "*" } else { "" }));
    }
    all.join(" ")
}

#[test]
fn any_count_of_samples_makes_frames_at_once() {
    let mut egress = egress(&EncoderConfig::default());
    egress.push(ms(5), &tone(240));
    assert_eq!(sent(&mut egress), "");
    egress.push(ms(20), &tone(720));
    assert_eq!(sent(&mut egress), "0*");
    egress.push(ms(70), &tone(2_400));
    assert_eq!(sent(&mut egress), "20 40");
    assert_eq!(egress.stats().packets, 3);
}

#[test]
fn a_packet_tells_level_voice_and_capture_time() {
    let mut egress = egress(&EncoderConfig::default());
    egress.push(ms(25), &tone(1_200));
    let frame = egress.next_packet().unwrap();
    // A sine of amplitude 0.5 is 9 dB below full scale.
    assert_eq!((frame.level, frame.voice, frame.marker), (9, true, true));
    assert_eq!(frame.captured_at, ms(20));
    egress.push(ms(500), &[0.0; 48 * 475]);
    let mut last = None;
    while let Some(frame) = egress.next_packet() {
        last = Some((frame.level, frame.voice));
    }
    assert_eq!(last, Some((127, false)));
}

#[test]
fn muted_nothing_is_sent_and_time_goes_on() {
    let mut egress = egress(&EncoderConfig::default());
    egress.push(ms(20), &tone(960));
    egress.set_muted(true);
    egress.push(ms(50), &tone(1_440));
    // Unmuted in the middle of a frame, whose first half was spoken muted.
    egress.set_muted(false);
    egress.push(ms(80), &tone(1_440));
    assert_eq!(sent(&mut egress), "0* 40* 60");
    assert_eq!(egress.stats().muted, 1);
}

/// Bursts are reported, until everything is said twice.
fn saying_twice(config: &EncoderConfig) -> Egress {
    let mut egress = egress(config);
    for _ in 0..20 {
        egress.heard(&Report { loss_percent: 12.0, burst: 3.0, queue_ms: 0, takes_deep: false });
    }
    egress
}

#[test]
fn after_bursts_each_packet_goes_out_once_more() {
    let mut egress = saying_twice(&EncoderConfig::default());
    egress.push(ms(100), &tone(5 * 960));
    let mut said = Vec::new();
    while let Some(frame) = egress.next_packet() {
        said.push((frame.payload.to_vec(), frame.repeated.map(|(age, p)| (age, p.to_vec()))));
    }
    let again: Vec<_> = said.iter().map(|(_, repeated)| repeated.clone()).collect();
    let first = |n: usize| Some((2_880, said[n].0.clone()));
    assert_eq!(again, [None, None, None, first(0), first(1)]);
    assert_eq!(egress.bitrate(), 32_000, "all in all");
}

#[test]
fn nothing_from_before_a_pause_goes_out_after_it() {
    let mut egress = saying_twice(&EncoderConfig::default());
    egress.push(ms(100), &tone(5 * 960));
    while egress.next_packet().is_some() {}
    egress.set_muted(true);
    egress.push(ms(200), &tone(5 * 960));
    egress.set_muted(false);
    egress.push(ms(260), &tone(3 * 960));
    while let Some(frame) = egress.next_packet() {
        assert_eq!(frame.repeated, None);
    }
    egress.push(ms(280), &tone(960));
    assert!(egress.next_packet().unwrap().repeated.is_some());
}

#[test]
fn the_longest_frames_go_out_once_more_too() {
    let config = EncoderConfig { frame: FrameDuration::Ms60, ..Default::default() };
    let mut egress = saying_twice(&config);
    egress.push(ms(600), &tone(10 * 2_880));
    let repeated = std::iter::from_fn(|| egress.next_packet().map(|f| f.repeated.is_some()));
    assert_eq!(repeated.filter(|r| *r).count(), 7);
}

#[test]
fn digital_silence_is_looked_for_anew_only_when_mute_changes() {
    let mut egress = egress(&EncoderConfig::default());
    egress.push(ms(1_000), &[0.0; 48_000]);
    assert!(egress.digital_silence());
    egress.set_muted(false);
    assert!(egress.digital_silence(), "it was not muted");
    egress.set_muted(true);
    assert!(!egress.digital_silence(), "no sound is missed");
    egress.set_muted(false);
    assert!(!egress.digital_silence(), "not for a second yet");
}

#[test]
fn sound_spoken_while_muted_is_in_no_packet() {
    let mut egress = egress(&EncoderConfig::default());
    egress.set_muted(true);
    egress.push(ms(10), &tone(480));
    egress.set_muted(false);
    egress.push(ms(20), &[0.0; 480]);
    assert_eq!(egress.next_packet().unwrap().level, 127);
}

#[test]
fn silence_with_dtx_is_not_sent_and_voice_after_it_is_marked() {
    let mut egress = egress(&EncoderConfig { dtx: true, ..Default::default() });
    egress.push(ms(20), &tone(960));
    egress.push(ms(60), &[0.0; 1_920]);
    egress.push(ms(100), &tone(1_920));
    assert_eq!(sent(&mut egress), "0* 60* 80");
    assert_eq!(egress.stats().silent, 2);
}

#[test]
fn opus_in_dtx_sends_little_in_silence() {
    let config = EncoderConfig { dtx: true, ..Default::default() };
    let mut egress = Egress::new(Box::new(Encoder::new(&config).unwrap()), &config, START);
    let mut packets = 0;
    for n in 1..=200 {
        egress.push(ms(n * 20), if n <= 20 { &[0.1; 960] } else { &[0.0; 960] });
        while let Some(frame) = egress.next_packet() {
            assert!(frame.payload.len() > 2);
            packets += 1;
        }
    }
    let stats = egress.stats();
    assert!(stats.silent > 140, "{stats:?}");
    assert_eq!(stats.encoded, packets + stats.silent);
}

#[test]
fn a_source_that_pauses_moves_the_media_clock_on() {
    let mut egress = egress(&EncoderConfig::default());
    egress.push(ms(20), &tone(960));
    // Half a frame, then nothing for three seconds.
    egress.push(ms(30), &tone(480));
    egress.push(ms(3_030), &tone(960));
    egress.push(ms(3_050), &tone(960));
    assert_eq!(sent(&mut egress), "0* 3010* 3030");
}

#[test]
fn a_source_that_stalls_and_catches_up_does_not() {
    let mut egress = egress(&EncoderConfig::default());
    egress.push(ms(20), &tone(960));
    for _ in 0..6 {
        egress.push(ms(140), &tone(960));
    }
    assert_eq!(sent(&mut egress), "0* 20 40 60 80 100 120");
}

#[test]
fn nobody_fetching_costs_the_oldest_packets() {
    let mut egress = egress(&EncoderConfig::default());
    for n in 1..=40 {
        egress.push(ms(n * 20), &tone(960));
    }
    assert_eq!(egress.stats().dropped, 8);
    assert!(sent(&mut egress).starts_with("160 180"));
}

#[test]
fn what_is_no_number_is_silence_and_too_loud_is_full_scale() {
    let mut egress = egress(&EncoderConfig { frame: FrameDuration::Ms10, ..Default::default() });
    egress.push(ms(10), &[f32::NAN; 480]);
    assert_eq!(egress.next_packet().unwrap().level, 127);
    egress.push(ms(20), &[f32::INFINITY; 480]);
    assert_eq!(egress.next_packet().unwrap().level, 0);
}
