//! Two people talk: a tracker and two peers as processes of their own, and what was heard is
//! measured. `demo --help`.

mod people;
mod report;
mod table;
mod trial;

use std::fs;
use std::io::{IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use people::{GLANCE, Peer, Tracker};
use report::{Person, Report};
use trial::Trial;
use voip_examples::bad_line::BadLine;
use voip_examples::clip::Clip;
use voip_examples::console::{self, Failure};
use voip_examples::line::What;
use voip_examples::waveform::{self, Talk};

/// Processes on one machine do each step in milliseconds; this is for very slow machines.
const PATIENCE: Duration = Duration::from_secs(20);
/// A call of which less than this was heard did not work.
const LEAST_HEARD: f64 = 0.5;

/// Starts a tracker and two peers on this machine, lets them talk, and measures what was heard.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// How long they talk, seconds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(2..=60))]
    seconds: u32,
    /// Where report, recordings and picture go
    #[arg(long, default_value = "target/demo")]
    out: PathBuf,
    #[command(flatten)]
    line: BadLine,
}

fn main() -> ExitCode {
    console::main(run)
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let talk = Duration::from_secs(args.seconds.into());
    let trial = Trial::new(&args.line, args.seconds)?;
    println!("Two people talk for {} s: a tracker and two peers on this machine.\n", args.seconds);
    if let Some(trial) = &trial {
        println!("Each sends over a bad line: {trial}.\n");
    }
    people::watch_ctrl_c()?;
    let folder = empty_folder(&args.out)?;
    let (alice, bob) = call(&folder, talk, trial.as_ref())?;

    println!("  comparing what was said with what was heard");
    let report = Report::new(&alice, &bob, trial)?;
    let text = serde_json::to_string_pretty(&report).map_err(Failure::new)?;
    let file = folder.join("report.json");
    fs::write(&file, text + "\n").map_err(|e| named(&file, &e))?;
    draw(&folder.join("waveforms.png"), &alice, &bob, &report, talk)?;

    println!("\n{}", table::render(&report));
    println!("In {}:", args.out.display());
    println!("  report.json  alice_heard.wav  bob_heard.wav  waveforms.png\n");
    println!("{}", how_to_talk());
    if let Some(why) = report.line.as_ref().and_then(|line| line.void.as_ref()) {
        return Err(Failure::new(format_args!("this run is void: {why}")));
    }
    if report.heard.alice.min(report.heard.bob) < LEAST_HEARD {
        return Err(Failure::new("the sound of at least one side did not arrive"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole call, and what each side knows of it.
fn call(folder: &Path, talk: Duration, trial: Option<&Trial>) -> Result<(Person, Person), Failure> {
    let tracker = Tracker::start(PATIENCE)?;
    println!("  tracker      {}", tracker.address);
    let start = |name, clip, mut options: Vec<String>| {
        options.extend(trial.iter().flat_map(|trial| trial.options(name)));
        Peer::start(name, clip, &options, &tracker, folder)
    };
    let mut bob = start("bob", speech("french.wav")?, vec!["--auto-answer".into()])?;
    let mut alice = start("alice", speech("english.wav")?, vec![])?;
    for peer in [&mut bob, &mut alice] {
        let started = peer.expect(PATIENCE, |what| matches!(what, What::Starting { .. }))?;
        let done = peer.expect(PATIENCE, |what| matches!(what, What::Registered { .. }))?;
        println!("  {:<12} registered in {:.1} ms", peer.name, milliseconds(started, done));
    }

    alice.command("call bob")?;
    let placed = alice.expect(PATIENCE, |what| matches!(what, What::Placed { .. }))?;
    let answered = alice.expect(PATIENCE, |what| matches!(what, What::Answered { .. }))?;
    println!(
        "  alice        calls bob, who answers after {:.1} ms",
        milliseconds(placed, answered)
    );
    for peer in [&mut alice, &mut bob] {
        let heard = peer.expect(PATIENCE, |what| matches!(what, What::FirstAudio { .. }))?;
        println!(
            "  {:<12} hears the first sound after {:.1} ms",
            peer.name,
            milliseconds(placed, heard)
        );
    }
    wait_and_show(talk)?;

    alice.command("hangup")?;
    for peer in [&mut alice, &mut bob] {
        peer.expect(PATIENCE, |what| matches!(what, What::Ended { .. }))?;
    }
    Ok((alice.finish(PATIENCE)?, bob.finish(PATIENCE)?))
}

fn milliseconds(from_us: u64, to_us: u64) -> f64 {
    to_us.saturating_sub(from_us) as f64 / 1e3
}

fn wait_and_show(talk: Duration) -> Result<(), Failure> {
    let live = stdout().is_terminal();
    let (begun, total) = (Instant::now(), talk.as_secs());
    let mut shown = None;
    while begun.elapsed() < talk {
        if people::stopped() {
            return Err(Failure::new("stopped"));
        }
        let done = begun.elapsed().as_secs();
        if shown != Some(done) && live {
            let full = (30 * done / total) as usize;
            let (bar, rest) = ("█".repeat(full), "░".repeat(30 - full));
            print!("\r  talking      {bar}{rest} {done} of {total} s ");
            let _ = stdout().flush();
        } else if shown != Some(done) && done.is_multiple_of(5) {
            println!("  talking      {done} of {total} s");
        }
        shown = Some(done);
        thread::sleep(GLANCE.min(talk.saturating_sub(begun.elapsed())));
    }
    println!("{}  hung up      after {total} s", if live { "\r\x1b[K" } else { "" });
    Ok(())
}

/// The folder for the results, without those of the last run.
fn empty_folder(folder: &Path) -> Result<PathBuf, Failure> {
    for old in ["report.json", "alice_heard.wav", "bob_heard.wav", "waveforms.png"] {
        let _ = fs::remove_file(folder.join(old));
    }
    fs::create_dir_all(folder).map_err(|e| named(folder, &e))?;
    folder.canonicalize().map_err(|e| named(folder, &e))
}

fn speech(name: &str) -> Result<PathBuf, Failure> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("speech").join(name);
    file.canonicalize().map_err(|e| named(&file, &e))
}

fn named(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format_args!("{}: {error}", file.display()))
}

fn draw(
    file: &Path,
    alice: &Person,
    bob: &Person,
    report: &Report,
    talk: Duration,
) -> Result<(), Failure> {
    let read = |path: &Path| Clip::read(path).map_err(Failure::new);
    let (alice_said, bob_said) = (read(&alice.said)?, read(&bob.said)?);
    let (alice_heard, bob_heard) = (read(&alice.recording)?, read(&bob.recording)?);
    let title = |from: &str, to: &str, heard: f64, delay: f64| {
        format!("{from} to {to}: correlation {heard:.3}, {delay:.0} ms from mouth to ear")
    };
    let to_bob = title("alice", "bob", report.heard.bob, report.one_way_ms.to_bob.p50);
    let to_alice = title("bob", "alice", report.heard.alice, report.one_way_ms.to_alice.p50);
    let talks = [
        Talk {
            title: &to_bob,
            speaker: "alice",
            listener: "bob",
            sent: &alice_said,
            heard: &bob_heard,
        },
        Talk {
            title: &to_alice,
            speaker: "bob",
            listener: "alice",
            sent: &bob_said,
            heard: &alice_heard,
        },
    ];
    waveform::draw(file, &talks, talk.as_secs_f64() + 1.0).map_err(|e| named(file, &e))
}

/// What two people type to talk. `PEER` is this build's terminal peer.
fn how_to_talk() -> String {
    let program = |name: &str| {
        let file = people::program(name);
        let here = std::env::current_dir().unwrap_or_default();
        file.strip_prefix(&here).unwrap_or(&file).display().to_string()
    };
    let (tracker, peer) = (program("tracker"), program("peer"));
    format!(
        "Two people talk with these two commands, once `{tracker}` runs on a machine that both reach\n\
         (put its address for TRACKER; without sound cards, --wav SAY.wav --record HEARD.wav stand in for them):\n\n  \
         {peer} --tracker TRACKER:6000 --username alice --auto-answer\n  \
         {peer} --tracker TRACKER:6000 --username bob    # then type: call alice"
    )
}
