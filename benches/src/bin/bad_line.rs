//! A simulated call on a bad line: how late each frame is heard, and how much sound is made up.
//!
//! `cargo run --release -p voip-benches --bin bad_line -- [minutes 10] [calls 5] [loss % 5]
//! [jitter ms 40] [frame ms 20]` prints JSON, for playout by a device and by a program that reads
//! manual PCM. "Concealed" is the share of sound for which neither the packet nor the copy in the
//! next one was there in time.
//!
//! - `stand_in`: the codec that copies every frame. Every tenth frame is loud; its delay is counted
//!   from the moment when it was handed over whole to the moment when its first 10 ms were played.
//! - `opus`: Opus and real speech, over and over. Opus copies only what it takes for speech: more
//!   is concealed, in the pauses.
//!
//! When within 10 ms packets come is the luck of each call, and a device's clock stays what it is:
//! the calls have phases in equal steps.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use voip_benches::quantile;
use voip_core::sim::{Link, NodeKey, NodeOptions, SimCall, World};
use voip_core::{BLOCK, BLOCK_TIME, CallState, CallStats, EncoderConfig, FrameDuration};

/// A loud frame in every so many.
const EVERY: usize = 10;
/// Louder than this is a loud frame.
const LOUD: f32 = 0.15;
const SECOND: usize = 48_000;

fn main() {
    let mut args = std::env::args().skip(1).map(|n| n.parse::<f32>().unwrap());
    let mut next = |default: f32| args.next().unwrap_or(default);
    let (minutes, calls) = (next(10.0) as usize, next(5.0) as u32);
    let (loss, jitter) = (next(5.0) / 100.0, Duration::from_secs_f32(next(40.0) / 1e3));
    let frame = FrameDuration::from_millis(next(20.0) as u32).unwrap();
    let encoder = EncoderConfig { frame, ..EncoderConfig::default() };
    let lines: Vec<Link> = (0..calls)
        .map(|n| Link { delay: BLOCK_TIME * n / calls, jitter, loss, ..Link::default() })
        .collect();
    let playout = |manual_reads| {
        let options = |stand_in_codec| NodeOptions {
            encoder: encoder.clone(),
            manual_reads,
            stand_in_codec,
            keep_heard: stand_in_codec,
            ..NodeOptions::new("", [])
        };
        let (stand_in, opus) = (options(true), options(false));
        let calls = || lines.iter().zip(1..);
        let marked: Vec<_> =
            calls().map(|(l, seed)| marked(seed, minutes, *l, &stand_in)).collect();
        let spoken: Vec<_> = calls().map(|(l, seed)| spoken(seed, minutes, *l, &opus)).collect();
        let (delays, stats): (Vec<_>, Vec<_>) = marked.into_iter().unzip();
        json!({
            "stand_in": { "delay_ms": delay_summary(&delays), "sound": sound_summary(&stats) },
            "opus": { "sound": sound_summary(&spoken) },
        })
    };
    println!("{}", json!({ "device": playout(false), "manual": playout(true) }));
}

/// Alice speaks to Bob.
struct Talk {
    world: World,
    alice: NodeKey,
    bob: NodeKey,
    at_bob: SimCall,
    captured_from: Duration,
}

impl Talk {
    fn begin(seed: u64, line: Link, options: &NodeOptions) -> Talk {
        let mut world = World::new(seed);
        let trackers = vec![world.add_tracker()];
        let named = |name: &str, auto_answer| NodeOptions {
            name: name.to_owned(),
            trackers: trackers.clone(),
            auto_answer,
            ..options.clone()
        };
        let alice = world.add_node(named("alice", false)).unwrap();
        let bob = world.add_node(named("bob", true)).unwrap();
        world.run_for(Duration::from_secs(1));
        let call = world.place(alice, "bob");
        let up = |state| state == Some(CallState::Connected);
        assert!(world.run_until(Duration::from_secs(9), |w| up(w.state(alice, call))));
        let captured_from = world.elapsed();
        let at_bob = *world.calls(bob).last().unwrap();
        assert!(world.run_until(Duration::from_secs(9), |w| up(w.state(bob, at_bob))));
        world.set_muted(bob, at_bob, true);
        world.set_link(line);
        Talk { world, alice, bob, at_bob, captured_from }
    }

    fn say(&mut self, sound: &[f32]) {
        self.world.say(self.alice, sound);
        self.world.run_for(Duration::from_secs_f64(sound.len() as f64 / SECOND as f64));
    }

    fn stats(&self) -> CallStats {
        self.world.stats(self.bob, self.at_bob).unwrap()
    }

    /// Lets a second go by; when blocks were played that begin to be loud.
    fn listen(&mut self) -> Vec<Duration> {
        let mut loud = Vec::new();
        for _ in 0..2_000 {
            let before = self.world.heard(self.bob).len();
            self.world.run_for(Duration::from_micros(500));
            let new = &self.world.heard(self.bob)[before..];
            if new.iter().any(|s| s.abs() > LOUD) {
                loud.push(self.world.elapsed());
            }
        }
        loud
    }

