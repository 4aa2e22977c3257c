//! Calls between contacts: the path is made while it rings, the answer is heard at once, and no sound leaves before it.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{Two, loud_seconds, ms, secs, tone};
use voip_core::sim::{Link, NodeOptions, SimCall, World};
use voip_core::{CallState, ContactState, Duration, EndReason, Event};

/// A round trip of 100 ms.
const LINK: Link = Link {
    delay: Duration::from_millis(50),
    jitter: Duration::ZERO,
    loss: 0.0,
    duplicate: 0.0,
    rate: None,
};
/// One frame of sound, and the steps in which time is looked at.
const FRAME: Duration = Duration::from_millis(21);

/// When packets of sound were sent, and by whom; all that was ever sent to whom.
#[derive(Default)]
struct Seen {
    rtp: Vec<(Duration, SocketAddr)>,
    datagrams: Vec<(SocketAddr, SocketAddr)>,
}

/// Alice calls Bob, to whom she is a contact unless she is a `stranger`, and it rings for two seconds.
fn ringing(options: &NodeOptions, stranger: bool) -> (Two, SimCall, Arc<Mutex<Seen>>) {
    let mut two = Two::with(1, LINK, false, options);
    if !stranger {
        let alice = two.world.id(two.alice);
        two.world.set_contact(two.bob, "alice", alice, ContactState::Accepted);
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let watching = seen.clone();
    two.world.set_middle(move |now, passing| {
        let mut seen = watching.lock().unwrap();
        if passing.is_datagram {
            seen.datagrams.push((passing.source, passing.destination));
        }
        // RFC 7983: the first byte of RTP and RTCP; RFC 5761: the second tells them apart.
        if let [128..=191, kind, ..] = passing.contents[..]
            && passing.is_datagram
            && !(64..96).contains(&(kind & 0x7f))
        {
            seen.rtp.push((now, passing.source));
        }
        vec![passing]
    });
    two.world.say(two.alice, &tone(440.0, 60.0));
    two.world.say(two.bob, &tone(880.0, 60.0));
    let call = two.world.place(two.alice, "bob");
    two.world.run_for(secs(2));
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Ringing));
    (two, call, seen)
}

fn options() -> NodeOptions {
    NodeOptions { stand_in_codec: true, ..NodeOptions::new("", []) }
}

fn at_bob(two: &Two) -> SimCall {
    *two.world.calls(two.bob).last().unwrap()
}

fn is_up(two: &Two, call: SimCall) -> bool {
    let up = Some(CallState::Connected);
    two.world.state(two.alice, call) == up && two.world.state(two.bob, at_bob(two)) == up
}

fn words(world: &mut World, node: voip_core::sim::NodeKey) -> Option<[&'static str; 4]> {
    world.events(node).into_iter().find_map(|event| match event {
        Event::VerificationReady { words, .. } => Some(words),
        _ => None,
    })
}

#[test]
fn a_contact_is_heard_one_round_trip_after_the_answer_and_nothing_is_sent_before() {
    let (mut two, call, seen) = ringing(&options(), false);
    assert_eq!(seen.lock().unwrap().rtp, []);
    let answered = two.world.elapsed();
    two.world.answer(two.bob, at_bob(&two));
    two.world.run_for(secs(5));
    assert!(is_up(&two, call));
    let (alice, bob) = (two.world.address(two.alice), two.world.address(two.bob));
    let seen = seen.lock().unwrap();
    let first = |from| seen.rtp.iter().find(|(_, source)| *source == from).unwrap().0 - answered;
    // From Bob at once, who is heard half a round trip later; from Alice when she knows.
    assert!(first(bob) <= FRAME, "{:?}", first(bob));
    assert!(first(alice) <= LINK.delay + FRAME, "{:?}", first(alice));
    for node in [two.alice, two.bob] {
        assert!(loud_seconds(two.world.heard(node)) > 4.7, "both hear each other from then on");
    }
    let words = [two.alice, two.bob].map(|node| words(&mut two.world, node).unwrap());
    assert_eq!(words[0], words[1]);
}

