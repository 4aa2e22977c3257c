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
mod handing_on;
mod pairing;
mod reflector;
mod registry;
mod relaying;
mod stats;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rand_core::CryptoRng;

use self::connection::{Connection, Speech};
pub(crate) use self::event::{ConnId, Output};
pub use self::event::{Departure, TrackerEvent, WireDirection};
use self::reflector::Reflector;
use self::registry::{Registration, Registry};
pub use self::stats::TrackerStats;
use crate::id::PeerId;
use crate::identity::sealing::is_registration;
use crate::rate::{self, PrefixTable, Rate};
use crate::relay::server::{self as relay, Relay, StreamId};
use crate::time::{Instant, UnixMillis};
use crate::wire::record::{PresenceRecord, SealedRecord};
use crate::wire::sealed::{Bytes32, OpenError, Signature};
use crate::wire::tracker::{
    ErrorCode, MAX_PAGE, PROTOCOL_VERSION, PeerMessage, RequestId, TrackerMessage,
};

/// What the owner may set.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Connections at once.
    pub(crate) max_connections: usize,
    /// Connections at once of one IPv4 address or IPv6 /64. This machine's own are not counted:
    /// they are a proxy's, or somebody's tests.
    pub(crate) max_per_address: u32,
    /// New connections a second of one IPv4 address or IPv6 /64, and ten seconds' worth at once.
    pub(crate) connection_rate: u32,
    /// Requests a second of one connection, and five seconds' worth at once.
    pub(crate) request_rate: u32,
    /// Answers a second to datagrams of strangers, of one IPv4 /24 or IPv6 /56, and four seconds' worth at once.
    pub(crate) stun_rate: u32,
    /// Bytes that may wait for a peer which does not read.
    pub(crate) max_backlog: usize,
    /// Tell of every message.
    pub(crate) wire_log: bool,
    /// Whether, and how, to relay.
    pub(crate) relay: Option<relay::Config>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            max_connections: 10_000,
            max_per_address: 64,
            connection_rate: 10,
            request_rate: 20,
            stun_rate: 5,
            max_backlog: 256 * 1024,
            wire_log: false,
            relay: None,
        }
    }
}

/// See the module.
pub(crate) struct Server {
    config: Config,
    rng: Box<dyn CryptoRng + Send>,
    connections: BTreeMap<ConnId, Connection>,
    /// When to look at a connection next: never later than its deadline.
    agenda: BTreeSet<(Instant, ConnId)>,
    per_address: BTreeMap<IpAddr, u32>,
    newcomers: PrefixTable,
    /// Requests of each connection.
    requests: Rate,
    reflector: Reflector,
    relay: Option<Relay>,
    registry: Registry,
    subscribers: BTreeSet<ConnId>,
    /// Who waits for a peer; the next who asks gets it, so it is never more than one.
    unpaired: Option<ConnId>,
    outputs: VecDeque<Output>,
    stats: TrackerStats,
}

impl Server {
    /// `rng` makes the challenges: nobody must be able to guess them.
    pub(crate) fn new(config: Config, mut rng: Box<dyn CryptoRng + Send>) -> Self {
        let worth = |rate: u32, seconds| Rate::per_second(rate, rate * seconds);
        let answers = worth(config.stun_rate, 4);
        let relay = config.relay.clone().map(|config| Relay::new(config, answers, &mut *rng));
        let newcomers = worth(config.connection_rate, 10);
        Server {
            requests: worth(config.request_rate, 5),
            config,
            newcomers: PrefixTable::new(rng.next_u64(), newcomers, 32, 64),
            reflector: Reflector::new(rng.next_u64(), answers),
            relay,
            rng,
            connections: BTreeMap::new(),
            agenda: BTreeSet::new(),
            per_address: BTreeMap::new(),
            registry: Registry::default(),
            subscribers: BTreeSet::new(),
            unpaired: None,
            outputs: VecDeque::new(),
            stats: TrackerStats::default(),
        }
    }

