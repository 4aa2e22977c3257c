//! From writing a frame that begins a tone to the read that returns it: manual PCM, loopback,
//! frames of 20 ms written in real time, blocks of 10 ms read, both ways at once.
//!
//! `cargo run --release -p voip-benches --bin frame_delay -- [calls 6] [seconds each 5]` prints
//! JSON, milliseconds. Several calls, because the phase between writer and reader is the luck of
//! each call: here it goes from 0 to 10 ms in equal steps, and after 2 s the library may have moved
//! the reads to a better one; those seconds count too. The time the codec looks ahead (6.5 ms) is
//! inside: a block counts once the tone has reached a tenth of full scale.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use std::f32::consts::TAU;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use voip_benches::{Pair, summary};
use voip_core::{Call, EncoderConfig};

const LONG: Duration = Duration::from_secs(5);
/// A tone of one frame in every so many.
const EVERY: usize = 10;

fn main() {
    let mut args = std::env::args().skip(1).map(|n| n.parse::<usize>().unwrap());
    let calls = args.next().unwrap_or(6);
    let seconds = args.next().unwrap_or(5);
    let pair = Pair::start(&EncoderConfig::default());
    let (mut delays, mut per_call, mut concealed, mut missed) = (vec![], vec![], vec![], 0);
    for i in 0..calls {
        let (alice, bob) = pair.call();
        let phase = Duration::from_micros((10_000 * i / calls) as u64);
        let (said, heard) = talk(&alice, &bob, seconds, phase);
        let found: Vec<f64> = said.iter().filter_map(|t| delay(*t, &heard)).collect();
        missed += said.len() - found.len();
        per_call.push(summary(&found)["p50"].clone());
        delays.extend(found);
        concealed.push(bob.stats().concealed_pct);
        alice.hang_up();
        bob.wait_ended(LONG).unwrap();
    }
    println!(
        "{}",
        serde_json::json!({
            "frame_in_to_frame_out_ms": summary(&delays),
            "p50_of_each_call_ms": per_call,
            "tones_not_heard": missed,
            "concealed_pct_mean": concealed.iter().sum::<f64>() / concealed.len() as f64,
            "concealed_pct_worst_call": concealed.iter().copied().fold(0.0, f64::max),
            "realtime_priority": pair.bob.stats().realtime,
        })
    );
}

/// From the writing of a tone to the first block with sound after it.
fn delay(said: Instant, heard: &[Instant]) -> Option<f64> {
    let after = heard.iter().find(|t| **t > said)?;
    let delay = after.duration_since(said).as_secs_f64() * 1e3;
    (delay < 150.0).then_some(delay)
}

fn talk(alice: &Call, bob: &Call, seconds: usize, phase: Duration) -> (Vec<Instant>, Vec<Instant>) {
    let (said, heard) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    // Bob's clock of reading begins here, Alice's of writing a while later.
    bob.read(&mut [0.0; 480], LONG).unwrap();
    std::thread::sleep(phase);
    std::thread::scope(|scope| {
        scope.spawn(|| write(alice, seconds, Some(&said)));
        scope.spawn(|| write(bob, seconds, None));
        scope.spawn(|| read(alice, seconds, None));
        scope.spawn(|| read(bob, seconds, Some(&heard)));
    });
    (said.into_inner().unwrap(), heard.into_inner().unwrap())
}

/// Frames of silence, every tenth a tone; notes when those were handed over.
fn write(call: &Call, seconds: usize, said: Option<&Mutex<Vec<Instant>>>) {
    let silence = [0.0; 960];
    let tone: Vec<f32> = (0..960).map(|i| 0.5 * (i as f32 * TAU / 48.0).sin()).collect();
    let mut next = Instant::now();
    for frame in 0..seconds * 50 {
        let begins = said.filter(|_| frame % EVERY == EVERY - 1);
        if let Some(said) = begins {
            said.lock().unwrap().push(Instant::now());
        }
        call.write(if begins.is_some() { &tone } else { &silence }, LONG).unwrap();
        next += Duration::from_millis(20);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Blocks of 10 ms; notes when sound begins after silence.
fn read(call: &Call, seconds: usize, heard: Option<&Mutex<Vec<Instant>>>) {
    let mut block = [0.0; 480];
    let mut was_loud = false;
    for _ in 0..seconds * 100 + 10 {
        call.read(&mut block, LONG).unwrap();
        let loud = block.iter().any(|s| s.abs() > 0.1);
        if let Some(heard) = heard.filter(|_| loud && !was_loud) {
            heard.lock().unwrap().push(Instant::now());
        }
        was_loud = loud;
    }
}
