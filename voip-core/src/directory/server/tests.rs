#![allow(clippy::unwrap_used)]
use super::*;
use crate::identity::Identity;
use crate::relay::server::Via;
use crate::time::Duration;
use crate::wire::framing::{FrameReader, frame};
use crate::wire::record::{MAX_RECORD_LIFE, Presence};
use crate::wire::sealed::Sealed;
use crate::wire::signal::{MAX_SIGNAL, SealedSignal};
use crate::wire::tracker::Target;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const LOCAL: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(203, 0, 113, 1), 6000));
const WALL: u64 = 1_700_000_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// A tracker, its clock, and what its peers have been sent.
struct World {
    server: Server,
    now: Instant,
    last_conn: u64,
    sent: BTreeMap<ConnId, Vec<TrackerMessage>>,
    closed: BTreeSet<ConnId>,
    events: Vec<TrackerEvent>,
    datagrams: Vec<(SocketAddr, Vec<u8>)>,
}

impl World {
    fn new(config: Config) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(1);
        World {
            server: Server::new(config, Box::new(rng)),
            now: Instant::from_micros(5_000_000),
            last_conn: 0,
            sent: BTreeMap::new(),
            closed: BTreeSet::new(),
            events: Vec::new(),
            datagrams: Vec::new(),
        }
    }

    fn wall(&self) -> UnixMillis {
        UnixMillis(WALL + self.now.as_micros() / 1000)
    }

    fn connect_from(&mut self, from: &str) -> ConnId {
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        self.server.handle_connected(self.now, self.wall(), conn, from.parse().unwrap(), LOCAL);
        self.server.handle_waiting(self.now, self.wall(), conn);
        self.drain();
        conn
    }

    fn connect(&mut self) -> ConnId {
        let n = self.last_conn + 1;
        self.connect_from(&format!("198.51.{}.{}:40000", n / 256, n % 256))
    }

    fn raw(&mut self, conn: ConnId, bytes: &[u8]) {
        self.server.handle_bytes(self.now, self.wall(), conn, bytes);
        self.drain();
    }

    fn say(&mut self, conn: ConnId, message: &PeerMessage) {
        self.raw(conn, &message.to_frame());
    }

    fn drain(&mut self) {
        while let Some(output) = self.server.poll() {
            match output {
                Output::Send { conn, bytes } => {
                    assert!(!self.closed.contains(&conn), "sent after close");
                    let content = FrameReader::default().next(&mut &bytes[..]).unwrap().unwrap();
                    let message = TrackerMessage::parse(&content).unwrap();
                    self.sent.entry(conn).or_default().push(message);
                }
                Output::Close { conn } => assert!(self.closed.insert(conn), "closed twice"),
                Output::Datagram { to, bytes, local } => {
                    assert_eq!(local, LOCAL);
                    self.datagrams.push((to, bytes));
                }
                Output::Relay(relay::Output::ToClient {
                    via: Via::Datagrams(to), bytes, ..
                }) => {
                    self.datagrams.push((to, bytes));
                }
                Output::Relay(output) => panic!("no allocation: {output:?}"),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// Lets time pass, and the server act whenever it wants to.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.server.next_timeout() <= end {
            self.now = self.now.max(self.server.next_timeout());
            self.server.handle_timeout(self.now);
            assert!(self.server.next_timeout() > self.now, "would be called for ever");
            self.drain();
        }
        self.now = end;
    }

    /// What `conn` was sent since the last time.
    fn heard(&mut self, conn: ConnId) -> Vec<TrackerMessage> {
        self.sent.remove(&conn).unwrap_or_default()
    }

    fn answer(&mut self, conn: ConnId) -> TrackerMessage {
        let heard = self.heard(conn);
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard.into_iter().next().unwrap()
    }

    fn error(&mut self, conn: ConnId) -> ErrorCode {
        match self.answer(conn) {
            TrackerMessage::Error { code, .. } => code,
            other => panic!("{other:?}"),
        }
    }

    fn challenge(&mut self, conn: ConnId) -> Bytes32 {
        match self.answer(conn) {
            TrackerMessage::Hello { nonce, version: 1, .. } => nonce,
            other => panic!("{other:?}"),
        }
    }

    fn record(&self, name: &str) -> PresenceRecord {
        PresenceRecord::new(PeerId([0; 32]), name, Presence::Available, self.wall())
    }

    fn register_record(&mut self, conn: ConnId, nonce: Bytes32, key: u8, record: &PresenceRecord) {
        let identity = Identity::from_secret(&[key; 32]);
        let record = record.seal(&identity);
        let signature = identity.sign_registration(&nonce, &record);
        self.say(conn, &PeerMessage::Register { id: 7, version: 1, record, signature });
    }

    /// Connects and registers; the greeting and the answer are taken away.
    fn join(&mut self, key: u8, name: &str) -> ConnId {
        let conn = self.connect();
        let nonce = self.challenge(conn);
        self.register_record(conn, nonce, key, &self.record(name));
        let answer = self.answer(conn);
        assert!(matches!(answer, TrackerMessage::Registered { id: 7, .. }), "{answer:?}");
        conn
    }

    fn look_up(&mut self, conn: ConnId, name: &str) -> Option<PeerId> {
        let target = Target::Name(name.to_owned());
        self.say(conn, &PeerMessage::Lookup { id: 8, target });
        match self.answer(conn) {
            TrackerMessage::Found { id: 8, peer } => Some(peer.record.open().unwrap().id),
            TrackerMessage::NotFound { id: 8 } => None,
            other => panic!("{other:?}"),
        }
    }
}

