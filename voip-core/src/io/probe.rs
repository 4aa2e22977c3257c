//! What a tracker gives to somebody at this machine, asked step by step, with a time limit: for the doctor.

mod line;
mod relay;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use rand_core::Rng;

use self::line::Line;
use self::relay::Way;
use super::Clock;
use super::random::{OsRandom, secret};
use super::tls::client::Client;
use crate::directory::address::TrackerAddress;
use crate::id::{CallId, PeerId};
use crate::identity::Identity;
use crate::relay::client::{RelayCredentials, RelayTransport};
use crate::time::{Duration, Instant};
use crate::wire::framing::FrameReader;
use crate::wire::record::{Presence, PresenceRecord};
use crate::wire::stun::{TransactionId, binding_request, parse_response};
use crate::wire::tracker::{ErrorCode, PROTOCOL_VERSION, PeerMessage, TrackerMessage};

/// How long one step may take, of those that only wait for an answer.
const PATIENCE: Duration = Duration::from_secs(4);
const UDP_PATIENCE: Duration = Duration::from_millis(1_500);
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Messages of a tracker that are read in search of an answer.
const MAX_MESSAGES: usize = 100;

/// What is known of one tracker; what is `None` was not come to.
#[derive(Debug)]
pub(crate) struct TrackerFindings {
    pub(crate) tracker: String,
    /// The one that could be connected to, or the first.
    pub(crate) address: Option<SocketAddr>,
    /// From the look-up of its name to its greeting.
    pub(crate) greeted: Result<Duration, Unreached>,
    /// How far the clock here is ahead of its.
    pub(crate) clock_ahead_ms: Option<i64>,
    pub(crate) registered: Option<Result<Registered, String>>,
}

/// Why a tracker did not greet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreached {
    /// What is written is no address, or what it trusts cannot be read.
    #[error("{0}")]
    Address(String),
    /// No connection, or no tracker's answer.
    #[error("{0}")]
    Silent(String),
    /// Its certificate is not what the address asks for.
    #[error("its certificate does not fit: {0}")]
    Untrusted(String),
    /// It takes TLS only, and was not asked for it.
    #[error("connected, but it takes TLS only")]
    TlsRequired,
    /// It was asked for TLS.
    #[error("connected, but there is no TLS with it: {0}")]
    NoTls(String),
}

/// Why a question had no answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("it refused ({0:?}): {1}")]
    Refused(ErrorCode, String),
    #[error("{0}")]
    Silent(String),
}

impl From<&str> for Unanswered {
    fn from(why: &str) -> Self {
        Unanswered::Silent(why.to_owned())
    }
}

#[derive(Debug)]
pub(crate) struct Registered {
    /// Our address, as the tracker sees it.
    pub(crate) observed: SocketAddr,
    pub(crate) round_trip: Duration,
    pub(crate) relay: Option<Relay>,
}

/// How long an allocation took, or why there was none.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) udp: Result<Duration, String>,
    pub(crate) tcp: Result<Duration, String>,
}

/// How datagrams from here are seen by who gets them.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) to: SocketAddr,
    pub(crate) seen: SocketAddr,
    /// Whether that is an address of this machine.
    pub(crate) is_own: bool,
    pub(crate) took: Duration,
}

impl TrackerFindings {
    pub(crate) fn nothing(tracker: String) -> TrackerFindings {
        let greeted = Err(Unreached::Silent("no answer within the time limit".to_owned()));
        TrackerFindings { tracker, address: None, greeted, clock_ahead_ms: None, registered: None }
    }

    /// Whether it has a relay that gave an address.
    pub(crate) fn relays(&self) -> bool {
        let Some(Ok(Registered { relay: Some(relay), .. })) = &self.registered else {
            return false;
        };
        relay.udp.is_ok() || relay.tcp.is_ok()
    }
}

/// Asks a tracker for everything, one after the other. The look-up of its name may take longer than the deadline.
pub(crate) fn probe(tracker: String, deadline: Instant) -> TrackerFindings {
    let begun = Clock::new().now();
    let mut found = TrackerFindings::nothing(tracker);
    if let Err(why) = converse(begun, deadline, &mut found) {
        found.greeted = Err(why);
    }
    found
}

fn converse(
    begun: Instant,
    deadline: Instant,
    found: &mut TrackerFindings,
) -> Result<(), Unreached> {
    let place = TrackerAddress::parse(&found.tracker)
        .map_err(|why| Unreached::Address(format!("this address {why}")))?;
    let tls = Client::of(&place).map_err(|e| Unreached::Address(e.message().to_owned()))?;
    let addresses = place.host_and_port.to_socket_addrs();
    let addresses = addresses
        .map_err(|error| Unreached::Silent(format!("its name has no address: {error}")))?;
    let addresses: Vec<SocketAddr> = addresses.take(8).collect();
    found.address = addresses.first().copied();
    let mut last = "its name has no address".to_owned();
    for address in addresses {
        match Conversation::begin(address, tls.clone(), deadline) {
            Ok(mut conversation) => {
                found.address = Some(address);
                return conversation.run(begun, found);
            }
            Err(error) => last = format!("no connection to {address}: {error}"),
        }
    }
    Err(Unreached::Silent(last))
}

