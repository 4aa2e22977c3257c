//! Fuzz targets of the sound road, the session and the engine.

use std::net::SocketAddr;

use super::relay::{Server, client_at, server_at};
use super::{Script, WALL, identity, random};
use crate::engine::{
    CallKey, Command, Engine, EngineConfig, NamedRelay, Output, RelayKey, Stopwatch,
};
use crate::frame::AudioFrame;
use crate::id::{CallId, RtpTimestamp, SequenceNumber};
use crate::identity::pins::Pins;
use crate::io::wav::Player;
use crate::relay::client::{RelayCredentials, RelayTransport};
use crate::session::{LocalCandidate, Session};
use crate::time::{Duration, Epoch, Instant};
use crate::voice::{Codec, Decoder, EncoderConfig, JitterBuffer, JitterConfig};
use crate::wire::framing::frame;
use crate::wire::sealed::{Bytes32, Nonce};
use crate::wire::signal::{Reason, Signal, SignalKind};
use crate::wire::tracker::{PeerMessage, Target, TrackerMessage};

#[cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "only differences from this moment count")
)]
pub(super) fn epoch() -> Epoch {
    Epoch::new(std::time::Instant::now())
}

fn here(port: u16) -> SocketAddr {
    ([192, 0, 2, 1], port).into()
}

/// Payloads for the Opus decoder, one after the other, in every way it can be asked.
pub fn opus_payload(data: &[u8]) {
    let Ok(mut decoder) = Decoder::new() else { return };
    let mut out = [0.0; 5760];
    let mut script = Script(data);
    while let Some(command) = script.byte() {
        let payload = script.text();
        let info = Decoder::inspect(payload);
        match command % 3 {
            0 => {
                let count = decoder.decode(payload, &mut out).unwrap_or(0);
                assert!(out[..count].iter().all(|s| s.is_finite()));
                assert!(info.is_some() || count == 0, "decoded what cannot be inspected");
            }
            1 => {
                let samples = info.map_or(960, |i| i.fec_samples.clamp(120, 5760));
                let _ = decoder.decode_fec(payload, &mut out[..samples]);
            }
            _ => decoder.conceal(&mut out[..480]),
        }
    }
}

/// Whatever arrives, in any order, at any time: every get is 10 ms of finite sound.
pub fn jitter_buffer(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let codec = if first % 2 == 0 { Codec::Opus } else { Codec::StandIn };
    let Ok(codec) = codec.decoder() else { return };
    let mut buffer = JitterBuffer::with_codec(&JitterConfig::default(), codec);
    let (mut now, mut sequence, mut timestamp) = (Instant::from_micros(1), 0u16, 0u32);
    let mut out = AudioFrame::SILENCE;
    let mut script = Script(data);
    while let (Some(command), Some(argument)) = (script.byte(), script.byte()) {
        match command % 6 {
            0 => now += Duration::from_millis(u64::from(argument)),
            1 => sequence = sequence.wrapping_add(u16::from(argument) << (argument % 9)),
            2 => timestamp = timestamp.wrapping_add(u32::from(argument) << (argument % 25)),
            3 => {
                buffer.get(now, &mut out);
                assert!(out.0.iter().all(|s| s.is_finite()));
            }
            _ => {
                let (s, t) = (SequenceNumber(sequence), RtpTimestamp(timestamp));
                buffer.insert(now, s, t, script.text());
                if command % 6 == 5 {
                    let age = u32::from(argument % 32) * 480;
                    buffer.insert_repeated(now, s, age, script.text());
                }
                sequence = sequence.wrapping_add(1);
                timestamp = timestamp.wrapping_add(960);
            }
        }
    }
    let stats = buffer.stats();
    assert!(stats.concealed_samples <= stats.total_samples);
    assert!(stats.depth < Duration::from_secs(60));
}

/// A session description of a peer: as an offer, and as the answer to one of ours.
pub fn session_description(text: &str) {
    let candidates = [LocalCandidate::Host(here(5000))];
    let (now, first) = (Instant::from_micros(1), SequenceNumber(1));
    let _ = Session::answer(now, epoch(), first, &candidates, text);
    if let Ok((mut session, _)) = Session::offer(now, epoch(), first, &candidates) {
        let _ = session.accept_answer(now, text);
        while session.poll().is_some() {}
    }
}

/// Computing takes no time.
pub(super) struct NoTime;

impl Stopwatch for NoTime {
    fn nanos(&mut self) -> u64 {
        0
    }
}

/// A node: what its tracker and its relays send, what comes to its port, what its user does, and time.
pub fn engine(data: &[u8]) {
    node(data);
}

