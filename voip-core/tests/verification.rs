//! Who is at the other end: the words of a call, contacts, the blocked, and strangers.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Two, end_of, secs};
use voip_core::sim::{Link, NodeKey, NodeOptions, SimCall, Verifying, World};
use voip_core::{CallState, ContactState, EndReason, Event, Node, PeerId};

type Words = [&'static str; 4];

fn verifying(verifying: Verifying) -> NodeOptions {
    NodeOptions { stand_in_codec: true, verifying, ..NodeOptions::new("", []) }
}

/// The words that a node has told, each with its call.
fn words(world: &mut World, node: NodeKey) -> Vec<(SimCall, Words)> {
    let told = |event| match event {
        Event::VerificationReady { call, words } => Some((call, words)),
        _ => None,
    };
    world.events(node).into_iter().filter_map(told).collect()
}

fn ringing_and_after(world: &mut World, node: NodeKey) -> Vec<Event<SimCall>> {
    let mut events = world.events(node);
    events.retain(|e| e.call().is_some() || matches!(e, Event::KeyChanged { .. }));
    events
}

#[test]
fn both_ends_have_the_same_four_words_and_every_call_has_others() {
    let mut two = Two::new(1, Link::default(), true);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (at_alice, at_bob) = two.connect();
        two.world.run_for(secs(1));
        let alices = words(&mut two.world, two.alice);
        let [(call, of_alice)] = alices[..] else { panic!("{alices:?}") };
        assert_eq!(call, at_alice);
        assert_eq!(words(&mut two.world, two.bob), [(at_bob, of_alice)]);
        assert!(!seen.contains(&of_alice));
        seen.push(of_alice);
        two.world.hang_up(two.alice, at_alice);
        two.world.run_for(secs(1));
    }
}

#[test]
fn the_words_come_over_a_line_that_loses_a_fifth() {
    let link = Link { loss: 0.2, ..Link::default() };
    for seed in 0..10 {
        let mut two = Two::new(seed, link, true);
        two.connect();
        two.world.run_for(secs(10));
        let (alice, bob) = (words(&mut two.world, two.alice), words(&mut two.world, two.bob));
        assert_eq!((alice.len(), bob.len()), (1, 1));
        assert_eq!(alice[0].1, bob[0].1);
    }
}

#[test]
fn the_words_come_after_the_call_is_connected() {
    let mut two = Two::new(3, Link::default(), true);
    two.connect();
    two.world.run_for(secs(1));
    for node in [two.alice, two.bob] {
        let events = two.world.events(node);
        let at = |wanted: fn(&Event<SimCall>) -> bool| events.iter().position(wanted).unwrap();
        let connected = at(|e| matches!(e, Event::Connected { .. }));
        assert!(connected < at(|e| matches!(e, Event::VerificationReady { .. })));
    }
}

#[test]
fn two_who_call_each_other_at_once_have_the_same_words() {
    let mut two = Two::new(4, Link::default(), false);
    let (alice, bob) = (two.alice, two.bob);
    two.world.place(alice, "bob");
    two.world.place(bob, "alice");
    two.world.run_for(secs(3));
    let (of_alice, of_bob) = (words(&mut two.world, alice), words(&mut two.world, bob));
    assert_eq!((of_alice.len(), of_bob.len()), (1, 1));
    assert_eq!(of_alice[0].1, of_bob[0].1);
}

/// Each of two trackers tells one of them that Mallory is the other: Alice talks to Mallory, and Mallory to Bob.
#[test]
fn with_somebody_in_the_middle_the_words_differ() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        let (one, other) = (world.add_tracker(), world.add_tracker());
        let mut node = |name: &str, tracker, secret: u8| {
            let options = NodeOptions {
                auto_answer: true,
                stand_in_codec: true,
                secret: Some([secret; 32]),
                ..NodeOptions::new(name, [tracker])
            };
            world.add_node(options).unwrap()
        };
        let (alice, false_bob) = (node("alice", one, 1), node("bob", one, 3));
        let (false_alice, bob) = (node("alice", other, 3), node("bob", other, 2));
        world.run_for(secs(1));
        let calls =
            [(alice, world.place(alice, "bob")), (false_alice, world.place(false_alice, "bob"))];
        world.run_for(secs(2));
        for (node, call) in calls {
            assert_eq!(world.state(node, call), Some(CallState::Connected));
        }
        let [of_alice, to_alice, to_bob, of_bob] =
            [alice, false_bob, false_alice, bob].map(|node| words(&mut world, node)[0].1);
        assert_eq!((of_alice, of_bob), (to_alice, to_bob), "Mallory knows both");
        assert_ne!(of_alice, of_bob, "and cannot make them the same");
    }
}

