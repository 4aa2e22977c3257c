//! Simulated cards: callbacks by a clock of their own, and the engine's side served whenever they
//! would have woken it.

#![allow(clippy::unwrap_used)]

use std::f64::consts::TAU;

use rtrb::RingBuffer;

use super::callback::{Context, Health, LoudspeakerCallback, MicrophoneCallback};
use super::card::DeviceEnd;
use super::loudspeaker::Loudspeaker;
use super::microphone::Microphone;
use crate::frame::AudioFrame;
use crate::io::driver::Requests;
use crate::time::{Duration, Instant};

const HERTZ: f64 = 997.0;

/// A card's clock: off by `ppm`, called back for `frames` at a time, up to `late` µs late.
#[derive(Clone, Copy)]
struct Timer {
    rate: u32,
    ppm: f64,
    frames: usize,
    late: u64,
    next: u64,
}

impl Timer {
    fn due(&self) -> Instant {
        let seconds = (self.next * self.frames as u64) as f64 / f64::from(self.rate);
        let on_time = (1e6 * seconds / (1.0 + self.ppm * 1e-6)) as u64;
        let lateness = if self.late == 0 { 0 } else { self.next * 2_654_435_761 % self.late };
        Instant::from_micros(on_time + lateness)
    }
}

fn context(rate: u32, channels: usize) -> (Context, rtrb::Consumer<super::callback::Stamp>) {
    let (requests, _) = Requests::new().unwrap();
    let (stamps, told) = RingBuffer::new(2048);
    (Context { health: Health::new(requests), stamps, rate, channels }, told)
}

/// Largest difference of two neighbouring samples, which for an unbroken tone is that of its
/// steepest point.
fn steepest(samples: &[f32]) -> f64 {
    samples.windows(2).map(|w| f64::from((w[1] - w[0]).abs())).fold(0.0, f64::max)
}

fn steepest_of_tone(rate: u32) -> f64 {
    0.5 * TAU * HERTZ / f64::from(rate)
}

struct Played {
    sound: Vec<f32>,
    missed: u64,
    /// Least and most frames that waited in the ring after a callback, in the second half.
    depth: (f64, f64),
    ppm: f64,
    pulled_s: f64,
}

/// Plays a tone through a simulated loudspeaker for `seconds`.
fn play(mut timer: Timer, seconds: u64) -> Played {
    let (producer, consumer) = RingBuffer::new(timer.rate as usize / 2);
    let (context, stamps) = context(timer.rate, 1);
    let mut callback = LoudspeakerCallback::new(context, consumer);
    let mut end = Loudspeaker::new(timer.rate, producer, stamps).unwrap();
    let (mut sound, mut block) = (Vec::new(), vec![0.0_f32; timer.frames]);
    let (mut frame, mut pulled) = (AudioFrame::SILENCE, 0_u64);
    let mut depth = (f64::MAX, f64::MIN);
    let over = Instant::ZERO + Duration::from_secs(seconds);
    while timer.due() < over {
        let now = timer.due();
        callback.wanted(&mut block, now, Duration::from_millis(5));
        timer.next += 1;
        // The last second is what is listened to.
        if over.since(now) < Duration::from_secs(1) {
            sound.extend_from_slice(&block);
        }
        end.serve(now, &mut frame, |out| {
            for sample in &mut out.0 {
                *sample = (0.5 * (TAU * HERTZ * pulled as f64 / 48_000.0).sin()) as f32;
                pulled += 1;
            }
        });
        if now > Instant::ZERO + Duration::from_secs(seconds / 2) {
            let waiting = end.delay().as_secs_f64() * 1e3;
            depth = (depth.0.min(waiting), depth.1.max(waiting));
        }
    }
    let missed = end.last_stamp().unwrap().missed;
    Played { sound, missed, depth, ppm: end.drift_ppm(), pulled_s: pulled as f64 / 48_000.0 }
}

#[test]
fn a_loudspeaker_that_drifts_plays_on_without_a_glitch() {
    let seconds = 60;
    for ppm in [-200.0, 0.0, 200.0] {
        let timer = Timer { rate: 48_000, ppm, frames: 240, late: 0, next: 0 };
        let played = play(timer, seconds);
        assert_eq!(played.missed, 0, "{ppm} ppm");
        let (least, most) = played.depth;
        assert!(most - least < 10.0, "{ppm} ppm: between {least} and {most} ms deep");
        // Four fifths of it are found in a minute.
        assert!((played.ppm - ppm).abs() < 50.0, "{ppm} ppm taken for {}", played.ppm);
        let steep = steepest(&played.sound);
        assert!(steep < 1.02 * steepest_of_tone(48_000), "{ppm} ppm: a step of {steep}");
        // The engine is asked by the system's clock, not by the card's.
        assert!((played.pulled_s - seconds as f64).abs() < 0.03, "{} s", played.pulled_s);
    }
}