#[test]
fn a_stranger_learns_no_address_while_it_rings() {
    let (mut two, call, seen) = ringing(&options(), true);
    let (alice, bob) = (two.world.address(two.alice), two.world.address(two.bob));
    let between = |(from, to): &(SocketAddr, SocketAddr)| {
        [(alice, bob), (bob, alice)].contains(&(*from, *to))
    };
    assert_eq!(seen.lock().unwrap().datagrams.iter().filter(|d| between(d)).count(), 0);
    two.world.answer(two.bob, at_bob(&two));
    two.world.run_for(secs(1));
    assert!(is_up(&two, call));
    assert!(seen.lock().unwrap().datagrams.iter().any(between));
}

#[test]
fn refusing_and_giving_up_say_the_same_with_an_early_path() {
    let (mut two, call, seen) = ringing(&options(), false);
    let there = at_bob(&two);
    two.world.decline(two.bob, there);
    assert_eq!(two.end_of(two.alice, call, secs(1)), Some(EndReason::Declined));
    assert_eq!(two.world.state(two.bob, there), Some(CallState::Ended(EndReason::HungUp)));

    let call = two.world.place(two.alice, "bob");
    two.world.run_for(secs(2));
    two.world.hang_up(two.alice, call);
    let there = at_bob(&two);
    assert_eq!(two.end_of(two.bob, there, secs(1)), Some(EndReason::Missed));
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Ended(EndReason::HungUp)));
    assert_eq!(seen.lock().unwrap().rtp, []);
}

#[test]
fn an_answer_is_heard_though_the_tracker_is_gone_by_then() {
    let (mut two, call, _) = ringing(&options(), false);
    two.world.set_tracker_running(two.tracker, false);
    two.world.run_for(secs(3));
    two.world.answer(two.bob, at_bob(&two));
    two.world.run_for(secs(1));
    assert!(is_up(&two, call));
    let words = [two.alice, two.bob].map(|node| words(&mut two.world, node).unwrap());
    assert_eq!(words[0], words[1]);
}

#[test]
fn a_path_that_was_not_to_be_had_while_it_rang_is_found_after_the_answer() {
    let mut two = Two::with(1, LINK, false, &options());
    let alice = two.world.id(two.alice);
    two.world.set_contact(two.bob, "alice", alice, ContactState::Accepted);
    two.world.set_datagrams_blocked(true);
    let call = two.world.place(two.alice, "bob");
    two.world.run_for(secs(30));
    two.world.set_datagrams_blocked(false);
    two.world.answer(two.bob, at_bob(&two));
    two.world.run_for(secs(2));
    assert!(is_up(&two, call));
}

#[test]
fn a_path_that_broke_while_it_rang_is_sought_after_the_answer() {
    let (mut two, call, _) = ringing(&options(), false);
    two.world.move_node(two.alice);
    two.world.run_for(secs(12));
    two.world.answer(two.bob, at_bob(&two));
    two.world.run_for(secs(6));
    assert!(is_up(&two, call));
    let before = two.world.heard(two.bob).len();
    two.world.run_for(secs(2));
    assert!(loud_seconds(&two.world.heard(two.bob)[before..]) > 1.9);
}

#[test]
fn contacts_on_a_bad_line_hear_each_other() {
    for seed in 1..=20 {
        let link = Link { loss: 0.2, jitter: ms(30), ..LINK };
        let mut two = Two::with(seed, link, false, &options());
        let alice = two.world.id(two.alice);
        two.world.set_contact(two.bob, "alice", alice, ContactState::Accepted);
        let call = two.world.place(two.alice, "bob");
        two.world.run_for(ms(100 * seed));
        let rings = |w: &World| !w.calls(two.bob).is_empty();
        assert!(two.world.run_until(secs(5), rings), "seed {seed}");
        two.world.answer(two.bob, at_bob(&two));
        let up = |w: &World| {
            w.state(two.alice, call) == Some(CallState::Connected)
                && w.state(two.bob, w.calls(two.bob)[0]) == Some(CallState::Connected)
        };
        assert!(two.world.run_until(secs(5), up), "seed {seed}");
    }
}
