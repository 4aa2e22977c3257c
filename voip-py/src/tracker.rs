//! The tracker, and what happens at it.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::prelude::*;
use voip_core as core;

use crate::encoding::whole;
use crate::enums::member;
use crate::errors::raise;
use crate::peers::PeerId;
use crate::record::record;
use crate::waiting::{Timeout, ask, wait};

/// A tracker: peers register here, find each other, and exchange signed signals before they talk
/// directly. No word of a call goes through it.
///
/// `bind` is where to listen, `address:port`, TCP and UDP; port 0 is one that is free, `[::]` takes IPv4
/// as well as IPv6. `wire_log=True` makes every message in and out a `TrackerEvent.Wire`. Of more
/// than `max_connections` at once the others are turned away.
///
/// What one address may do: an IPv4 address or IPv6 /64, but for this machine's own, has `max_per_address`
/// connections at once, 1 to 1,000,000, and `connection_rate` new ones a second, 1 to 10,000, with ten seconds'
/// worth at once; others are turned away. More of both where many peers are behind one router.
/// `request_rate`: requests a second of one connection, 1 to 10,000, with five seconds' worth at once; others are
/// refused. To list all peers takes one for each fifty.
/// `stun_rate`: answers a second over UDP to one IPv4 /24 or IPv6 /56, 1 to 10,000, with four seconds' worth at
/// once: of STUN, and as many of the relay to who has no credentials yet.
///
/// `also_bind`: more addresses to listen on, up to 8 in all: at port 443, say, for peers whose networks let
/// nothing else out.
/// `relay=True` relays for peers whose routers let nothing of each other through: as a TURN server (RFC 8656)
/// at the same addresses, by UDP and TCP, for the two peers of a call and with credentials that the tracker
/// gives to those registered. It needs UDP ports above 1024 open to the world. What follows switches it on, too.
/// `relay_allocations`: the most addresses that it has for peers at once; a call needs two at most.
/// `relay_bitrate`: bits per second that one of them may relay each way, 1,000 to 1,000,000,000, twice as many in
/// the first second.
/// `relay_address`: the IP address by which the world reaches this machine, if it does not have it itself.
/// `relay_private=True` relays to private, shared and loopback addresses, too: only for a network that is no
/// part of the Internet.
///
/// `tls=(chain, key)` takes TLS 1.3 on the same port, with the certificate in these PEM files: the
/// chain, the tracker's own first, and its key. `tls_self_signed=file` takes it with a key and a
/// certificate of the tracker's own making, kept in that file, which is made at the first start: peers
/// know it by `key_sha256`. Give one of the two. `require_tls=True` turns away who comes without; UDP is
/// answered either way: STUN, and TURN if there is a relay.
///
/// It runs until `close()`, the end of its `with` block, or until it is dropped. Raises
/// `InvalidArgument` (the address is none, or not of this machine; a limit is out of its range; TLS is required
/// and there is no certificate, or there are two), `FileError` (a certificate or key), `AddressInUse`,
/// `SystemError`.
#[pyclass(frozen, module = "voip")]
pub(crate) struct Tracker {
    core: core::Tracker,
    process: u32,
}

