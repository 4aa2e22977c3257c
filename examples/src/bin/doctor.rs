//! Why a call would not work here, and what to change: `doctor --help`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use voip_core::{Check, DoctorOptions, Report, Verdict, doctor};
use voip_examples::console::{self, Failure};

/// Says why a call would not work here, and what to change.
///
/// Looks at the microphone, the loudspeaker, a call on this machine, and the trackers. The exit status is
/// 1 if anything is bad.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// A tracker, HOST:PORT or tls://HOST:PORT as peers have it; give it again for more than one. Two on
    /// different hosts tell the kind of your router, too
    #[arg(long, default_value = "127.0.0.1:6000")]
    tracker: Vec<String>,
    /// The microphone: an id, a name or a part of it, or off
    #[arg(long, value_name = "DEVICE", default_value = "default")]
    input: String,
    /// The loudspeaker
    #[arg(long, value_name = "DEVICE", default_value = "default")]
    output: String,
    /// Seconds that it may take
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    limit: u64,
    /// Write one JSON object instead of text
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    console::main(run)
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let options = DoctorOptions::new(args.tracker)
        .devices(args.input.as_str(), args.output.as_str())
        .limit(Duration::from_secs(args.limit));
    let report = doctor(&options)?;
    if args.json {
        println!("{}", report.to_json());
    } else {
        print(&report);
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(console::FAILURE) })
}

fn print(report: &Report) {
    for check in &report.checks {
        println!("{}", line(check));
        if !check.advice.is_empty() {
            println!("          → {}", check.advice);
        }
    }
    let count = |verdict| report.checks.iter().filter(|c| c.verdict == verdict).count();
    println!();
    match (count(Verdict::Bad), count(Verdict::Warning)) {
        (0, 0) => println!("Calls should work here."),
        (0, _) => println!("Calls should work here; some may not: see the warnings."),
        _ => println!("Calls will not work as they should before what is bad is changed."),
    }
}

fn line(check: &Check) -> String {
    let verdict = format!("[{}]", check.verdict.describe());
    let what = check.what.describe();
    match check.subject.as_str() {
        "" => format!("{verdict:<10}{what}: {}", check.measured),
        subject => format!("{verdict:<10}{what} {subject}: {}", check.measured),
    }
}