/// Whether the node got an address on a relay.
fn node(data: &[u8]) -> bool {
    let mut now = Instant::ZERO;
    let mut relay = Server::new(now, RelayTransport::Udp);
    let credentials = relay.credentials.clone();
    let named = NamedRelay { transport: RelayTransport::Udp, credentials };
    let config = EngineConfig {
        name: "alice".into(),
        trackers: vec!["192.0.2.9:6000".into()],
        encoder: EncoderConfig::default(),
        jitter: JitterConfig::default(),
        codec: Codec::Opus,
        auto_answer: data.len().is_multiple_of(2),
        pins_names: true,
        contacts_only: data.len().is_multiple_of(3),
        ring_timeout: Duration::from_secs(45),
        max_calls: 2,
        relays: vec![named],
        mesh: None,
        history: Vec::new(),
        relay_only: data.len().is_multiple_of(5),
        epoch: epoch(),
        wall_at_zero: WALL,
    };
    let engine = Engine::new(config, identity(1), Pins::default(), random(), Box::new(NoTime), now);
    let Ok(mut engine) = engine else { return false };
    engine.handle_host_addresses(now, vec![here(5000)]);
    let mut script = Script(data);
    let mut frame10 = AudioFrame::SILENCE;
    // The last request for credentials.
    let mut grant = None;
    while let (Some(command), Some(argument)) = (script.byte(), script.byte()) {
        let call = CallKey(u64::from(argument % 4));
        let way = RelayKey(u64::from(argument % 4));
        match command % 17 {
            0 => engine.handle_tracker_connected(now, 0, here(4000), here(6000)),
            1 => {
                let hello =
                    TrackerMessage::Hello { version: 1, nonce: Bytes32([0; 32]), time: WALL };
                engine.handle_tracker_bytes(now, 0, &hello.to_frame());
                let id = u32::from(argument);
                let registered =
                    TrackerMessage::Registered { id, observed: here(1), online: 1, relay: true };
                engine.handle_tracker_bytes(now, 0, &registered.to_frame());
            }
            2 => engine.handle_tracker_bytes(now, 0, &frame(script.text())),
            3 => engine.handle_tracker_closed(now, 0),
            4 | 5 => {
                engine.handle_datagram(now, here(u16::from(argument)), here(5000), script.text())
            }
            6 => {
                let target = Target::Name(String::from_utf8_lossy(script.text()).into_owned());
                engine.handle_command(now, Command::Place { call, target, ring_timeout: None });
            }
            7 => engine.handle_command(now, Command::HangUp { call }),
            8 => engine.handle_command(now, Command::Answer { call }),
            9 => {
                let reason = Reason::Declined;
                engine.handle_command(now, Command::Reject { call, reason });
            }
            10 => {
                engine.handle_mic(now, now, &frame10.0);
                engine.handle_playout(now, &mut frame10);
                assert!(frame10.0.iter().all(|s| s.is_finite()));
            }
            11 => {
                now += Duration::from_millis(u64::from(argument) * 20);
                engine.handle_timeout(now);
            }
            12 => engine.handle_relay_opened(now, way, client_at(), server_at()),
            13 => {
                let what = (argument >> 2, argument);
                if let Some(bytes) = relay.say(now, what, &mut script) {
                    engine.handle_relay_bytes(now, way, &bytes);
                }
            }
            14 => engine.handle_relay_closed(now, way),
            15 => engine.handle_tracker_bytes(now, 0, &call_of_bob(now, argument)),
            _ => {
                let RelayCredentials { username, password } = relay.credentials.clone();
                let id = grant.take().unwrap_or_default();
                let granted = TrackerMessage::Relay { id, username, password, lifetime: 600 };
                engine.handle_tracker_bytes(now, 0, &granted.to_frame());
            }
        }
        let mut outputs = 0;
        while let Some(output) = engine.poll() {
            outputs += 1;
            assert!(outputs < 10_000, "endless {output:?}");
            match output {
                Output::TrackerSend { tracker, bytes } => {
                    assert_eq!(tracker, 0);
                    if let Ok(PeerMessage::Relay { id, .. }) = PeerMessage::parse(&bytes[4..]) {
                        grant = Some(id);
                    }
                }
                Output::RelaySend { bytes, .. } => relay.receive(now, &bytes),
                _ => {}
            }
        }
    }
    relay.has_allocation()
}

/// What the tracker says when Bob calls.
fn call_of_bob(now: Instant, number: u8) -> Vec<u8> {
    let candidates = [LocalCandidate::Host(([192, 0, 2, 2], 5000).into())];
    let Ok((_, sdp)) = Session::offer(now, epoch(), SequenceNumber(1), &candidates) else {
        return Vec::new();
    };
    let (alice, bob) = (identity(1).id(), identity(2));
    let (call, nonce) = (CallId([number; 16]), Nonce([number; 16]));
    let at = WALL.plus(now.since(Instant::ZERO));
    let mut offer = Signal::new(SignalKind::Offer, call, bob.id(), alice, at, nonce);
    offer.sdp = Some(sdp);
    offer.name = Some("bob".to_owned());
    TrackerMessage::Signal { from: bob.id(), signal: offer.seal(&bob) }.to_frame()
}

/// A sound file: whatever is in it, it ends.
pub fn wav(data: &[u8]) {
    let Ok(mut player) = Player::read(std::io::Cursor::new(data), "fuzz".as_ref()) else { return };
    let most = data.len() * 8 + 100_000;
    let blocks = std::iter::from_fn(|| player.next_block());
    assert!(
        blocks.take(most).inspect(|b| assert!(b.0.iter().all(|s| s.is_finite()))).count() < most
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seed_of_a_relayed_call_gets_an_address_on_the_relay() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/engine/relayed");
        assert!(super::node(&std::fs::read(path).unwrap()));
    }
}
