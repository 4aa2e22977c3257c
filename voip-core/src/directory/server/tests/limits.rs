//! How much a peer, an address or a network may ask for, and that nobody else suffers from it.

use super::*;

#[test]
fn too_many_requests_are_refused_until_a_while_later() {
    let mut w = world();
    let (flooder, other) = (w.join(1, "flooder"), w.join(2, "other"));
    for i in 0..200 {
        w.say(flooder, &PeerMessage::Ping { id: i });
    }
    let limited = |m: &TrackerMessage| {
        matches!(m, TrackerMessage::Error { code: ErrorCode::RateLimited, id: Some(_), .. })
    };
    assert_eq!(w.heard(flooder).iter().filter(|m| limited(m)).count(), 101, "99 after registering");
    assert!(w.look_up(other, "flooder").is_some(), "nobody else is disturbed");
    w.pass(SECOND);
    assert!(w.look_up(flooder, "other").is_some());
}

#[test]
fn too_many_bytes_of_signals_are_refused() {
    let mut w = world();
    let (alice, bob) = (w.join(1, "alice"), w.join(2, "bob"));
    let signal: SealedSignal = Sealed::from_parts("x".repeat(MAX_SIGNAL), Signature([1; 64]));
    for id_ in 0..40 {
        w.say(alice, &PeerMessage::Signal { id: id_, to: id(2), signal: signal.clone() });
    }
    assert_eq!(w.heard(bob).len(), 4, "64 KiB at once");
}

/// Whatever the bodies hold: line feeds and the like take up to six times their room in JSON.
#[test]
fn a_peer_cannot_be_flooded_with_signals_until_it_is_let_go() {
    for body in ["x".repeat(MAX_SIGNAL), "\u{1}".repeat(10_000), "\"".repeat(MAX_SIGNAL)] {
        let mut w = world();
        let bob = w.join(1, "bob");
        let gang: Vec<_> = (2..30).map(|key| w.join(key, &format!("mallory {key}"))).collect();
        let signal: SealedSignal = Sealed::from_parts(body, Signature([1; 64]));
        let flood = |w: &mut World| {
            for &mallory in &gang {
                for id_ in 0..4 {
                    let signal = signal.clone();
                    w.say(mallory, &PeerMessage::Signal { id: id_, to: id(1), signal });
                }
            }
            w.heard(bob).iter().map(|message| message.to_frame().len()).sum::<usize>()
        };
        let at_once = flood(&mut w);
        assert!((64 * 1024..=128 * 1024).contains(&at_once), "{at_once}");
        w.pass(SECOND);
        let a_second_later = flood(&mut w);
        assert!(a_second_later <= 128 * 1024 - at_once + 64 * 1024, "{a_second_later}");
        assert!(a_second_later > 0, "the budget comes back");
        let answers = w.heard(gang[27]);
        let refused = |m: &TrackerMessage| {
            matches!(m, TrackerMessage::Error { id: Some(_), code: ErrorCode::RateLimited, .. })
        };
        assert!(answers.len() == 8 && answers.iter().all(refused), "{answers:?}");
        let signal = Sealed::from_parts("a call".into(), Signature([1; 64]));
        w.say(bob, &PeerMessage::Signal { id: 9, to: id(2), signal });
        assert_eq!(w.answer(bob), TrackerMessage::Relayed { id: 9 }, "others are not disturbed");
    }
}

#[test]
fn connections_are_limited_in_all_and_per_address() {
    let mut w = World::new(Config { max_connections: 5, max_per_address: 2, ..Config::default() });
    let from = |w: &mut World, from| {
        let conn = w.connect_from(from);
        !w.closed.contains(&conn)
    };
    assert!(from(&mut w, "192.0.2.1:1") && from(&mut w, "192.0.2.1:2"));
    assert!(!from(&mut w, "192.0.2.1:3"));
    assert!(!from(&mut w, "[::ffff:192.0.2.1]:4"));
    w.server.handle_closed(ConnId(1));
    assert!(from(&mut w, "192.0.2.1:5"));
    assert!(
        from(&mut w, "127.0.0.1:1") && from(&mut w, "127.0.0.1:2") && from(&mut w, "127.0.0.1:3")
    );
    assert!(!from(&mut w, "192.0.2.7:1"), "five in all");
    assert_eq!(w.server.stats().turned_away, 3);
}

#[test]
fn reconnecting_in_a_loop_is_limited_per_address() {
    let mut w = world();
    let kept = (0..200).filter(|port| {
        let conn = w.connect_from(&format!("[2001:db8::{port}]:{port}"));
        w.server.handle_closed(conn);
        !w.closed.contains(&conn)
    });
    assert_eq!(kept.count(), 100);
}

