#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;
use std::sync::OnceLock;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::directory::address::{TrackerAddress, Trust};
use crate::directory::server::{Config, ConnId, Output, Server};
use crate::identity;
use crate::io::tls::client::Client;
use crate::io::tls::server::{Certificate, Identity};
use crate::time::{Duration, Instant, UnixMillis};
use crate::wire::framing::{FIRST_BYTE, FrameReader, frame};
use crate::wire::record::{Presence, PresenceRecord};
use crate::wire::tracker::{PeerMessage, TrackerMessage};

const LIMIT: usize = 4000;
const WALL: UnixMillis = UnixMillis(1_700_000_000_000);

/// The tracker's own address.
fn here() -> std::net::SocketAddr {
    ([203, 0, 113, 1], 6000).into()
}

/// A tracker's certificate, and what a node needs to come to it; the same for all tests.
fn certificate() -> (Offer, Client) {
    static MADE: OnceLock<(Offer, Client)> = OnceLock::new();
    let make = || {
        let folder = std::env::temp_dir().join(format!("voip-stream-{}", std::process::id()));
        let made = Identity::load(&Certificate::SelfSigned(folder.join("tracker.pem"))).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let trust = Trust::Key(made.key_hash);
        let address = TrackerAddress { host_and_port: "example.org:6000".to_owned(), trust };
        let offer = Offer { tls: Some(made.config), requires_tls: false };
        (offer, Client::of(&address).unwrap().unwrap())
    };
    MADE.get_or_init(make).clone()
}

/// A tracker's end, and what has been heard there.
struct Heard {
    stream: Stream,
    frames: Vec<u8>,
    tally: Tally,
}

impl Heard {
    fn new(offer: &Offer) -> Self {
        let stream = Stream::new(offer.clone());
        Heard { stream, frames: Vec::new(), tally: Tally::default() }
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream.receive(bytes, LIMIT, &mut self.frames, &mut self.tally)
    }

    fn output(&mut self) -> Vec<u8> {
        self.stream.drain_output().flat_map(|bytes| bytes.to_vec()).collect()
    }

    fn send(&mut self, content: &[u8]) {
        self.stream.send(frame(content).into());
    }
}

/// A node's end of TLS, carried to and from a tracker's until both are silent.
fn carry(client: &mut Session, tracker: &mut Heard, piece: usize) -> Result<Vec<u8>, Fault> {
    let mut clear = Vec::new();
    loop {
        let mut bytes = Vec::new();
        client.take_output(&mut bytes);
        for piece in bytes.chunks(piece) {
            tracker.hear(piece)?;
        }
        let answer = tracker.output();
        for piece in answer.chunks(piece) {
            client.receive(piece, &mut clear).unwrap();
        }
        if bytes.is_empty() && answer.is_empty() {
            return Ok(clear);
        }
    }
}

fn half_a_client_hello(client: &Client) -> Vec<u8> {
    let mut session = Session::client(client.config.clone(), client.name.clone()).unwrap();
    let mut hello = Vec::new();
    session.take_output(&mut hello);
    hello.truncate(hello.len() / 2);
    hello
}

#[test]
fn frames_go_through_as_they_are_once_the_first_byte_is_there() {
    let mut tracker = Heard::new(&Offer::default());
    tracker.send(b"hello");
    assert!(tracker.output().is_empty() && tracker.stream.is_unknown());
    tracker.hear(&[FIRST_BYTE]).unwrap();
    assert_eq!(tracker.output(), frame(b"hello"));
    tracker.hear(&frame(b"there")[1..]).unwrap();
    assert_eq!(tracker.frames, frame(b"there"));
    tracker.send(b"more");
    assert_eq!(tracker.output(), frame(b"more"));
    assert_eq!(tracker.tally, Tally::default());
}

#[test]
fn who_says_nothing_is_greeted_after_a_while() {
    let mut tracker = Heard::new(&Offer::default());
    tracker.send(b"hello");
    tracker.stream.assume_frames().unwrap();
    assert_eq!(tracker.output(), frame(b"hello"));
    assert!(!tracker.stream.is_unknown());
}

