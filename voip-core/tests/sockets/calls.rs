//! Calls as they should go: found, placed, rung, answered, hung up, from either side.

use crate::harness::{
    LIMIT, Pair, await_event, end_of, failure, incoming, ms, node, online, until,
};
use voip_core::{CallState, EndReason, ErrorKind, Event, Reject};

#[test]
fn who_is_registered_is_listed_with_name_and_key() {
    let pair = Pair::new();
    let peers = pair.alice.peers(LIMIT).unwrap();
    let listed: Vec<_> = peers.iter().map(|p| (p.name.as_str(), p.id)).collect();
    assert_eq!(listed, [("alice", pair.alice.id()), ("bob", pair.bob.id())]);
}

#[test]
fn a_call_is_placed_rings_is_answered_and_hung_up_by_the_caller() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.ring();
    assert_eq!(at_bob.state(), CallState::Ringing);
    assert_eq!(at_bob.peer().name, "alice");
    assert_eq!(at_bob.peer().id, Some(pair.alice.id()));
    assert_eq!(failure(at_alice.answer()).kind(), ErrorKind::InvalidState, "it rings there");
    at_bob.answer().unwrap();
    at_alice.wait_answered(LIMIT).unwrap();
    at_alice.wait_connected(LIMIT).unwrap();
    at_bob.wait_connected(LIMIT).unwrap();
    assert_eq!(at_alice.state(), CallState::Connected);
    assert_eq!(at_alice.peer().id, Some(pair.bob.id()));
    at_alice.hang_up();
    assert_eq!(end_of(&at_alice), EndReason::HungUp);
    assert_eq!(end_of(&at_bob), EndReason::PeerHungUp);
    at_alice.hang_up();
    assert_eq!(at_alice.state(), CallState::Ended(EndReason::HungUp), "twice is once");
    assert_eq!(failure(at_bob.answer()).kind(), ErrorKind::CallEnded);
}

#[test]
fn the_one_who_was_called_may_hang_up_as_well() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.connect();
    at_bob.hang_up();
    assert_eq!(end_of(&at_bob), EndReason::HungUp);
    assert_eq!(end_of(&at_alice), EndReason::PeerHungUp);
    at_alice.wait_answered(ms(0)).unwrap();
    assert_eq!(failure(at_alice.wait_connected(ms(0))).kind(), ErrorKind::CallEnded);
}

#[test]
fn a_key_is_called_like_a_name() {
    let pair = Pair::new();
    let _at_alice = pair.alice.place(&pair.bob.id().to_string()).unwrap();
    assert_eq!(incoming(&pair.bob).peer().name, "alice");
}

#[test]
fn one_after_the_other_is_no_trouble() {
    let pair = Pair::new();
    for _ in 0..3 {
        let (at_alice, at_bob) = pair.connect();
        at_alice.hang_up();
        assert_eq!(end_of(&at_bob), EndReason::PeerHungUp);
    }
}

#[test]
fn clones_are_one_call_and_the_last_one_dropped_hangs_up() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.connect();
    let clone = at_alice.clone();
    assert_eq!(clone, at_alice);
    drop(at_alice);
    clone.set_muted(true);
    assert!(clone.clone().is_muted());
    let muted = |event| matches!(event, Event::PeerMuted { muted: true, .. }).then_some(());
    await_event(&pair.bob, muted);
    assert_eq!(clone.state(), CallState::Connected);
    drop(clone);
    assert_eq!(end_of(&at_bob), EndReason::PeerHungUp);
}

#[test]
fn events_that_nobody_reads_keep_no_call_up() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.connect();
    // Ringing, Answered and Connected wait in Alice's queue.
    drop(at_alice);
    assert_eq!(end_of(&at_bob), EndReason::PeerHungUp);
    let reason = await_event(&pair.alice, |event| match event {
        Event::Ended { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason, EndReason::HungUp);
}

#[test]
fn an_incoming_call_waits_in_its_event_and_is_declined_if_that_is_dropped() {
    let pair = Pair::new();
    let at_alice = pair.alice.place("bob").unwrap();
    drop(incoming(&pair.bob));
    assert_eq!(end_of(&at_alice), EndReason::Declined);
}

#[test]
fn an_automatically_answered_call_needs_nobody_to_read_events() {
    let pair = Pair::with(|builder| builder.auto_answer(true));
    let call = pair.alice.call("bob", LIMIT).unwrap();
    call.wait_connected(LIMIT).unwrap();
    assert_eq!(failure(call.wait_ended(ms(300))).kind(), ErrorKind::TimedOut, "it stays up");
    let at_bob = incoming(&pair.bob);
    drop(at_bob.clone());
    drop(at_bob);
    assert_eq!(failure(call.wait_ended(ms(100))).kind(), ErrorKind::TimedOut, "still");
    call.hang_up();
    let ended = |event| matches!(event, Event::Ended { .. }).then_some(());
    await_event(&pair.bob, ended);
}

#[test]
fn a_node_hears_several_calls_if_it_may() {
    let pair = Pair::with(|builder| builder.auto_answer(true).max_calls(2));
    let carol = online(node("carol", &pair.tracker));
    let calls = [pair.alice.call("bob", LIMIT).unwrap(), carol.call("bob", LIMIT).unwrap()];
    for call in calls {
        call.wait_connected(LIMIT).unwrap();
    }
}

#[test]
fn a_thousand_wishes_at_once_are_granted_at_once() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.ring();
    for i in 0..20_000 {
        at_alice.set_muted(i % 2 == 0);
    }
    at_alice.hang_up();
    assert_eq!(end_of(&at_bob), EndReason::Missed);
}

#[test]
fn final_statistics_stay() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.connect();
    until(&at_bob, || at_bob.stats().path.is_some());
    at_alice.hang_up();
    end_of(&at_bob);
    let last = at_bob.stats();
    assert!(last.packets_received > 0 && last.first_audio_ms.is_some(), "{last:?}");
    assert!(last.answer_ms.is_some() && last.path.is_some(), "{last:?}");
    drop(pair);
    assert_eq!(at_bob.stats(), last);
    assert_eq!(failure(at_bob.reject(Reject::Busy)).kind(), ErrorKind::CallEnded);
}