#[test]
fn a_caller_that_reveals_what_it_did_not_commit_to_is_hung_up() {
    let mut two = Two::with(5, Link::default(), true, &verifying(Verifying::Falsely));
    let call = two.world.place(two.alice, "bob");
    two.world.run_for(secs(5));
    let at_bob = two.world.calls(two.bob)[0];
    let ended = CallState::Ended(EndReason::VerificationFailed);
    assert_eq!(two.world.state(two.bob, at_bob), Some(ended));
    assert_eq!(words(&mut two.world, two.bob), [], "no words to be taken for true");
    let alices = two.world.state(two.alice, call);
    assert!(matches!(alices, Some(CallState::Ended(_))), "{alices:?}");
}

/// A version that knows nothing of words, on either side or on both.
#[test]
fn with_a_peer_of_an_older_version_there_is_a_call_and_there_are_no_words() {
    let older = |older| if older { Verifying::Never } else { Verifying::Truly };
    for (alices, bobs) in [(true, false), (false, true), (true, true)] {
        let mut world = World::new(6);
        let tracker = world.add_tracker();
        let mut node = |name: &str, is_older| {
            let options = NodeOptions {
                name: name.into(),
                trackers: vec![tracker],
                auto_answer: true,
                ..verifying(older(is_older))
            };
            world.add_node(options).unwrap()
        };
        let (alice, bob) = (node("alice", alices), node("bob", bobs));
        world.run_for(secs(1));
        let call = world.place(alice, "bob");
        world.run_for(secs(5));
        assert_eq!(world.state(alice, call), Some(CallState::Connected));
        assert_eq!(world.state(bob, world.calls(bob)[0]), Some(CallState::Connected));
        assert_eq!((words(&mut world, alice), words(&mut world, bob)), (vec![], vec![]));
        assert_eq!(world.node_stats(bob).signals_dropped, 0);
    }
}

#[test]
fn a_blocked_caller_hears_it_ring_and_the_user_hears_nothing() {
    let mut two = Two::new(7, Link::default(), true);
    let alice_id = two.world.id(two.alice);
    two.world.set_contact(two.bob, "alice", alice_id, ContactState::Blocked);
    two.world.events(two.bob);
    let call = two.world.place(two.alice, "bob");
    two.world.run_for(secs(2));
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Ringing));
    let end = two.end_of(two.alice, call, secs(60));
    assert_eq!(end, Some(EndReason::NoAnswer), "as of anybody who is not at home");
    assert_eq!(ringing_and_after(&mut two.world, two.bob), []);
    assert_eq!(two.world.calls(two.bob), []);
    two.world.run_for(secs(1));
    // The offer, and the caller's giving up.
    assert_eq!(two.world.node_stats(two.bob).signals_dropped, 2);

    two.world.set_contact(two.bob, "alice", alice_id, ContactState::Seen);
    two.connect();
}

