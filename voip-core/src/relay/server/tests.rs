#![allow(clippy::unwrap_used)]
use super::*;
use crate::relay::client::{RelayClient, RelayCredentials, RelayOutput, RelayTransport};
use crate::wire::turn::channel_data;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const ALICE: PeerId = PeerId([1; 32]);
const BOB: PeerId = PeerId([2; 32]);
const CALL: CallId = CallId([3; 16]);
/// Time for two requests: clients pace them.
const PACE: Duration = Duration::from_millis(90);
const SECOND: Duration = Duration::from_secs(1);

/// The relay's own address, and those at which the two are registered.
fn relay_at() -> SocketAddr {
    "203.0.113.1:3478".parse().unwrap()
}

fn home(of: PeerId) -> IpAddr {
    let ip = if of == ALICE { "198.51.100.1" } else { "198.51.100.2" };
    ip.parse().unwrap()
}

/// A relay, its sockets, and what went to peers.
struct World {
    relay: Relay,
    bob_is_at: IpAddr,
    rng: ChaCha8Rng,
    now: Instant,
    clients: Vec<Client>,
    ports: BTreeMap<u16, AllocationId>,
    to_peers: Vec<(SocketAddr, Vec<u8>)>,
    /// Requests that got no answer, and answers.
    asked: u64,
    answered: u64,
}

struct Client {
    address: SocketAddr,
    turn: RelayClient,
    /// What peers sent.
    received: Vec<(SocketAddr, Vec<u8>)>,
    relayed: Option<SocketAddr>,
    failed: bool,
}

impl World {
    fn new(config: Config) -> World {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        World {
            relay: Relay::new(config, Rate::per_second(5, 20), &mut rng),
            bob_is_at: home(BOB),
            rng,
            now: Instant::from_micros(1_000_000),
            clients: Vec::new(),
            ports: BTreeMap::new(),
            to_peers: Vec::new(),
            asked: 0,
            answered: 0,
        }
    }

    fn grant(&mut self, owner: PeerId, peer: PeerId) -> RelayCredentials {
        let granted = self.relay.grant(self.now, owner, peer, CALL, &mut self.rng);
        RelayCredentials { username: granted.username, password: granted.password }
    }

    /// A client asks for an address from there; its number.
    fn allocate(&mut self, from: &str, credentials: &RelayCredentials) -> usize {
        self.add_client(from.parse().unwrap(), credentials);
        self.pass(PACE);
        self.clients.len() - 1
    }

    fn add_client(&mut self, address: SocketAddr, credentials: &RelayCredentials) {
        let turn =
            RelayClient::new(self.now, RelayTransport::Udp, address, relay_at(), credentials);
        let received = Vec::new();
        self.clients.push(Client { address, turn, received, relayed: None, failed: false });
    }

    /// Alice and Bob, with an address each.
    fn both(config: Config) -> (World, usize, usize) {
        let mut w = World::new(config);
        let (a, b) = (w.grant(ALICE, BOB), w.grant(BOB, ALICE));
        let alice = w.allocate("198.51.100.1:5000", &a);
        let bob = w.allocate("198.51.100.2:5000", &b);
        (w, alice, bob)
    }

    fn relayed(&self, client: usize) -> SocketAddr {
        self.clients[client].relayed.unwrap()
    }

    fn send(&mut self, client: usize, to: SocketAddr, data: &[u8]) {
        self.clients[client].turn.send(self.now, to, data);
        self.settle();
        if self.clients[client].turn.next_timeout() < self.now + PACE {
            self.pass(PACE);
        }
    }