#[pymethods]
impl Tracker {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    #[pyo3(
        signature = (
            bind = "0.0.0.0:6000", *, wire_log = false, max_connections = None, max_per_address = None,
            connection_rate = None, request_rate = None, stun_rate = None, also_bind = Vec::new(),
            relay = false, relay_allocations = None, relay_bitrate = None, relay_address = None,
            relay_private = false, tls = None, tls_self_signed = None, require_tls = false,
        ),
        text_signature = "(bind='0.0.0.0:6000', *, wire_log=False, max_connections=10000, max_per_address=64, \
            connection_rate=10, request_rate=20, stun_rate=5, also_bind=(), \
            relay=False, relay_allocations=1000, relay_bitrate=100000, relay_address=None, relay_private=False, \
            tls=None, tls_self_signed=None, require_tls=False)"
    )]
    fn new(
        py: Python<'_>,
        bind: &str,
        wire_log: bool,
        max_connections: Option<Bound<'_, PyAny>>,
        max_per_address: Option<Bound<'_, PyAny>>,
        connection_rate: Option<Bound<'_, PyAny>>,
        request_rate: Option<Bound<'_, PyAny>>,
        stun_rate: Option<Bound<'_, PyAny>>,
        also_bind: Vec<String>,
        relay: bool,
        relay_allocations: Option<Bound<'_, PyAny>>,
        relay_bitrate: Option<Bound<'_, PyAny>>,
        relay_address: Option<&str>,
        relay_private: bool,
        tls: Option<(PathBuf, PathBuf)>,
        tls_self_signed: Option<PathBuf>,
        require_tls: bool,
    ) -> PyResult<Self> {
        let mut builder =
            core::Tracker::builder().bind(bind).wire_log(wire_log).require_tls(require_tls);
        builder = match (tls, tls_self_signed) {
            (Some(_), Some(_)) => {
                let message = "tls and tls_self_signed: give one of the two".to_owned();
                return raise(py, core::ErrorKind::InvalidArgument, message);
            }
            (Some((chain, key)), None) => builder.tls(chain, key),
            (None, Some(file)) => builder.tls_self_signed(file),
            (None, None) => builder,
        };
        if let Some(most) = max_connections {
            builder = builder.max_connections(whole("max_connections", &most)?);
        }
        if let Some(most) = max_per_address {
            builder = builder.max_per_address(whole("max_per_address", &most)?);
        }
        if let Some(rate) = connection_rate {
            builder = builder.connection_rate(whole("connection_rate", &rate)?);
        }
        if let Some(rate) = request_rate {
            builder = builder.request_rate(whole("request_rate", &rate)?);
        }
        if let Some(rate) = stun_rate {
            builder = builder.stun_rate(whole("stun_rate", &rate)?);
        }
        builder =
            also_bind.into_iter().fold(builder, |b, address| b.also_bind(address)).relay(relay);
        if let Some(most) = relay_allocations {
            builder = builder.relay_allocations(whole("relay_allocations", &most)?);
        }
        if let Some(bits) = relay_bitrate {
            builder = builder.relay_bitrate(whole("relay_bitrate", &bits)?);
        }
        if let Some(address) = relay_address {
            builder = builder.relay_address(address);
        }
        if relay_private {
            builder = builder.relay_private(true);
        }
        // A name instead of an address is looked up, and nothing ends that early.
        let core = ask(py, Timeout::NEVER, move |_| builder.start())?;
        Ok(Tracker { core, process: std::process::id() })
    }

    /// Where it listens, as in "127.0.0.1:6000".
    #[getter]
    fn address(&self) -> String {
        self.core.address().to_string()
    }

    /// SHA-256 of the SubjectPublicKeyInfo of the certificate's key, 64 hexadecimal digits: behind
    /// "tls://host:port#sha256=" in `Node(trackers=…)` it is all that a peer needs to trust. `None`
    /// without TLS.
    #[getter]
    fn key_sha256(&self) -> Option<&str> {
        self.core.key_sha256()
    }

    /// Whether it was closed, or belongs to the process before a fork.
    #[getter]
    fn closed(&self) -> bool {
        self.process != std::process::id() || self.core.is_closed()
    }

    /// Waits for the next event, a `TrackerEvent`; `None` after `timeout` seconds. The last 4,096 are
    /// kept for whoever asks late. Raises `Closed`.
    #[pyo3(signature = (timeout = Timeout::NEVER), text_signature = "($self, timeout=None)")]
    fn next_event<'py>(
        &self,
        py: Python<'py>,
        timeout: Timeout,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.next(py, timeout, raise_closed)
    }

    /// The events as they come, until the tracker is closed or `timeout` seconds pass without one.
    #[pyo3(signature = (timeout = Timeout::NEVER), text_signature = "($self, timeout=None)")]
    fn events(slf: Py<Self>, timeout: Timeout) -> TrackerEvents {
        TrackerEvents { tracker: slf, timeout }
    }

    /// Counters, a moment old. Raises `Closed` in a process forked from that of the tracker.
    fn stats(&self, py: Python<'_>) -> PyResult<TrackerStats> {
        self.check(py)?;
        Ok(TrackerStats::new(self.core.stats()))
    }

    /// Stops and ends all connections, within half a second. A second time does nothing.
    fn close(&self, py: Python<'_>) {
        if self.process == std::process::id() {
            py.detach(|| self.core.close());
        }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let closed = if self.closed() { ", closed" } else { "" };
        format!("<voip.Tracker at {}{closed}>", self.core.address())
    }
}