struct Conversation {
    clock: Clock,
    line: Line,
    tls: Option<Client>,
    server: SocketAddr,
    reader: FrameReader,
    unread: Vec<u8>,
    deadline: Instant,
    identity: Identity,
    random: OsRandom,
}

impl Conversation {
    /// Connects, and says nothing yet.
    fn begin(
        server: SocketAddr,
        tls: Option<Client>,
        deadline: Instant,
    ) -> Result<Conversation, String> {
        let clock = Clock::new();
        let limit = remaining(&clock, deadline).min(PATIENCE);
        let line = Line::connect(server, limit).map_err(|e| e.to_string())?;
        Ok(Conversation {
            clock,
            line,
            tls,
            server,
            reader: FrameReader::default(),
            unread: Vec::new(),
            deadline,
            identity: Identity::from_secret(&*secret().map_err(|e| e.to_string())?),
            random: OsRandom::new().map_err(|e| e.to_string())?,
        })
    }

    fn run(&mut self, begun: Instant, found: &mut TrackerFindings) -> Result<(), Unreached> {
        if let Some(tls) = &self.tls {
            let until = self.deadline.min(self.clock.now() + PATIENCE);
            self.line.secure(tls, &self.clock, until)?;
        }
        // A tracker with a relay waits for what is spoken here before it says anything.
        let hello = self.ask(&PeerMessage::Ping { id: 0 }, |message| match message {
            TrackerMessage::Hello { nonce, time, .. } => Some((nonce, time)),
            _ => None,
        });
        let (nonce, time) = match hello {
            Ok(hello) => hello,
            Err(Unanswered::Refused(ErrorCode::TlsRequired, _)) => {
                return Err(Unreached::TlsRequired);
            }
            Err(why) => return Err(Unreached::Silent(format!("connected, but {why}"))),
        };
        found.greeted = Ok(self.clock.now().since(begun));
        let wall = self.clock.wall();
        let ahead = i128::from(wall.0) - i128::from(time.0);
        found.clock_ahead_ms = Some(i64::try_from(ahead).unwrap_or(i64::MAX));
        let id = self.identity.id();
        let name = format!("doctor-{}", &id.to_string()[..12]);
        let record = PresenceRecord::new(id, &name, Presence::Away, wall).seal(&self.identity);
        let signature = self.identity.sign_registration(&nonce, &record);
        let register =
            PeerMessage::Register { id: 1, version: PROTOCOL_VERSION, record, signature };
        found.registered = Some(self.register(&register).map_err(|why| why.to_string()));
        // Nobody waits for the answer.
        let _ = self.line.send(&PeerMessage::Leave { id: 9 }.to_frame());
        Ok(())
    }

    fn register(&mut self, register: &PeerMessage) -> Result<Registered, Unanswered> {
        let (observed, has_relay) = self.ask(register, |message| match message {
            TrackerMessage::Registered { observed, relay, .. } => Some((observed, relay)),
            _ => None,
        })?;
        let asked = self.clock.now();
        self.ask(&PeerMessage::Ping { id: 2 }, |message| {
            matches!(message, TrackerMessage::Pong { id: 2 }).then_some(())
        })?;
        let round_trip = self.clock.now().since(asked);
        let relay = has_relay.then(|| Relay {
            udp: self.allocate(RelayTransport::Udp),
            tcp: self.allocate(RelayTransport::Tcp),
        });
        Ok(Registered { observed, round_trip, relay })
    }

    /// Says something and waits for the message that answers it.
    fn ask<T>(
        &mut self,
        message: &PeerMessage,
        answer: impl Fn(TrackerMessage) -> Option<T>,
    ) -> Result<T, Unanswered> {
        let until = self.deadline.min(self.clock.now() + PATIENCE);
        let sent = self.line.send(&message.to_frame());
        sent.map_err(|e| Unanswered::Silent(format!("it closed: {e}")))?;
        for _ in 0..MAX_MESSAGES {
            match self.hear(until)? {
                TrackerMessage::Error { code, message, .. } => {
                    return Err(Unanswered::Refused(code, message));
                }
                message => {
                    if let Some(answer) = answer(message) {
                        return Ok(answer);
                    }
                }
            }
        }
        Err("it did not answer".into())
    }