fn world() -> World {
    World::new(Config::default())
}

fn id(key: u8) -> PeerId {
    Identity::from_secret(&[key; 32]).id()
}

#[test]
fn a_peer_that_registers_is_found_by_name_and_key() {
    let mut w = world();
    let (alice, bob) = (w.join(1, "alice"), w.join(2, "bob"));
    assert_eq!(w.look_up(alice, "bob"), Some(id(2)));
    assert_eq!(w.look_up(alice, "carol"), None);
    w.say(bob, &PeerMessage::Lookup { id: 3, target: Target::Peer(id(1)) });
    assert!(matches!(w.answer(bob), TrackerMessage::Found { id: 3, .. }));
    assert_eq!(w.server.stats().online, 2);
}

#[test]
fn nobody_asks_before_registering() {
    let mut w = world();
    let conn = w.connect();
    w.heard(conn);
    for message in [
        PeerMessage::List { id: 1, after: None, limit: None },
        PeerMessage::Lookup { id: 1, target: Target::Name("alice".into()) },
        PeerMessage::Subscribe { id: 1 },
    ] {
        w.say(conn, &message);
        assert_eq!(w.error(conn), ErrorCode::NotRegistered);
    }
    w.say(conn, &PeerMessage::Ping { id: 2 });
    assert_eq!(w.answer(conn), TrackerMessage::Pong { id: 2 });
    assert_eq!(w.server.stats().not_registered, 3);
}

#[test]
fn a_registration_is_refused_for_a_reason() {
    let mut w = world();
    let conn = w.connect();
    let nonce = w.challenge(conn);
    let (alice, mallory) = (Identity::from_secret(&[1; 32]), Identity::from_secret(&[6; 32]));
    let good = w.record("alice").seal(&alice);
    let signature = alice.sign_registration(&nonce, &good);
    let mut forged = good.clone();
    forged.signature = mallory.sign("presence", &[forged.body.as_bytes()]);
    let old = Bytes32([9; 32]);
    let stale = PresenceRecord { issued: UnixMillis(WALL - 3_600_000), ..w.record("alice") };
    let stale = PresenceRecord { expires: stale.issued.plus(MAX_RECORD_LIFE), ..stale };
    let stale = stale.seal(&alice);
    let nameless = w.record("").seal(&alice);
    let cases = [
        (2, good.clone(), signature, ErrorCode::UnsupportedVersion),
        (1, nameless, signature, ErrorCode::Malformed),
        (1, stale, signature, ErrorCode::ClockSkew),
        (1, forged.clone(), alice.sign_registration(&nonce, &forged), ErrorCode::BadSignature),
        (1, good.clone(), alice.sign_registration(&old, &good), ErrorCode::BadSignature),
        (1, good.clone(), mallory.sign_registration(&nonce, &good), ErrorCode::BadSignature),
    ];
    let refused = cases.len() as u64;
    for (version, record, signature, code) in cases {
        w.say(conn, &PeerMessage::Register { id: 1, version, record, signature });
        assert_eq!(w.error(conn), code);
        w.pass(SECOND);
    }
    assert_eq!(w.server.stats().registrations_refused, refused);
    assert_eq!(w.server.stats().online, 0);
    w.say(conn, &PeerMessage::Register { id: 1, version: 1, record: good, signature });
    assert!(matches!(w.answer(conn), TrackerMessage::Registered { online: 1, .. }));
}

