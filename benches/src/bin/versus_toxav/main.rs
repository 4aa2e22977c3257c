//! This library beside toxav, the calls of Tox: the same calls over loopback, in turns, on a clean
//! line and on one that loses and delays datagrams.
//!
//! `cargo run --release -p voip-benches --bin versus_toxav -- [runs 5] [seconds each 8]` prints
//! JSON; `-- long [minutes 10]` instead holds one call on the bad line that long. Needs libtoxcore,
//! its headers and a C compiler; without toxcore the first prints `skipped`.
//!
//! `benches/peers/toxbench.c` measures toxav and `ours.rs` this library, each run in a process of its
//! own, both with `benches/peers/impair.c` preloaded. Both use complexity 10, because toxav has no
//! other, 32 kbit/s, and in-band FEC for 10 % of loss. All figures are medians of the runs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot be made ends the program"
)]

mod ours;
mod shim;
mod toxav;

use std::process::Command;

use serde_json::{Value, json};
use voip_benches::{bar, quantile, round};
use voip_core::FrameDuration;

/// toxav's `AUDIO_OPUS_COMPLEXITY`, for all rates and frames.
const COMPLEXITY: u8 = 10;
const LOSS_PERCENT: u32 = 5;
const JITTER_MS: u32 = 40;

/// One kind of call that both make.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    frame: FrameDuration,
    impaired: bool,
}

const SCENARIOS: [Scenario; 3] = [
    Scenario { name: "clean_20ms", frame: FrameDuration::Ms20, impaired: false },
    Scenario { name: "clean_10ms", frame: FrameDuration::Ms10, impaired: false },
    Scenario { name: "impaired_20ms", frame: FrameDuration::Ms20, impaired: true },
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default| args.get(i).map_or(default, |a| a.parse::<u64>().unwrap());
    match args.first().map(String::as_str) {
        Some("ours") => println!("{}", ours::measure(&plan(&args))),
        Some("long") => println!("{}", long_call(number(1, 10) * 60)),
        _ if !toxav::is_here() => println!("\"skipped\""),
        _ => println!("{}", compare(number(0, 5), number(1, 8))),
    }
}

/// The arguments of a run of ours: `ours CALLS SECONDS FRAME_MS COMPLEXITY SPEECH`.
fn plan(args: &[String]) -> ours::Plan {
    let number = |i: usize| args[i].parse::<u64>().unwrap();
    let frame = if number(3) == 10 { FrameDuration::Ms10 } else { FrameDuration::Ms20 };
    ours::Plan {
        calls: number(1) as usize,
        seconds: number(2),
        frame,
        complexity: number(4) as u8,
        speech: toxav::read_speech(&args[5]),
    }
}

fn compare(runs: u64, seconds: u64) -> Value {
    let tools = toxav::build();
    let mut results = serde_json::Map::new();
    for scenario in SCENARIOS {
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        // What is lost on a bad line is luck, of which a longer call has less.
        let seconds = if scenario.impaired { 2 * seconds } else { seconds };
        for seed in 0..runs {
            let mut toxbench = Command::new(&tools.toxbench);
            toxbench.args(["5", &seconds.to_string(), "32", &scenario.frame.millis().to_string()]);
            let ours_once = our_run(scenario.frame, 5, seconds);
            theirs.push(tools.run(toxbench, scenario.line(), seed));
            ours.push(tools.run(ours_once, scenario.line(), seed));
        }
        let both = json!({ "toxav": medians(&theirs), "ours": medians(&ours) });
        results.insert(scenario.name.to_owned(), both);
    }
    let toxcore = tools.version();
    let bars = bars(&results);
    json!({
        "runs": runs,
        "seconds": seconds,
        "complexity": COMPLEXITY,
        "toxcore": toxcore,
        "loss_pct": LOSS_PERCENT,
        "jitter_ms": JITTER_MS,
        "scenarios": results,
        "bars": bars,
    })
}

impl Scenario {
    /// Loss in per cent, jitter in milliseconds.
    fn line(self) -> (u32, u32) {
        if self.impaired { (LOSS_PERCENT, JITTER_MS) } else { (0, 0) }
    }
}

fn our_run(frame: FrameDuration, calls: u64, seconds: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let numbers = [calls, seconds, u64::from(frame.millis()), u64::from(COMPLEXITY)];
    command.arg("ours").args(numbers.map(|n| n.to_string()));
    command
}