    fn hear(&mut self, until: Instant) -> Result<TrackerMessage, Unanswered> {
        loop {
            let mut unread = &self.unread[..];
            let frame = self.reader.next(&mut unread);
            self.unread = unread.to_vec();
            if let Some(content) = frame.map_err(|_| "it is no tracker")? {
                return TrackerMessage::parse(&content).map_err(|_| "it is no tracker".into());
            }
            if self.clock.now() >= until {
                return Err("it did not answer".into());
            }
            match self.line.receive(remaining(&self.clock, until), &mut self.unread) {
                Ok(()) => {}
                Err(e) if is_patience(&e) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err("it closed the connection".into());
                }
                Err(e) => return Err(Unanswered::Silent(format!("it closed the connection: {e}"))),
            }
        }
    }

    fn allocate(&mut self, transport: RelayTransport) -> Result<Duration, String> {
        let (mut call, mut peer) = ([0; 16], [0; 32]);
        self.random.fill_bytes(&mut call);
        self.random.fill_bytes(&mut peer);
        let ask = PeerMessage::Relay { id: 3, call: CallId(call), peer: PeerId(peer) };
        let credentials = self.ask(&ask, |message| match message {
            TrackerMessage::Relay { username, password, .. } => {
                Some(RelayCredentials { username, password })
            }
            _ => None,
        });
        let credentials = credentials.map_err(|e| e.to_string())?;
        let until = self.deadline.min(self.clock.now() + PATIENCE);
        let words = |e: io::Error| e.to_string();
        let way = match transport {
            RelayTransport::Udp => Way::by_datagrams(self.server).map_err(words)?,
            RelayTransport::Tcp => {
                let limit = remaining(&self.clock, until);
                let mut line = Line::connect(self.server, limit).map_err(words)?;
                if let Some(tls) = &self.tls {
                    line.secure(tls, &self.clock, until).map_err(|e| e.to_string())?;
                }
                Way::Tcp(Box::new(line))
            }
        };
        relay::allocate(&self.clock, way, self.server, &credentials, until)
    }
}

/// As which address each of these sees one and the same socket.
pub(crate) fn mappings(
    addresses: Vec<Option<SocketAddr>>,
    deadline: Instant,
) -> Vec<Option<Mapping>> {
    let mut found: Vec<Option<Mapping>> = addresses.iter().map(|_| None).collect();
    for is_ipv4 in [true, false] {
        let of_family = |(i, a): (usize, &Option<SocketAddr>)| {
            a.filter(|a| a.is_ipv4() == is_ipv4).map(|a| (i, a))
        };
        let asked: Vec<_> = addresses.iter().enumerate().filter_map(of_family).collect();
        if !asked.is_empty() {
            // Without a socket nothing is found.
            let _ = map_family(&asked, deadline, &mut found);
        }
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "io/ is where sockets are opened")]
fn map_family(
    asked: &[(usize, SocketAddr)],
    deadline: Instant,
    found: &mut [Option<Mapping>],
) -> io::Result<()> {
    let clock = Clock::new();
    let begun = clock.now();
    let until = deadline.min(begun + UDP_PATIENCE);
    let [(_, first), ..] = asked else { return Ok(()) };
    let socket = UdpSocket::bind((any(*first), 0))?;
    let mut random = OsRandom::new().map_err(io::Error::other)?;
    let mut transactions = Vec::new();
    for &(at, to) in asked {
        let mut transaction = [0; 12];
        random.fill_bytes(&mut transaction);
        transactions.push((at, to, TransactionId(transaction)));
    }
    let mut ask_at = begun;
    let mut buffer = [0; 1500];
    while clock.now() < until && transactions.iter().any(|(at, ..)| found[*at].is_none()) {
        if clock.now() >= ask_at {
            ask_at = clock.now() + ASK_AGAIN;
            for (_, to, transaction) in transactions.iter().filter(|(at, ..)| found[*at].is_none())
            {
                // What cannot be sent is not answered.
                let _ = socket.send_to(&binding_request(*transaction), to);
            }
        }
        socket.set_read_timeout(Some(remaining(&clock, ask_at.min(until))))?;
        let Ok((n, from)) = socket.recv_from(&mut buffer) else { continue };
        let Some((transaction, seen)) = parse_response(&buffer[..n]) else { continue };
        let of = |t: &&(usize, SocketAddr, TransactionId)| t.2 == transaction && t.1 == from;
        if let Some(&(at, to, _)) = transactions.iter().find(of) {
            let is_own = UdpSocket::bind((seen.ip(), 0)).is_ok();
            found[at].get_or_insert(Mapping { to, seen, is_own, took: clock.now().since(begun) });
        }
    }
    Ok(())
}

/// Every address of the family of that one.
fn any(of: SocketAddr) -> IpAddr {
    if of.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// Never zero, which sockets take for ever.
fn remaining(clock: &Clock, until: Instant) -> Duration {
    until.since(clock.now()).max(Duration::from_millis(1))
}

fn is_patience(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut, io::ErrorKind::Interrupted];
    kinds.contains(&error.kind())
}