    /// A datagram comes to a relayed address.
    fn come(&mut self, to: SocketAddr, from: &str, data: &[u8]) {
        if let Some(id) = self.ports.get(&to.port()) {
            self.relay.handle_peer(self.now, *id, from.parse().unwrap(), data);
        }
        self.settle();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let clients = self.clients.iter().map(|c| c.turn.next_timeout()).min();
            let wake = self.relay.next_timeout().min(clients.unwrap_or(end)).min(end);
            self.now = self.now.max(wake);
            for client in &mut self.clients {
                client.turn.handle_timeout(self.now);
            }
            self.relay.handle_timeout(self.now);
            self.settle();
            if wake < end {
                self.now += Duration::from_micros(1);
            }
        }
    }

    fn settle(&mut self) {
        loop {
            let mut idle = true;
            for i in 0..self.clients.len() {
                while let Some(output) = self.clients[i].turn.poll() {
                    idle = false;
                    let client = &mut self.clients[i];
                    match output {
                        RelayOutput::Send(bytes) => self.say(i, &bytes),
                        RelayOutput::Allocated(address) => client.relayed = Some(address),
                        RelayOutput::Received { from, bytes } => {
                            client.received.push((from, bytes));
                        }
                        RelayOutput::Failed => client.failed = true,
                    }
                }
            }
            while let Some(output) = self.relay.poll() {
                idle = false;
                self.carry_out(output);
            }
            if idle {
                return;
            }
        }
    }

    fn say(&mut self, client: usize, bytes: &[u8]) {
        let from = self.clients[client].address;
        self.asked += 1;

        let arrival = Arrival { via: Via::Datagrams(from), from, local: relay_at(), bytes };
        let bob_is_at = self.bob_is_at;
        let whereabouts = |peer| Some(if peer == BOB { bob_is_at } else { home(peer) });
        self.relay.handle_client(self.now, &arrival, whereabouts);
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::ToClient { via: Via::Datagrams(to), local, bytes } => {
                assert_eq!(local, relay_at());
                self.answered += 1;

                if let Some(client) = self.clients.iter_mut().find(|c| c.address == to) {
                    client.turn.handle_bytes(self.now, &bytes);
                }
            }
            Output::ToClient { .. } => panic!("nobody is connected"),
            Output::ToPeer { to, bytes, .. } => self.to_peers.push((to, bytes)),
            Output::Bind { allocation, local, even } => {
                assert_eq!((local, even), (relay_at().ip(), false));
                let port = 50_000 + allocation.0 as u16;
                self.ports.insert(port, allocation);
                self.relay.handle_bound(self.now, allocation, Some(port));
            }
            Output::Unbind { allocation } => self.ports.retain(|_, id| *id != allocation),
        }
    }
}

#[test]
fn data_goes_both_ways_between_a_client_and_the_peer_of_its_call() {
    let mut w = World::new(Config::default());
    let credentials = w.grant(ALICE, BOB);
    let alice = w.allocate("192.0.2.9:1", &credentials);
    let relayed = w.relayed(alice);
    assert_eq!(relayed.ip(), relay_at().ip());
    w.come(relayed, "198.51.100.2:7", b"before");
    assert!(w.clients[alice].received.is_empty(), "nothing is let in before it is permitted");
    let bob = SocketAddr::new(home(BOB), 7);
    w.send(alice, bob, b"hello");
    assert_eq!(w.to_peers, [(bob, b"hello".to_vec())]);
    w.come(relayed, "198.51.100.2:7", b"well");
    // Of another port of the same host: the permission is for the host.
    w.come(relayed, "198.51.100.2:8", b"too");
    w.come(relayed, "198.51.100.3:7", b"stranger");
    let other = SocketAddr::new(home(BOB), 8);
    let expected = [(bob, b"well".to_vec()), (other, b"too".to_vec())];
    assert_eq!(w.clients[alice].received, expected);
    assert_eq!(w.relay.stats().dropped, 2);
}

#[test]
fn between_the_two_of_a_call_nothing_touches_the_network() {
    let (mut w, alice, bob) = World::both(Config::default());
    let (at_alice, at_bob) = (w.relayed(alice), w.relayed(bob));
    w.send(bob, at_alice, b"opens");
    w.send(alice, at_bob, b"hello");
    assert!(w.to_peers.is_empty());
    assert_eq!(w.clients[bob].received, [(at_alice, b"hello".to_vec())]);
}