    /// Samples the microphone has given so far.
    fn captured(&self) -> usize {
        let since = self.world.elapsed() - self.captured_from;
        (since.as_micros() / BLOCK_TIME.as_micros() + 1) as usize * BLOCK
    }
}

/// Real speech.
fn spoken(seed: u64, minutes: usize, line: Link, options: &NodeOptions) -> CallStats {
    let mut talk = Talk::begin(seed, line, options);
    let speech = speech();
    for _ in 0..(minutes * 60 * SECOND).div_ceil(speech.len()) {
        talk.say(&speech);
    }
    talk.stats()
}

/// The demo's English speech, 16 kHz, with samples between its own.
fn speech() -> Vec<f32> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/speech/english.wav");
    let mut reader = hound::WavReader::open(file).unwrap();
    let samples: Vec<f32> =
        reader.samples::<i16>().map(|s| f32::from(s.unwrap()) / 32_768.0).collect();
    let between = |pair: &[f32]| [0.0, 1.0, 2.0].map(|n| pair[0] + (pair[1] - pair[0]) * n / 3.0);
    samples.windows(2).flat_map(between).collect()
}

/// How late each loud frame was heard: seconds of the call, milliseconds.
type Delays = Vec<(f64, f64)>;

/// A hum that is loud in every tenth frame.
fn marked(seed: u64, minutes: usize, line: Link, options: &NodeOptions) -> (Delays, CallStats) {
    let frame = options.encoder.frame.samples();
    let mut talk = Talk::begin(seed, line, options);
    // Frames begin at multiples of their length.
    let begins = talk.captured().next_multiple_of(frame);
    talk.world.say(talk.alice, &vec![0.0; begins - talk.captured()]);
    let mut loud = Vec::new();
    for second in 0..minutes * 60 {
        let samples = second * SECOND..(second + 1) * SECOND;
        talk.world.say(talk.alice, &samples.map(|i| hum(i, frame)).collect::<Vec<_>>());
        loud.extend(talk.listen());
    }
    let mut delays = Delays::new();
    for first in (begins..begins + (minutes * 60 - 1) * SECOND).step_by(EVERY * frame) {
        // A block is taken at its end, and the first when capturing begins.
        let sent = talk.captured_from + time_of(first + frame - BLOCK) + line.delay;
        let next = loud.partition_point(|at| *at < sent);
        let late = loud.get(next).map(|at| *at - sent);
        if let Some(late) = late.filter(|late| *late < time_of(EVERY * frame / 2)) {
            delays.push((first as f64 / SECOND as f64, late.as_secs_f64() * 1e3));
        }
    }
    (delays, talk.stats())
}

fn time_of(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000 / 48)
}

/// 150 Hz with overtones, as a voice has them.
fn hum(i: usize, frame: usize) -> f32 {
    let phase = (i as f32 / SECOND as f32 * 150.0).fract();
    let is_loud = (i / frame).is_multiple_of(EVERY);
    (phase - 0.5) * if is_loud { 0.8 } else { 0.1 }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn delay_summary(calls: &[Delays]) -> Value {
    let between = |from: f64, to: f64| -> Vec<f64> {
        let all = calls.iter().flatten();
        all.filter(|(at, _)| (from..to).contains(at)).map(|(_, delay)| *delay).collect()
    };
    let median = |delays: &[f64]| round(quantile(delays, 0.5));
    let all = between(0.0, f64::MAX);
    let end = calls.iter().flatten().map(|(at, _)| *at).fold(0.0, f64::max);
    let fifth = |n: u32| between(end / 5.0 * f64::from(n), end / 5.0 * f64::from(n + 1));
    let own = |delays: &Delays| delays.iter().map(|(_, delay)| *delay).collect::<Vec<_>>();
    json!({
        "frames": all.len(),
        "p50": median(&all),
        "p95": round(quantile(&all, 0.95)),
        "p50_of_each_call": calls.iter().map(|call| median(&own(call))).collect::<Vec<_>>(),
        "p50_of_each_fifth_of_the_time": (0..5).map(|n| median(&fifth(n))).collect::<Vec<_>>(),
    })
}

fn sound_summary(calls: &[CallStats]) -> Value {
    let each = |value: fn(&CallStats) -> f64| calls.iter().map(value).collect::<Vec<f64>>();
    let sum = |value| each(value).iter().sum::<f64>();
    let mean = |value| round(sum(value) / calls.len() as f64);
    json!({
        "concealed_pct": mean(|s| s.concealed_pct),
        "concealed_pct_of_each_call": each(|s| round(s.concealed_pct)),
        "loss_pct": mean(|s| s.loss_pct),
        "packets_lost": sum(|s| s.packets_lost as f64),
        "packets_late": sum(|s| s.packets_late as f64),
        "packets_recovered": sum(|s| s.packets_recovered as f64),
        "mean_wait_in_the_buffer_ms": mean(|s| s.stages_ms.buffer),
    })
}