#[test]
fn tls_carries_frames_both_ways_whatever_the_pieces() {
    let (offer, client) = certificate();
    for piece in [1, 7, 100, 16 * 1024] {
        let mut tracker = Heard::new(&offer);
        tracker.send(b"hello");
        let mut session = Session::client(client.config.clone(), client.name.clone()).unwrap();
        assert!(carry(&mut session, &mut tracker, piece).unwrap().is_empty());
        assert!(!session.is_handshaking() && tracker.stream.is_unknown());
        let mut bytes = Vec::new();
        session.send(&[FIRST_BYTE], &mut bytes);
        tracker.hear(&bytes).unwrap();
        assert_eq!(carry(&mut session, &mut tracker, piece).unwrap(), frame(b"hello"));
        // More than TLS takes at once, either way.
        let long = vec![b'x'; 60_000];
        let mut bytes = Vec::new();
        session.send(&frame(&long)[1..], &mut bytes);
        bytes.chunks(piece).for_each(|piece| tracker.hear(piece).unwrap());
        assert_eq!(tracker.frames, frame(&long));
        tracker.send(&long);
        assert_eq!(carry(&mut session, &mut tracker, 16 * 1024).unwrap(), frame(&long));
        assert_eq!(tracker.tally, Tally { tls: 1, ..Tally::default() });
    }
}

#[test]
fn without_a_certificate_a_client_hello_is_just_a_long_frame() {
    let (_, client) = certificate();
    let mut tracker = Heard::new(&Offer::default());
    let hello = half_a_client_hello(&client);
    tracker.hear(&hello).unwrap();
    assert_eq!(tracker.frames, hello);
}

#[test]
fn a_handshake_without_end_ends() {
    let (offer, _) = certificate();
    let mut tracker = Heard::new(&offer);
    // Records of a ClientHello that says to be 16 MiB long.
    let mut first = vec![0x16, 3, 1, 0x20, 0, 1, 0xff, 0xff, 0xff];
    first.resize(5 + 0x2000, 0);
    let mut next = vec![0x16, 3, 1, 0x20, 0];
    next.resize(5 + 0x2000, 0);
    let mut result = tracker.hear(&first);
    let mut sent = first.len();
    while result.is_ok() {
        result = tracker.hear(&next);
        sent += next.len();
    }
    assert_eq!(result, Err(Fault::Handshake));
    assert!(sent <= 48 * 1024, "{sent} bytes");
    assert_eq!(tracker.tally.handshakes_failed, 1);
}

#[test]
fn where_tls_is_required_nothing_else_is_taken() {
    let (offer, client) = certificate();
    let offer = Offer { requires_tls: true, ..offer };
    let mut plain = Heard::new(&offer);
    plain.send(b"hello");
    assert_eq!(plain.hear(&[FIRST_BYTE]), Err(Fault::NotEncrypted));
    plain.send(b"why");
    assert_eq!(plain.output(), frame(b"why"), "and no greeting");

    let mut silent = Heard::new(&offer);
    silent.send(b"hello");
    assert_eq!(silent.stream.assume_frames(), Err(Fault::NotEncrypted));
    silent.send(b"why");
    assert_eq!(silent.output(), frame(b"why"));

    let mut browser = Heard::new(&offer);
    browser.send(b"hello");
    assert_eq!(browser.hear(b"GET / HTTP/1.1\r\n"), Err(Fault::NotEncrypted));
    browser.send(b"why");
    assert!(browser.output().starts_with(b"HTTP/1.1 403"));

    let mut tracker = Heard::new(&offer);
    tracker.send(b"hello");
    let mut session = Session::client(client.config, client.name).unwrap();
    carry(&mut session, &mut tracker, 1000).unwrap();
    tracker.stream.assume_frames().unwrap();
    assert_eq!(carry(&mut session, &mut tracker, 1000).unwrap(), frame(b"hello"));
}

