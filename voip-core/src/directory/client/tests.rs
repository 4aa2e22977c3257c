#![allow(clippy::unwrap_used)]
use super::*;
use crate::directory::server::{Config, ConnId, Output as ServerOutput, Server};
use crate::id::CallId;
use crate::id::PeerId;
use crate::wire::framing::frame;
use crate::wire::sealed::{Nonce, Signature};
use crate::wire::signal::{Signal, SignalKind};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const WALL: UnixMillis = UnixMillis(1_700_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn rng(seed: u64) -> Box<ChaCha8Rng> {
    Box::new(ChaCha8Rng::seed_from_u64(seed))
}

fn identity(key: u8) -> Identity {
    Identity::from_secret(&[key; 32])
}

fn client(key: u8, name: &str) -> Client {
    Client::new(identity(key), name, rng(key.into()))
}

/// Clients and one tracker in virtual time; what one side sends arrives after `delay`.
struct World {
    now: Instant,
    delay: Duration,
    server: Server,
    is_up: bool,
    clients: Vec<(Client, Option<ConnId>, Vec<Event>)>,
    last_conn: u64,
    /// In order of arrival, then of sending.
    in_flight: std::collections::BTreeMap<(Instant, u64), Parcel>,
    parcels: u64,
}

enum Parcel {
    Dial(usize),
    Dialled(usize, bool),
    ToServer(ConnId, Vec<u8>),
    ToClient(ConnId, Vec<u8>),
    EndOfServer(ConnId),
    EndOfClient(ConnId),
}

impl World {
    fn new(clients: Vec<Client>) -> Self {
        World {
            now: Instant::from_micros(1_000_000),
            delay: Duration::from_millis(50),
            server: Server::new(Config::default(), rng(99)),
            is_up: true,
            clients: clients.into_iter().map(|client| (client, None, Vec::new())).collect(),
            last_conn: 0,
            in_flight: std::collections::BTreeMap::new(),
            parcels: 0,
        }
    }

    fn wall(&self) -> UnixMillis {
        UnixMillis(WALL.0 + self.now.as_micros() / 1000)
    }

    fn post(&mut self, parcel: Parcel) {
        self.parcels += 1;
        self.in_flight.insert((self.now + self.delay, self.parcels), parcel);
    }

    fn deliver(&mut self, parcel: Parcel) {
        let (now, wall) = (self.now, self.wall());
        match parcel {
            Parcel::Dial(who) => {
                let is_up = self.is_up;
                self.post(Parcel::Dialled(who, is_up));
                if is_up {
                    self.last_conn += 1;
                    let conn = ConnId(self.last_conn);
                    self.clients[who].1 = Some(conn);
                    let from = format!("192.0.2.{}:5000", who + 1).parse().unwrap();
                    let local = "203.0.113.1:6000".parse().unwrap();
                    self.server.handle_connected(now, wall, conn, from, local);
                }
            }
            Parcel::Dialled(who, true) => self.clients[who].0.handle_connected(now),
            Parcel::Dialled(who, false) => self.clients[who].0.handle_closed(now),
            Parcel::ToServer(conn, bytes) => self.server.handle_bytes(now, wall, conn, &bytes),
            Parcel::EndOfServer(conn) => self.server.handle_closed(conn),
            Parcel::ToClient(conn, bytes) => {
                let to = self.clients.iter_mut().find(|(_, c, _)| *c == Some(conn));
                if let Some((client, ..)) = to {
                    client.handle_bytes(now, wall, &bytes);
                }
            }
            Parcel::EndOfClient(conn) => {
                let to = self.clients.iter_mut().find(|(_, c, _)| *c == Some(conn));
                if let Some((client, c, _)) = to {
                    *c = None;
                    client.handle_closed(now);
                }
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.server.poll() {
            match output {
                ServerOutput::Send { conn, bytes } => {
                    self.post(Parcel::ToClient(conn, bytes.to_vec()));
                }
                ServerOutput::Close { conn } => self.post(Parcel::EndOfClient(conn)),
                ServerOutput::Datagram { .. } | ServerOutput::Relay(_) | ServerOutput::Event(_) => {
                }
            }
        }
        for who in 0..self.clients.len() {
            while let Some(output) = self.clients[who].0.poll() {
                let conn = self.clients[who].1;
                match output {
                    Output::Connect => self.post(Parcel::Dial(who)),
                    Output::Send(bytes) => self.post(Parcel::ToServer(conn.unwrap(), bytes)),
                    Output::Disconnect => {
                        self.clients[who].1 = None;
                        if let Some(conn) = conn {
                            self.post(Parcel::EndOfServer(conn));
                        }
                    }
                    Output::Event(event) => self.clients[who].2.push(event),
                }
            }
        }
    }

    fn next(&self) -> Instant {
        let clients = self.clients.iter().map(|(client, ..)| client.next_timeout());
        let parcels = self.in_flight.keys().next().map(|(at, _)| *at);
        clients.chain(parcels).chain([self.server.next_timeout()]).min().unwrap()
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        while self.next() <= end {
            self.now = self.now.max(self.next());
            while let Some(entry) = self.in_flight.first_entry()
                && entry.key().0 <= self.now
            {
                let parcel = entry.remove();
                self.deliver(parcel);
            }
            let wall = self.wall();
            self.server.handle_timeout(self.now);
            for (client, ..) in &mut self.clients {
                client.handle_timeout(self.now, wall);
            }
            self.drain();
        }
        self.now = end;
    }

    /// The tracker dies without a word; its successor knows nothing.
    fn kill_server(&mut self) {
        self.server = Server::new(Config::default(), rng(100));
        self.is_up = false;
        self.in_flight.clear();
        for who in 0..self.clients.len() {
            if let Some(conn) = self.clients[who].1 {
                self.post(Parcel::EndOfClient(conn));
            }
        }
    }

    fn events(&mut self, who: usize) -> Vec<Event> {
        std::mem::take(&mut self.clients[who].2)
    }

    fn is_registered(&self, who: usize) -> bool {
        self.clients[who].0.is_registered()
    }
}

fn alice_and_bob() -> World {
    let mut w = World::new(vec![client(1, "alice"), client(2, "bob")]);
    w.pass(SECOND);
    assert!(w.is_registered(0) && w.is_registered(1));
    w.events(0);
    w.events(1);
    w
}

#[test]
fn starting_takes_three_round_trips_at_most() {
    let mut w = World::new(vec![client(1, "alice")]);
    let round_trip = w.delay * 2;
    w.pass(round_trip * 2 - Duration::from_micros(1));
    assert!(!w.is_registered(0));
    w.pass(Duration::from_micros(1));
    assert!(w.is_registered(0), "connecting and greeting, registering");
    let observed = "192.0.2.1:5000".parse().unwrap();
    assert_eq!(w.events(0), [Event::Registered { online: 1, observed }]);
}

#[test]
fn peers_hear_of_each_other_without_asking() {
    let mut w = World::new(vec![client(1, "alice")]);
    w.pass(SECOND);
    w.clients.push((client(2, "bob"), None, Vec::new()));
    w.pass(SECOND);
    let events = w.events(0);
    let Some(Event::Joined { peer, online: 2 }) = events.last() else { panic!("{events:?}") };
    assert_eq!((&peer.name[..], peer.id), ("bob", identity(2).id()));
    let (now, wall) = (w.now, w.wall());
    w.clients[1].0.set_presence(now, wall, Presence::Busy);
    w.pass(SECOND);
    let events = w.events(0);
    let [Event::Changed { peer }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(peer.presence, Presence::Busy);
    w.clients[1].0.leave(w.now);
    w.pass(SECOND);
    let left = Event::Left { id: identity(2).id(), name: "bob".into(), online: 1 };
    assert_eq!(w.events(0), [left]);
    assert!(w.clients[1].0.is_stopped());
}

#[test]
fn a_connection_in_doubt_shows_that_it_lives_or_is_made_anew() {
    let mut w = alice_and_bob();
    w.clients[0].0.doubt(w.now);
    w.pass(SECOND * 5);
    assert_eq!(w.events(0), [], "it lives");
    // What is sent from now on does not arrive.
    let delay = std::mem::replace(&mut w.delay, SECOND * 600);
    w.clients[0].0.doubt(w.now);
    w.pass(Duration::from_millis(1_490));
    assert!(w.is_registered(0));
    w.delay = delay;
    w.pass(SECOND);
    let events = w.events(0);
    assert!(
        matches!(events[..], [Event::Lost(Loss::Silent), Event::Registered { .. }]),
        "{events:?}"
    );
}

#[test]
fn who_has_left_does_not_come_back_for_a_doubt() {
    let mut w = alice_and_bob();
    w.delay = SECOND * 600;
    w.clients[0].0.doubt(w.now);
    w.clients[0].0.leave(w.now);
    w.pass(SECOND * 5);
    assert!(w.clients[0].0.is_stopped());
    assert_eq!(w.events(0), []);
}

#[test]
fn an_outage_is_not_held_against_the_tracker() {
    let mut w = alice_and_bob();
    let delay = std::mem::replace(&mut w.delay, SECOND * 600);
    for _ in 0..30 {
        w.clients[0].0.doubt(w.now);
        w.pass(SECOND * 2);
    }
    w.delay = delay;
    w.pass(SECOND * 12);
    assert!(w.is_registered(0), "within the time for one attempt");
}

#[test]
fn who_waits_to_come_back_comes_back_at_once_when_in_doubt() {
    let mut w = alice_and_bob();
    w.kill_server();
    w.pass(SECOND * 120);
    w.is_up = true;
    w.clients[0].0.doubt(w.now);
    w.pass(w.delay * 6);
    assert!(w.is_registered(0) && !w.is_registered(1));
}

#[test]
fn questions_are_answered_with_the_owners_numbers() {
    let mut w = alice_and_bob();
    let alice = &mut w.clients[0].0;
    alice.lookup(w.now, 100, Target::Name("bob".into()));
    alice.lookup(w.now, 101, Target::Name("carol".into()));
    alice.list(w.now, 102, None);
    alice.list(w.now, 103, Some("alice".into()));
    w.pass(SECOND);
    let events = w.events(0);
    assert!(matches!(&events[0], Event::Found { request: 100, peer } if peer.name == "bob"));
    assert_eq!(events[1], Event::NotFound { request: 101 });
    assert!(
        matches!(&events[2], Event::Peers { request: 102, peers, next: None } if peers.len() == 2)
    );
    assert!(
        matches!(&events[3], Event::Peers { request: 103, peers, .. } if peers[0].name == "bob")
    );
}

#[test]
fn signals_arrive_or_come_back() {
    let mut w = alice_and_bob();
    let (alice, bob) = (identity(1), identity(2).id());
    let bye = |to| {
        let call = CallId([1; 16]);
        Signal::new(SignalKind::Bye, call, alice.id(), to, WALL, Nonce([2; 16])).seal(&alice)
    };
    w.clients[0].0.signal(w.now, 1, bob, bye(bob));
    let nobody = PeerId([7; 32]);
    w.clients[0].0.signal(w.now, 2, nobody, bye(nobody));
    w.pass(SECOND);
    assert_eq!(w.events(1), [Event::Signal { from: alice.id(), signal: bye(bob) }]);
    assert_eq!(w.events(0), [Event::Undeliverable { request: 2, to: nobody }]);
}

#[test]
fn an_idle_day_passes_without_a_reconnection() {
    let mut w = alice_and_bob();
    w.pass(Duration::from_secs(86_400));
    assert!(w.is_registered(0) && w.is_registered(1));
    assert_eq!(w.clients[0].0.stats(), ClientStats { connections: 1, ..ClientStats::default() });
    assert_eq!(w.events(0), []);
}

#[test]
fn the_tracker_goes_and_comes_back() {
    let mut w = alice_and_bob();
    w.pass(60 * SECOND);
    w.kill_server();
    w.pass(600 * SECOND);
    assert_eq!(w.events(0), [Event::Lost(Loss::Closed)], "told once");
    w.clients[0].0.lookup(w.now, 5, Target::Name("bob".into()));
    w.drain();
    assert_eq!(w.events(0), [Event::Failed { request: 5, why: Failure::NotRegistered }]);
    w.is_up = true;
    w.pass(62 * SECOND);
    assert!(w.is_registered(0) && w.is_registered(1), "the longest pause is a minute");
    assert!(matches!(w.events(0)[0], Event::Registered { .. }));
}

/// When the client dials, in milliseconds after the failure before.
fn pauses(seed: u64, failures: usize) -> Vec<u128> {
    let mut client = Client::new(identity(1), "alice", rng(seed));
    let mut now = Instant::ZERO;
    (0..failures)
        .map(|_| {
            let pause = client.next_timeout() - now;
            now = client.next_timeout();
            client.handle_timeout(now, WALL);
            assert!(matches!(client.poll(), Some(Output::Connect)));
            client.handle_closed(now);
            while client.poll().is_some() {}
            pause.as_millis()
        })
        .collect()
}

#[test]
fn pauses_double_from_a_quarter_of_a_second_to_a_minute_with_jitter() {
    let seen = pauses(1, 14);
    assert_eq!(seen[0], 0, "the first attempt is made at once");
    for (i, &pause) in seen[1..].iter().enumerate() {
        let longest = (250u128 << i).min(60_000);
        assert!((longest / 2..=longest).contains(&pause), "{i}: {pause} ms");
    }
    assert_ne!(seen, pauses(2, 14), "two peers do not come back together");
    assert_eq!(seen, pauses(1, 14), "but the same seed, the same pauses");
}

#[test]
fn a_tracker_that_answers_nothing_is_left_and_tried_again() {
    let mut client = client(1, "alice");
    client.handle_timeout(Instant::ZERO, WALL);
    client.handle_connected(Instant::ZERO);
    let at = client.next_timeout();
    assert_eq!(at, Instant::ZERO + 10 * SECOND);
    client.handle_timeout(at, WALL);
    let outputs: Vec<_> = std::iter::from_fn(|| client.poll()).collect();
    assert!(matches!(outputs[1], Output::Send(_)));
    assert!(matches!(outputs[2], Output::Disconnect));
    assert!(matches!(outputs[3], Output::Event(Event::Lost(Loss::Silent))));
    assert!(client.next_timeout() < at + SECOND);
}

#[test]
fn a_line_that_went_dead_is_noticed_within_half_a_minute() {
    let mut w = alice_and_bob();
    w.clients[0].0.lookup(w.now, 1, Target::Name("bob".into()));
    w.drain();
    w.in_flight.clear();
    let dead_since = w.now;
    while w.is_registered(0) {
        w.now = w.clients[0].0.next_timeout();
        let wall = w.wall();
        w.clients[0].0.handle_timeout(w.now, wall);
        w.drain();
    }
    assert!(w.now - dead_since <= 30 * SECOND);
    let events = w.events(0);
    assert!(events.contains(&Event::Failed { request: 1, why: Failure::TimedOut }), "{events:?}");
    assert!(events.contains(&Event::Lost(Loss::Silent)), "{events:?}");
}

#[test]
fn a_name_taken_is_told_once_and_tried_again() {
    let mut w = World::new(vec![client(1, "alice")]);
    w.pass(SECOND);
    w.clients.push((client(2, "alice"), None, Vec::new()));
    w.pass(120 * SECOND);
    assert_eq!(w.events(1), [Event::RegistrationRefused(ErrorCode::NameTaken)]);
    w.clients[0].0.leave(w.now);
    w.pass(62 * SECOND);
    assert!(w.is_registered(1));
}

#[test]
fn the_same_key_elsewhere_ends_the_first_for_good() {
    let mut w = World::new(vec![client(1, "alice")]);
    w.pass(SECOND);
    w.clients.push((client(1, "alice"), None, Vec::new()));
    w.pass(600 * SECOND);
    assert_eq!(w.events(0).last(), Some(&Event::Replaced));
    assert!(w.clients[0].0.is_stopped() && w.is_registered(1));
    assert_eq!(w.clients[0].0.next_timeout(), Instant::FAR_FUTURE);
    assert_eq!(w.clients[1].0.stats().connections, 1, "they do not fight");
}

/// A client that a hand-written tracker has registered.
fn registered() -> Client {
    let mut client = client(1, "alice");
    client.handle_timeout(Instant::ZERO, WALL);
    client.handle_connected(Instant::ZERO);
    let nonce = Bytes32([3; 32]);
    say(&mut client, &TrackerMessage::Hello { version: 1, nonce, time: WALL });
    let observed = "192.0.2.1:1".parse().unwrap();
    say(&mut client, &TrackerMessage::Registered { id: 1, observed, online: 2, relay: false });
    assert!(client.is_registered());
    while client.poll().is_some() {}
    client
}

fn say(client: &mut Client, message: &TrackerMessage) {
    client.handle_bytes(Instant::ZERO, WALL, &message.to_frame());
}

fn entry(key: u8, name: &str, issued: UnixMillis) -> Entry {
    let identity = identity(key);
    let record = PresenceRecord::new(identity.id(), name, Presence::Available, issued);
    Entry { record: record.seal(&identity), since: WALL }
}

fn events(client: &mut Client) -> Vec<Event> {
    std::iter::from_fn(|| client.poll())
        .filter_map(|output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        })
        .collect()
}

#[test]
fn a_lying_tracker_is_not_believed() {
    let mut client = registered();
    let mut forged = entry(2, "bob", WALL);
    forged.record.signature = Signature([7; 64]);
    let expired = entry(2, "bob", UnixMillis(WALL.0 - 900_000));
    let other = entry(3, "carol", WALL);
    for (request, peer) in (1..).zip([forged.clone(), expired.clone(), other]) {
        client.lookup(Instant::ZERO, request, Target::Name("bob".into()));
        say(&mut client, &TrackerMessage::Found { id: 2 + request as u32, peer });
        assert_eq!(events(&mut client), [Event::NotFound { request }]);
    }
    client.list(Instant::ZERO, 9, None);
    let peers = vec![forged.clone(), entry(4, "dora", WALL), expired];
    say(&mut client, &TrackerMessage::Peers { id: 6, peers, next: None });
    let heard = events(&mut client);
    assert!(
        matches!(&heard[..], [Event::Peers { peers, .. }] if peers[0].name == "dora" && peers.len() == 1)
    );
    say(&mut client, &TrackerMessage::Joined { peer: forged, online: 3 });
    assert_eq!(events(&mut client), []);
    assert_eq!(client.stats().unverified, 6);
}

#[test]
fn what_makes_no_sense_is_dropped_and_counted() {
    let mut client = registered();
    client.handle_bytes(Instant::ZERO, WALL, &frame(b"\xff\xfe"));
    client.handle_bytes(Instant::ZERO, WALL, &frame(br#"{"type":"tea_time"}"#));
    say(&mut client, &TrackerMessage::Pong { id: 77 });
    say(&mut client, &TrackerMessage::Hello { version: 1, nonce: Bytes32([1; 32]), time: WALL });
    assert_eq!(events(&mut client), []);
    let stats = client.stats();
    assert_eq!((stats.malformed, stats.unknown, stats.unexpected), (1, 1, 2));
    client.lookup(Instant::ZERO, 5, Target::Peer(PeerId([2; 32])));
    say(&mut client, &TrackerMessage::Pong { id: 3 });
    let why = Failure::Refused(ErrorCode::Malformed);
    assert_eq!(events(&mut client), [Event::Failed { request: 5, why }]);
    client.handle_bytes(Instant::ZERO, WALL, &[0xff; 4]);
    assert_eq!(events(&mut client), [Event::Lost(Loss::Protocol)]);
}

#[test]
fn an_answer_that_cannot_be_read_is_a_refusal() {
    let mut client = registered();
    client.lookup(Instant::ZERO, 5, Target::Peer(PeerId([2; 32])));
    client.handle_bytes(Instant::ZERO, WALL, &frame(br#"{"type":"found","id":3,"peer":7}"#));
    let why = Failure::Refused(ErrorCode::Malformed);
    assert_eq!(events(&mut client), [Event::Failed { request: 5, why }]);
}

#[test]
fn a_tracker_that_garbles_signals_and_notices_is_lost() {
    for garbled in [r#"{"type":"signal","from":"x"}"#, r#"{"type":"joined","online":1}"#] {
        let mut client = registered();
        client.handle_bytes(Instant::ZERO, WALL, &frame(garbled.as_bytes()));
        assert_eq!(events(&mut client), [Event::Lost(Loss::Protocol)]);
        assert_eq!(client.stats().malformed, 1);
    }
}

#[test]
fn questions_that_wait_are_limited() {
    let mut client = registered();
    for request in 0..2000 {
        client.list(Instant::ZERO, request, None);
    }
    let refused = events(&mut client);
    assert!(refused.len() > 900);
    assert!(refused.iter().all(|e| matches!(e, Event::Failed { why: Failure::TooMany, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_at_any_time_are_borne(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        start in any::<bool>(),
    ) {
        let mut client = if start { registered() } else { client(1, "alice") };
        let mut now = Instant::ZERO;
        for piece in pieces {
            client.handle_bytes(now, WALL, &piece);
            client.handle_bytes(now, WALL, &frame(&piece));
            now = client.next_timeout().min(now + SECOND);
            client.handle_timeout(now, WALL);
            while let Some(output) = client.poll() {
                if matches!(output, Output::Connect) {
                    client.handle_connected(now);
                }
            }
            prop_assert!(client.next_timeout() > now, "would be called for ever");
        }
    }
}

mod limits;
mod trust;