    /// What to do next, oldest first.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        let relayed = || self.relay.as_mut().and_then(Relay::poll).map(Output::Relay);
        self.outputs.pop_front().or_else(relayed)
    }

    /// When to call [`Server::handle_timeout`] at the latest.
    pub(crate) fn next_timeout(&self) -> Instant {
        let first = self.agenda.first().map_or(Instant::FAR_FUTURE, |(at, _)| *at);
        first.min(self.relay.as_ref().map_or(Instant::FAR_FUTURE, Relay::next_timeout))
    }

    pub(crate) fn stats(&self) -> TrackerStats {
        let relay = self.relay.as_ref().map(Relay::stats).unwrap_or_default();
        TrackerStats {
            relay_allocations: relay.allocations,
            relay_packets: relay.packets,
            relay_bytes: relay.bytes,
            relay_dropped: relay.dropped,
            relay_refused: relay.refused,
            connections: self.connections.len() as u64,
            online: self.registry.len() as u64,
            ..self.stats
        }
    }

    /// Somebody has connected, to the address `local` of this machine: turns away, or greets as soon as it
    /// is known what it speaks. Without a relay there is nothing to wait for.
    pub(crate) fn handle_connected(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        conn: ConnId,
        from: SocketAddr,
        local: SocketAddr,
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
        let connection = Connection::new(now, from, local, nonce);
        self.agenda.insert((connection.looked_at, conn));
        self.connections.insert(conn, connection);
        if self.relay.is_none() {
            self.greet(wall, conn);
        }
    }

    /// The connection speaks the tracker protocol, or has said nothing for so long that it waits to be greeted.
    pub(crate) fn handle_waiting(&mut self, now: Instant, wall: UnixMillis, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if let Speech::Unknown(said) = &mut connection.speech {
            let said = std::mem::take(said);
            self.greet(wall, conn);
            self.handle_bytes(now, wall, conn, &said);
        }
    }

    fn greet(&mut self, time: UnixMillis, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.speech = Speech::Tracker;
        let nonce = connection.nonce;
        self.send(conn, &TrackerMessage::Hello { version: PROTOCOL_VERSION, nonce, time });
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.was_greeted();
        }
    }

    /// Bytes came.
    pub(crate) fn handle_bytes(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        conn: ConnId,
        bytes: &[u8],
    ) {
        let first = self.first_bytes(wall, conn, bytes);
        let mut bytes = first.as_deref().unwrap_or(bytes);
        if self.speaks_relay(conn) {
            return self.handle_stream(now, conn, bytes);
        }
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.came(bytes.len());
        }
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

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(relay) = &mut self.relay {
            relay.handle_timeout(now);
        }
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
                if self.keeps_for_relay(now, conn) {
                    continue;
                }
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
        if !connection.may_ask(now, self.requests) || registers && !connection.may_register(now) {
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
                let message = "not a message of this protocol";
                if connection.is_forgiven(now) {
                    self.refuse(conn, bad.id, bad.code, message);
                } else {
                    self.turn_out(conn, bad.id, bad.code, message);
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
                self.hand_on(now, conn, id, from, to, signal);
            }
            (PeerMessage::Relay { id, call, peer }, Some(owner)) => {
                self.grant_relay(now, conn, id, (owner, peer), call);
            }
            (PeerMessage::Pair { id }, Some(me)) => self.pair(conn, id, me),
            (PeerMessage::Unpair { id }, Some(_)) => self.unpair(conn, id),
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
            let relay = self.relay.is_some();
            self.send(conn, &TrackerMessage::Registered { id, observed, online, relay });
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

    /// Says why, and closes.
    fn dismiss(&mut self, conn: ConnId, code: ErrorCode, message: &str) {
        self.turn_out(conn, None, code, message);
    }

    fn turn_out(&mut self, conn: ConnId, id: Option<RequestId>, code: ErrorCode, message: &str) {
        let message = message.to_owned();
        self.send(conn, &TrackerMessage::Error { id, code, message });
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
        if let Some(relay) = &mut self.relay {
            relay.handle_closed(StreamId(conn.0));
        }
        self.agenda.remove(&(connection.looked_at, conn));
        self.subscribers.remove(&conn);
        self.no_longer_waits(conn);
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

    /// Says no. Who is not registered and has had too many answers for what it said is closed instead.
    fn refuse(&mut self, conn: ConnId, id: Option<RequestId>, code: ErrorCode, message: &str) {
        let message = message.to_owned();
        let frame = TrackerMessage::Error { id, code, message }.to_frame();
        if self.connections.get(&conn).is_none_or(|c| c.may_be_answered(frame.len())) {
            return self.send_bytes(conn, frame.into());
        }
        self.forget(conn, Departure::Misbehaved);
        self.outputs.push_back(Output::Close { conn });
    }

    fn send(&mut self, conn: ConnId, message: &TrackerMessage) {
        self.send_bytes(conn, message.to_frame().into());
    }

    fn send_bytes(&mut self, conn: ConnId, bytes: Arc<[u8]>) {
        self.log(WireDirection::Out, conn, bytes.get(4..).unwrap_or_default());
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.was_sent(bytes.len());
        }
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
        | PeerMessage::Relay { id, .. }
        | PeerMessage::Pair { id }
        | PeerMessage::Unpair { id }
        | PeerMessage::Ping { id } => Some(id),
        PeerMessage::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
