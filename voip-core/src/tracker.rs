//! [`Tracker`]: where peers find each other.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use crate::directory::server::{Config, TrackerEvent, TrackerStats};
use crate::error::{Error, ErrorKind};
use crate::io::tls::server::{Certificate, Identity};
use crate::io::tracker_server::{Offer, TrackerServer};
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
    key_sha256: Option<String>,
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
    certificate: Option<Certificate>,
    requires_tls: bool,
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

    /// Takes TLS 1.3 on the same port, with this certificate: PEM files of the chain, the tracker's own
    /// first, and of its key. They are read at the start only. Default: no TLS.
    pub fn tls(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.certificate = Some(Certificate::Files { chain: chain.into(), key: key.into() });
        self
    }

    /// Takes TLS 1.3 on the same port, with a key and a certificate of its own making, which no
    /// authority vouches for: peers know the tracker by [`Tracker::key_sha256`]. They are kept in this
    /// file, PEM, made with its folder at the first start and readable by its owner only. It takes the
    /// place of [`TrackerBuilder::tls`], and the other way round.
    pub fn tls_self_signed(mut self, file: impl Into<PathBuf>) -> Self {
        self.certificate = Some(Certificate::SelfSigned(file.into()));
        self
    }

    /// Whether connections that are not in TLS are turned away. UDP (STUN) is answered either way.
    /// Default: no.
    pub fn require_tls(mut self, on: bool) -> Self {
        self.requires_tls = on;
        self
    }

    /// Starts. Errors: [`ErrorKind::InvalidArgument`] (the address is none, or not of this
    /// machine; TLS is required and there is no certificate), [`ErrorKind::File`] (a certificate or
    /// key), [`ErrorKind::AddressInUse`], [`ErrorKind::System`].
    pub fn start(self) -> Result<Tracker, Error> {
        if self.requires_tls && self.certificate.is_none() {
            let message = "require_tls: there is no certificate, of tls or tls_self_signed";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let bind = resolve(&self.bind)?;
        let identity = self.certificate.as_ref().map(Identity::load).transpose()?;
        let key_sha256 = identity.as_ref().map(|identity| hex::encode(identity.key_hash));
        let tls = identity.map(|identity| identity.config);
        let offer = Offer { tls, requires_tls: self.requires_tls };
        Ok(Tracker { server: TrackerServer::start(bind, self.config, offer)?, key_sha256 })
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
        TrackerBuilder {
            bind: "0.0.0.0:6000".to_owned(),
            config: Config::default(),
            certificate: None,
            requires_tls: false,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// SHA-256 of the SubjectPublicKeyInfo of the certificate's key, 64 hexadecimal digits: behind
    /// `tls://host:port#sha256=` in [`NodeBuilder::tracker`](crate::NodeBuilder::tracker) it is all
    /// that a peer needs to trust. None without TLS.
    pub fn key_sha256(&self) -> Option<&str> {
        self.key_sha256.as_deref()
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
