//! What a whole call costs beside the codec it cannot do without: processor time per endpoint of a
//! two-way call over real sockets, against bare libopus on the same sound at the same settings.
//!
//! `cargo run --release -p voip-benches --bin floor -- [runs 5] [seconds each 10]` prints JSON,
//! milliseconds of processor time per second of call and endpoint. Each run measures the three one after
//! another, so that they share whatever else the machine does:
//!
//! - `bare`: libopus encodes and decodes the clip in one go, as fast as it can;
//! - `bare_paced`: the same, one frame every 20 ms. A processor that has done something else
//!   meanwhile finds its caches cold, and so it is in every call;
//! - `call`: two nodes and a tracker in this process. Everything they do counts, the tracker and the
//!   threads of this program that write and read included (`program`: those alone).

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use std::sync::Barrier;
use std::time::{Duration, Instant};

use voip_benches::cpu::{CpuTimes, Load, thread_nanos};
use voip_benches::speech::speech;
use voip_benches::{Pair, bar, bare, quantile, round, summary};
use voip_core::{Call, EncoderConfig};

const LONG: Duration = Duration::from_secs(5);
const FRAME: Duration = Duration::from_millis(20);
/// What a call may use, in terms of libopus alone.
const LIMIT: f64 = 1.25;
/// Before a call is measured it has found its path and its delay.
const WARM_UP: usize = 2;

fn main() {
    let mut args = std::env::args().skip(1).map(|n| n.parse::<usize>().unwrap());
    let runs = args.next().unwrap_or(5);
    let seconds = args.next().unwrap_or(10);
    let config = EncoderConfig::default();
    let clip = speech(seconds + WARM_UP);
    let measured = &clip[WARM_UP * 48_000..];
    let mut runs_made = Vec::new();
    for _ in 0..runs {
        runs_made.push(Run {
            bare: bare_opus(&config, measured, false),
            paced: bare_opus(&config, measured, true),
            call: whole_call(&config, &clip),
        });
    }
    let of = |value: &dyn Fn(&Run) -> f64| runs_made.iter().map(value).collect::<Vec<f64>>();
    let median = |value: &dyn Fn(&Run) -> f64| quantile(&of(value), 0.5);
    let to_paced = median(&|r| r.call.whole.ms_per_s / r.paced);
    let to_bare = median(&|r| r.call.whole.ms_per_s / r.bare);
    let waits = median(&|r| r.call.engine.waits_per_s + r.call.program.waits_per_s);
    let why = format!(
        "A call sleeps and wakes {waits:.0} times a second per endpoint (a packet comes, a frame is \
         written, a block is due, the program has it), libopus alone, in step with time, 50 times. \
         What else a call computes is little: see `sim_floor`, which never sleeps."
    );
    let cold = format!(
        "No call can be measured against this: libopus alone, as soon as it works in step with \
         time, takes {:.2} times as much.",
        median(&|r| r.paced / r.bare)
    );
    println!(
        "{}",
        serde_json::json!({
            "settings": bare::settings(&config),
            "seconds": seconds,
            "bare_ms_per_s": summary(&of(&|r| r.bare)),
            "bare_paced_ms_per_s": summary(&of(&|r| r.paced)),
            "call_ms_per_s": summary(&of(&|r| r.call.whole.ms_per_s)),
            "engine_ms_per_s": summary(&of(&|r| r.call.engine.ms_per_s)),
            "program_ms_per_s": summary(&of(&|r| r.call.program.ms_per_s)),
            "engine_waits_per_s": summary(&of(&|r| r.call.engine.waits_per_s)),
            "program_waits_per_s": summary(&of(&|r| r.call.program.waits_per_s)),
            "call_to_bare": round(to_bare),
            "call_to_bare_paced": round(to_paced),
            "bars": [
                bar("a call beside libopus in step with time", "times", to_paced, LIMIT, &why),
                bar("a call beside libopus in one go", "times", to_bare, LIMIT, &cold),
            ],
        })
    );
}

struct Run {
    bare: f64,
    paced: f64,
    call: CallLoad,
}

/// Per endpoint.
struct CallLoad {
    whole: Load,
    engine: Load,
    program: Load,
}

/// One encoder and one decoder, on a thread of their own; milliseconds per second of sound.
fn bare_opus(config: &EncoderConfig, sound: &[f32], paced: bool) -> f64 {
    let work = || {
        let (mut encoder, mut decoder) = (bare::encoder(config), bare::decoder());
        let (mut packet, mut out) = ([0; 1500], [0.0; 960]);
        let (begun, mut next) = (thread_nanos(), Instant::now());
        for frame in sound.chunks_exact(960) {
            let length = encoder.encode_float(frame, &mut packet).unwrap();
            decoder.decode_float(&packet[..length], &mut out, false).unwrap();
            if paced {
                next += FRAME;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        }
        thread_nanos() - begun
    };
    let nanos = std::thread::scope(|scope| scope.spawn(work).join().unwrap());
    nanos as f64 / 1e6 / (sound.len() as f64 / 48_000.0)
}

/// Both say the clip; the seconds after the warm-up are measured.
fn whole_call(config: &EncoderConfig, clip: &[f32]) -> CallLoad {
    let pair = Pair::start(config);
    let (alice, bob) = pair.call();
    let (warm_up, measured) = clip.split_at(WARM_UP * 48_000);
    let barrier = Barrier::new(3);
    let talk = |call: &Call| {
        converse(call, warm_up);
        barrier.wait();
        converse(call, measured);
        barrier.wait();
        // A thread that has ended can no longer be asked what it used.
        barrier.wait();
    };
    let talker = |name: &str| std::thread::Builder::new().name(name.to_owned());
    std::thread::scope(|scope| {
        talker("program-alice").spawn_scoped(scope, || talk(&alice)).unwrap();
        talker("program-bob").spawn_scoped(scope, || talk(&bob)).unwrap();
        barrier.wait();
        let (before, begun) = (CpuTimes::now(), Instant::now());
        barrier.wait();
        let (after, seconds) = (CpuTimes::now(), begun.elapsed().as_secs_f64());
        barrier.wait();
        let load = |of: &dyn Fn(&str) -> bool| per_endpoint(after.since(&before, seconds, of));
        CallLoad {
            whole: load(&|_| true),
            engine: load(&|name| name == "voip-engine"),
            program: load(&|name| name.starts_with("program")),
        }
    })
}

fn per_endpoint(both: Load) -> Load {
    Load { ms_per_s: both.ms_per_s / 2.0, waits_per_s: both.waits_per_s / 2.0 }
}

/// Says a clip frame by frame and hears as much: `read` is the clock.
fn converse(call: &Call, clip: &[f32]) {
    let mut heard = [0.0; 960];
    for frame in clip.chunks_exact(960) {
        call.write(frame, LONG).unwrap();
        call.read(&mut heard, LONG).unwrap();
    }
}