/// Alice lets it ring for longer than Bob does, calls again when she has given up, and Carol calls meanwhile;
/// Bob's program closes in the end.
#[test]
fn the_blocked_are_told_what_strangers_are_told_whose_calls_nobody_answers() {
    let told = |blocked: bool| {
        let mut world = World::new(8);
        let tracker = world.add_tracker();
        let mut node = |name: &str, ring_timeout| {
            let options = NodeOptions {
                stand_in_codec: true,
                ring_timeout,
                ..NodeOptions::new(name, [tracker])
            };
            world.add_node(options).unwrap()
        };
        let (alice, carol) = (node("alice", secs(300)), node("carol", secs(300)));
        let bob = node("bob", secs(45));
        world.run_for(secs(1));
        for caller in [alice, carol].into_iter().filter(|_| blocked) {
            let name = if caller == alice { "alice" } else { "carol" };
            world.set_contact(bob, name, world.id(caller), ContactState::Blocked);
        }
        let mut story = Vec::new();
        let mut wait = |world: &mut World, seconds| {
            for second in 0..seconds {
                world.run_for(secs(1));
                for caller in [alice, carol] {
                    story.extend(world.events(caller).into_iter().map(|e| (second, e)));
                }
            }
        };
        world.place(alice, "bob");
        wait(&mut world, 5);
        world.place(carol, "bob");
        wait(&mut world, 60);
        let given_up = world.place(alice, "bob");
        wait(&mut world, 10);
        world.hang_up(alice, given_up);
        wait(&mut world, 1);
        world.place(carol, "bob");
        wait(&mut world, 10);
        world.close(bob);
        wait(&mut world, 10);
        (story, world.calls(bob).len())
    };
    let ((blocked, heard), (stranger, rang)) = (told(true), told(false));
    assert_eq!(blocked, stranger);
    assert_eq!((heard, rang), (0, 3));
    let ends = blocked.iter().filter_map(|(_, event)| match event {
        Event::Ended { reason, .. } => Some(*reason),
        _ => None,
    });
    let expected = [EndReason::Busy, EndReason::NoAnswer, EndReason::HungUp, EndReason::Declined];
    assert_eq!(ends.collect::<Vec<_>>(), expected);
}

#[test]
fn an_unheard_call_is_in_nobodys_way() {
    let mut world = World::new(13);
    let tracker = world.add_tracker();
    let mut node = |name: &str| {
        let options = NodeOptions { stand_in_codec: true, ..NodeOptions::new(name, [tracker]) };
        world.add_node(options).unwrap()
    };
    let (alice, bob, carol) = (node("alice"), node("bob"), node("carol"));
    world.run_for(secs(1));
    world.set_contact(bob, "alice", world.id(alice), ContactState::Blocked);
    let unheard = world.place(alice, "bob");
    world.run_for(secs(1));
    assert_eq!(world.state(alice, unheard), Some(CallState::Ringing));
    let call = world.place(carol, "bob");
    world.run_for(secs(1));
    let [at_bob] = world.calls(bob)[..] else { panic!("one call rings, Carol's") };
    world.answer(bob, at_bob);
    world.run_for(secs(1));
    assert_eq!(world.state(carol, call), Some(CallState::Connected));
    assert_eq!(end_of(&mut world, alice, unheard, secs(60)), Some(EndReason::NoAnswer));
    assert_eq!(world.state(bob, at_bob), Some(CallState::Connected));
}

#[test]
fn a_blocked_key_is_blocked_under_another_name_and_a_blocked_name_with_another_key() {
    let mut world = World::new(9);
    let tracker = world.add_tracker();
    let node = |world: &mut World, name: &str, secret: u8| {
        let node = world.add_node(NodeOptions {
            auto_answer: true,
            stand_in_codec: true,
            secret: Some([secret; 32]),
            ..NodeOptions::new(name, [tracker])
        });
        world.run_for(secs(1));
        node.unwrap()
    };
    let bob = node(&mut world, "bob", 1);
    let mallory = node(&mut world, "mallory", 2);
    world.set_contact(bob, "mallory", world.id(mallory), ContactState::Blocked);
    world.close(mallory);
    world.run_for(secs(1));
    world.events(bob);
    for (name, secret) in [("nice", 2), ("mallory", 3)] {
        let caller = node(&mut world, name, secret);
        let call = world.place(caller, "bob");
        assert_eq!(end_of(&mut world, caller, call, secs(60)), Some(EndReason::NoAnswer));
    }
    assert_eq!(ringing_and_after(&mut world, bob), []);
}

#[test]
fn whoever_is_blocked_in_a_call_is_hung_up_and_may_still_be_called() {
    let mut two = Two::new(10, Link::default(), true);
    let (at_alice, at_bob) = two.connect();
    let alice_id = two.world.id(two.alice);
    two.world.set_contact(two.bob, "alice", alice_id, ContactState::Blocked);
    assert_eq!(two.end_of(two.bob, at_bob, secs(1)), Some(EndReason::HungUp));
    assert_eq!(two.end_of(two.alice, at_alice, secs(1)), Some(EndReason::PeerHungUp));
    let call = two.world.place(two.bob, "alice");
    two.world.run_for(secs(1));
    let at_alice = *two.world.calls(two.alice).last().unwrap();
    two.world.answer(two.alice, at_alice);
    two.world.run_for(secs(2));
    assert_eq!(two.world.state(two.bob, call), Some(CallState::Connected));
}