/// Ours alone, long: whether delay or memory grows on a bad line.
fn long_call(seconds: u64) -> Value {
    let tools = toxav::build_shim();
    let run = our_run(FrameDuration::Ms20, 1, seconds);
    let result = tools.run(run, (LOSS_PERCENT, JITTER_MS), 1).expect("a call that lasts");
    let minutes = numbers(&result["one_way_ms_by_minute"]);
    let (first, last) = (minutes.first().copied(), minutes.last().copied());
    let growth = last.unwrap_or(f64::NAN) - first.unwrap_or(f64::NAN);
    let length = format!("bad line, {} minutes", seconds / 60);
    let delays = numbers(&result["one_way_ms"]);
    let concealed = result["concealed_pct"].as_f64().unwrap_or(f64::NAN);
    let mut bars = on_a_bad_line(&length, quantile(&delays, 0.5), concealed).to_vec();
    let what = format!("{length}: growth of the median from first to last");
    bars.push(bar(&what, "ms", growth, 5.0, ""));
    json!({
        "seconds": seconds,
        "median_of_each_minute_ms": minutes,
        "rss_kb": result["rss_kb"],
        "concealed_pct": result["concealed_pct"],
        "bars": bars,
    })
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

/// The median over the runs of each figure; of a list, of its median and its 95th percentile.
fn medians(runs: &[Option<Value>]) -> Value {
    let over_runs = |of: &dyn Fn(&Value) -> Option<f64>| {
        let values: Vec<f64> = runs.iter().flatten().filter_map(of).collect();
        if values.is_empty() { Value::Null } else { json!(round(quantile(&values, 0.5))) }
    };
    let of_list = |key: &str, p: f64| {
        over_runs(&|run| {
            let values = numbers(&run[key]);
            (!values.is_empty()).then(|| quantile(&values, p))
        })
    };
    let single = |key: &str| over_runs(&|run| run[key].as_f64());
    let heard = |run: &Value| Some(run["frames_heard"].as_f64()? / run["frames_sent"].as_f64()?);
    json!({
        "failed_runs": runs.iter().filter(|run| run.is_none()).count(),
        "online_ms": single("online_ms"),
        "answered_ms": of_list("answered_ms", 0.5),
        "first_audio_ms": of_list("first_audio_ms", 0.5),
        "one_way_ms_p50": of_list("one_way_ms", 0.5),
        "one_way_ms_p95": of_list("one_way_ms", 0.95),
        "cpu_ms_per_s": single("cpu_ms_per_s"),
        "rss_mb": over_runs(&|run| Some(run["rss_kb"].as_f64()? / 1024.0)),
        "packets_per_s": single("packets_per_s"),
        "wire_kbit_per_s": single("wire_kbit_per_s"),
        "dropped_pct": single("dropped_pct"),
        "frames_short_pct": over_runs(&|run| Some(100.0 - 100.0 * heard(run)?)),
        "concealed_pct": single("concealed_pct"),
    })
}

/// What was promised, and whether it holds.
fn bars(results: &serde_json::Map<String, Value>) -> Vec<Value> {
    const CLEAN: &str = "clean_20ms";
    const SHORT: &str = "clean_10ms";
    const BAD: &str = "impaired_20ms";
    let ours =
        |scenario: &str, key: &str| results[scenario]["ours"][key].as_f64().unwrap_or(f64::NAN);
    let beside = |what: &str, unit: &str, scenario: &str, key: &str, why: &str| {
        let theirs = results[scenario]["toxav"][key].as_f64().unwrap_or(f64::NAN);
        bar(&format!("{what}, at most toxav's"), unit, ours(scenario, key), theirs, why)
    };
    let memory = ours(CLEAN, "rss_mb");
    let mut bars = vec![
        beside("clean line: call to first audio", "ms", CLEAN, "first_audio_ms", ""),
        beside("clean line: one way, median", "ms", CLEAN, "one_way_ms_p50", ""),
        beside("clean line: one way, 95th percentile", "ms", CLEAN, "one_way_ms_p95", ""),
        beside("clean line, 10 ms frames: one way, median", "ms", SHORT, "one_way_ms_p50", READS),
        beside("clean line: processor time", "ms/s", CLEAN, "cpu_ms_per_s", WAKES),
        beside("clean line: memory per endpoint", "MB", CLEAN, "rss_mb", ""),
        bar("memory per endpoint beyond an idle process", "MB", memory, 12.0, ""),
        beside("bad line: packets", "1/s", BAD, "packets_per_s", ""),
        beside("bad line: bit rate on the wire", "kbit/s", BAD, "wire_kbit_per_s", ""),
    ];
    bars.extend(on_a_bad_line("bad line", ours(BAD, "one_way_ms_p50"), ours(BAD, "concealed_pct")));
    bars
}

/// Less delay may cost more concealment.
fn on_a_bad_line(line: &str, delay: f64, concealed: f64) -> [Value; 2] {
    let (most_delay, most_concealed) = if concealed <= 0.6 { (60.0, 0.6) } else { (45.0, 2.5) };
    [
        bar(&format!("{line}: one way, median"), "ms", delay, most_delay, PHASE),
        bar(&format!("{line}: concealed at that delay"), "%", concealed, most_concealed, LUCK),
    ]
}

const READS: &str = "Reads come on a grid of 10 ms, which the library puts some 2 ms behind the \
    time when packets usually come, so that one that is a little late need not be made up. toxav \
    hands on what has come whenever its loop turns; what is late is missing.";
const WAKES: &str = "Reads of 10 ms wake a call twice as often as frames of 20 ms come; each wake \
    costs some 20 µs on a virtual machine, computing nothing.";
const PHASE: &str = "Playout moves in steps of 10 ms, so that where the reads lie between the \
    packets, which is chance, makes some milliseconds.";
const LUCK: &str = "Counted from the beginning of a call, while the buffer still learns the line. \
    In a short call luck has a large part, too: see what was really dropped, and the long call.";