#[test]
fn a_name_belongs_to_its_key_until_that_goes() {
    let mut w = world();
    let alice = w.join(1, "alice");
    let other = w.connect();
    let nonce = w.challenge(other);
    w.register_record(other, nonce, 2, &w.record("alice"));
    assert_eq!(w.error(other), ErrorCode::NameTaken);
    w.server.handle_closed(alice);
    w.register_record(other, nonce, 2, &w.record("alice"));
    assert!(matches!(w.answer(other), TrackerMessage::Registered { .. }));
}

#[test]
fn the_same_key_registering_again_replaces_its_first_registration() {
    let mut w = world();
    let watcher = w.join(9, "watcher");
    w.say(watcher, &PeerMessage::Subscribe { id: 1 });
    let first = w.join(1, "alice");
    w.heard(watcher);
    let second = w.join(1, "alice");
    assert_eq!(w.error(first), ErrorCode::Replaced);
    assert!(w.closed.contains(&first) && !w.closed.contains(&second));
    assert!(w.heard(watcher).is_empty(), "for the others nothing has changed");
    assert_eq!(w.look_up(second, "alice"), Some(id(1)));
    w.server.handle_closed(first);
    assert_eq!(w.look_up(second, "alice"), Some(id(1)), "the end of the first is not ours");
}

#[test]
fn a_record_is_renewed_by_a_newer_one_only() {
    let mut w = world();
    let conn = w.connect();
    let nonce = w.challenge(conn);
    let first = w.record("alice");
    w.register_record(conn, nonce, 1, &first);
    w.heard(conn);
    w.register_record(conn, nonce, 1, &first);
    assert_eq!(w.error(conn), ErrorCode::OldRecord);
    w.register_record(conn, nonce, 1, &PresenceRecord { seq: first.seq + 1, ..first.clone() });
    assert!(matches!(w.answer(conn), TrackerMessage::Registered { .. }));
    w.register_record(conn, nonce, 2, &first);
    assert_eq!(w.error(conn), ErrorCode::Malformed, "one key per connection");
}

#[test]
fn a_record_that_is_not_renewed_ends() {
    let mut w = world();
    let conn = w.join(1, "alice");
    for _ in 0..19 {
        w.pass(30 * SECOND);
        w.say(conn, &PeerMessage::Ping { id: 1 });
        assert_eq!(w.answer(conn), TrackerMessage::Pong { id: 1 });
    }
    w.pass(29 * SECOND);
    assert!(!w.closed.contains(&conn));
    w.pass(SECOND);
    assert!(w.closed.contains(&conn));
}