#[test]
fn nobody_else_is_reached_and_no_address_that_is_none_of_the_internet() {
    let (mut w, alice, _) = World::both(Config::default());
    let at_alice = w.relayed(alice);
    for to in ["198.51.100.3:7", "127.0.0.1:80", "10.0.0.1:80", "169.254.169.254:80"] {
        w.send(alice, to.parse().unwrap(), b"no");
    }
    // A port of the relay itself that is no allocation, and the one of another call.
    w.send(alice, relay_at(), b"no");
    let stranger =
        w.relay.grant(w.now, PeerId([9; 32]), ALICE, CallId([9; 16]), &mut w.rng.clone());
    let credentials = RelayCredentials { username: stranger.username, password: stranger.password };
    let other = w.allocate("192.0.2.77:1", &credentials);
    w.send(other, at_alice, b"no");
    w.send(alice, w.relayed(other), b"no");
    assert_eq!((w.to_peers.len(), w.clients[alice].received.len()), (0, 0));
    assert!(w.clients[other].received.is_empty());
    assert!(w.relay.stats().refused >= 4 && w.relay.stats().dropped >= 3);
}

#[test]
fn a_network_of_its_own_may_be_allowed() {
    for (allow_private, sent) in [(true, 1), (false, 0)] {
        let mut w = World::new(Config { allow_private, ..Config::default() });
        w.bob_is_at = "10.0.0.2".parse().unwrap();
        let credentials = w.grant(ALICE, BOB);
        let alice = w.allocate("10.0.0.1:1", &credentials);
        w.send(alice, "10.0.0.2:9".parse().unwrap(), b"hello");
        assert_eq!(w.to_peers.len(), sent);
    }
}

#[test]
fn wrong_passwords_foreign_names_and_expired_credentials_get_nothing() {
    let mut w = World::new(Config::default());
    let right = w.grant(ALICE, BOB);
    let wrong = RelayCredentials { password: "wrong".into(), ..right.clone() };
    let foreign = RelayCredentials { username: "nobody".into(), ..right.clone() };
    for (i, credentials) in [wrong, foreign].iter().enumerate() {
        let client = w.allocate(&format!("192.0.2.{i}:1"), credentials);
        w.pass(20 * SECOND);
        assert_eq!((w.clients[client].relayed, w.clients[client].failed), (None, true));
    }
    w.pass(601 * SECOND);
    let late = w.allocate("192.0.2.9:1", &right);
    w.pass(20 * SECOND);
    assert!(w.clients[late].failed);
    assert!(w.ports.is_empty());
}

#[test]
fn credentials_that_are_old_keep_what_was_allocated_with_them() {
    let (mut w, alice, bob) = World::both(Config::default());
    let (at_alice, at_bob) = (w.relayed(alice), w.relayed(bob));
    w.send(bob, at_alice, b"opens");
    w.send(alice, at_bob, b"opens");
    // Refreshes, permissions, channels, nonces: all go by more than once.
    for n in 0..60u8 {
        w.pass(60 * SECOND);
        w.clients[bob].received.clear();
        w.send(alice, at_bob, &[n]);
        assert_eq!(w.clients[bob].received, [(at_alice, vec![n])], "after {n} minutes");
    }
    assert!(w.asked < 400, "{}", w.asked);
}

#[test]
fn what_is_given_back_is_gone_and_so_is_what_is_not_refreshed() {
    let (mut w, alice, bob) = World::both(Config::default());
    assert_eq!(w.relay.stats().allocations, 2);
    w.clients[alice].turn.close(w.now);
    w.settle();
    assert_eq!((w.relay.stats().allocations, w.ports.len()), (1, 1));
    w.clients.remove(bob);
    w.pass(601 * SECOND);
    assert_eq!((w.relay.stats().allocations, w.ports.len()), (0, 0));
    assert!(w.relay.by_client.is_empty() && w.relay.by_relayed.is_empty());
    assert!(w.relay.per_key.is_empty() && w.relay.agenda.is_empty());
    assert_eq!(w.relay.next_timeout(), Instant::FAR_FUTURE, "no credentials are kept either");
}

