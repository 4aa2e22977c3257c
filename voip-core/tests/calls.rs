//! How calls begin and end: every typed end, both sides.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Two, end_of, loud_seconds, ms, secs, tone};
use voip_core::sim::{Link, NodeOptions, World};
use voip_core::{CallState, EndReason, Event};

#[test]
fn a_call_is_placed_answered_heard_both_ways_and_hung_up() {
    let mut two = Two::with(1, Link::default(), true, &NodeOptions::new("", []));
    let (call, at_bob) = two.connect();
    two.world.say(two.alice, &tone(440.0, 1.0));
    two.world.say(two.bob, &tone(880.0, 2.0));
    two.world.run_for(secs(3));
    let (bob_heard, alice_heard) = (two.world.heard(two.bob), two.world.heard(two.alice));
    assert!((0.98..1.06).contains(&loud_seconds(bob_heard)), "{}", loud_seconds(bob_heard));
    assert!((1.98..2.06).contains(&loud_seconds(alice_heard)), "{}", loud_seconds(alice_heard));
    two.world.hang_up(two.alice, call);
    assert_eq!(two.end_of(two.alice, call, ms(0)), Some(EndReason::HungUp));
    assert_eq!(two.end_of(two.bob, at_bob, secs(1)), Some(EndReason::PeerHungUp));
    let stats = two.world.stats(two.alice, call).unwrap();
    assert_eq!((stats.packets_lost, stats.concealed_pct), (0, 0.0));
    assert!(stats.first_audio_ms.unwrap() <= 40.0, "{stats:?}");
}

#[test]
fn events_tell_the_story_in_order() {
    let mut two = Two::new(1, Link::default(), false);
    let call = two.world.place(two.alice, "bob");
    two.world.run_for(ms(500));
    let at_bob = two.world.calls(two.bob)[0];
    two.world.answer(two.bob, at_bob);
    two.world.run_for(secs(1));
    two.world.hang_up(two.bob, at_bob);
    two.world.run_for(secs(1));
    let story = |events: Vec<Event<_>>| -> Vec<&str> {
        let names = events.iter().map(|e| match e {
            Event::Registered { .. } => "registered",
            Event::Joined { .. } => "joined",
            Event::Incoming { .. } => "incoming",
            Event::Ringing { .. } => "ringing",
            Event::Answered { .. } => "answered",
            Event::Connected { .. } => "connected",
            Event::VerificationReady { .. } => "words",
            Event::FirstAudio { .. } => "first audio",
            Event::Ended { reason: EndReason::HungUp, .. } => "hung up",
            Event::Ended { reason: EndReason::PeerHungUp, .. } => "peer hung up",
            Event::Changed { .. } => "changed",
            Event::MediaSilent { .. } => "silence",
            _ => "something else",
        });
        // What microphones say of themselves has tests of its own.
        names.filter(|n| !["changed", "silence"].contains(n)).collect()
    };
    let alice = story(two.world.events(two.alice));
    let call_at = |begins: &[&'static str], end| {
        [begins, &["answered", "connected", "words", "first audio", end]].concat()
    };
    assert_eq!(alice, call_at(&["registered", "joined", "ringing"], "peer hung up"));
    let bob = story(two.world.events(two.bob));
    assert_eq!(bob, call_at(&["registered", "incoming"], "hung up"));
    assert_eq!(two.end_of(two.alice, call, ms(0)), Some(EndReason::PeerHungUp));
}

#[test]
fn a_declined_call_is_declined() {
    let mut two = Two::new(1, Link::default(), false);
    let call = two.world.place(two.alice, "bob");
    two.world.run_for(ms(500));
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Ringing));
    let at_bob = two.world.calls(two.bob)[0];
    two.world.decline(two.bob, at_bob);
    assert_eq!(two.end_of(two.alice, call, secs(1)), Some(EndReason::Declined));
}

#[test]
fn a_call_that_nobody_takes_ends_after_the_ring_time() {
    let options =
        NodeOptions { ring_timeout: secs(7), stand_in_codec: true, ..NodeOptions::new("", []) };
    let mut two = Two::with(1, Link::default(), false, &options);
    let begun = two.world.elapsed();
    let call = two.world.place(two.alice, "bob");
    assert_eq!(two.end_of(two.alice, call, secs(60)), Some(EndReason::NoAnswer));
    assert_eq!((two.world.elapsed() - begun).as_secs(), 7);
    let at_bob = two.world.calls(two.bob)[0];
    assert_eq!(two.end_of(two.bob, at_bob, secs(1)), Some(EndReason::Missed));
}

#[test]
fn a_cancelled_call_is_a_missed_one() {
    let mut two = Two::new(1, Link::default(), false);
    let call = two.world.place(two.alice, "bob");
    two.world.run_for(ms(500));
    two.world.hang_up(two.alice, call);
    let at_bob = two.world.calls(two.bob)[0];
    assert_eq!(two.end_of(two.bob, at_bob, secs(1)), Some(EndReason::Missed));
}

