//! A tracker: who is online, and the relay of their signals.
//!
//! A peer connects, gets a challenge, registers its signed record under a name that then belongs to
//! its key until it goes, and asks. The tracker verifies keys but is itself never believed: peers
//! check each other's signatures. It keeps nothing on disk; whoever vanishes comes back and
//! registers anew.
//!
//! The owner carries out [`Output`]s and reports what happens to connections. After `Close` a
//! connection is forgotten; reporting its end is not needed and does no harm.

mod connection;
mod event;
mod rate;
mod reflector;
mod registry;
mod stats;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rand_core::CryptoRng;

use self::connection::Connection;
pub(crate) use self::event::{ConnId, Output};
pub use self::event::{Departure, TrackerEvent, WireDirection};
use self::rate::{PrefixTable, Rate};
use self::reflector::Reflector;
use self::registry::{Registration, Registry};
pub use self::stats::TrackerStats;
use crate::id::PeerId;
use crate::identity::sealing::is_registration;
use crate::time::{Instant, UnixMillis};
use crate::wire::record::{PresenceRecord, SealedRecord};
use crate::wire::sealed::{Bytes32, OpenError, Signature};
use crate::wire::signal::{MAX_SIGNAL, SealedSignal};
use crate::wire::tracker::{
    ErrorCode, MAX_PAGE, PROTOCOL_VERSION, PeerMessage, RequestId, Target, TrackerMessage,
};

/// What the owner may set.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Connections at once.
    pub(crate) max_connections: usize,
    /// Connections at once of one IPv4 address or IPv6 /64. This machine's own are not counted:
    /// they are a proxy's, or somebody's tests.
    pub(crate) max_per_address: u32,
    /// Bytes that may wait for a peer which does not read.
    pub(crate) max_backlog: usize,
    /// Tell of every message.
    pub(crate) wire_log: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            max_connections: 10_000,
            max_per_address: 64,
            max_backlog: 256 * 1024,
            wire_log: false,
        }
    }
}

/// New connections of one IPv4 address or IPv6 /64.
const NEWCOMERS: Rate = Rate::per_second(10, 100);

/// See the module.
pub(crate) struct Server {
    config: Config,
    rng: Box<dyn CryptoRng + Send>,
    connections: BTreeMap<ConnId, Connection>,
    /// When to look at a connection next: never later than its deadline.
    agenda: BTreeSet<(Instant, ConnId)>,
    per_address: BTreeMap<IpAddr, u32>,
    newcomers: PrefixTable,
    reflector: Reflector,
    registry: Registry,
    subscribers: BTreeSet<ConnId>,
    outputs: VecDeque<Output>,
    stats: TrackerStats,
}

impl Server {
    /// `rng` makes the challenges: nobody must be able to guess them.
    pub(crate) fn new(config: Config, mut rng: Box<dyn CryptoRng + Send>) -> Self {
        Server {
            config,
            newcomers: PrefixTable::new(rng.next_u64(), NEWCOMERS, 32, 64),
            reflector: Reflector::new(rng.next_u64()),
            rng,
            connections: BTreeMap::new(),
            agenda: BTreeSet::new(),
            per_address: BTreeMap::new(),
            registry: Registry::default(),
            subscribers: BTreeSet::new(),
            outputs: VecDeque::new(),
            stats: TrackerStats::default(),
        }
    }

    /// What to do next, oldest first.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Server::handle_timeout`] at the latest.
    pub(crate) fn next_timeout(&self) -> Instant {
        self.agenda.first().map_or(Instant::FAR_FUTURE, |(at, _)| *at)
    }

    pub(crate) fn stats(&self) -> TrackerStats {
        TrackerStats {
            connections: self.connections.len() as u64,
            online: self.registry.len() as u64,
            ..self.stats
        }
    }

    /// Somebody has connected: greets, or turns away.
    pub(crate) fn handle_connected(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        conn: ConnId,
        from: SocketAddr,
    ) {
        self.stats.accepted += 1;
        if !self.has_room_for(now, from.ip()) {
            self.stats.turned_away += 1;
            let message = "too many connections: try again later".to_owned();
            self.send(conn, &TrackerMessage::Error { id: None, code: ErrorCode::Full, message });
            self.outputs.push_back(Output::Close { conn });
            return;
        }
        let mut nonce = Bytes32([0; 32]);
        self.rng.fill_bytes(&mut nonce.0);
        *self.per_address.entry(rate::subscriber(from.ip())).or_default() += 1;
        let connection = Connection::new(now, from, nonce);
        self.agenda.insert((connection.looked_at, conn));
        self.connections.insert(conn, connection);
        self.send(conn, &TrackerMessage::Hello { version: PROTOCOL_VERSION, nonce, time: wall });
    }

