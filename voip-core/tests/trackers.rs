//! Registering, listing, notices; trackers that die and come back; calls that do not care.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Two, loud_seconds, ms, secs, tone};
use voip_core::sim::{Link, NodeOptions, World};
use voip_core::{CallState, Event, Presence};

#[test]
fn registering_takes_three_round_trips() {
    let mut world = World::new(1);
    world.set_link(Link { delay: ms(50), ..Link::default() });
    let tracker = world.add_tracker();
    let alice = world.add_node(NodeOptions::new("alice", [tracker])).unwrap();
    world.run_for(ms(299));
    assert_eq!(world.events(alice), []);
    world.run_for(ms(1));
    assert!(matches!(world.events(alice)[..], [Event::Registered { online: 1, .. }]));
}

#[test]
fn who_is_online_is_listed_and_told() {
    let mut two = Two::new(1, Link::default(), true);
    let joined =
        |e: &Event<_>| matches!(e, Event::Joined { peer, online: 2 } if peer.name == "bob");
    assert!(two.world.events(two.alice).iter().any(joined));
    let list = two.world.peers(two.alice).unwrap();
    let names: Vec<_> = list.iter().map(|p| (p.name.as_str(), p.id, p.presence)).collect();
    let (alice, bob) = (two.world.id(two.alice), two.world.id(two.bob));
    let available = Presence::Available;
    assert_eq!(names, [("alice", alice, available), ("bob", bob, available)]);
    two.connect();
    two.world.run_for(secs(1));
    let list = two.world.peers(two.alice).unwrap();
    assert_eq!(list[1].presence, Presence::Busy, "in a call");
}

#[test]
fn a_hundred_peers_are_listed_page_by_page() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    for i in 0..100 {
        world.add_node(NodeOptions::new(&format!("peer {i:03}"), [tracker])).unwrap();
    }
    let alice = world.add_node(NodeOptions::new("alice", [tracker])).unwrap();
    world.run_for(secs(2));
    let list = world.peers(alice).unwrap();
    assert_eq!(list.len(), 101);
    assert!(list.is_sorted_by_key(|p| p.name.clone()));
}

#[test]
fn a_call_outlives_its_tracker_and_nodes_come_back_to_it() {
    let mut two = Two::new(1, Link::default(), true);
    let (call, _) = two.connect();
    two.world.say(two.alice, &tone(440.0, 30.0));
    two.world.run_for(secs(1));
    two.world.events(two.alice);
    two.world.set_tracker_running(two.tracker, false);
    two.world.run_for(secs(10));
    assert!(matches!(two.world.events(two.alice)[..], [Event::TrackerLost { .. }]), "told once");
    two.world.set_tracker_running(two.tracker, true);
    two.world.run_for(secs(15));
    let registered = |e: &Event<_>| matches!(e, Event::Registered { .. });
    assert!(two.world.events(two.alice).iter().any(registered));
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Connected));
    assert!(loud_seconds(two.world.heard(two.bob)) > 25.9, "no gap");
    two.world.hang_up(two.alice, call);
    two.world.run_for(secs(1));
    two.connect();
}

#[test]
fn hanging_up_reaches_the_peer_without_any_tracker() {
    let mut two = Two::new(1, Link::default(), true);
    let (call, at_bob) = two.connect();
    two.world.set_tracker_running(two.tracker, false);
    two.world.run_for(secs(1));
    two.world.hang_up(two.alice, call);
    assert!(two.end_of(two.bob, at_bob, secs(1)).is_some());
}

#[test]
fn the_second_tracker_does_when_the_first_is_gone() {
    let mut world = World::new(1);
    let trackers = [world.add_tracker(), world.add_tracker()];
    let options = |name: &str| NodeOptions {
        auto_answer: true,
        stand_in_codec: true,
        ..NodeOptions::new(name, trackers)
    };
    let alice = world.add_node(options("alice")).unwrap();
    world.add_node(options("bob")).unwrap();
    world.run_for(secs(1));
    assert_eq!(world.peers(alice).unwrap().len(), 2, "each peer once");
    world.set_tracker_running(trackers[0], false);
    world.run_for(secs(1));
    let call = world.place(alice, "bob");
    world.run_for(secs(6));
    assert_eq!(world.state(alice, call), Some(CallState::Connected));
}
