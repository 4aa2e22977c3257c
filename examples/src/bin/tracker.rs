//! The meeting point in a terminal: `tracker --help`.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use voip_core::Tracker;
use voip_examples::console::{self, Failure};

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
    println!("tracker on {}, Ctrl+C ends it", tracker.address());

    let stopped = Arc::new(AtomicBool::new(false));
    let stop = stopped.clone();
    ctrlc::set_handler(move || stop.store(true, Ordering::Relaxed)).map_err(Failure::new)?;

    while !stopped.load(Ordering::Relaxed) {
        if let Some(event) = tracker.next_event(Duration::from_millis(100)) {
            println!("{event:?}");
        }
    }
    println!("{:?}", tracker.stats());
    tracker.close();
    Ok(ExitCode::SUCCESS)
}
