//! What the fuzz targets in `fuzz/` call, one function for each. Only there when fuzzing, and in the crate's own tests,
//! which feed them inputs too (`mutations`).
//!
//! Each checks more than that nothing panics: what was read can be written and read again, answers
//! are no longer than allowed, and nothing asks to be woken in the past.

mod media;
mod mesh;
#[cfg(test)]
mod mutations;
mod relay;

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::directory::client::{Client, Output as ClientOutput};
use crate::directory::server::{Config, ConnId, Output, Server};
use crate::id::{CallId, PeerId};
use crate::identity::Identity;
use crate::identity::pins::Pins;
use crate::io::tracker_server::Offer;
use crate::io::tracker_server::stream::{Stream, Tally};
use crate::time::{Duration, Instant, UnixMillis};
use crate::wire::channel::ChannelMessage;
use crate::wire::framing::{FrameReader, frame};
use crate::wire::gossip::{GossipMessage, MAX_MESSAGE};
use crate::wire::record::{Presence, PresenceRecord};
use crate::wire::sealed::{Bytes32, Nonce, Sealed};
use crate::wire::signal::{SealedSignal, Signal, SignalKind};
use crate::wire::stun;
use crate::wire::tracker::{Entry, PeerMessage, TrackerMessage};

pub use media::{engine, jitter_buffer, opus_payload, session_description, wav};
pub use mesh::{bulletin, mesh};
pub use relay::relay_client;

/// A target: its name in `fuzz/`, and what it does with an input.
pub type FuzzTarget = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [FuzzTarget; 17] = [
    ("bulletin", |data| of_text(data, bulletin)),
    ("channel_message", channel_message),
    ("engine", engine),
    ("gossip_message", gossip_message),
    ("identity_file", |data| of_text(data, identity_file)),
    ("jitter_buffer", jitter_buffer),
    ("mesh", mesh),
    ("opus_payload", opus_payload),
    ("relay_client", relay_client),
    ("session_description", |data| of_text(data, session_description)),
    ("signal", signal),
    ("stun", stun),
    ("tracker_client", tracker_client),
    ("tracker_message", tracker_message),
    ("tracker_server", tracker_server),
    ("tracker_stream", tracker_stream),
    ("wav", wav),
];

fn of_text(data: &[u8], target: fn(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        target(text);
    }
}

const WALL: UnixMillis = UnixMillis(1_700_000_000_000);

fn identity(key: u8) -> Identity {
    Identity::from_secret(&[key; 32])
}

fn random() -> Box<ChaCha8Rng> {
    Box::new(ChaCha8Rng::seed_from_u64(1))
}

/// Commands of one byte and an argument of one byte, some with a text up to the next zero.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn text(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        text
    }

    /// Any bytes, behind a byte that says how many.
    fn sized(&mut self) -> &'a [u8] {
        let length = self.byte().map_or(0, usize::from).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }
}

/// A byte stream, in pieces as long as its first byte says.
pub fn tracker_message(data: &[u8]) {
    let Some((&piece, stream)) = data.split_first() else { return };
    let mut reader = FrameReader::new(4000);
    let mut frames = vec![stream.to_vec()];
    'stream: for mut bytes in stream.chunks(usize::from(piece) + 1) {
        loop {
            match reader.next(&mut bytes) {
                Ok(Some(content)) => frames.push(content),
                Ok(None) => break,
                Err(_) => break 'stream,
            }
        }
    }
    for content in frames {
        if let Ok(message) = PeerMessage::parse(&content) {
            assert_eq!(PeerMessage::parse(&message.to_frame()[4..]), Ok(message));
        }
        if let Ok(message) = TrackerMessage::parse(&content) {
            assert_eq!(TrackerMessage::parse(&message.to_frame()[4..]), Ok(message));
        }
    }
}