#[test]
fn who_runs_the_tracker_sets_the_rates() {
    use crate::wire::stun::{TransactionId, binding_request};
    let rates = Config { connection_rate: 2, request_rate: 1, stun_rate: 3, ..Config::default() };
    let mut w = World::new(rates);
    let kept = |w: &mut World| {
        let came = |port: &u32| {
            let conn = w.connect_from(&format!("192.0.2.1:{port}"));
            w.server.handle_closed(conn);
            !w.closed.contains(&conn)
        };
        (1..=100).filter(came).count()
    };
    assert_eq!(kept(&mut w), 20, "ten seconds' worth at once");
    w.pass(SECOND);
    assert_eq!(kept(&mut w), 2);

    let alice = w.join(1, "alice");
    let pongs = |w: &mut World| {
        (0..100).for_each(|id| w.say(alice, &PeerMessage::Ping { id }));
        w.heard(alice).iter().filter(|m| matches!(m, TrackerMessage::Pong { .. })).count()
    };
    assert_eq!(pongs(&mut w), 4, "five seconds' worth at once, one of it to register");
    w.pass(SECOND);
    assert_eq!(pongs(&mut w), 1);

    let request = binding_request(TransactionId([1; 12]));
    let answers = |w: &mut World| {
        let from = "192.0.2.1:7000".parse().unwrap();
        (0..100).for_each(|_| w.server.handle_datagram(w.now, from, LOCAL, &request));
        w.drain();
        std::mem::take(&mut w.datagrams).len()
    };
    assert_eq!(answers(&mut w), 12, "four seconds' worth at once");
    w.pass(SECOND);
    assert_eq!(answers(&mut w), 3);
}

#[test]
fn stun_requests_are_answered_five_a_second_for_each_network() {
    use crate::wire::stun::{TransactionId, binding_request, parse_response};
    let mut w = world();
    let request = binding_request(TransactionId([1; 12]));
    let ask = |w: &mut World, from: &str| {
        w.server.handle_datagram(w.now, from.parse().unwrap(), LOCAL, &request);
        w.drain();
        w.datagrams.pop().map(|(to, bytes)| (to, parse_response(&bytes).unwrap().1))
    };
    let from: SocketAddr = "192.0.2.1:7000".parse().unwrap();
    assert_eq!(ask(&mut w, "192.0.2.1:7000"), Some((from, from)));
    let answered = (2..200).filter(|i| ask(&mut w, &format!("192.0.2.{i}:1")).is_some()).count();
    assert_eq!(answered, 19, "a burst of 20");
    w.pass(SECOND);
    let answered = (2..200).filter(|i| ask(&mut w, &format!("192.0.2.{i}:1")).is_some()).count();
    assert_eq!(answered, 5);
    assert!((1..200).all(|port| ask(&mut w, &format!("127.0.0.1:{port}")).is_some()));
    w.server.handle_datagram(w.now, from, LOCAL, b"M-SEARCH * HTTP/1.1\r\n");
    w.drain();
    assert!(w.datagrams.is_empty());
    let stats = w.server.stats();
    assert_eq!((stats.stun_answered, stats.stun_dropped), (1 + 19 + 5 + 199, 179 + 193 + 1));
}

#[test]
fn changes_of_presence_reach_the_others_once_a_second() {
    let mut w = world();
    let watcher = w.join(9, "watcher");
    w.say(watcher, &PeerMessage::Subscribe { id: 1 });
    w.heard(watcher);
    let conn = w.connect();
    let nonce = w.challenge(conn);
    let first = w.record("fickle");
    let mut seq = first.seq;
    let mut flood = |w: &mut World| {
        for _ in 0..21 {
            seq += 1;
            let presence = if seq.is_multiple_of(2) { Presence::Busy } else { Presence::Away };
            let record = PresenceRecord { seq, presence, ..first.clone() };
            w.register_record(conn, nonce, 1, &record);
        }
        w.heard(watcher).len()
    };
    assert_eq!(flood(&mut w), 5, "five at once, the first of them as it joins");
    w.pass(2 * SECOND);
    assert_eq!(flood(&mut w), 2);
    let refused = |m: &TrackerMessage| {
        matches!(m, TrackerMessage::Error { id: Some(7), code: ErrorCode::RateLimited, .. })
    };
    assert_eq!(w.heard(conn).iter().filter(|m| refused(m)).count(), 35);
    assert_eq!(w.server.stats().rate_limited, 35);
    assert!(w.look_up(watcher, "fickle").is_some(), "it stays registered");
}
