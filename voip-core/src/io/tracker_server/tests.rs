#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};

use super::*;
use crate::directory::server::Departure;
use crate::identity::Identity;
use crate::time::UnixMillis;
use crate::wire::framing::{FIRST_BYTE, FrameReader, frame};
use crate::wire::record::{Presence, PresenceRecord};
use crate::wire::sealed::{Bytes32, Sealed, Signature};
use crate::wire::signal::SealedSignal;
use crate::wire::stun::{TransactionId, binding_request, parse_response};
use crate::wire::tracker::{PeerMessage, Target, TrackerMessage};

const LIMIT: Duration = Duration::from_secs(20);

fn start_at(bind: &str, config: Config) -> TrackerServer {
    TrackerServer::start(&[bind.parse().unwrap()], config, Offer::default()).unwrap()
}

fn start() -> TrackerServer {
    start_at("127.0.0.1:0", Config::default())
}

/// A peer that blocks on its socket.
struct Client {
    stream: TcpStream,
    reader: FrameReader,
    unread: Vec<u8>,
    /// The first byte of the next frame has been sent.
    is_ahead: bool,
}

impl Client {
    /// Shows at once how it will speak.
    fn connect(to: impl ToSocketAddrs) -> Self {
        let mut client = Client::silent(to);
        client.stream.write_all(&[FIRST_BYTE]).unwrap();
        client.is_ahead = true;
        client
    }

    /// Waits until it is greeted.
    fn silent(to: impl ToSocketAddrs) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, reader: FrameReader::default(), unread: Vec::new(), is_ahead: false }
    }

    fn say(&mut self, message: &PeerMessage) {
        let is_ahead = std::mem::take(&mut self.is_ahead);
        self.stream.write_all(&message.to_frame()[usize::from(is_ahead)..]).unwrap();
    }

    /// The next message; `None` when the connection has ended.
    fn hear(&mut self) -> Option<TrackerMessage> {
        loop {
            let mut unread = &self.unread[..];
            let frame = self.reader.next(&mut unread).unwrap();
            self.unread = unread.to_vec();
            if let Some(content) = frame {
                return Some(TrackerMessage::parse(&content).unwrap());
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return None,
                read => self.unread.extend_from_slice(&buffer[..read.unwrap()]),
            }
        }
    }

    fn register(&mut self, key: u8, name: &str) -> TrackerMessage {
        let Some(TrackerMessage::Hello { nonce, time, .. }) = self.hear() else { panic!() };
        self.answer_challenge(nonce, time, key, name);
        self.hear().unwrap()
    }

    fn answer_challenge(&mut self, nonce: Bytes32, time: UnixMillis, key: u8, name: &str) {
        let identity = Identity::from_secret(&[key; 32]);
        let record = PresenceRecord::new(identity.id(), name, Presence::Available, time);
        let record = record.seal(&identity);
        let signature = identity.sign_registration(&nonce, &record);
        self.say(&PeerMessage::Register { id: 1, version: 1, record, signature });
    }

    fn joined(to: SocketAddr, key: u8, name: &str) -> Self {
        let mut client = Client::connect(to);
        let answer = client.register(key, name);
        assert!(matches!(answer, TrackerMessage::Registered { .. }), "{answer:?}");
        client
    }

    fn finds(&mut self, name: &str) -> bool {
        self.say(&PeerMessage::Lookup { id: 9, target: Target::Name(name.to_owned()) });
        matches!(self.hear(), Some(TrackerMessage::Found { id: 9, .. }))
    }
}

#[test]
fn peers_register_find_each_other_and_exchange_signals() {
    let tracker = start();
    let mut alice = Client::joined(tracker.address(), 1, "alice");
    let mut bob = Client::joined(tracker.address(), 2, "bob");
    assert!(alice.finds("bob") && !alice.finds("carol"));
    let signal: SealedSignal = Sealed::from_parts("x".repeat(16 * 1024), Signature([1; 64]));
    let to = Identity::from_secret(&[2; 32]).id();
    alice.say(&PeerMessage::Signal { id: 3, to, signal: signal.clone() });
    let from = Identity::from_secret(&[1; 32]).id();
    assert_eq!(bob.hear(), Some(TrackerMessage::Signal { from, signal }));
    assert_eq!(alice.hear(), Some(TrackerMessage::Relayed { id: 3 }));

    let names: Vec<_> = std::iter::from_fn(|| match tracker.next_event(Duration::ZERO)? {
        TrackerEvent::Registered { name, online, .. } => Some((name, online)),
        other => panic!("{other:?}"),
    })
    .collect();
    assert_eq!(names, [("alice".to_owned(), 1), ("bob".to_owned(), 2)]);
    drop(bob);
    let left = tracker.next_event(LIMIT);
    assert!(matches!(left, Some(TrackerEvent::Left { ref name, online: 1, .. }) if name == "bob"));
}

