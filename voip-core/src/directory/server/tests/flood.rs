//! A hundred thousand datagrams a second from forged addresses, for the reflector and for the relay: nothing of them is
//! kept, and peers notice nothing. On real sockets: `tests/tracker_flood.rs`.

use rand_core::Rng;

use super::*;
use crate::wire::stun::{TransactionId, binding_request};

/// Datagrams in a millisecond.
const AT_ONCE: usize = 100;
const PEERS: u8 = 10;

/// One of all kinds: for the reflector; for the relay, unsigned, signed by nobody, or of no allocation; noise.
fn datagram(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = [0; 200];
    rng.fill_bytes(&mut bytes);
    let [kind, length, first, second, ..] = bytes;
    let mut transaction = [0; 12];
    transaction.copy_from_slice(&bytes[20..32]);
    let binding = binding_request(TransactionId(transaction));
    let turn = |method: u8, attributes: &[u8]| {
        [&[0, method, 0, attributes.len() as u8], &binding[4..], attributes].concat()
    };
    // RFC 8656 §18: REQUESTED-TRANSPORT; RFC 8489 §14: USERNAME, NONCE, MESSAGE-INTEGRITY.
    let udp = [0, 0x19, 0, 4, 17, 0, 0, 0];
    let signature =
        [&[0, 6, 0, 4, 97, 97, 97, 97, 0, 0x15, 0, 4, 48, 48, 48, 48, 0, 8, 0, 20], &bytes[40..60]];
    match kind % 6 {
        0 => binding,
        1 => turn(3, &udp),
        2 => turn(3, &[&udp[..], &signature.concat()].concat()),
        3 => turn(4, &[]),
        4 => [&[0x40 | first & 0x3f, second, 0, 160], &bytes[40..]].concat(),
        _ => bytes[..usize::from(length).min(200)].to_vec(),
    }
}

fn source(rng: &mut ChaCha8Rng) -> SocketAddr {
    let [a, b, c, d, e, f, is_v6, ..] = rng.next_u64().to_be_bytes();
    let port = u16::from_be_bytes([e, f]);
    match is_v6 % 2 {
        // None of one's own machine.
        0 => ([1 + a % 126, b, c, d], port).into(),
        _ => (
            [0x2001, 0xdb8, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), 0, 0, 0, 1],
            port,
        )
            .into(),
    }
}

/// All that grows with connections, registrations and allocations.
fn kept(server: &Server) -> [usize; 6] {
    let relay = server.relay.as_ref().map_or(0, relay::Relay::entries);
    let Server { connections, agenda, per_address, subscribers, outputs, .. } = server;
    [relay, connections.len(), agenda.len(), per_address.len(), subscribers.len(), outputs.len()]
}

fn flood(seconds: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let relay = Some(relay::Config::default());
    let mut w = World::new(Config { relay, ..Config::default() });
    let peers: Vec<_> = (1..=PEERS).map(|key| w.join(key, &format!("peer {key}"))).collect();
    let before = kept(&w.server);
    let (mut came, mut went) = (0, 0);
    for ms in 0..seconds * 1_000 {
        for _ in 0..AT_ONCE {
            let (from, bytes) = (source(&mut rng), datagram(&mut rng));
            came += bytes.len();
            w.server.handle_datagram(w.now, from, LOCAL, &bytes);
        }
        w.drain();
        went += w.datagrams.drain(..).map(|(_, bytes)| bytes.len()).sum::<usize>();
        // Each peer twice a second, and it need not.
        let turn = ms as usize % 500;
        if let Some(peer) = peers.get(turn / 50).filter(|_| turn.is_multiple_of(50)) {
            w.say(*peer, &PeerMessage::Ping { id: 3 });
            assert_eq!(w.answer(*peer), TrackerMessage::Pong { id: 3 });
            assert_eq!(w.look_up(*peer, "peer 1"), Some(id(1)));
        }
        w.pass(Duration::from_millis(1));
    }
    let after = kept(&w.server);
    println!("{came} bytes came, {went} went; kept: {before:?}, {after:?}");
    assert_eq!(after, before);
    assert!(0 < went && went < came, "{went} bytes for {came}");
    assert_eq!(w.server.stats().online, u64::from(PEERS));
}

#[test]
fn a_flood_from_forged_addresses_leaves_nothing_and_peers_are_answered() {
    flood(2);
}

#[test]
#[ignore = "six million datagrams take half a minute in a debug build"]
fn a_minute_of_a_flood_leaves_nothing_and_peers_are_answered() {
    flood(60);
}
