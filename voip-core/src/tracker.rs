//! [`Tracker`]: where peers find each other.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::directory::server::{Config, TrackerEvent, TrackerStats};
use crate::error::{Error, ErrorKind};
use crate::io::tls::server::{Certificate, Identity};
use crate::io::tracker_server::{Offer, TrackerServer};
use crate::relay::server as relay;
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
    bind: Vec<String>,
    relay_address: Option<String>,
    config: Config,
    certificate: Option<Certificate>,
    requires_tls: bool,
}

impl TrackerBuilder {
    /// Where to listen, `address:port`; TCP and UDP. Port 0: one that is free. `[::]` takes IPv4
    /// as well as IPv6. Default: `0.0.0.0:6000`.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.bind[0] = address.into();
        self
    }

    /// Listens there, too, TCP and UDP: at port 443, say, for peers whose networks let nothing else out. Up to 8
    /// addresses in all.
    pub fn also_bind(mut self, address: impl Into<String>) -> Self {
        self.bind.push(address.into());
        self
    }

    /// Whether every message in and out becomes a [`TrackerEvent::Wire`]. Default: no.
    pub fn wire_log(mut self, on: bool) -> Self {
        self.config.wire_log = on;
        self
    }

    /// The most connections at once, any number; others are turned away, and with 0 all. Default: 10,000.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// The most connections at once of one IPv4 address or IPv6 /64, 1 to 1,000,000; others are turned away. More where
    /// many peers are behind one router. This machine's own are not counted. Default: 64.
    pub fn max_per_address(mut self, connections: u32) -> Self {
        self.config.max_per_address = connections;
        self
    }

    /// New connections a second of one IPv4 address or IPv6 /64, 1 to 10,000, and ten seconds' worth at once; others are
    /// turned away. This machine's own are not counted. Default: 10.
    pub fn connection_rate(mut self, per_second: u32) -> Self {
        self.config.connection_rate = per_second;
        self
    }

    /// Requests a second of one connection, 1 to 10,000, and five seconds' worth at once; others are refused. To list
    /// all peers takes one for each fifty. Default: 20.
    pub fn request_rate(mut self, per_second: u32) -> Self {
        self.config.request_rate = per_second;
        self
    }

    /// Answers a second over UDP to one IPv4 /24 or IPv6 /56, 1 to 10,000, and four seconds' worth at once: of STUN, and
    /// as many of the relay to who has no credentials yet. More where many peers are in one network; each answer may hit
    /// somebody who never asked. This machine's own questions of STUN are not counted. Default: 5.
    pub fn stun_rate(mut self, per_second: u32) -> Self {
        self.config.stun_rate = per_second;
        self
    }

    /// Whether the tracker relays for peers whose routers let nothing of each other through: as a TURN server (RFC 8656)
    /// on the port of [`bind`](Self::bind), by UDP and TCP, for the two peers of a call and with credentials that the
    /// tracker gives to those registered. It needs UDP ports above 1024 open to the world. Default: no.
    pub fn relay(mut self, on: bool) -> Self {
        match (on, &self.config.relay) {
            (true, None) => self.config.relay = Some(relay::Config::default()),
            (false, _) => self.config.relay = None,
            _ => {}
        }
        self
    }

    /// The most allocations of the relay at once, any number; a call needs two at most. Default: 1,000. Switches the
    /// relay on, as all its options do.
    pub fn relay_allocations(self, most: usize) -> Self {
        self.relay_option(|relay| relay.max_allocations = most)
    }

    /// Bits per second that one allocation may relay each way, 1,000 to 1,000,000,000; twice as many in the first second.
    /// What is above is dropped. Default: 100,000, enough for sound of 64 kbit/s.
    pub fn relay_bitrate(self, bits_per_second: u32) -> Self {
        self.relay_option(|relay| relay.bitrate = bits_per_second)
    }

    /// The address by which the world reaches this machine, if a router maps one to one and the machine does not have it
    /// itself.
    pub fn relay_address(mut self, ip: impl Into<String>) -> Self {
        self.relay_address = Some(ip.into());
        self.relay(true)
    }

    /// Whether the relay sends to private, shared and loopback addresses: only for a network that is no part of the
    /// Internet. Default: no.
    pub fn relay_private(self, yes: bool) -> Self {
        self.relay_option(|relay| relay.allow_private = yes)
    }

    fn relay_option(mut self, set: impl FnOnce(&mut relay::Config)) -> Self {
        set(self.config.relay.get_or_insert_default());
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

    /// Whether connections that are not in TLS are turned away. UDP is answered either way: STUN, and TURN if there is
    /// a relay. Default: no.
    pub fn require_tls(mut self, on: bool) -> Self {
        self.requires_tls = on;
        self
    }

    /// Starts. Errors: [`ErrorKind::InvalidArgument`] (an address is none, or not of this
    /// machine; a limit is out of its range; TLS is required and there is no certificate),
    /// [`ErrorKind::File`] (a certificate or key), [`ErrorKind::AddressInUse`], [`ErrorKind::System`].
    pub fn start(self) -> Result<Tracker, Error> {
        if self.requires_tls && self.certificate.is_none() {
            let message = "require_tls: there is no certificate, of tls or tls_self_signed";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        self.check_limits()?;
        let bind = self.addresses()?;
        let identity = self.certificate.as_ref().map(Identity::load).transpose()?;
        let key_sha256 = identity.as_ref().map(|identity| hex::encode(identity.key_hash));
        let tls = identity.map(|identity| identity.config);
        let offer = Offer { tls, requires_tls: self.requires_tls };
        let server = TrackerServer::start(&bind, self.config()?, offer)?;
        Ok(Tracker { server, key_sha256 })
    }

    fn check_limits(&self) -> Result<(), Error> {
        let Config { max_per_address, connection_rate, request_rate, stun_rate, .. } = self.config;
        in_range("max_per_address", max_per_address, 1..=1_000_000)?;
        in_range("connection_rate", connection_rate, 1..=10_000)?;
        in_range("request_rate", request_rate, 1..=10_000)?;
        in_range("stun_rate", stun_rate, 1..=10_000)?;
        let bitrate = self.config.relay.as_ref().map(|relay| relay.bitrate);
        bitrate.map_or(Ok(()), |bits| in_range("relay_bitrate", bits, 1_000..=1_000_000_000))
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>, Error> {
        if self.bind.len() > MAX_ADDRESSES {
            let message = "also_bind: 8 addresses are possible";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        self.bind.iter().map(|bind| resolve(bind)).collect()
    }

    fn config(self) -> Result<Config, Error> {
        let mut config = self.config;
        if let (Some(relay), Some(ip)) = (&mut config.relay, &self.relay_address) {
            let parsed = ip.parse().map_err(|_| {
                let message = format!("relay_address is {ip:?}: not an IP address");
                Error::new(ErrorKind::InvalidArgument, message)
            })?;
            relay.address = Some(parsed);
        }
        Ok(config)
    }
}

/// Addresses of one tracker.
const MAX_ADDRESSES: usize = 8;

fn in_range(field: &str, value: u32, range: RangeInclusive<u32>) -> Result<(), Error> {
    if range.contains(&value) {
        return Ok(());
    }
    let message = format!("{field} is {value}: {} to {} are possible", range.start(), range.end());
    Err(Error::new(ErrorKind::InvalidArgument, message))
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
            bind: vec!["0.0.0.0:6000".to_owned()],
            relay_address: None,
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