/// What a connection says before there are frames, in pieces as long as its first byte says: a
/// WebSocket, unless it begins otherwise. No more comes out than went in.
pub fn tracker_stream(data: &[u8]) {
    let Some((&piece, bytes)) = data.split_first() else { return };
    let mut stream = Stream::new(Offer::default());
    stream.send(frame(b"{}").into());
    let (mut frames, mut tally) = (Vec::new(), Tally::default());
    let (mut taken, mut sent) = (0, 0);
    for bytes in bytes.chunks(usize::from(piece) + 1) {
        let result = stream.receive(bytes, 4000, &mut frames, &mut tally);
        taken += bytes.len();
        sent += stream.drain_output().map(|bytes| bytes.len()).sum::<usize>();
        assert!(frames.len() <= taken && sent <= taken + 1000, "{} {sent}", frames.len());
        if result.is_err() {
            break;
        }
    }
    stream.close();
    assert!(stream.drain_output().count() <= 2);
}

/// What up to four connections do to a tracker.
pub fn tracker_server(data: &[u8]) {
    let relay = Some(crate::relay::server::Config::default());
    let config = Config { wire_log: true, relay, ..Config::default() };
    let mut server = Server::new(config, random());
    let mut nonces = BTreeMap::new();
    let (mut now, mut connections) = (Instant::ZERO, 0u64);
    let mut script = Script(data);
    while let (Some(command), Some(argument)) = (script.byte(), script.byte()) {
        let conn = ConnId(connections.saturating_sub(u64::from(argument % 4)));
        match command % 8 {
            0 => {
                connections += 1;
                let from = ([192, 0, 2, argument], 1).into();
                let local = ([203, 0, 113, 1], 6000).into();
                server.handle_connected(now, WALL, ConnId(connections), from, local);
            }
            1 => {
                let identity = identity(argument >> 2 & 3);
                let name = String::from_utf8_lossy(script.text());
                let mut record =
                    PresenceRecord::new(identity.id(), &name, Presence::Available, WALL);
                record.seq = now.as_micros();
                let record = record.seal(&identity);
                let nonce = nonces.get(&conn).copied().unwrap_or(Bytes32([0; 32]));
                let signature = identity.sign_registration(&nonce, &record);
                let request = PeerMessage::Register { id: 1, version: 1, record, signature };
                server.handle_bytes(now, WALL, conn, &request.to_frame());
            }
            2 => server.handle_bytes(now, WALL, conn, &frame(script.text())),
            3 => server.handle_bytes(now, WALL, conn, script.text()),
            4 => server.handle_closed(conn),
            5 => server.handle_backlog(conn, usize::from(argument) << 11),
            6 => {
                let (from, local) =
                    (([192, 0, 2, argument], 1).into(), ([203, 0, 113, 1], 6000).into());
                server.handle_datagram(now, from, local, script.text());
            }
            _ => {
                now += Duration::from_millis(u64::from(argument) * 100);
                server.handle_timeout(now);
                server.handle_waiting(now, WALL, conn);
                assert!(server.next_timeout() > now);
            }
        }
        while let Some(output) = server.poll() {
            if let Output::Relay(crate::relay::server::Output::Bind { allocation, .. }) = output {
                server.handle_bound(now, allocation, Some(50_000 + argument as u16));
                continue;
            }
            let Output::Send { conn, bytes } = output else { continue };
            let content = FrameReader::default().next(&mut &bytes[..]);
            let Ok(Some(content)) = content else { panic!("not one frame") };
            match TrackerMessage::parse(&content) {
                Ok(TrackerMessage::Hello { nonce, .. }) => {
                    nonces.insert(conn, nonce);
                }
                message => assert!(message.is_ok()),
            }
        }
    }
}

