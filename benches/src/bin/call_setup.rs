//! How long it takes to be registered, and from placing a call to hearing the other side.
//!
//! `cargo run --release -p voip-benches --bin call_setup -- [runs, default 20]` prints JSON,
//! milliseconds. Tracker and both nodes are in this process, over real sockets on loopback; Bob
//! answers by himself and speaks a tone all the time, as one who picks up and says hello. First
//! audio is the first block with sound that Alice's read returns.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use voip_benches::{Pair, incoming, node, summary};
use voip_core::{Call, EncoderConfig, Tracker};

const LONG: Duration = Duration::from_secs(5);

fn main() {
    let runs = std::env::args().nth(1).map_or(20, |n| n.parse().unwrap());
    let encoder = EncoderConfig::default();
    let registered: Vec<f64> = (0..runs).map(|_| registration(&encoder)).collect();
    let (mut answered, mut heard) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (answer, audio) = first_audio(&Pair::start(&encoder));
        answered.push(answer);
        heard.push(audio);
    }
    println!(
        "{}",
        serde_json::json!({
            "start_to_registered_ms": summary(&registered),
            "call_to_answered_ms": summary(&answered),
            "call_to_first_audio_ms": summary(&heard),
        })
    );
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn registration(encoder: &EncoderConfig) -> f64 {
    let tracker = Tracker::builder().bind("127.0.0.1:0").start().unwrap();
    let begun = Instant::now();
    let node = node("alice", &tracker, encoder, false);
    node.wait_registered(LONG).unwrap();
    ms(begun)
}

fn first_audio(pair: &Pair) -> (f64, f64) {
    let begun = Instant::now();
    let call = pair.alice.place("bob").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| speak(&incoming(&pair.bob), &done));
        let mut block = [0.0; 480];
        call.wait_answered(LONG).unwrap();
        let answered = ms(begun);
        loop {
            call.read(&mut block, LONG).unwrap();
            if block.iter().any(|s| s.abs() > 0.05) {
                let heard = ms(begun);
                done.store(true, Ordering::Relaxed);
                return (answered, heard);
            }
        }
    })
}

/// A tone in frames of 20 ms, in real time.
fn speak(call: &Call, done: &AtomicBool) {
    let frame: Vec<f32> =
        (0..960).map(|i| 0.3 * (i as f32 * std::f32::consts::TAU / 48.0).sin()).collect();
    let mut next = Instant::now();
    while !done.load(Ordering::Relaxed) && call.write(&frame, LONG).is_ok() {
        next += Duration::from_millis(20);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}