#[test]
fn a_third_caller_hears_that_bob_is_busy() {
    let mut two = Two::new(1, Link::default(), true);
    two.connect();
    let carol = NodeOptions { stand_in_codec: true, ..NodeOptions::new("carol", [two.tracker]) };
    let carol = two.world.add_node(carol).unwrap();
    two.world.run_for(secs(1));
    let call = two.world.place(carol, "bob");
    assert_eq!(two.end_of(carol, call, secs(1)), Some(EndReason::Busy));
    assert_eq!(two.world.calls(two.bob).len(), 1, "Bob is not disturbed");
}

#[test]
fn nobody_of_that_name_and_ones_own_name() {
    let mut two = Two::new(1, Link::default(), true);
    let call = two.world.place(two.alice, "nobody");
    assert_eq!(two.end_of(two.alice, call, secs(1)), Some(EndReason::UnknownPeer));
    let call = two.world.place(two.alice, "alice");
    assert_eq!(two.end_of(two.alice, call, secs(1)), Some(EndReason::Busy));
}

#[test]
fn a_peer_is_called_by_its_key() {
    let mut two = Two::new(1, Link::default(), true);
    let key = two.world.id(two.bob).to_string();
    let call = two.world.place(two.alice, &key);
    let alice = two.alice;
    let up = |w: &World| w.state(alice, call) == Some(CallState::Connected);
    assert!(two.world.run_until(secs(1), up));
    let nobody = "ab".repeat(32);
    let mut other = Two::new(2, Link::default(), true);
    let call = other.world.place(other.alice, &nobody);
    assert_eq!(other.end_of(other.alice, call, secs(1)), Some(EndReason::UnknownPeer));
}

#[test]
fn without_a_tracker_there_is_no_call() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    world.set_tracker_running(tracker, false);
    let alice = world.add_node(NodeOptions::new("alice", [tracker])).unwrap();
    let call = world.place(alice, "bob");
    assert_eq!(end_of(&mut world, alice, call, secs(10)), Some(EndReason::TrackerUnreachable));
    assert!(world.peers(alice).is_err());
}

#[test]
fn a_call_placed_before_the_tracker_is_there_waits_for_it() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    let node = |name: &str| NodeOptions {
        auto_answer: true,
        stand_in_codec: true,
        ..NodeOptions::new(name, [tracker])
    };
    let bob = world.add_node(node("bob")).unwrap();
    world.run_for(secs(1));
    let alice = world.add_node(node("alice")).unwrap();
    let call = world.place(alice, "bob");
    let up = |w: &World| w.state(alice, call) == Some(CallState::Connected);
    assert!(world.run_until(secs(1), up));
    assert_eq!(world.calls(bob).len(), 1);
}

#[test]
fn two_who_call_each_other_at_once_have_one_call() {
    // Looking up takes 80 ms here, an offer 80 more: every way to cross, and plain calling back.
    for apart in (0..=300).step_by(10) {
        let link = Link { delay: ms(40), ..Link::default() };
        let mut two = Two::new(apart, link, false);
        let from_alice = two.world.place(two.alice, "bob");
        two.world.run_for(ms(apart));
        let from_bob = two.world.place(two.bob, "alice");
        two.world.run_for(secs(3));
        let states = (two.world.state(two.alice, from_alice), two.world.state(two.bob, from_bob));
        let connected = Some(CallState::Connected);
        assert_eq!(states, (connected, connected), "{apart} ms apart");
        two.world.say(two.alice, &tone(440.0, 1.0));
        two.world.run_for(secs(2));
        assert!(loud_seconds(two.world.heard(two.bob)) > 0.9, "{apart} ms apart");
    }
}

#[test]
fn a_peer_that_vanishes_is_noticed() {
    let mut two = Two::new(1, Link::default(), true);
    let (call, _) = two.connect();
    two.world.run_for(secs(2));
    two.world.set_cut_off(two.bob, true);
    assert_eq!(two.end_of(two.alice, call, secs(60)), Some(EndReason::NetworkLost));
}

#[test]
fn a_peer_without_a_path_is_unreachable() {
    let mut two = Two::new(1, Link::default(), false);
    let call = two.world.place(two.alice, "bob");
    two.world.run_for(ms(500));
    let at_bob = two.world.calls(two.bob)[0];
    two.world.set_datagrams_blocked(true);
    two.world.answer(two.bob, at_bob);
    assert_eq!(two.end_of(two.alice, call, secs(30)), Some(EndReason::Unreachable));
    assert!(two.end_of(two.bob, at_bob, secs(30)).is_some());
}

