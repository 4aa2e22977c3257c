//! Peers who ask for somebody who asks for somebody.

use super::*;

impl World {
    fn ask(&mut self, conn: ConnId) -> TrackerMessage {
        self.say(conn, &PeerMessage::Pair { id: 5 });
        let mut heard = self.heard(conn);
        assert_eq!(heard.remove(0), TrackerMessage::Pairing { id: 5 }, "the answer comes first");
        heard.pop().unwrap_or(TrackerMessage::Unknown)
    }

    fn give_up(&mut self, conn: ConnId) {
        self.say(conn, &PeerMessage::Unpair { id: 6 });
        assert_eq!(self.answer(conn), TrackerMessage::Unpaired { id: 6 });
    }

    fn waits(&mut self, conn: ConnId) -> bool {
        self.ask(conn) == TrackerMessage::Unknown
    }
}

/// Whom a peer is told that it was handed to.
fn with(notice: TrackerMessage) -> PeerId {
    match notice {
        TrackerMessage::Paired { peer } => peer.record.open().unwrap().id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_who_ask_are_handed_to_each_other_and_wait_no_longer() {
    let mut w = world();
    let peers = [1, 2, 3, 4, 5].map(|key| w.join(key, &format!("peer {key}")));
    w.events.clear();
    assert!(w.waits(peers[0]));
    assert_eq!(with(w.ask(peers[1])), id(1));
    assert_eq!(with(w.answer(peers[0])), id(2));
    let names = [(1, 1), (2, 2)].map(|(key, n)| (id(key), format!("peer {n}")));
    let [(id_1, name), (other_id, other_name)] = names;
    assert_eq!(w.events, [TrackerEvent::Paired { id: id_1, name, other_id, other_name }]);
    assert!(w.waits(peers[2]), "the first two wait no longer");
    assert_eq!(with(w.ask(peers[3])), id(3));
    assert_eq!(with(w.answer(peers[2])), id(4));
    assert!(w.waits(peers[4]), "one is left over");
    assert_eq!(with(w.ask(peers[0])), id(5), "and gets one who comes back");
}

#[test]
fn who_asks_twice_is_not_handed_to_itself() {
    let mut w = world();
    let alice = w.join(1, "alice");
    assert!(w.waits(alice) && w.waits(alice));
    let again = w.join(1, "alice");
    assert_eq!(w.error(alice), ErrorCode::Replaced);
    assert!(w.waits(again), "a key of two connections is one peer");
    let bob = w.join(2, "bob");
    assert_eq!(with(w.ask(bob)), id(1));
    assert_eq!(with(w.answer(again)), id(2));
    assert!(w.heard(alice).is_empty());
}

#[test]
fn who_gives_up_or_goes_waits_no_longer() {
    let mut w = world();
    let bob = w.join(2, "bob");
    w.give_up(bob);
    let ends: [fn(&mut World, ConnId); 4] = [
        |w, conn| w.give_up(conn),
        |w, conn| w.say(conn, &PeerMessage::Leave { id: 1 }),
        |w, conn| w.server.handle_closed(conn),
        |w, conn| w.server.handle_backlog(conn, usize::MAX),
    ];
    for (key, end) in (3..).zip(ends) {
        let peer = w.join(key, &format!("peer {key}"));
        assert!(w.waits(peer));
        end(&mut w, peer);
        assert!(w.waits(bob), "nobody is there");
        w.give_up(bob);
    }
    let alice = w.join(1, "alice");
    assert!(w.waits(alice));
    w.give_up(bob);
    assert_eq!(with(w.ask(bob)), id(1), "nobody gives up for another");
}

#[test]
fn who_waits_is_handed_over_with_what_it_says_now() {
    let mut w = world();
    let conn = w.connect();
    let nonce = w.challenge(conn);
    let first = w.record("alice");
    w.register_record(conn, nonce, 1, &first);
    w.heard(conn);
    assert!(w.waits(conn));
    let second = PresenceRecord { seq: first.seq + 1, name: "alicia".into(), ..first };
    w.register_record(conn, nonce, 1, &second);
    let bob = w.join(2, "bob");
    let TrackerMessage::Paired { peer } = w.ask(bob) else { panic!("still waits") };
    assert_eq!(peer.record.open().unwrap().name, "alicia");
}

#[test]
fn to_ask_is_a_request_like_others() {
    let mut w = world();
    let stranger = w.connect();
    w.heard(stranger);
    for message in [PeerMessage::Pair { id: 1 }, PeerMessage::Unpair { id: 1 }] {
        w.say(stranger, &message);
        assert_eq!(w.error(stranger), ErrorCode::NotRegistered);
    }
    let alice = w.join(1, "alice");
    let most = w.server.config.request_rate * 5 - 1;
    for _ in 0..most {
        assert!(w.waits(alice));
    }
    w.say(alice, &PeerMessage::Pair { id: 1 });
    assert_eq!(w.error(alice), ErrorCode::RateLimited);
}