#[test]
fn where_only_contacts_may_call_strangers_never_ring() {
    let mut world = World::new(11);
    let tracker = world.add_tracker();
    let mut node = |name: &str, contacts_only| {
        let options = NodeOptions {
            auto_answer: true,
            stand_in_codec: true,
            contacts_only,
            ..NodeOptions::new(name, [tracker])
        };
        world.add_node(options).unwrap()
    };
    let (alice, bob) = (node("alice", false), node("bob", true));
    world.run_for(secs(1));
    world.events(bob);
    let alice_id = world.id(alice);
    for state in [None, Some(ContactState::Seen)] {
        state.into_iter().for_each(|state| world.set_contact(bob, "alice", alice_id, state));
        let call = world.place(alice, "bob");
        assert_eq!(end_of(&mut world, alice, call, secs(60)), Some(EndReason::NoAnswer));
        assert_eq!(ringing_and_after(&mut world, bob), []);
    }
    for state in [ContactState::Accepted, ContactState::Verified] {
        world.set_contact(bob, "alice", alice_id, state);
        let call = world.place(alice, "bob");
        world.run_for(secs(2));
        assert_eq!(world.state(alice, call), Some(CallState::Connected), "{state:?}");
        world.hang_up(alice, call);
        world.run_for(secs(1));
    }
    world.forget_contact(bob, "alice");
    let (calls, called) = (world.place(bob, "alice"), world.place(alice, "bob"));
    world.run_for(secs(3));
    assert_eq!(world.state(bob, calls), Some(CallState::Connected), "called at the same time");
    assert_eq!(world.state(alice, called), Some(CallState::Connected));
}

#[test]
fn a_contact_keeps_its_key_and_what_it_is() {
    let mut two = Two::new(12, Link::default(), true);
    two.connect();
    let state = |world: &World, node, name: &str| {
        let contacts = world.contacts(node);
        contacts.into_iter().find(|c| c.name == name).map(|c| (c.id, c.state))
    };
    let bob_id = two.world.id(two.bob);
    assert_eq!(state(&two.world, two.alice, "bob"), Some((bob_id, ContactState::Seen)));
    two.world.set_contact(two.alice, "bob", bob_id, ContactState::Verified);
    two.world.accept_key(two.alice, "bob", PeerId([9; 32]));
    let another = Some((PeerId([9; 32]), ContactState::Accepted));
    assert_eq!(state(&two.world, two.alice, "bob"), another, "another key is not verified");
    two.world.forget_contact(two.alice, "bob");
    assert_eq!(state(&two.world, two.alice, "bob"), None);
}

#[test]
fn a_file_of_an_older_version_is_read_and_what_changes_is_kept() {
    let folder = std::env::temp_dir().join(format!("voip-contacts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let identity = folder.join("alice.key");
    let bob = PeerId([2; 32]);
    let old = format!("voip-pins 1\n{bob} bob\n{} Ana María\n", PeerId([3; 32]));
    std::fs::write(folder.join("alice.key.pins"), old).unwrap();
    let start = || Node::builder("alice").bind("127.0.0.1:0").identity_file(&identity).start();
    let known = |node: &Node| {
        let contacts = node.contacts().into_iter();
        contacts.map(|c| (c.name, c.state)).collect::<Vec<_>>()
    };
    let node = start().unwrap();
    let seen = |name: &str| (name.to_owned(), ContactState::Seen);
    assert_eq!(known(&node), [seen("Ana María"), seen("bob")]);
    node.set_contact("bob", bob, ContactState::Blocked).unwrap();
    node.forget_contact("Ana María").unwrap();
    node.set_contact("carol", PeerId([4; 32]), ContactState::Verified).unwrap();
    let now = [("bob".into(), ContactState::Blocked), ("carol".into(), ContactState::Verified)];
    assert_eq!(known(&node), now, "at once");
    node.close();
    assert!(node.set_contact("dave", bob, ContactState::Seen).is_err(), "it is closed");
    let node = start().unwrap();
    assert_eq!(known(&node), now, "and after a new start");
    assert!(node.set_contact("", bob, ContactState::Seen).is_err());
    assert_eq!(node.safety_number(bob).len(), 71);
    node.close();
    std::fs::remove_dir_all(folder).unwrap();
}