#[test]
fn subscribers_hear_who_comes_changes_and_goes() {
    let mut w = world();
    let watcher = w.join(9, "watcher");
    w.say(watcher, &PeerMessage::Subscribe { id: 1 });
    assert_eq!(w.answer(watcher), TrackerMessage::Subscribed { id: 1, online: 1 });
    let alice = w.connect();
    let nonce = w.challenge(alice);
    let record = w.record("alice");
    w.register_record(alice, nonce, 1, &record);
    let TrackerMessage::Joined { peer, online: 2 } = w.answer(watcher) else { panic!() };
    assert_eq!(peer.record.open().unwrap().name, "alice");

    let record = PresenceRecord { seq: record.seq + 1, ..record };
    w.register_record(alice, nonce, 1, &record);
    assert!(w.heard(watcher).is_empty(), "a renewal is no news");
    let record = PresenceRecord { seq: record.seq + 1, presence: Presence::Busy, ..record };
    w.register_record(alice, nonce, 1, &record);
    let TrackerMessage::Changed { peer } = w.answer(watcher) else { panic!() };
    assert_eq!(peer.record.open().unwrap().presence, Presence::Busy);

    let record = PresenceRecord { seq: record.seq + 1, name: "alicia".into(), ..record };
    w.register_record(alice, nonce, 1, &record);
    let heard = w.heard(watcher);
    assert!(matches!(&heard[0], TrackerMessage::Left { name, .. } if name == "alice"));
    assert!(matches!(&heard[1], TrackerMessage::Joined { .. }));

    w.say(alice, &PeerMessage::Leave { id: 5 });
    let left = TrackerMessage::Left { peer: id(1), name: "alicia".into(), online: 1 };
    assert_eq!(w.answer(watcher), left);
    assert_eq!(w.heard(alice).last(), Some(&TrackerMessage::Goodbye { id: 5 }));
    assert!(w.closed.contains(&alice));
}

#[test]
fn a_list_comes_in_pages_in_order_of_name() {
    let mut w = world();
    let mut conn = ConnId(0);
    for key in 1..=120 {
        conn = w.join(key, &format!("peer {key:03}"));
    }
    let (mut after, mut names, mut pages) = (None, Vec::new(), 0);
    loop {
        w.say(conn, &PeerMessage::List { id: 1, after, limit: None });
        let TrackerMessage::Peers { peers, next, .. } = w.answer(conn) else { panic!() };
        names.extend(peers.iter().map(|peer| peer.record.open().unwrap().name));
        pages += 1;
        after = next;
        if after.is_none() {
            break;
        }
    }
    let all: Vec<_> = (1..=120).map(|key| format!("peer {key:03}")).collect();
    assert_eq!((names, pages), (all, 3));
    w.say(conn, &PeerMessage::List { id: 1, after: Some("peer 119".into()), limit: Some(1) });
    let TrackerMessage::Peers { peers, next: None, .. } = w.answer(conn) else { panic!() };
    assert_eq!(peers.len(), 1);
}

#[test]
fn a_signal_is_handed_on_unread_with_its_sender() {
    let mut w = world();
    let (alice, bob) = (w.join(1, "alice"), w.join(2, "bob"));
    let signal = Sealed::from_parts("not even JSON".into(), Signature([1; 64]));
    w.say(alice, &PeerMessage::Signal { id: 4, to: id(2), signal: signal.clone() });
    assert_eq!(w.answer(alice), TrackerMessage::Relayed { id: 4 });
    assert_eq!(w.answer(bob), TrackerMessage::Signal { from: id(1), signal: signal.clone() });
    w.say(alice, &PeerMessage::Signal { id: 5, to: id(3), signal });
    assert_eq!(w.answer(alice), TrackerMessage::Undeliverable { id: 5, to: id(3) });
    let long = Sealed::from_parts("x".repeat(MAX_SIGNAL + 1), Signature([1; 64]));
    w.say(alice, &PeerMessage::Signal { id: 6, to: id(2), signal: long });
    assert_eq!(w.error(alice), ErrorCode::TooLong);
    assert!(w.heard(bob).is_empty());
}

#[test]
fn who_does_not_register_within_ten_seconds_is_sent_away() {
    let mut w = world();
    let conn = w.connect();
    w.heard(conn);
    w.pass(9 * SECOND);
    w.say(conn, &PeerMessage::Ping { id: 1 });
    w.heard(conn);
    w.pass(SECOND);
    assert_eq!(w.error(conn), ErrorCode::Timeout);
    assert!(w.closed.contains(&conn));
}

