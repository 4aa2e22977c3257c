//! [`Tracker`]: where peers find each other.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::directory::server::{Config, TrackerEvent, TrackerStats};
use crate::error::{Error, ErrorKind};
use crate::io::tracker_server::TrackerServer;
use crate::time::Duration;

/// A tracker: peers register here, find each other, and exchange signed signals before they talk
/// directly. No word of a call goes through it.
///
/// It runs on a thread of its own until it is closed or dropped, which takes no longer than 500 ms.
///
/// ```
/// # fn main() -> Result<(), voip_core::Error> {
/// let tracker = voip_core::Tracker::builder().bind("127.0.0.1:0").start()?;
/// println!("peers connect to {}", tracker.address());
/// # Ok(())
/// # }
/// ```
pub struct Tracker {
    server: TrackerServer,
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// How a tracker is to run.
#[derive(Clone, Debug)]
#[must_use]
pub struct TrackerBuilder {
    bind: String,
    config: Config,
}

impl TrackerBuilder {
    /// Where to listen, `address:port`; TCP and UDP. Port 0: one that is free. `[::]` takes IPv4
    /// as well as IPv6. Default: `0.0.0.0:6000`.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.bind = address.into();
        self
    }

    /// Whether every message in and out becomes a [`TrackerEvent::Wire`]. Default: no.
    pub fn wire_log(mut self, on: bool) -> Self {
        self.config.wire_log = on;
        self
    }

    /// The most connections at once; others are turned away. Default: 10,000.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// Starts. Errors: [`ErrorKind::InvalidArgument`] (the address is none, or not of this
    /// machine), [`ErrorKind::AddressInUse`], [`ErrorKind::System`].
    pub fn start(self) -> Result<Tracker, Error> {
        Ok(Tracker { server: TrackerServer::start(resolve(&self.bind)?, self.config)? })
    }
}

fn resolve(bind: &str) -> Result<SocketAddr, Error> {
    let bad = |why: String| {
        let message = format!("bind is {bind:?}: not an address and port to listen on ({why})");
        Error::new(ErrorKind::InvalidArgument, message)
    };
    let mut addresses = bind.to_socket_addrs().map_err(|e| bad(e.to_string()))?;
    addresses.next().ok_or_else(|| bad("no address of that name".to_owned()))
}

impl Tracker {
    /// Begins the description of a tracker.
    pub fn builder() -> TrackerBuilder {
        TrackerBuilder { bind: "0.0.0.0:6000".to_owned(), config: Config::default() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What happened next, waiting for it up to `timeout`; `None` when nothing did, or the tracker
    /// is closed. The last 4,096 events are kept for whoever asks late;
    /// [`TrackerStats::events_dropped`] counts the rest.
    pub fn next_event(&self, timeout: Duration) -> Option<TrackerEvent> {
        self.server.next_event(timeout)
    }

    /// Counters, a moment old.
    pub fn stats(&self) -> TrackerStats {
        self.server.stats()
    }

    /// Whether it was closed. Events that wait can still be read.
    pub fn is_closed(&self) -> bool {
        self.server.is_over()
    }

    /// Stops and ends all connections. A second time does nothing.
    pub fn close(&self) {
        self.server.stop();
    }
}
