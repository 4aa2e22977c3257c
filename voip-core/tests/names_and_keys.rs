//! Whose name it is: pins, trackers that disagree, the same key twice.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{end_of, ms, secs};
use voip_core::sim::{NodeKey, NodeOptions, TrackerKey, World};
use voip_core::{CallState, EndReason, ErrorKind, Event};

const SECRET: [u8; 32] = [7; 32];

fn node(world: &mut World, name: &str, trackers: &[TrackerKey]) -> NodeKey {
    with_secret(world, name, trackers, None)
}

fn with_secret(
    world: &mut World,
    name: &str,
    trackers: &[TrackerKey],
    secret: Option<[u8; 32]>,
) -> NodeKey {
    let options = NodeOptions {
        auto_answer: true,
        stand_in_codec: true,
        secret,
        ..NodeOptions::new(name, trackers.iter().copied())
    };
    let node = world.add_node(options).unwrap();
    world.run_for(secs(1));
    node
}

fn key_changed(world: &mut World, node: NodeKey) -> bool {
    world.events(node).iter().any(|e| matches!(e, Event::KeyChanged { .. }))
}

#[test]
fn a_name_held_by_another_key_is_refused() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    node(&mut world, "alice", &[tracker]);
    let second = node(&mut world, "alice", &[tracker]);
    let refused = |e: &Event<_>| matches!(e, Event::TrackerLost { error, .. } if error.kind() == ErrorKind::NameTaken);
    assert!(world.events(second).iter().any(refused));
}

#[test]
fn the_same_key_again_replaces_its_first_registration() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    let first = with_secret(&mut world, "alice", &[tracker], Some(SECRET));
    let second = with_secret(&mut world, "alice", &[tracker], Some(SECRET));
    let has = |events: &[Event<_>], registered: bool| {
        events.iter().any(|e| match e {
            Event::Registered { .. } => registered,
            Event::TrackerLost { .. } => !registered,
            _ => false,
        })
    };
    assert!(has(&world.events(second), true));
    assert!(has(&world.events(first), false));
    let bob = node(&mut world, "bob", &[tracker]);
    assert_eq!(world.peers(bob).unwrap().len(), 2);
    world.place(bob, "alice");
    world.run_for(secs(1));
    assert_eq!((world.calls(first).len(), world.calls(second).len()), (0, 1));
}

#[test]
fn a_changed_key_stops_the_call_until_it_is_accepted() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    let alice = node(&mut world, "alice", &[tracker]);
    let bob = node(&mut world, "bob", &[tracker]);
    let call = world.place(alice, "bob");
    world.run_for(secs(1));
    assert_eq!(world.state(alice, call), Some(CallState::Connected), "pinned on first use");
    world.close(bob);
    world.run_for(secs(1));
    let mallory = node(&mut world, "bob", &[tracker]);
    let call = world.place(alice, "bob");
    assert_eq!(end_of(&mut world, alice, call, secs(1)), Some(EndReason::KeyChanged));
    assert!(key_changed(&mut world, alice));
    assert_eq!(world.calls(mallory).len(), 0, "not even an offer was sent");
    world.accept_key(alice, "bob", world.id(mallory));
    let call = world.place(alice, "bob");
    world.run_for(secs(1));
    assert_eq!(world.state(alice, call), Some(CallState::Connected));
}

#[test]
fn a_caller_with_anothers_name_is_refused() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    let alice = node(&mut world, "alice", &[tracker]);
    let bob = node(&mut world, "bob", &[tracker]);
    let call = world.place(alice, "bob");
    world.run_for(secs(1));
    world.hang_up(alice, call);
    world.close(alice);
    world.run_for(secs(1));
    world.events(bob);
    let mallory = node(&mut world, "alice", &[tracker]);
    let call = world.place(mallory, "bob");
    assert_eq!(end_of(&mut world, mallory, call, secs(1)), Some(EndReason::KeyChanged));
    assert!(key_changed(&mut world, bob));
    assert_eq!(world.calls(bob).len(), 1, "it never rang");
}

#[test]
fn trackers_that_disagree_are_ambiguous_unless_one_key_is_pinned() {
    let mut world = World::new(1);
    let trackers = [world.add_tracker(), world.add_tracker()];
    let bob = node(&mut world, "bob", &trackers[..1]);
    let other_bob = node(&mut world, "bob", &trackers[1..]);
    let alice = node(&mut world, "alice", &trackers);
    let call = world.place(alice, "bob");
    assert_eq!(end_of(&mut world, alice, call, secs(1)), Some(EndReason::AmbiguousName));
    let call = world.place(alice, &world.id(other_bob).to_string());
    world.run_for(secs(1));
    assert_eq!(world.state(alice, call), Some(CallState::Connected), "a key is never ambiguous");
    world.hang_up(alice, call);
    world.accept_key(alice, "bob", world.id(bob));
    let call = world.place(alice, "bob");
    world.run_for(secs(1));
    assert_eq!(world.state(alice, call), Some(CallState::Connected), "the pinned key wins");
    assert_eq!(world.calls(bob).len(), 1);
    world.run_for(ms(1));
}

#[test]
fn without_an_identity_file_nothing_is_pinned() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    let options = NodeOptions {
        pins_names: false,
        stand_in_codec: true,
        ..NodeOptions::new("alice", [tracker])
    };
    let alice = world.add_node(options).unwrap();
    for _ in 0..2 {
        let bob = node(&mut world, "bob", &[tracker]);
        let call = world.place(alice, "bob");
        world.run_for(secs(1));
        assert_eq!(world.state(alice, call), Some(CallState::Connected));
        world.close(bob);
        world.run_for(secs(1));
    }
}