#[test]
fn a_half_open_connection_is_gone_within_45_seconds() {
    let mut w = world();
    let (alice, bob) = (w.join(1, "alice"), w.join(2, "bob"));
    for _ in 0..3 {
        w.pass(15 * SECOND);
        w.say(alice, &PeerMessage::Ping { id: 1 });
    }
    assert!(w.closed.contains(&bob) && !w.closed.contains(&alice));
    w.heard(alice);
    assert_eq!(w.look_up(alice, "bob"), None);
    assert_eq!(w.server.stats().timeouts, 1);
}

#[test]
fn a_frame_that_trickles_in_is_not_waited_for() {
    let mut w = world();
    let conn = w.join(1, "alice");
    let ping = PeerMessage::Ping { id: 1 }.to_frame();
    for byte in &ping[..9] {
        w.raw(conn, &[*byte]);
        w.pass(SECOND);
    }
    assert!(!w.closed.contains(&conn));
    w.pass(SECOND);
    assert!(w.closed.contains(&conn));
    let quick = w.join(2, "bob");
    for _ in 0..60 {
        w.raw(quick, &ping[..5]);
        w.pass(SECOND);
        w.raw(quick, &ping[5..]);
    }
    assert!(!w.closed.contains(&quick), "every frame has its own ten seconds");
}

#[test]
fn a_stranger_cannot_send_a_long_frame_and_a_peer_not_a_too_long_one() {
    let mut w = world();
    let stranger = w.connect();
    w.heard(stranger);
    w.raw(stranger, &4001u32.to_be_bytes());
    assert_eq!(w.error(stranger), ErrorCode::TooLong);
    let peer = w.join(1, "alice");
    w.raw(peer, &65_537u32.to_be_bytes());
    assert_eq!(w.error(peer), ErrorCode::TooLong);
    assert!(w.closed.contains(&stranger) && w.closed.contains(&peer));
    assert_eq!((w.server.stats().too_long, w.server.stats().online), (2, 0));
}

#[test]
fn unknown_types_are_refused_and_the_connection_kept() {
    let mut w = world();
    let conn = w.join(1, "alice");
    for _ in 0..50 {
        w.raw(conn, &frame(br#"{"type":"teleport","id":1}"#));
        assert_eq!(w.error(conn), ErrorCode::UnknownType);
    }
    assert_eq!(w.server.stats().unknown_type, 50);
    assert!(w.look_up(conn, "alice").is_some());
}

#[test]
fn garbage_is_borne_from_a_peer_for_a_while_and_from_a_stranger_not_at_all() {
    let mut w = world();
    let stranger = w.connect();
    w.heard(stranger);
    w.raw(stranger, &frame(b"GET / HTTP/1.1"));
    assert_eq!(w.error(stranger), ErrorCode::Malformed);
    assert!(w.closed.contains(&stranger));
    let peer = w.join(1, "alice");
    for _ in 0..10 {
        w.raw(peer, &frame(b"{}"));
    }
    assert!(!w.closed.contains(&peer));
    w.raw(peer, &frame(b"{}"));
    assert!(w.closed.contains(&peer));
}

#[test]
fn a_peer_that_does_not_read_is_let_go() {
    let mut w = world();
    let conn = w.join(1, "alice");
    w.server.handle_backlog(conn, 256 * 1024);
    w.drain();
    assert!(!w.closed.contains(&conn));
    w.server.handle_backlog(conn, 256 * 1024 + 1);
    w.drain();
    assert!(w.closed.contains(&conn));
    assert_eq!((w.server.stats().slow_readers, w.server.stats().online), (1, 0));
}

#[test]
fn the_wire_log_tells_of_every_message() {
    let mut w = World::new(Config { wire_log: true, ..Config::default() });
    let conn = w.join(1, "alice");
    w.events.clear();
    w.say(conn, &PeerMessage::Ping { id: 3 });
    let lines = w.events.iter().map(|event| match event {
        TrackerEvent::Wire { direction, name: Some(name), text, .. } => {
            (*direction, &name[..], &text[..])
        }
        other => panic!("{other:?}"),
    });
    let expected = [
        (WireDirection::In, "alice", r#"{"type":"ping","id":3}"#),
        (WireDirection::Out, "alice", r#"{"type":"pong","id":3}"#),
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

mod amplification;
mod flood;
mod limits;
mod pairing;
mod wild;