#[test]
fn the_udp_port_of_the_same_number_tells_addresses() {
    let tracker = start();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket.connect(tracker.address()).unwrap();
    socket.send(b"not STUN").unwrap();
    let transaction = TransactionId([5; 12]);
    socket.send(&binding_request(transaction)).unwrap();
    let mut buffer = [0; 100];
    let len = socket.recv(&mut buffer).unwrap();
    assert_eq!(len, 32);
    let expected = Some((transaction, socket.local_addr().unwrap()));
    assert_eq!(parse_response(&buffer[..len]), expected);
}

#[test]
fn a_tracker_bound_to_all_of_ipv6_takes_ipv4_too() {
    let tracker = start_at("[::]:0", Config::default());
    let port = tracker.address().port();
    for host in ["127.0.0.1", "::1"] {
        let mut client = Client::connect((host, port));
        let TrackerMessage::Registered { observed, .. } = client.register(1, "alice") else {
            panic!()
        };
        assert_eq!(observed, client.stream.local_addr().unwrap(), "as the client itself sees it");
        let socket = UdpSocket::bind((host, 0)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.send_to(&binding_request(TransactionId([5; 12])), (host, port)).unwrap();
        let mut buffer = [0; 100];
        let (len, _) = socket.recv_from(&mut buffer).unwrap();
        let (_, told) = parse_response(&buffer[..len]).unwrap();
        assert_eq!(told, socket.local_addr().unwrap());
    }
}

#[test]
fn a_port_in_use_is_its_own_error() {
    let tracker = start();
    let start = |at| TrackerServer::start(&[at], Config::default(), Offer::default());
    let error = start(tracker.address()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddressInUse);
    assert!(error.message().contains(&tracker.address().to_string()), "{error}");
    let only_udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = only_udp.local_addr().unwrap();
    let error = start(taken).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddressInUse);
    let error = start("192.0.2.1:0".parse().unwrap());
    assert_eq!(error.err().unwrap().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn stopping_ends_connections_and_waits() {
    let tracker = start();
    let mut client = Client::joined(tracker.address(), 1, "alice");
    let address = tracker.address();
    let clock = Clock::new();
    let began = clock.now();
    drop(tracker);
    assert!(clock.now() - began < Duration::from_millis(500));
    assert_eq!(client.hear(), None);
    start_at(&address.to_string(), Config::default());
}

#[test]
fn a_stopped_tracker_has_no_more_events() {
    let tracker = start();
    assert!(!tracker.is_over());
    tracker.stop();
    tracker.stop();
    assert!(tracker.is_over());
    assert_eq!(tracker.next_event(LIMIT), None);
}

#[test]
fn garbage_ends_its_own_connection_and_disturbs_nobody() {
    let tracker = start();
    let mut alice = Client::joined(tracker.address(), 1, "alice");
    let attacks: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], &frame(b"[]"), &frame(b"\xff")];
    for attack in attacks {
        let mut stranger = Client::silent(tracker.address());
        assert!(matches!(stranger.hear(), Some(TrackerMessage::Hello { .. })));
        stranger.stream.write_all(attack).unwrap();
        while stranger.hear().is_some() {}
    }
    assert!(alice.finds("alice"));
    let stats = tracker.stats();
    assert_eq!((stats.too_long + stats.malformed, stats.online), (4, 1));
}

#[test]
fn a_peer_that_does_not_read_is_let_go_while_others_are_served() {
    let tracker = start_at("127.0.0.1:0", Config { max_backlog: 10_000, ..Config::default() });
    let crowd: Vec<_> =
        (3..53).map(|key| Client::joined(tracker.address(), key, &format!("peer {key}"))).collect();
    let mut alice = Client::joined(tracker.address(), 1, "alice");
    let mut deaf = Client::joined(tracker.address(), 2, "deaf");
    socket2::SockRef::from(&deaf.stream).set_recv_buffer_size(4096).unwrap();
    let list = |id| PeerMessage::List { id, after: None, limit: None }.to_frame();
    let requests: Vec<u8> = (0..90).flat_map(list).collect();
    deaf.stream.write_all(&requests).unwrap();
    let why = std::iter::from_fn(|| tracker.next_event(LIMIT)).find_map(|event| match event {
        TrackerEvent::Left { name, why, .. } => Some((name, why)),
        _ => None,
    });
    assert_eq!(why, Some(("deaf".to_owned(), Departure::SlowReader)));
    assert!(alice.finds("alice") && !alice.finds("deaf"));
    assert_eq!((tracker.stats().slow_readers, tracker.stats().online), (1, crowd.len() as u64 + 1));
}

#[test]
fn the_wire_log_shows_what_was_said() {
    let tracker = start_at("127.0.0.1:0", Config { wire_log: true, ..Config::default() });
    let _client = Client::joined(tracker.address(), 1, "alice");
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "registered") {
        if let TrackerEvent::Wire { text, .. } = tracker.next_event(LIMIT).unwrap() {
            let message: serde_json::Value = serde_json::from_str(&text).unwrap();
            kinds.push(message["type"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(kinds, ["hello", "register", "registered"]);
}
