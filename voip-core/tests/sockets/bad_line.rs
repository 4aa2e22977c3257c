//! A bad line inside the node: the packets that are lost are those foretold, and the rest arrives.

use crate::harness::{
    LIMIT, Pair, await_event, end_of, failure, incoming, node, tone, tracker, until,
};
use voip_core::sim::Link;
use voip_core::{Duration, EndReason, ErrorKind, Event};

#[test]
fn what_the_line_loses_is_what_the_other_side_misses() {
    let link = Link { jitter: Duration::from_millis(20), loss: 0.2, ..Link::default() };
    let audio = voip_core::Audio::Manual { rate: 48_000 };
    let pair = Pair::with(|builder| builder.audio(audio.clone()).line(link, 5));
    let (at_alice, at_bob) = pair.connect();
    at_alice.write(&tone(440.0, 48_000, 4.0), LIMIT).unwrap();
    until(&at_alice, || pair.alice.line_stats().is_some_and(|line| line.sent == 200));
    let line = pair.alice.line_stats().unwrap();
    assert_eq!(line.lost, link.sound_lost(5, line.sent), "{line:?}");
    assert_eq!(line.overflowed, 0);
    // At the beginning Bob may not be ready, at the end some are under way.
    let all = line.sent - line.lost;
    until(&at_bob, || at_bob.stats().packets_received + 5 >= all);
    let stats = at_bob.stats();
    assert!(stats.packets_received <= all, "{stats:?}");
    assert!((2.0..12.0).contains(&stats.jitter_ms), "{stats:?}");
}

#[test]
fn the_goodbye_of_a_node_that_is_closed_gets_through_the_line() {
    let link = Link { delay: Duration::from_millis(100), ..Link::default() };
    let Pair { tracker, alice, bob } = Pair::with(|builder| builder.line(link, 1));
    let at_alice = alice.place("bob").unwrap();
    let at_bob = incoming(&bob);
    at_bob.answer().unwrap();
    at_alice.wait_connected(LIMIT).unwrap();
    at_bob.wait_connected(LIMIT).unwrap();
    // Nobody else can carry it.
    drop(tracker);
    await_event(&alice, |event| matches!(event, Event::TrackerLost { .. }).then_some(()));
    alice.close();
    assert_eq!(end_of(&at_bob), EndReason::PeerHungUp);
}

#[test]
fn a_line_that_is_none_is_refused_and_without_one_nothing_is_counted() {
    let tracker = tracker();
    let wrong = Link { loss: 1.5, ..Link::default() };
    let error = failure(node("alice", &tracker).line(wrong, 1).start());
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("loss"), "{error}");
    assert_eq!(node("alice", &tracker).start().unwrap().line_stats(), None);
}