impl Tracker {
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        if self.process == std::process::id() { Ok(()) } else { raise_closed(py) }
    }

    /// The next event; `closed` once there are no more.
    fn next<'py>(
        &self,
        py: Python<'py>,
        timeout: Timeout,
        closed: impl FnOnce(Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.check(py)?;
        let next = wait(py, timeout, |slice| match self.core.next_event(slice) {
            // It may have said something last.
            None if self.closed() => Some(self.core.next_event(Duration::ZERO)),
            None => None,
            event => Some(event),
        })?;
        match next {
            Some(Some(event)) => event_to_python(py, event).map(Some),
            Some(None) => closed(py),
            None => Ok(None),
        }
    }
}

fn raise_closed<T>(py: Python<'_>) -> PyResult<T> {
    let message = "the tracker was closed, or belongs to another process";
    raise(py, core::ErrorKind::Closed, message.to_owned())
}

impl Drop for Tracker {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            Python::try_attach(|py| py.detach(|| self.core.close()));
        }
    }
}

/// The iterator of `Tracker.events()`.
#[pyclass(frozen, module = "voip")]
struct TrackerEvents {
    tracker: Py<Tracker>,
    timeout: Timeout,
}

#[pymethods]
impl TrackerEvents {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.tracker.get().next(py, self.timeout, |_| Ok(None))
    }
}

/// What happens at a tracker. The classes are `TrackerEvent.Registered`, `TrackerEvent.Left`,
/// `TrackerEvent.Paired` and `TrackerEvent.Wire`: frozen, and made for `match`.
#[pyclass(frozen, subclass, module = "voip")]
pub(crate) struct TrackerEvent;

record! {
    /// A peer came.
    Registered extends TrackerEvent {
        /// Its key.
        id: PeerId,
        /// Its name.
        name: String,
        /// Where its connection comes from.
        from_: String,
        /// How many peers are online now.
        online: u32,
    }
}
record! {
    /// A peer went.
    Left extends TrackerEvent {
        /// Its key.
        id: PeerId,
        /// Its name.
        name: String,
        /// How many peers are online now.
        online: u32,
        /// How, a `Departure`.
        why: Py<PyAny>,
    }
}
record! {
    /// Two peers who had asked for one were handed to each other.
    Paired extends TrackerEvent {
        /// The key of the one who had waited.
        id: PeerId,
        /// Its name.
        name: String,
        /// The key of the one who came.
        other_id: PeerId,
        /// Its name.
        other_name: String,
    }
}
record! {
    /// A message came or went. Only with `wire_log=True`.
    Wire extends TrackerEvent {
        /// Which way, a `WireDirection`.
        direction: Py<PyAny>,
        /// The other end's address; `None` if it was turned away.
        from_: Option<String>,
        /// The other end's name; `None` until it is registered.
        name: Option<String>,
        /// The JSON, or what came in place of it.
        text: String,
    }
}

