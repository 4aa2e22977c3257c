//! Runs the comparison programs and writes what they found to `docs/comparisons.md`.
//!
//! `make compare`, or `compare [runs 5] [--long]`: `floor` and `versus_toxav` that often each, and
//! with `--long` ten minutes of a call on a bad line. Their JSON goes to standard output, a line for
//! each. No figure on the page is written by hand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot be made ends the program"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runs = args.iter().find(|a| !a.starts_with("--")).map_or("5", String::as_str);
    let long = args.iter().any(|a| a == "--long");
    let floor = run("floor", &[runs]);
    let toxav = run("versus_toxav", &[runs]);
    let bad_line = long.then(|| run("versus_toxav", &["long", "10"]));
    let page = page(&floor, &toxav, bad_line.as_ref());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/comparisons.md");
    fs::write(&file, page).expect("docs/comparisons.md");
    eprintln!("compare: docs/comparisons.md is written");
}

/// Runs a program that lies beside this one; its JSON.
fn run(program: &str, args: &[&str]) -> Value {
    eprintln!("compare: {program} {}", args.join(" "));
    let path = std::env::current_exe().unwrap().with_file_name(program);
    let out = Command::new(path).args(args).stderr(Stdio::inherit()).output().unwrap();
    assert!(out.status.success(), "{program} failed");
    let text = String::from_utf8(out.stdout).unwrap();
    print!("{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn page(floor: &Value, toxav: &Value, long: Option<&Value>) -> String {
    let mut page = String::from(INTRODUCTION);
    let mut add = |text: String| page.push_str(&text);
    add(machine(floor, toxav));
    add(String::from("\n## What was promised\n\n"));
    let all = [Some(floor), Some(toxav), long];
    let bars: Vec<&Value> = all.into_iter().flatten().flat_map(bars_of).collect();
    add(bar_table(&bars));
    if toxav == "skipped" {
        add(String::from("\nBeside toxav: skipped, for libtoxcore is not installed here.\n"));
    }
    if long.is_none() {
        add(String::from(
            "\nTen minutes on a bad line: not run this time (`make compare LONG=1`).\n",
        ));
    }
    add(floor_section(floor));
    if toxav != "skipped" {
        add(toxav_section(toxav));
    }
    if let Some(long) = long {
        add(long_section(long));
    }
    page
}

const INTRODUCTION: &str = "# Comparisons

Written by `make compare`; every figure is measured by a program of this repository. `RUNS=2` makes it short,
`LONG=1` adds ten minutes of a call on a bad line. On a machine that does other work too, milliseconds
mean little: what counts is the figure beside it, measured in turns with ours.

";

fn machine(floor: &Value, toxav: &Value) -> String {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu_info.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("");
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let toxcore = toxav["toxcore"].as_str().unwrap_or("none");
    let opus = floor["settings"]["libopus"].as_str().unwrap_or("").trim_start_matches("libopus ");
    let rows = [
        ("date", said_by("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("processor", format!("{}, {cores} cores", model.trim_start_matches(['\t', ':', ' ']))),
        ("kernel", said_by("uname", &["-sr"])),
        ("load at the end, 1 5 15 minutes", load.split(' ').take(3).collect::<Vec<_>>().join(" ")),
        (
            "voip",
            format!(
                "{} at {}",
                voip_core::VERSION,
                said_by("git", &["describe", "--always", "--dirty"])
            ),
        ),
        ("rustc", said_by("rustc", &["--version"])),
        (
            "libopus",
            format!("{opus} (toxav: {})", said_by("pkg-config", &["--modversion", "opus"])),
        ),
        ("toxcore", toxcore.to_owned()),
    ];
    let mut table = String::from("| | |\n|---|---|\n");
    for (what, is) in rows {
        writeln!(table, "| {what} | {is} |").unwrap();
    }
    table
}

/// The first line that a command prints; a dash where there is none.
fn said_by(command: &str, args: &[&str]) -> String {
    let out = Command::new(command).args(args).output().ok();
    let text = out.and_then(|o| String::from_utf8(o.stdout).ok()).unwrap_or_default();
    text.lines().next().filter(|l| !l.is_empty()).unwrap_or("–").to_owned()
}

fn bars_of(result: &Value) -> impl Iterator<Item = &Value> {
    result["bars"].as_array().into_iter().flatten()
}

fn bar_table(bars: &[&Value]) -> String {
    let mut text = String::from("| what | ours | at most | |\n|---|---|---|---|\n");
    for bar in bars {
        let unit = bar["unit"].as_str().unwrap_or("");
        let what = bar["what"].as_str().unwrap_or("");
        let met = if bar["met"] == true { "met" } else { "**missed**" };
        let row = [&bar["value"], &bar["limit"]].map(number);
        writeln!(text, "| {what} ({unit}) | {} | {} | {met} |", row[0], row[1]).unwrap();
    }
    for bar in bars.iter().filter(|b| b["met"] != true) {
        let (what, why) = (bar["what"].as_str().unwrap_or(""), bar["why"].as_str().unwrap_or(""));
        writeln!(text, "\nMissed: {what}. {why}").unwrap();
    }
    text
}

/// With two digits behind the point; a dash for nothing.
fn number(value: &Value) -> String {
    value.as_f64().map_or_else(|| "–".into(), |x| format!("{x:.2}"))
}

fn floor_section(floor: &Value) -> String {
    let mut text = format!(
        "
## Processor time beside libopus alone

Milliseconds of processor time per second of call and endpoint: {} kbit/s, complexity {}, frames of {} ms, FEC for {} % of
loss, no DTX, recorded speech. A call is two nodes and a tracker in one process over real sockets; the program that
writes and reads its sound is counted. Program: `floor`.

| | median | least | most |
|---|---|---|---|
",
        floor["settings"]["bitrate"].as_f64().unwrap_or(0.0) / 1000.0,
        floor["settings"]["complexity"],
        floor["settings"]["frame_ms"],
        floor["settings"]["expected_loss"],
    );
    for (what, key) in [
        ("libopus in one go", "bare_ms_per_s"),
        ("libopus in step with time, a frame every 20 ms", "bare_paced_ms_per_s"),
        ("a call, everything counted", "call_ms_per_s"),
        ("of it the thread `voip-engine`", "engine_ms_per_s"),
        ("of it the program's own threads", "program_ms_per_s"),
        ("times a second that `voip-engine` sleeps", "engine_waits_per_s"),
    ] {
        let row = ["p50", "min", "max"].map(|p| number(&floor[key][p]));
        writeln!(text, "| {what} | {} |", row.join(" | ")).unwrap();
    }
    text
}

fn toxav_section(toxav: &Value) -> String {
    let mut text = format!(
        "
## Beside toxav

The same calls by the same steps, in turns, medians of {} runs of {} s, on the bad line twice as
long. Two endpoints in one process, over loopback, with
the tracker in the process too; 32 kbit/s, complexity {}, FEC for 10 % of loss; soft speech both ways, tones one way. toxav
at its best: friends added already, bootstrapped directly, no sound card. On the bad line a shim drops {} % of all datagrams of
either and delays each by 0 to {} ms. *Concealed*: neither the packet nor its FEC copy was there; toxav does
not tell. Programs: `versus_toxav`, `benches/peers/`.

",
        toxav["runs"], toxav["seconds"], toxav["complexity"], toxav["loss_pct"], toxav["jitter_ms"],
    );
    let columns = [
        ("clean_20ms", "20 ms frames"),
        ("clean_10ms", "10 ms frames"),
        ("impaired_20ms", "bad line, 20 ms frames"),
    ];
    let names = columns.map(|(_, name)| format!("{name}: toxav | ours"));
    writeln!(text, "| | {} |\n|---|---|---|---|---|---|---|", names.join(" | ")).unwrap();
    for (what, key) in [
        ("start → online, ms", "online_ms"),
        ("call → answered, ms", "answered_ms"),
        ("call → first audio, ms", "first_audio_ms"),
        ("one way, frame in → receive call returns it, median, ms", "one_way_ms_p50"),
        ("the same, 95th percentile, ms", "one_way_ms_p95"),
        ("processor time, ms per endpoint and second", "cpu_ms_per_s"),
        ("memory per endpoint, MB", "rss_mb"),
        ("packets per endpoint and second", "packets_per_s"),
        ("bit rate on the wire with IP and UDP headers, kbit/s", "wire_kbit_per_s"),
        ("datagrams dropped by the shim, %", "dropped_pct"),
        ("frames short, %", "frames_short_pct"),
        ("concealed, %", "concealed_pct"),
        ("runs in which a call failed", "failed_runs"),
    ] {
        let cells = columns.map(|(scenario, _)| {
            let of = |who: &str| number(&toxav["scenarios"][scenario][who][key]);
            format!("{} | {}", of("toxav"), of("ours"))
        });
        writeln!(text, "| {what} | {} |", cells.join(" | ")).unwrap();
    }
    text
}

fn long_section(long: &Value) -> String {
    let minutes: Vec<String> =
        long["median_of_each_minute_ms"].as_array().into_iter().flatten().map(number).collect();
    format!(
        "
## Ten minutes on the bad line

Ours alone. Median one-way delay of each minute, ms: {}. Concealed: {} %. Memory per endpoint: {:.1} MB.
",
        minutes.join(", "),
        number(&long["concealed_pct"]),
        long["rss_kb"].as_f64().unwrap_or(f64::NAN) / 1024.0,
    )
}