#[test]
fn a_key_has_two_allocations_its_last_and_all_together_have_as_many_as_there_are() {
    let mut w = World::new(Config { max_allocations: 3, ..Config::default() });
    let a = w.grant(ALICE, BOB);
    let b = w.grant(BOB, ALICE);
    let made: Vec<bool> = [(1, &a), (2, &a), (3, &a), (4, &b), (5, &b)]
        .iter()
        .map(|(n, credentials)| {
            let client = w.allocate(&format!("192.0.2.{n}:1"), credentials);
            w.clients[client].relayed.is_some()
        })
        .collect();
    assert_eq!(made, [true, true, true, true, false]);
    let ports: Vec<_> = w.ports.keys().copied().collect();
    assert_eq!(ports, [50_002, 50_003, 50_004]);
}

#[test]
fn a_key_has_eight_credentials_at_once() {
    let mut w = World::new(Config::default());
    let all: Vec<_> = (0..9).map(|_| w.grant(ALICE, BOB)).collect();
    let first = w.allocate("192.0.2.1:1", &all[0]);
    let second = w.allocate("192.0.2.2:1", &all[1]);
    w.pass(20 * SECOND);
    assert!(w.clients[first].relayed.is_none() && w.clients[second].relayed.is_some());
}

#[test]
fn more_than_its_share_is_dropped() {
    let (mut w, alice, bob) = World::both(Config { bitrate: 80_000, ..Config::default() });
    let (at_alice, at_bob) = (w.relayed(alice), w.relayed(bob));
    w.send(bob, at_alice, b"opens");
    w.send(alice, at_bob, b"opens");
    w.clients[bob].received.clear();
    // 10 kB a second are allowed, and 20 kB at once; 40 are sent for two seconds.
    for _ in 0..80 {
        w.send(alice, at_bob, &[0; 1_000]);
        w.pass(Duration::from_millis(25));
    }
    let got = w.clients[bob].received.len();
    assert!((38..=41).contains(&got), "{got}");
}

#[test]
fn a_flood_of_strangers_gets_few_answers_and_leaves_nothing() {
    let mut w = World::new(Config::default());
    let credentials = RelayCredentials { username: "u".into(), password: "p".into() };
    for n in 0..1_000u32 {
        let from = format!("192.0.2.{}:{}", n % 256, 1_000 + n).parse().unwrap();
        w.add_client(from, &credentials);
        w.settle();
        w.clients.clear();
    }
    assert!(w.answered <= 20, "{}", w.answered);
    assert!(w.relay.allocations.is_empty() && w.relay.by_client.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_borne(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
        let (mut w, alice, _) = World::both(Config::default());
        for (i, mut bytes) in messages.into_iter().enumerate() {
            if bytes.len() >= 20 {
                let length = (bytes.len() - 20) as u8;
                let kinds = [0x03, 0x04, 0x08, 0x09, 0x16];
                bytes[..8].copy_from_slice(&[0, kinds[i % 5], 0, length, 0x21, 0x12, 0xa4, 0x42]);
            }
            w.say(alice, &bytes);
            w.settle();
        }
        prop_assert_eq!(w.relay.stats().allocations, 2);
    }

    #[test]
    fn any_channel_data_is_borne(number in 0u16.., length: u16, data in prop::collection::vec(any::<u8>(), 0..40)) {
        let bytes = [&number.to_be_bytes()[..], &length.to_be_bytes(), &data].concat();
        if let Some((n, read)) = channel_data(&bytes) {
            prop_assert!(n == number && data.starts_with(read));
        }
    }
}
