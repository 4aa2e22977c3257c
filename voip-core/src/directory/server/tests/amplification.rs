//! A tracker sends nobody much more than came from there.

use super::*;
use crate::wire::stun::{TransactionId, binding_request};

/// Everything that a stranger may say: every type, its own and the tracker's, whole, cut short, and what is none.
fn frames() -> Vec<Vec<u8>> {
    let identity = Identity::from_secret(&[1; 32]);
    let record = PresenceRecord::new(id(1), "x", Presence::Available, UnixMillis(WALL));
    let record = record.seal(&identity);
    let signature = identity.sign_registration(&Bytes32([0; 32]), &record);
    let signal: SealedSignal = Sealed::from_parts("{}".into(), Signature([1; 64]));
    let requests = [
        PeerMessage::Register { id: 1, version: 1, record: record.clone(), signature },
        PeerMessage::Register { id: 1, version: 9, record, signature },
        PeerMessage::Leave { id: 1 },
        PeerMessage::List { id: 1, after: None, limit: Some(50) },
        PeerMessage::Lookup { id: 1, target: Target::Name("x".into()) },
        PeerMessage::Lookup { id: 1, target: Target::Peer(id(2)) },
        PeerMessage::Subscribe { id: 1 },
        PeerMessage::Signal { id: 1, to: id(2), signal },
        PeerMessage::Ping { id: 1 },
    ];
    let mut all: Vec<_> = requests.iter().map(PeerMessage::to_frame).collect();
    for text in
        ["{}", "", "x", r#"{"type":"x"}"#, r#"{"type":"x","id":1}"#, r#"{"type":"register"}"#]
    {
        all.push(frame(text.as_bytes()));
    }
    all.push(TrackerMessage::Pong { id: 1 }.to_frame());
    all.extend([vec![0xff; 4], vec![0, 0], vec![0, 0, 15, 160, b'{']]);
    all
}

/// What a connection was sent since the last time, in bytes.
fn sent(w: &mut World, conn: ConnId) -> usize {
    w.heard(conn).iter().map(|message| message.to_frame().len()).sum()
}

#[test]
fn who_has_not_proved_a_key_gets_three_bytes_for_one_beside_greeting_and_farewell() {
    let full =
        TrackerMessage::Hello { version: 1, nonce: Bytes32([0; 32]), time: UnixMillis(WALL) };
    let greeting = full.to_frame().len();
    let mut worst = 0.0f64;
    // A farewell is the longest that the tracker says before it closes.
    const FAREWELL: usize = 120;
    for first in frames() {
        for then in frames() {
            for pause in [Duration::ZERO, SECOND, SECOND * 11] {
                let mut w = world();
                w.join(9, "somebody");
                let conn = w.connect();
                assert_eq!(sent(&mut w, conn), greeting);
                let mut came = 0;
                w.raw(conn, &first);
                came += first.len();
                w.pass(pause);
                for _ in 0..30 {
                    if w.closed.contains(&conn) {
                        break;
                    }
                    w.raw(conn, &then);
                    came += then.len();
                }
                w.pass(SECOND * 60);
                let out = sent(&mut w, conn);
                assert!(w.closed.contains(&conn), "kept for ever");
                assert!(out <= 3 * came + FAREWELL, "{out} bytes for {came}");
                worst = worst.max((out as f64 - FAREWELL as f64) / came as f64);
            }
        }
    }
    assert!(worst > 0.5, "{worst}: nothing was answered at all");
}

#[test]
fn a_datagram_is_answered_if_it_is_a_plain_stun_request_and_so_often_only() {
    let request = binding_request(TransactionId([7; 12]));
    assert_eq!(request.len(), 20);
    let mut w = world();
    let mut others: Vec<Vec<u8>> = frames();
    others.extend((0..20).map(|len| request[..len].to_vec()));
    for length in [1u8, 4, 8, 255] {
        let mut announced = request.clone();
        announced[3] = length;
        others.push(announced);
    }
    for kind in [[0, 3], [0, 4], [1, 1], [1, 17], [0, 17]] {
        others.push([&kind[..], &request[2..]].concat());
    }
    // RFC 8489 §14: attributes that must be understood.
    for attribute in [0u8, 3, 6, 8, 36] {
        let with = [&[0, 1, 0, 4], &request[4..], &[0, attribute, 0, 0]].concat();
        others.push(with);
    }
    others.push([&request[..], &[0; 4]].concat());
    others.extend([vec![22, 254, 253, 0, 0], vec![0x80; 400], vec![0; 1400]]);
    let stranger: SocketAddr = "203.0.113.5:4000".parse().unwrap();
    for datagram in &others {
        w.server.handle_datagram(w.now, stranger, LOCAL, datagram);
    }
    w.drain();
    assert_eq!(w.datagrams, [], "silence");
    for (prefix, length) in [("203.0.113", 32), ("[2001:db8:0:1", 44)] {
        let from = |i: u32| -> SocketAddr {
            let text = if length == 32 {
                format!("{prefix}.{}:9", i % 256)
            } else {
                format!("{prefix}::{i:x}]:9")
            };
            text.parse().unwrap()
        };
        for i in 0..1_000 {
            w.server.handle_datagram(w.now, from(i), LOCAL, &request);
            w.pass(Duration::from_millis(10));
        }
        w.drain();
        let answers = std::mem::take(&mut w.datagrams);
        assert!(answers.iter().all(|(_, bytes)| bytes.len() == length));
        // Twenty at once and five a second, for ten seconds, whoever asks from that network.
        assert!((68..=70).contains(&answers.len()), "{}", answers.len());
        let bytes_in = 1_000 * 20;
        assert!(answers.len() * length <= bytes_in, "less than came");
    }
}