#[test]
fn every_rate_and_size_of_callback_plays_without_a_gap() {
    for rate in [8_000, 16_000, 44_100, 96_000, 192_000] {
        for period_ms in [1, 7, 21] {
            let frames = rate as usize * period_ms / 1_000;
            let played = play(Timer { rate, ppm: 30.0, frames, late: 0, next: 0 }, 8);
            assert_eq!(played.missed, 0, "{rate} Hz, {frames} frames");
            let steep = steepest(&played.sound);
            assert!(steep < 1.05 * steepest_of_tone(rate), "{rate} Hz, {frames} frames: {steep}");
        }
    }
}

#[test]
fn an_unpaced_loudspeaker_does_not_play_an_hour_in_a_second() {
    // Called back a thousand times as fast as its rate says.
    let timer = Timer { rate: 48_000, ppm: 999e6, frames: 480, late: 0, next: 0 };
    let played = play(timer, 2);
    assert!(played.pulled_s < 2.2, "{} s", played.pulled_s);
}

/// Speaks a tone into a simulated microphone; what the engine gets, and in how many pieces.
fn speak(mut timer: Timer, channels: usize, seconds: u64) -> (Vec<f32>, Microphone) {
    let (producer, consumer) = RingBuffer::new(timer.rate as usize / 2);
    let (context, stamps) = context(timer.rate, channels);
    let mut callback = MicrophoneCallback::new(context, producer);
    let mut end = Microphone::new(timer.rate, consumer, stamps).unwrap();
    let (mut sound, mut spoken) = (Vec::new(), 0_u64);
    let over = Instant::ZERO + Duration::from_secs(seconds);
    while timer.due() < over {
        let now = timer.due();
        let mut block = Vec::with_capacity(timer.frames * channels);
        for _ in 0..timer.frames {
            let sample = 0.5 * (TAU * HERTZ * spoken as f64 / f64::from(timer.rate)).sin();
            block.extend(std::iter::repeat_n(sample as f32, channels));
            spoken += 1;
        }
        callback.heard(&block, now, Duration::from_millis(5));
        timer.next += 1;
        end.serve(now, |_, samples| sound.extend_from_slice(samples));
    }
    (sound, end)
}

#[test]
fn a_microphone_that_drifts_is_heard_by_the_systems_clock() {
    let seconds = 60;
    for ppm in [-200.0, 0.0, 200.0] {
        let timer = Timer { rate: 48_000, ppm, frames: 480, late: 0, next: 0 };
        let (sound, end) = speak(timer, 1, seconds);
        assert!((end.drift_ppm() - ppm).abs() < 50.0, "{ppm} ppm taken for {}", end.drift_ppm());
        // 60 s at 200 ppm would be 576 samples.
        let off = sound.len() as f64 - 48_000.0 * seconds as f64;
        assert!(off.abs() < 560.0, "{ppm} ppm: {off} samples");
        let steep = steepest(&sound[4_800..]);
        assert!(steep < 1.02 * steepest_of_tone(48_000), "{ppm} ppm: a step of {steep}");
    }
}

#[test]
fn every_rate_and_channel_count_is_heard() {
    for rate in [8_000, 44_100, 192_000] {
        for channels in [1, 2, 6] {
            let frames = rate as usize / 100;
            let timer = Timer { rate, ppm: 0.0, frames, late: 0, next: 0 };
            let (sound, _) = speak(timer, channels, 3);
            let off = sound.len() as f64 - 3.0 * 48_000.0;
            assert!(off.abs() < 600.0, "{rate} Hz: {off} samples");
            let steep = steepest(&sound[4_800..]);
            let right = steepest_of_tone(48_000);
            assert!((0.9 * right..1.02 * right).contains(&steep), "{rate} Hz, {channels}: {steep}");
        }
    }
}

#[test]
fn an_unpaced_microphone_does_not_speak_an_hour_in_a_second() {
    let timer = Timer { rate: 48_000, ppm: 999e6, frames: 480, late: 0, next: 0 };
    let (sound, _) = speak(timer, 1, 2);
    assert!(sound.len() < 48_000 * 22 / 10, "{} samples", sound.len());
}

#[test]
#[ignore = "ten simulated minutes: make test-long"]
fn ten_minutes_of_drift_leave_the_rings_as_they_were() {
    for ppm in [-200.0, 200.0] {
        let timer = Timer { rate: 48_000, ppm, frames: 480, late: 3_000, next: 0 };
        let played = play(timer, 600);
        let (least, most) = played.depth;
        println!("{ppm} ppm: {} missed, {least:.1} to {most:.1} ms deep", played.missed);
        assert_eq!(played.missed, 0, "{ppm} ppm");
        // One block, by which the ring is filled up, and what callbacks are late.
        assert!(most - least < 13.0, "{ppm} ppm: between {least} and {most} ms deep");
        let (sound, end) = speak(timer, 1, 600);
        assert!((end.drift_ppm() - ppm).abs() < 20.0, "{ppm} ppm taken for {}", end.drift_ppm());
        let steep = steepest(&sound[4_800..]);
        assert!(steep < 1.02 * steepest_of_tone(48_000), "{ppm} ppm: a step of {steep}");
    }
}