#[test]
fn a_closed_node_says_goodbye_to_everybody() {
    let mut two = Two::new(1, Link::default(), true);
    let (call, at_bob) = two.connect();
    two.world.close(two.bob);
    assert_eq!(two.end_of(two.bob, at_bob, ms(0)), Some(EndReason::NodeClosed));
    assert_eq!(two.end_of(two.alice, call, secs(1)), Some(EndReason::PeerHungUp));
    two.world.run_for(secs(1));
    let left = |e: &Event<_>| matches!(e, Event::Left { name, online: 1, .. } if name == "bob");
    assert!(two.world.events(two.alice).iter().any(left));
}

#[test]
fn a_muted_microphone_sends_no_packet_and_the_peer_is_told() {
    let mut two = Two::new(1, Link::default(), true);
    let (call, at_bob) = two.connect();
    two.world.say(two.alice, &tone(440.0, 10.0));
    two.world.run_for(secs(2));
    two.world.set_muted(two.alice, call, true);
    let sent = two.world.stats(two.alice, call).unwrap().packets_sent;
    let heard = two.world.heard(two.bob).len();
    two.world.run_for(secs(2));
    assert_eq!(two.world.stats(two.alice, call).unwrap().packets_sent, sent);
    // What was under way is still heard, and its end fades out.
    assert!(loud_seconds(&two.world.heard(two.bob)[heard + 14_400..]) == 0.0);
    two.world.set_muted(two.alice, call, false);
    two.world.run_for(secs(2));
    assert!(two.world.stats(two.alice, call).unwrap().packets_sent >= sent + 99);
    let stats = two.world.stats(two.bob, at_bob).unwrap();
    assert_eq!(stats.packets_lost, 0, "silence that was not sent is not loss");
    let told = two.world.events(two.bob).into_iter().filter_map(|e| match e {
        Event::PeerMuted { muted, .. } => Some(muted),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn several_calls_at_one_node_are_mixed() {
    let mut world = World::new(5);
    let tracker = world.add_tracker();
    let node = |name: &str| NodeOptions {
        max_calls: 2,
        auto_answer: true,
        ..NodeOptions::new(name, [tracker])
    };
    let bob = world.add_node(node("bob")).unwrap();
    let callers = ["alice", "carol"].map(|name| world.add_node(node(name)).unwrap());
    world.run_for(secs(1));
    for caller in callers {
        world.place(caller, "bob");
        world.run_for(ms(300));
    }
    world.say(callers[0], &tone(500.0, 2.0));
    world.say(callers[1], &tone(1500.0, 2.0));
    world.run_for(secs(2));
    let heard = &world.heard(bob)[world.heard(bob).len() - 48_000..];
    for hertz in [500.0, 1500.0] {
        assert!(strength(heard, hertz) > 0.1, "{hertz} Hz: {}", strength(heard, hertz));
    }
}

/// The amplitude of one frequency.
fn strength(samples: &[f32], hertz: f32) -> f32 {
    let step = hertz * std::f32::consts::TAU / 48_000.0;
    let sum = samples.iter().enumerate().fold((0.0f32, 0.0f32), |(re, im), (i, s)| {
        let phase = i as f32 * step;
        (re + s * phase.cos(), im + s * phase.sin())
    });
    2.0 * sum.0.hypot(sum.1) / samples.len() as f32
}

#[test]
fn calling_back_whoever_rings_answers_the_call() {
    let options = NodeOptions { max_calls: 2, stand_in_codec: true, ..NodeOptions::new("", []) };
    let mut two = Two::with(1, Link::default(), false, &options);
    let from_alice = two.world.place(two.alice, "bob");
    two.world.run_for(ms(500));
    let ringing = two.world.calls(two.bob)[0];
    let from_bob = two.world.place(two.bob, "alice");
    two.world.run_for(secs(2));
    let connected = Some(CallState::Connected);
    assert_eq!(two.world.state(two.alice, from_alice), connected);
    assert_eq!(two.world.state(two.bob, from_bob), connected);
    assert!(matches!(two.world.state(two.bob, ringing), Some(CallState::Ended(_))));
    let second = two.world.place(two.alice, "bob");
    assert_eq!(two.end_of(two.alice, second, secs(1)), Some(EndReason::Busy));
}

#[test]
fn a_callee_who_has_rung_long_enough_says_so() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    let node = |name: &str, ring| NodeOptions {
        ring_timeout: secs(ring),
        ..NodeOptions::new(name, [tracker])
    };
    let alice = world.add_node(node("alice", 300)).unwrap();
    let bob = world.add_node(node("bob", 10)).unwrap();
    world.run_for(secs(1));
    let begun = world.elapsed();
    let call = world.place(alice, "bob");
    assert_eq!(end_of(&mut world, alice, call, secs(60)), Some(EndReason::NoAnswer));
    assert_eq!((world.elapsed() - begun).as_secs(), 15);
    let at_bob = world.calls(bob)[0];
    assert_eq!(end_of(&mut world, bob, at_bob, secs(1)), Some(EndReason::Missed));
}