/// A tracker on a clock of its own: its state machine, and a stream for each connection.
struct World {
    server: Server,
    offer: Offer,
    streams: BTreeMap<ConnId, Heard>,
    now: Instant,
}

impl World {
    fn new(offer: Offer) -> Self {
        let rng = Box::new(ChaCha8Rng::seed_from_u64(1));
        let server = Server::new(Config::default(), rng);
        World { server, offer, streams: BTreeMap::new(), now: Instant::ZERO }
    }

    /// From an address of its own.
    fn connect(&mut self) -> ConnId {
        let conn = ConnId(self.streams.len() as u64 + 1);
        let [.., a, b] = (conn.0 as u32).to_be_bytes();
        self.streams.insert(conn, Heard::new(&self.offer));
        self.server.handle_connected(self.now, WALL, conn, ([10, 0, a, b], 1).into(), here());
        self.carry_out();
        conn
    }

    fn hear(&mut self, conn: ConnId, bytes: &[u8]) {
        let heard = self.streams.get_mut(&conn).unwrap();
        heard.hear(bytes).unwrap();
        let frames = std::mem::take(&mut heard.frames);
        if !frames.is_empty() {
            self.server.handle_bytes(self.now, WALL, conn, &frames);
        }
        self.carry_out();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.server.handle_timeout(self.now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.server.poll() {
            match output {
                Output::Send { conn, bytes } => {
                    self.streams.get_mut(&conn).unwrap().stream.send(bytes);
                }
                Output::Close { conn } => drop(self.streams.remove(&conn)),
                Output::Datagram { .. } | Output::Relay(_) | Output::Event(_) => {}
            }
        }
    }

    /// What one connection has been told.
    fn told(&mut self, conn: ConnId) -> Vec<TrackerMessage> {
        let bytes = self.streams.get_mut(&conn).unwrap().output();
        let (mut reader, mut rest) = (FrameReader::default(), &bytes[..]);
        std::iter::from_fn(|| reader.next(&mut rest).unwrap())
            .map(|content| TrackerMessage::parse(&content).unwrap())
            .collect()
    }
}

#[test]
fn three_thousand_who_stop_in_the_middle_of_a_client_hello_are_dropped_in_time() {
    let (offer, client) = certificate();
    let mut world = World::new(offer);
    let alice = world.connect();
    world.hear(alice, &[FIRST_BYTE]);
    let [TrackerMessage::Hello { nonce, .. }] = world.told(alice)[..] else { panic!() };
    let identity = identity::Identity::from_secret(&[1; 32]);
    let record = PresenceRecord::new(identity.id(), "alice", Presence::Available, WALL);
    let record = record.seal(&identity);
    let signature = identity.sign_registration(&nonce, &record);
    let register = PeerMessage::Register { id: 1, version: 1, record, signature }.to_frame();
    world.hear(alice, &register[1..]);
    assert!(matches!(world.told(alice)[..], [TrackerMessage::Registered { .. }]));

    let half = half_a_client_hello(&client);
    for _ in 0..3_000 {
        let conn = world.connect();
        world.hear(conn, &half);
    }
    for _ in 0..9 {
        world.wait(Duration::from_secs(1));
        world.hear(alice, &PeerMessage::Ping { id: 2 }.to_frame());
        assert_eq!(world.told(alice), [TrackerMessage::Pong { id: 2 }]);
    }
    assert_eq!(world.server.stats().connections, 3_001);
    world.wait(Duration::from_secs(1));
    let stats = world.server.stats();
    assert_eq!((stats.connections, stats.online, stats.timeouts), (1, 1, 3_000));
    assert_eq!(world.streams.len(), 1);
}

#[test]
fn one_address_gets_no_more_connections_for_shaking_hands_only() {
    let (offer, client) = certificate();
    let mut world = World::new(offer);
    let half = half_a_client_hello(&client);
    for number in 1..=200 {
        let conn = ConnId(number);
        world.streams.insert(conn, Heard::new(&world.offer));
        world.server.handle_connected(world.now, WALL, conn, ([192, 0, 2, 1], 1).into(), here());
        world.carry_out();
        if world.streams.contains_key(&conn) {
            world.hear(conn, &half);
        }
    }
    let stats = world.server.stats();
    assert_eq!((stats.connections, stats.turned_away), (64, 136));
}

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: https://example.org\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// One frame of a WebSocket as a client sends it (RFC 6455 §5.2).
fn ws_frame(is_final: bool, opcode: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(is_final) << 7 | opcode];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A tracker's end of a WebSocket that has just opened.
fn upgraded(offer: &Offer) -> Heard {
    let mut tracker = Heard::new(offer);
    tracker.hear(REQUEST.as_bytes()).unwrap();
    let answer = String::from_utf8(tracker.output()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    tracker
}

#[test]
fn a_request_to_upgrade_is_answered_as_the_standard_says() {
    let mut tracker = Heard::new(&Offer::default());
    tracker.send(b"{}");
    for byte in REQUEST.as_bytes() {
        assert!(tracker.output().is_empty());
        tracker.hear(&[*byte]).unwrap();
    }
    let answer = tracker.output();
    let (head, rest) = answer.split_at(answer.len() - 4);
    let head = std::str::from_utf8(head).unwrap();
    assert!(head.ends_with("\r\n\r\n"));
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    // The answer of RFC 6455 §1.3 to its own key.
    let accept = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=";
    assert!(head.to_lowercase().contains(accept), "{head}");
    assert_eq!(rest, [0x81, 2, b'{', b'}'], "what was held back follows as text");
    assert_eq!(tracker.tally, Tally { websockets: 1, ..Tally::default() });
}

#[test]
fn other_requests_are_refused_with_words() {
    let too_long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(5000));
    let no_key = REQUEST.replace("Sec-WebSocket-Key", "Sec-WebSocket-Wrong");
    for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET\r\n\r\n", &too_long, &no_key] {
        let mut tracker = Heard::new(&Offer::default());
        assert_eq!(tracker.hear(request.as_bytes()), Err(Fault::Handshake), "{request}");
        let answer = String::from_utf8(tracker.output()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 "));
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{answer}");
        assert_eq!(tracker.tally.handshakes_failed, 1);
    }
}

#[test]
fn pings_are_answered_and_a_close_is_returned() {
    let mut tracker = upgraded(&Offer::default());
    tracker.hear(&ws_frame(true, 9, [1, 2, 3, 4], b"are you there")).unwrap();
    assert_eq!(tracker.output(), [&[0x8a, 13], &b"are you there"[..]].concat());
    tracker.hear(&ws_frame(true, 10, [1, 2, 3, 4], b"unasked")).unwrap();
    assert!(tracker.output().is_empty() && tracker.frames.is_empty());
    let close = ws_frame(true, 8, [0; 4], &1000u16.to_be_bytes());
    assert_eq!(tracker.hear(&close), Err(Fault::Closed));
    assert_eq!(tracker.output(), [0x88, 2, 3, 232]);
}

#[test]
fn our_end_says_goodbye() {
    let mut tracker = upgraded(&Offer::default());
    tracker.stream.close();
    assert_eq!(tracker.output(), [0x88, 0]);
    tracker.send(b"late");
    assert!(tracker.output().is_empty());
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    let unmasked = [0x81, 2, b'{', b'}'];
    let reserved = ws_frame(true, 3, [0; 4], b"");
    let continues_nothing = ws_frame(true, 0, [0; 4], b"{}");
    let long_ping = ws_frame(true, 9, [0; 4], &[0; 126]);
    let no_utf8 = ws_frame(true, 1, [0; 4], b"\xff");
    for bad in [&unmasked[..], &reserved, &continues_nothing, &long_ping, &no_utf8] {
        let mut tracker = upgraded(&Offer::default());
        assert_eq!(tracker.hear(bad), Err(Fault::Broken), "{bad:?}");
        assert_eq!(tracker.output()[0], 0x88, "a close frame says so");
        assert_eq!(tracker.tally.broken, 1);
        assert!(tracker.frames.is_empty());
    }
}

#[test]
fn of_a_message_that_is_too_long_the_header_alone_is_taken() {
    let mut whole = upgraded(&Offer::default());
    whole.hear(&ws_frame(true, 1, [0; 4], &[b'x'; LIMIT])).unwrap();
    assert_eq!(whole.frames.len(), 4 + LIMIT);
    let mut parts = upgraded(&Offer::default());
    let mut announced = upgraded(&Offer::default());
    parts.hear(&ws_frame(false, 1, [0; 4], &[b'x'; LIMIT])).unwrap();
    parts.hear(&ws_frame(true, 0, [0; 4], b"x")).unwrap();
    announced.hear(&ws_frame(true, 1, [0; 4], &[b'x'; 1 << 20])[..14]).unwrap();
    for (tracker, len) in [(parts, LIMIT as u32 + 1), (announced, 1 << 20)] {
        assert_eq!(tracker.frames, len.to_be_bytes());
    }
}

#[test]
fn a_websocket_within_tls_is_one_too() {
    let (offer, client) = certificate();
    let offer = Offer { requires_tls: true, ..offer };
    let mut tracker = Heard::new(&offer);
    tracker.send(b"{}");
    let mut session = Session::client(client.config, client.name).unwrap();
    carry(&mut session, &mut tracker, 1000).unwrap();
    let mut bytes = Vec::new();
    session.send(REQUEST.as_bytes(), &mut bytes);
    session.send(&ws_frame(true, 2, [9; 4], b"[]"), &mut bytes);
    tracker.hear(&bytes).unwrap();
    assert_eq!(tracker.frames, frame(b"[]"));
    let answer = carry(&mut session, &mut tracker, 1000).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101 ") && answer.ends_with(&[0x81, 2, b'{', b'}']));
    assert_eq!(tracker.tally, Tally { tls: 1, websockets: 1, ..Tally::default() });
}

proptest! {
    #[test]
    fn messages_survive_any_masks_fragments_and_pieces(
        messages in prop::collection::vec((prop::collection::vec(32u8..127, 0..600), any::<bool>()), 0..6),
        mask in any::<[u8; 4]>(),
        fragment in 1usize..300,
        piece in 1usize..200,
    ) {
        let mut bytes = REQUEST.as_bytes().to_vec();
        for (content, is_text) in &messages {
            let count = content.chunks(fragment).count().max(1);
            for i in 0..count {
                let part = content.chunks(fragment).nth(i).unwrap_or_default();
                let opcode = if i > 0 { 0 } else if *is_text { 1 } else { 2 };
                bytes.extend(ws_frame(i + 1 == count, opcode, mask, part));
                bytes.extend(ws_frame(true, 9, mask, b"between"));
            }
        }
        let mut tracker = Heard::new(&Offer::default());
        for piece in bytes.chunks(piece) {
            prop_assert_eq!(tracker.hear(piece), Ok(()));
        }
        let expected: Vec<u8> = messages.iter().flat_map(|(content, _)| frame(content)).collect();
        prop_assert_eq!(&tracker.frames, &expected);
    }

    #[test]
    fn garbage_neither_panics_nor_grows(
        begin in 0usize..4,
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..40),
    ) {
        let (offer, client) = certificate();
        let begin = match begin {
            0 => half_a_client_hello(&client),
            1 => REQUEST.as_bytes().to_vec(),
            2 => b"GET ".to_vec(),
            _ => vec![tls::FIRST_BYTE],
        };
        let mut tracker = Heard::new(&offer);
        let (mut result, mut sent) = (tracker.hear(&begin), begin.len());
        for piece in pieces {
            if result.is_err() {
                break;
            }
            result = tracker.hear(&piece);
            sent += piece.len();
            prop_assert!(tracker.frames.len() <= 2 * sent);
            prop_assert!(tracker.output().len() <= 2 * sent + 1000);
        }
    }
}
