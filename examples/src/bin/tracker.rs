//! The meeting point in a terminal: `tracker --help`.

use std::io::{Write, stdout};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use voip_core::{Departure, Tracker, TrackerBuilder, TrackerEvent, TrackerStats, WireDirection};
use voip_examples::console::{self, Failure};

/// How often it is looked whether Ctrl+C was pressed.
const GLANCE: Duration = Duration::from_millis(100);

/// Tells peers where the others are. It never hears what they say.
///
/// Peers need to reach the port over TCP and UDP. The same port takes WebSockets, and TLS if there is a
/// certificate. Ctrl+C ends it.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The address to listen on; 0.0.0.0 is every IPv4 address of this machine, :: every address
    #[arg(long, default_value = "0.0.0.0", value_name = "IP")]
    host: IpAddr,
    /// The port to listen on, TCP and UDP; 0 for any that is free
    #[arg(long, default_value_t = 6000)]
    port: u16,
    /// Listen at this port, too: 443, say, for peers whose networks let nothing else out; give it again for more
    #[arg(long, value_name = "PORT")]
    also_port: Vec<u16>,
    /// Relay for peers whose routers let nothing of each other through
    #[arg(long)]
    relay: bool,
    /// The address by which the world reaches this machine, if it does not have it itself
    #[arg(long, value_name = "IP", requires = "relay")]
    relay_address: Option<IpAddr>,
    /// Bits per second that each of the two peers of a call may relay each way
    #[arg(long, value_name = "BITS", requires = "relay")]
    relay_bitrate: Option<u32>,
    /// Addresses that the relay has for peers at once
    #[arg(long, value_name = "COUNT", requires = "relay")]
    relay_allocations: Option<usize>,
    /// Relay to private and loopback addresses, too
    #[arg(long, requires = "relay")]
    relay_private: bool,
    /// Write every message in and out, by peer
    #[arg(short, long)]
    log: bool,
    /// Take TLS with the certificate in this PEM file: the chain, the tracker's own first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Take TLS with a key of the tracker's own, kept in this file and made if it is not there: peers
    /// know it by its hash, which is written at the start
    #[arg(long, value_name = "FILE", conflicts_with = "tls_cert")]
    tls_self_signed: Option<PathBuf>,
    /// Turn away who comes without TLS
    #[arg(long)]
    require_tls: bool,
}

fn main() -> ExitCode {
    console::main(run)
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let bind = SocketAddr::new(args.host, args.port);
    let tracker = builder(&args, bind).start()?;
    write(&format!("tracker on {}, Ctrl+C ends it", tracker.address()));
    if let Some(key) = tracker.key_sha256() {
        let port = tracker.address().port();
        write(&format!("peers that know its key: --tracker 'tls://HOST:{port}#sha256={key}'"));
    }

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

fn builder(args: &Args, bind: SocketAddr) -> TrackerBuilder {
    let mut builder = Tracker::builder().bind(bind.to_string()).wire_log(args.log);
    for port in &args.also_port {
        builder = builder.also_bind(SocketAddr::new(args.host, *port).to_string());
    }
    builder = builder.relay(args.relay).require_tls(args.require_tls);
    if let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) {
        builder = builder.tls(chain, key);
    }
    if let Some(file) = &args.tls_self_signed {
        builder = builder.tls_self_signed(file);
    }
    if let Some(address) = args.relay_address {
        builder = builder.relay_address(address.to_string());
    }
    if let Some(bitrate) = args.relay_bitrate {
        builder = builder.relay_bitrate(bitrate);
    }
    if let Some(allocations) = args.relay_allocations {
        builder = builder.relay_allocations(allocations);
    }
    if args.relay_private { builder.relay_private(true) } else { builder }
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
        "served {} connections ({} in TLS, {} WebSockets), passed on {} signals ({} to nobody), \
         answered {} STUN requests\n\
         dropped: {} malformed, {} too long, {} of unknown type, {} too many, {} datagrams; \
         ended {} silent and {} slow connections, {} for their handshakes and {} without TLS; \
         relayed {} packets, dropped {}",
        stats.accepted,
        stats.tls,
        stats.websockets,
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
        stats.handshakes_failed,
        stats.tls_required,
        stats.relay_packets,
        stats.relay_dropped,
    )
}
