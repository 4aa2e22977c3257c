//! The meeting point in a terminal: `tracker --help`.

mod settings;
mod whole;

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use voip_core::{Departure, Error, ErrorKind, TrackerEvent, TrackerStats, WireDirection};
use voip_examples::console::{self, Failure, USAGE};

use settings::Settings;

/// How often it is looked whether Ctrl+C was pressed.
const GLANCE: Duration = Duration::from_millis(100);

/// Tells peers where the others are. It never hears what they say.
///
/// Peers need to reach the port over TCP and UDP. The same port takes WebSockets, and TLS if there is a
/// certificate. Ctrl+C shows how it does, a second one ends it.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Read what is not given here from this file, TOML (docs/tracker.md)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

fn main() -> ExitCode {
    console::main(run)
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let config = args.config.as_deref();
    let builder = settings(args.settings, config)?.builder();
    let tracker = builder.start().map_err(|error| in_file(error, config))?;
    write(&format!(
        "tracker on {}, Ctrl+C shows how it does, a second one ends it",
        tracker.address()
    ));
    if let Some(key) = tracker.key_sha256() {
        let port = tracker.address().port();
        write(&format!("peers that know its key: --tracker 'tls://HOST:{port}#sha256={key}'"));
    }

    let (asked, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    flag::register(SIGINT, asked.clone()).map_err(Failure::new)?;
    flag::register(SIGTERM, ended.clone()).map_err(Failure::new)?;
    let mut was_asked = false;
    while !ended.load(Ordering::Relaxed) {
        if asked.swap(false, Ordering::Relaxed) {
            if was_asked {
                break;
            }
            was_asked = true;
            let stats = tracker.stats();
            write(&format!("tracker on {}, {} online", tracker.address(), stats.online));
            write(&summary(&stats));
            write("Ctrl+C ends it");
        }
        if let Some(line) = tracker.next_event(GLANCE).and_then(|event| sentence(&event)) {
            write(&line);
        }
    }
    write(&summary(&tracker.stats()));
    tracker.close();
    Ok(ExitCode::SUCCESS)
}

/// The flags over the file's settings.
fn settings(flags: Settings, config: Option<&Path>) -> Result<Settings, Failure> {
    let option = flags.relay_option();
    let settings = match config {
        Some(file) => flags.over(Settings::read(file)?),
        None => flags,
    };
    match option {
        Some(option) if !settings.relays() => {
            let message = format!("{option}: there is no relay, see --relay");
            Err(Failure { message, status: USAGE })
        }
        _ => Ok(settings),
    }
}

/// What cannot be as it is said may be said in the file.
fn in_file(error: Error, config: Option<&Path>) -> Failure {
    let is_said = error.kind() == ErrorKind::InvalidArgument;
    match config.filter(|_| is_said) {
        Some(file) => {
            Failure { message: format!("{} or the flags: {error}", file.display()), status: USAGE }
        }
        None => error.into(),
    }
}

/// A closed pipe does not end the tracker.
fn write(line: &str) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn sentence(event: &TrackerEvent) -> Option<String> {
    Some(match event {
        TrackerEvent::Registered { id, name, from, online } => {
            format!("+ {name} ({}) from {from}, {online} online", id.short())
        }
        TrackerEvent::Left { id, name, online, why } => {
            format!("- {name} ({}) {}, {online} online", id.short(), how(*why))
        }
        TrackerEvent::Paired { id, name, other_id, other_name } => {
            format!("= {name} ({}) and {other_name} ({}) are a pair", id.short(), other_id.short())
        }
        TrackerEvent::Wire { direction, from, name, text } => {
            let way = match direction {
                WireDirection::In => "in ",
                WireDirection::Out => "out",
            };
            let unknown = || from.map_or("nobody".into(), |address| address.to_string());
            let peer = name.clone().unwrap_or_else(unknown);
            // What came over the network must not steer the terminal.
            format!("{way} {peer}: {}", text.replace(char::is_control, "\u{FFFD}"))
        }
        _ => return None,
    })
}

fn how(why: Departure) -> &'static str {
    match why {
        Departure::Left => "left",
        Departure::Closed => "is gone: its connection ended",
        Departure::TimedOut => "is gone: nothing came from it any more",
        Departure::SlowReader => "was put out: it did not read",
        Departure::Misbehaved => "was put out: it broke the protocol",
        Departure::Renamed => "goes by another name now",
        _ => "is gone",
    }
}

fn summary(stats: &TrackerStats) -> String {
    format!(
        "accepted {} connections ({} in TLS, {} WebSockets), turned {} away; passed on {} signals \
         ({} to nobody), answered {} STUN requests\n\
         dropped: {} malformed, {} too long, {} of unknown type, {} too many, {} datagrams; \
         refused {} registrations; \
         ended {} silent and {} slow connections, {} for their handshakes and {} without TLS; \
         relayed {} packets, dropped {}, refused {} requests",
        stats.accepted,
        stats.tls,
        stats.websockets,
        stats.turned_away,
        stats.relayed,
        stats.undeliverable,
        stats.stun_answered,
        stats.malformed,
        stats.too_long,
        stats.unknown_type,
        stats.rate_limited,
        stats.stun_dropped,
        stats.registrations_refused,
        stats.timeouts,
        stats.slow_readers,
        stats.handshakes_failed,
        stats.tls_required,
        stats.relay_packets,
        stats.relay_dropped,
        stats.relay_refused,
    )
}
