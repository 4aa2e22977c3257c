//! The meeting point in a terminal: `tracker --help`.

use std::io::{Write, stdout};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use voip_core::{Departure, Tracker, TrackerEvent, TrackerStats, WireDirection};
use voip_examples::console::{self, Failure};

/// How often it is looked whether Ctrl+C was pressed.
const GLANCE: Duration = Duration::from_millis(100);

/// Tells peers where the others are. It never hears what they say.
///
/// Peers need to reach the port over TCP and UDP. Ctrl+C ends it.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The address to listen on; 0.0.0.0 is every IPv4 address of this machine, :: every address
    #[arg(long, default_value = "0.0.0.0", value_name = "IP")]
    host: IpAddr,
    /// The port to listen on, TCP and UDP; 0 for any that is free
    #[arg(long, default_value_t = 6000)]
    port: u16,
    /// Write every message in and out, by peer
    #[arg(short, long)]
    log: bool,
}

fn main() -> ExitCode {
    console::main(run)
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let bind = SocketAddr::new(args.host, args.port);
    let tracker = Tracker::builder().bind(bind.to_string()).wire_log(args.log).start()?;
    write(&format!("tracker on {}, Ctrl+C ends it", tracker.address()));

    let stopped = Arc::new(AtomicBool::new(false));
    let stop = stopped.clone();
    ctrlc::set_handler(move || stop.store(true, Ordering::Relaxed)).map_err(Failure::new)?;
    while !stopped.load(Ordering::Relaxed) {
        if let Some(line) = tracker.next_event(GLANCE).and_then(|event| sentence(&event)) {
            write(&line);
        }
    }
    write(&summary(&tracker.stats()));
    tracker.close();
    Ok(ExitCode::SUCCESS)
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
        "served {} connections, passed on {} signals ({} to nobody), answered {} STUN requests\n\
         dropped: {} malformed, {} too long, {} of unknown type, {} too many, {} datagrams; \
         ended {} silent and {} slow connections",
        stats.accepted,
        stats.relayed,
        stats.undeliverable,
        stats.stun_answered,
        stats.malformed,
        stats.too_long,
        stats.unknown_type,
        stats.rate_limited,
        stats.stun_dropped,
        stats.timeouts,
        stats.slow_readers,
    )
}