/// What a tracker sends to a client, and what the client is asked meanwhile.
pub fn tracker_client(data: &[u8]) {
    let mut client = Client::new(identity(1), "alice", random());
    let mut now = Instant::ZERO;
    let mut script = Script(data);
    while let (Some(command), Some(argument)) = (script.byte(), script.byte()) {
        match command % 8 {
            0 => client.handle_connected(now),
            1 => {
                let nonce = Bytes32([argument; 32]);
                let hello = TrackerMessage::Hello { version: 1, nonce, time: WALL };
                client.handle_bytes(now, WALL, &hello.to_frame());
                let observed = ([192, 0, 2, 1], 1).into();
                let id = u32::from(argument);
                let registered =
                    TrackerMessage::Registered { id, observed, online: 1, relay: true };
                client.handle_bytes(now, WALL, &registered.to_frame());
            }
            2 => client.handle_bytes(now, WALL, &frame(script.text())),
            3 => client.handle_bytes(now, WALL, script.text()),
            4 => client.handle_closed(now),
            5 => {
                let identity = identity(argument);
                let name = String::from_utf8_lossy(script.text());
                let record = PresenceRecord::new(identity.id(), &name, Presence::Away, WALL);
                let peer = Entry { record: record.seal(&identity), since: WALL };
                let found = TrackerMessage::Found { id: u32::from(argument), peer };
                client.handle_bytes(now, WALL, &found.to_frame());
            }
            6 => client.list(now, 1, None),
            _ => {
                now += Duration::from_millis(u64::from(argument) * 100);
                client.handle_timeout(now, WALL);
                while client.next_timeout() <= now {
                    client.handle_timeout(now, WALL);
                    assert!(client.poll().is_some(), "woken for nothing");
                }
            }
        }
        while let Some(output) = client.poll() {
            if let ClientOutput::Send(bytes) = output {
                assert!(PeerMessage::parse(&bytes[4..]).is_ok());
            }
        }
    }
}

/// A signed text: as it is, and with a good signature.
pub fn signal(data: &[u8]) {
    if let Ok(sealed) = serde_json::from_slice::<SealedSignal>(data) {
        let _ = sealed.open(identity(2).id(), None);
    }
    let Ok(body) = std::str::from_utf8(data) else { return };
    let (alice, bob) = (identity(1), identity(2).id());
    for kind in ["offer", "bye"] {
        let sealed = SealedSignal::from_parts(body.into(), alice.sign(kind, &[data]));
        if let Ok(signal) = sealed.open(bob, Some(alice.id())) {
            assert_eq!(signal.seal(&alice).open(bob, Some(alice.id())), Ok(signal));
        }
    }
    let sealed: Sealed<PresenceRecord> =
        Sealed::from_parts(body.into(), alice.sign("presence", &[data]));
    if let Ok(record) = sealed.open() {
        assert_eq!(record.seal(&alice).open(), Ok(record));
    }
    let (call, nonce) = (CallId([3; 16]), Nonce([4; 16]));
    let mut offer = Signal::new(SignalKind::Offer, call, PeerId([0; 32]), bob, WALL, nonce);
    offer.sdp = Some(body.to_owned());
    if let Ok(opened) = offer.seal(&alice).open(bob, None) {
        assert_eq!(opened.sdp.as_deref(), Some(body));
    }
}

/// A message on the data channel of two connected peers.
pub fn channel_message(data: &[u8]) {
    if let Some(message) = ChannelMessage::parse(data) {
        assert_eq!(ChannelMessage::parse(&message.to_bytes()), Some(message));
    }
}

/// A message of a neighbour in a gossip mesh.
pub fn gossip_message(data: &[u8]) {
    if let Some(message) = GossipMessage::parse(data) {
        let written = message.to_bytes();
        assert!(written.len() <= MAX_MESSAGE);
        assert_eq!(GossipMessage::parse(&written), Some(message));
    }
}

/// A datagram.
pub fn stun(data: &[u8]) {
    let _ = stun::parse_response(data);
    for from in ["192.0.2.1:4000", "[2001:db8::1]:4000"] {
        let Ok(from) = from.parse() else { return };
        if let Some(response) = stun::binding_response(data, from) {
            assert!(response.len() <= 44);
            assert_eq!(stun::parse_response(&response).map(|(_, address)| address), Some(from));
        }
    }
}

/// The text of an identity file, and of a file of pins.
pub fn identity_file(text: &str) {
    if let Ok(identity) = Identity::from_text(text) {
        let again = Identity::from_text(&identity.to_text());
        assert_eq!(again.map(|i| i.id()), Ok(identity.id()));
    }
    if let Ok(pins) = Pins::from_text(text) {
        assert_eq!(Pins::from_text(&pins.to_text()), Ok(pins));
    }
}