fn event_to_python(py: Python<'_>, event: core::TrackerEvent) -> PyResult<Bound<'_, PyAny>> {
    let base = || PyClassInitializer::from(TrackerEvent);
    match event {
        core::TrackerEvent::Registered { id, name, from, online } => {
            let event = Registered { id: PeerId(id), name, from_: from.to_string(), online };
            Ok(Bound::new(py, base().add_subclass(event))?.into_any())
        }
        core::TrackerEvent::Left { id, name, online, why } => {
            let event = Left { id: PeerId(id), name, online, why: member(py, "Departure", why)? };
            Ok(Bound::new(py, base().add_subclass(event))?.into_any())
        }
        core::TrackerEvent::Paired { id, name, other_id, other_name } => {
            let event = Paired { id: PeerId(id), name, other_id: PeerId(other_id), other_name };
            Ok(Bound::new(py, base().add_subclass(event))?.into_any())
        }
        core::TrackerEvent::Wire { direction, from, name, text } => {
            let direction = member(py, "WireDirection", direction)?;
            let event = Wire { direction, from_: from.map(|from| from.to_string()), name, text };
            Ok(Bound::new(py, base().add_subclass(event))?.into_any())
        }
        // What a later version of the library may tell.
        _ => Ok(Bound::new(py, base())?.into_any()),
    }
}

record! {
    /// What a tracker has seen. All but `connections`, `online` and `relay_allocations` count from its start.
    TrackerStats {
        /// Connections now.
        connections: u64,
        /// Peers registered now.
        online: u64,
        /// Connections accepted.
        accepted: u64,
        /// Of them: turned away at once, because there were too many.
        turned_away: u64,
        /// Times that accepting paused because the system had no descriptor left.
        accept_pauses: u64,
        /// Registrations refused: version, form, dates, name, signature.
        registrations_refused: u64,
        /// Connections ended because their key registered on another.
        replaced: u64,
        /// Connections ended because nothing, or too little, came in time.
        timeouts: u64,
        /// Connections ended because the peer did not read.
        slow_readers: u64,
        /// Frames that were no message, and WebSockets that broke their protocol.
        malformed: u64,
        /// Frames or signals longer than allowed.
        too_long: u64,
        /// Messages of a type unknown to this version.
        unknown_type: u64,
        /// Requests of peers that were not registered.
        not_registered: u64,
        /// Requests refused because there were too many, of the sender or for the addressee.
        rate_limited: u64,
        /// Signals handed on.
        relayed: u64,
        /// Signals to peers that were not online.
        undeliverable: u64,
        /// Datagrams answered with the address they came from.
        stun_answered: u64,
        /// Datagrams dropped: no plain binding request, or too many of one network.
        stun_dropped: u64,
        /// Events dropped because nobody fetched them.
        events_dropped: u64,
        /// Allocations at the relay now.
        relay_allocations: u64,
        /// Packets that the relay passed on.
        relay_packets: u64,
        /// Bytes in them, as the peers sent them.
        relay_bytes: u64,
        /// Packets that the relay dropped: too many, not permitted, of no call.
        relay_dropped: u64,
        /// Requests that the relay refused or left without an answer.
        relay_refused: u64,
        /// Connections in TLS, counted when the handshake is done.
        tls: u64,
        /// Connections by WebSocket, plain or in TLS, counted when the handshake is done.
        websockets: u64,
        /// Connections ended because a handshake of TLS or of a WebSocket failed.
        handshakes_failed: u64,
        /// Connections turned away because they were not in TLS.
        tls_required: u64,
    }
}

impl TrackerStats {
    fn new(stats: core::TrackerStats) -> Self {
        TrackerStats {
            connections: stats.connections,
            online: stats.online,
            accepted: stats.accepted,
            turned_away: stats.turned_away,
            accept_pauses: stats.accept_pauses,
            registrations_refused: stats.registrations_refused,
            replaced: stats.replaced,
            timeouts: stats.timeouts,
            slow_readers: stats.slow_readers,
            malformed: stats.malformed,
            too_long: stats.too_long,
            unknown_type: stats.unknown_type,
            not_registered: stats.not_registered,
            rate_limited: stats.rate_limited,
            relayed: stats.relayed,
            undeliverable: stats.undeliverable,
            stun_answered: stats.stun_answered,
            stun_dropped: stats.stun_dropped,
            events_dropped: stats.events_dropped,
            relay_allocations: stats.relay_allocations,
            relay_packets: stats.relay_packets,
            relay_bytes: stats.relay_bytes,
            relay_dropped: stats.relay_dropped,
            relay_refused: stats.relay_refused,
            tls: stats.tls,
            websockets: stats.websockets,
            handshakes_failed: stats.handshakes_failed,
            tls_required: stats.tls_required,
        }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add_class::<Tracker>()?;
    module.add_class::<TrackerStats>()?;
    module.add_class::<TrackerEvent>()?;
    // Inside it, for there are node events of these names.
    let events = py.get_type::<TrackerEvent>();
    events.setattr("Registered", py.get_type::<Registered>())?;
    events.setattr("Left", py.get_type::<Left>())?;
    events.setattr("Paired", py.get_type::<Paired>())?;
    events.setattr("Wire", py.get_type::<Wire>())
}
