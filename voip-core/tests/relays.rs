//! Calls whose peers reach each other only by a relay, and calls that need it only for a while.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;

use common::{Two, loud_seconds, ms, secs, tone};
use voip_core::sim::{Link, NodeKey, NodeOptions, SimCall};
use voip_core::{CallState, Duration, EndReason, Event};

/// A round trip of 60 ms.
fn link() -> Link {
    Link { delay: ms(30), ..Link::default() }
}

fn options() -> NodeOptions {
    NodeOptions { stand_in_codec: true, ..NodeOptions::new("", []) }
}

fn two(auto_answer: bool, options: &NodeOptions) -> Two {
    let mut two = Two::at(1, link(), auto_answer, options, true);
    two.world.say(two.alice, &tone(440.0, 300.0));
    two.world.say(two.bob, &tone(880.0, 300.0));
    two
}

/// Alice calls Bob, who answers at once: the call, and how long after the answer both hear each other.
fn heard_after(two: &mut Two) -> (SimCall, Option<Duration>) {
    let call = two.world.place(two.alice, "bob");
    let connecting =
        |w: &voip_core::sim::World| w.state(two.alice, call) == Some(CallState::Connecting);
    assert!(two.world.run_until(secs(5), connecting));
    let answered = two.world.elapsed();
    let mut waiting = vec![two.alice, two.bob];
    while two.world.elapsed() - answered < secs(20) && !waiting.is_empty() {
        two.world.run_for(ms(10));
        waiting.retain(|node| {
            !two.world.events(*node).iter().any(|event| matches!(event, Event::FirstAudio { .. }))
        });
    }
    let time = two.world.elapsed() - answered;
    (call, waiting.is_empty().then_some(time))
}

fn path(two: &Two, node: NodeKey) -> (SocketAddr, SocketAddr) {
    let call = *two.world.calls(node).last().unwrap();
    two.world.stats(node, call).unwrap().path.unwrap()
}

fn is_relayed(two: &Two, node: NodeKey) -> bool {
    let (local, remote) = path(two, node);
    [local, remote].iter().any(|address| address.ip().to_string() == "10.0.1.1")
}

#[test]
fn peers_whose_routers_let_nothing_through_hear_each_other_by_the_relay() {
    let mut two = two(true, &options());
    two.world.set_direct_blocked(true);
    let (_, heard) = heard_after(&mut two);
    assert!(heard.unwrap() < ms(1_500), "{heard:?}");
    two.world.run_for(secs(20));
    assert!(is_relayed(&two, two.alice) && is_relayed(&two, two.bob));
    for node in [two.alice, two.bob] {
        let seconds = loud_seconds(two.world.heard(node));
        assert!(seconds > 19.5, "{seconds}");
    }
}

#[test]
fn without_datagrams_the_relay_is_reached_over_a_connection() {
    let mut two = two(true, &options());
    two.world.set_datagrams_blocked(true);
    let (_, heard) = heard_after(&mut two);
    assert!(heard.unwrap() < ms(1_500), "{heard:?}");
    two.world.run_for(secs(5));
    let seconds = loud_seconds(two.world.heard(two.bob));
    assert!(seconds > 4.5, "{seconds}");
}

#[test]
fn a_direct_path_is_preferred_and_the_relay_given_back() {
    let mut two = two(true, &options());
    let (_, heard) = heard_after(&mut two);
    assert!(heard.unwrap() < ms(400), "{heard:?}");
    two.world.run_for(secs(5));
    assert!(!is_relayed(&two, two.alice) && !is_relayed(&two, two.bob));
    let stats = two.world.tracker_stats(two.tracker);
    assert_eq!(stats.relay_allocations, 2, "kept for a while");
    two.world.run_for(secs(10));
    let stats = two.world.tracker_stats(two.tracker);
    assert_eq!(stats.relay_allocations, 0);
    let begin = two.world.heard(two.bob).len();
    two.world.run_for(secs(10));
    assert!(loud_seconds(&two.world.heard(two.bob)[begin..]) > 9.9, "nothing is missed for it");
}

#[test]
fn a_call_whose_direct_path_is_lost_goes_on_by_the_relay() {
    let mut two = two(true, &options());
    heard_after(&mut two);
    two.world.run_for(secs(20));
    assert!(!is_relayed(&two, two.alice));
    let begin = two.world.heard(two.bob).len();
    two.world.set_direct_blocked(true);
    two.world.run_for(secs(10));
    assert!(is_relayed(&two, two.alice) && is_relayed(&two, two.bob));
    let heard = loud_seconds(&two.world.heard(two.bob)[begin..]);
    assert!(heard > 8.0, "{heard}");
}

#[test]
fn a_call_by_the_relay_survives_changes_of_network() {
    let mut two = two(true, &options());
    two.world.set_direct_blocked(true);
    heard_after(&mut two);
    for _ in 0..3 {
        two.world.run_for(secs(5));
        two.world.move_node(two.alice);
        two.world.run_for(secs(10));
        let begin = two.world.heard(two.bob).len();
        two.world.run_for(secs(2));
        let heard = loud_seconds(&two.world.heard(two.bob)[begin..]);
        assert!(heard > 1.9, "{heard}");
    }
    assert_eq!(
        two.world.state(two.alice, two.world.calls(two.alice)[0]),
        Some(CallState::Connected)
    );
}

#[test]
fn with_relays_only_no_peer_learns_an_address() {
    let mut two = two(true, &NodeOptions { relay_only: true, ..options() });
    let (call, heard) = heard_after(&mut two);
    assert!(heard.unwrap() < ms(1_500), "{heard:?}");
    two.world.run_for(secs(5));
    for node in [two.alice, two.bob] {
        let (local, remote) = path(&two, node);
        assert_eq!(
            (local.ip().to_string(), remote.ip().to_string()),
            ("10.0.1.1".into(), "10.0.1.1".into())
        );
    }
    two.world.hang_up(two.alice, call);
    two.world.run_for(secs(1));
    assert_eq!(two.world.tracker_stats(two.tracker).relay_allocations, 0);
}

#[test]
fn without_a_relay_who_wants_relays_only_reaches_nobody() {
    let only = NodeOptions { relay_only: true, ..options() };
    let mut two = Two::with(1, link(), true, &only);
    let call = two.world.place(two.alice, "bob");
    two.world.run_for(secs(30));
    let ended = Some(CallState::Ended(EndReason::Unreachable));
    assert_eq!(two.world.state(two.alice, call), ended);
}