    /// Bytes came.
    pub(crate) fn handle_bytes(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        conn: ConnId,
        mut bytes: &[u8],
    ) {
        while let Some(connection) = self.connections.get_mut(&conn) {
            match connection.next_frame(now, &mut bytes) {
                Ok(Some(content)) => self.handle_frame(now, wall, conn, &content),
                Ok(None) => break,
                Err(too_long) => {
                    self.stats.too_long += 1;
                    self.dismiss(conn, ErrorCode::TooLong, &too_long.to_string());
                }
            }
        }
        self.put_on_agenda(conn);
    }

    /// The longest frame that this connection may send now.
    pub(crate) fn frame_limit(&self, conn: ConnId) -> usize {
        self.connections.get(&conn).map_or(0, Connection::frame_limit)
    }

    /// The connection is not encrypted, and the owner takes no such.
    pub(crate) fn handle_insecure(&mut self, conn: ConnId) {
        if self.connections.contains_key(&conn) {
            self.stats.tls_required += 1;
            self.dismiss(conn, ErrorCode::TlsRequired, "this tracker takes TLS only");
        }
    }

    /// The connection is gone.
    pub(crate) fn handle_closed(&mut self, conn: ConnId) {
        self.forget(conn, Departure::Closed);
    }

    /// So many bytes sent to the peer wait because it does not read.
    pub(crate) fn handle_backlog(&mut self, conn: ConnId, waiting: usize) {
        if waiting > self.config.max_backlog && self.connections.contains_key(&conn) {
            self.stats.slow_readers += 1;
            self.forget(conn, Departure::SlowReader);
            self.outputs.push_back(Output::Close { conn });
        }
    }

    /// A datagram came to the UDP port of the same number: a STUN request is answered.
    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        match self.reflector.answer(now, from, datagram) {
            Some(bytes) => {
                self.stats.stun_answered += 1;
                self.outputs.push_back(Output::Datagram { to: from, bytes });
            }
            None => self.stats.stun_dropped += 1,
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, conn)) = self.agenda.first()
            && at <= now
        {
            self.agenda.remove(&(at, conn));
            let Some(connection) = self.connections.get_mut(&conn) else { continue };
            let (deadline, reason) = connection.deadline();
            if deadline > now {
                connection.looked_at = deadline;
                self.agenda.insert((deadline, conn));
            } else {
                self.stats.timeouts += 1;
                self.dismiss(conn, ErrorCode::Timeout, reason);
            }
        }
    }

    fn has_room_for(&mut self, now: Instant, ip: IpAddr) -> bool {
        let is_local = ip.to_canonical().is_loopback();
        let of_address = self.per_address.get(&rate::subscriber(ip)).copied().unwrap_or(0);
        self.connections.len() < self.config.max_connections
            && (is_local
                || of_address < self.config.max_per_address && self.newcomers.take(now, ip))
    }

    fn handle_frame(&mut self, now: Instant, wall: UnixMillis, conn: ConnId, content: &[u8]) {
        self.log(WireDirection::In, conn, content);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let message = PeerMessage::parse(content);
        let registers = matches!(message, Ok(PeerMessage::Register { .. }));
        if !connection.may_ask(now) || registers && !connection.may_register(now) {
            self.stats.rate_limited += 1;
            let id = message.as_ref().map_or_else(|bad| bad.id, request_id);
            return self.refuse(conn, id, ErrorCode::RateLimited, "wait a second");
        }
        match message {
            Ok(message) => self.handle_message(now, wall, conn, message),
            Err(bad) if bad.code == ErrorCode::UnknownType => {
                self.stats.unknown_type += 1;
                self.refuse(conn, bad.id, bad.code, "this tracker speaks version 1");
            }
            Err(bad) => {
                self.stats.malformed += 1;
                let is_forgiven = connection.is_forgiven(now);
                self.refuse(conn, bad.id, bad.code, "not a message of this protocol");
                if !is_forgiven {
                    self.forget(conn, Departure::Misbehaved);
                    self.outputs.push_back(Output::Close { conn });
                }
            }
        }
    }

    fn handle_message(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        conn: ConnId,
        message: PeerMessage,
    ) {
        let me = self.connections.get(&conn).and_then(|connection| connection.registered);
        match (message, me) {
            (PeerMessage::Register { id, version, record, signature }, _) => {
                match self.register(now, wall, conn, version, record, &signature) {
                    Ok(()) => self.confirm_registration(conn, id),
                    Err((code, message)) => {
                        self.stats.registrations_refused += 1;
                        self.refuse(conn, Some(id), code, message);
                    }
                }
            }
            (PeerMessage::Ping { id }, _) => self.send(conn, &TrackerMessage::Pong { id }),
            (PeerMessage::Leave { id }, _) => {
                self.send(conn, &TrackerMessage::Goodbye { id });
                self.forget(conn, Departure::Left);
                self.outputs.push_back(Output::Close { conn });
            }
            (PeerMessage::List { id, after, limit }, Some(_)) => {
                let limit = limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
                let (peers, next) = self.registry.page(after.as_deref(), limit as usize);
                self.send(conn, &TrackerMessage::Peers { id, peers, next });
            }
            (PeerMessage::Lookup { id, target }, Some(_)) => self.look_up(conn, id, &target),
            (PeerMessage::Subscribe { id }, Some(_)) => {
                self.subscribers.insert(conn);
                let online = self.registry.len();
                self.send(conn, &TrackerMessage::Subscribed { id, online });
            }
            (PeerMessage::Signal { id, to, signal }, Some(from)) => {
                self.relay(now, conn, id, from, to, signal);
            }
            (message, _) => {
                self.stats.not_registered += 1;
                let id = request_id(&message);
                self.refuse(conn, id, ErrorCode::NotRegistered, "register first");
            }
        }
    }

    /// Takes a record in, or says why not.
    fn register(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        conn: ConnId,
        version: u32,
        sealed: SealedRecord,
        signature: &Signature,
    ) -> Result<(), (ErrorCode, &'static str)> {
        let Some(connection) = self.connections.get(&conn) else { return Ok(()) };
        if version != PROTOCOL_VERSION {
            return Err((ErrorCode::UnsupportedVersion, "this tracker speaks version 1"));
        }
        let record = PresenceRecord::parse(&sealed.body)
            .map_err(|_| (ErrorCode::Malformed, "the record is not of its form"))?;
        if connection.registered.is_some_and(|id| id != record.id) {
            return Err((ErrorCode::Malformed, "one key per connection"));
        }
        if !record.is_current(wall) {
            return Err((ErrorCode::ClockSkew, "the record's dates do not fit: check the clock"));
        }
        let earlier = self.registry.get(record.id);
        if earlier.is_some_and(|r| r.conn == conn && r.seq >= record.seq) {
            return Err((ErrorCode::OldRecord, "a newer record of this key is known"));
        }
        if self.registry.owner(&record.name).is_some_and(|owner| owner != record.id) {
            return Err((ErrorCode::NameTaken, "another key holds this name"));
        }
        if sealed.open() == Err(OpenError::BadSignature)
            || !is_registration(record.id, &connection.nonce, &sealed, signature)
        {
            return Err((ErrorCode::BadSignature, "a signature does not hold"));
        }
        self.enter(now, wall, conn, record, sealed);
        Ok(())
    }

    /// Enters a record that has been checked, and tells those who want to know.
    fn enter(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        conn: ConnId,
        record: PresenceRecord,
        sealed: SealedRecord,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let from = connection.from;
        connection.register(now, &record);
        let id = record.id;
        let since = self.registry.get(id).map_or(wall, |earlier| earlier.since);
        let earlier = self.registry.insert(Registration::new(conn, record, sealed, since));
        if let Some(earlier) = &earlier
            && earlier.conn != conn
        {
            self.replace(earlier.conn);
        }
        let Some(current) = self.registry.get(id) else { return };
        let (name, presence, peer) = (current.name.clone(), current.presence, current.entry());
        let online = self.registry.len();
        match earlier {
            Some(earlier) if earlier.name == name => {
                if earlier.presence != presence {
                    self.tell(conn, &TrackerMessage::Changed { peer });
                }
                return;
            }
            Some(earlier) => self.tell_left(conn, id, earlier.name, online, Departure::Renamed),
            None => {}
        }
        self.tell(conn, &TrackerMessage::Joined { peer, online });
        self.event(TrackerEvent::Registered { id, name, from, online });
    }

    fn confirm_registration(&mut self, conn: ConnId, id: RequestId) {
        if let Some(connection) = self.connections.get(&conn) {
            let from = connection.from;
            let observed = SocketAddr::new(from.ip().to_canonical(), from.port());
            let online = self.registry.len();
            self.send(conn, &TrackerMessage::Registered { id, observed, online });
        }
    }

    /// Ends a connection whose key has registered on another one.
    fn replace(&mut self, conn: ConnId) {
        self.stats.replaced += 1;
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.registered = None;
        }
        self.dismiss(conn, ErrorCode::Replaced, "the same key registered on another connection");
    }

    fn look_up(&mut self, conn: ConnId, id: RequestId, target: &Target) {
        let peer = match target {
            Target::Name(name) => self.registry.owner(name),
            Target::Peer(peer) => Some(*peer),
        };
        let found = peer.and_then(|peer| self.registry.get(peer));
        let answer = match found {
            Some(found) => TrackerMessage::Found { id, peer: found.entry() },
            None => TrackerMessage::NotFound { id },
        };
        self.send(conn, &answer);
    }

    fn relay(
        &mut self,
        now: Instant,
        conn: ConnId,
        id: RequestId,
        from: PeerId,
        to: PeerId,
        signal: SealedSignal,
    ) {
        if signal.body.len() > MAX_SIGNAL {
            self.stats.too_long += 1;
            return self.refuse(conn, Some(id), ErrorCode::TooLong, "a signal of over 16 KiB");
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if !connection.may_signal(now, signal.body.len()) {
            self.stats.rate_limited += 1;
            return self.refuse(conn, Some(id), ErrorCode::RateLimited, "wait a second");
        }
        let Some(addressee) = self.registry.get(to).map(|peer| peer.conn) else {
            self.stats.undeliverable += 1;
            return self.send(conn, &TrackerMessage::Undeliverable { id, to });
        };
        let frame = TrackerMessage::Signal { from, signal }.to_frame();
        let Some(connection) = self.connections.get_mut(&addressee) else { return };
        if !connection.may_be_signalled(now, frame.len()) {
            self.stats.rate_limited += 1;
            let message = "too much for this peer: wait a second";
            return self.refuse(conn, Some(id), ErrorCode::RateLimited, message);
        }
        self.stats.relayed += 1;
        self.send_bytes(addressee, frame.into());
        self.send(conn, &TrackerMessage::Relayed { id });
    }

    /// Says why, and closes.
    fn dismiss(&mut self, conn: ConnId, code: ErrorCode, message: &str) {
        self.refuse(conn, None, code, message);
        let why = match code {
            ErrorCode::Timeout => Departure::TimedOut,
            _ => Departure::Misbehaved,
        };
        self.forget(conn, why);
        self.outputs.push_back(Output::Close { conn });
    }

    /// Removes a connection and its registration.
    fn forget(&mut self, conn: ConnId, why: Departure) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        self.agenda.remove(&(connection.looked_at, conn));
        self.subscribers.remove(&conn);
        let address = rate::subscriber(connection.from.ip());
        if let Some(count) = self.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
        if let Some(gone) = connection.registered.and_then(|id| self.registry.remove(id)) {
            let online = self.registry.len();
            self.tell_left(conn, gone.id, gone.name, online, why);
        }
    }

    fn tell_left(&mut self, conn: ConnId, id: PeerId, name: String, online: u32, why: Departure) {
        self.tell(conn, &TrackerMessage::Left { peer: id, name: name.clone(), online });
        self.event(TrackerEvent::Left { id, name, online, why });
    }

    /// Tells all subscribers but `about` itself.
    fn tell(&mut self, about: ConnId, notice: &TrackerMessage) {
        let bytes: Arc<[u8]> = notice.to_frame().into();
        let others: Vec<_> = self.subscribers.iter().copied().filter(|&c| c != about).collect();
        others.into_iter().for_each(|conn| self.send_bytes(conn, bytes.clone()));
    }

    fn refuse(&mut self, conn: ConnId, id: Option<RequestId>, code: ErrorCode, message: &str) {
        let message = message.to_owned();
        self.send(conn, &TrackerMessage::Error { id, code, message });
    }

    fn send(&mut self, conn: ConnId, message: &TrackerMessage) {
        self.send_bytes(conn, message.to_frame().into());
    }

    fn send_bytes(&mut self, conn: ConnId, bytes: Arc<[u8]>) {
        self.log(WireDirection::Out, conn, bytes.get(4..).unwrap_or_default());
        self.outputs.push_back(Output::Send { conn, bytes });
    }

    fn log(&mut self, direction: WireDirection, conn: ConnId, content: &[u8]) {
        if !self.config.wire_log {
            return;
        }
        let connection = self.connections.get(&conn);
        let name = connection.and_then(|c| c.registered).and_then(|id| self.registry.get(id));
        let event = TrackerEvent::Wire {
            direction,
            from: connection.map(|c| c.from),
            name: name.map(|registration| registration.name.clone()),
            text: String::from_utf8_lossy(content).into_owned(),
        };
        self.event(event);
    }

    fn event(&mut self, event: TrackerEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Sees to it that the connection is looked at no later than its deadline.
    fn put_on_agenda(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let (deadline, _) = connection.deadline();
        if deadline < connection.looked_at {
            self.agenda.remove(&(connection.looked_at, conn));
            connection.looked_at = deadline;
            self.agenda.insert((deadline, conn));
        }
    }
}

fn request_id(message: &PeerMessage) -> Option<RequestId> {
    match *message {
        PeerMessage::Register { id, .. }
        | PeerMessage::Leave { id }
        | PeerMessage::List { id, .. }
        | PeerMessage::Lookup { id, .. }
        | PeerMessage::Subscribe { id }
        | PeerMessage::Signal { id, .. }
        | PeerMessage::Ping { id } => Some(id),
        PeerMessage::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
