//! Two who do not know each other's name are handed to each other.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::secs;
use voip_core::protocol::{Identity, PresenceRecord, frame};
use voip_core::sim::{NodeKey, NodeOptions, Passing, TrackerKey, World};
use voip_core::{CallState, ContactState, ErrorKind, Event, PeerId};

fn node(world: &mut World, name: &str, trackers: &[TrackerKey]) -> NodeKey {
    let options = NodeOptions {
        auto_answer: true,
        stand_in_codec: true,
        ..NodeOptions::new(name, trackers.iter().copied())
    };
    world.add_node(options).unwrap()
}

/// A tracker and nodes that are registered there.
fn scene<const N: usize>(names: [&str; N]) -> (World, TrackerKey, [NodeKey; N]) {
    let mut world = World::new(7);
    let tracker = world.add_tracker();
    let nodes = names.map(|name| node(&mut world, name, &[tracker]));
    world.run_for(secs(1));
    (world, tracker, nodes)
}

/// Whom a node was handed to since the last look, and whether it is to call.
fn paired(world: &mut World, node: NodeKey) -> Vec<(PeerId, bool)> {
    let paired = |event| match event {
        Event::Paired { peer, calls } => Some((peer.id, calls)),
        _ => None,
    };
    world.events(node).into_iter().filter_map(paired).collect()
}

#[test]
fn two_find_each_other_and_exactly_one_calls() {
    let (mut world, _, [alice, bob]) = scene(["alice", "bob"]);
    world.pair(alice);
    world.run_for(secs(600));
    assert_eq!(paired(&mut world, alice), [], "waits as long as it is registered");
    world.pair(bob);
    world.run_for(secs(1));
    let [(with_alice, alice_calls)] = paired(&mut world, alice)[..] else { panic!("not one") };
    let [(with_bob, bob_calls)] = paired(&mut world, bob)[..] else { panic!("not one") };
    assert_eq!((with_alice, with_bob), (world.id(bob), world.id(alice)));
    assert!(alice_calls != bob_calls);
    assert_eq!(alice_calls, world.id(alice) < world.id(bob));
    let (caller, callee) = if alice_calls { (alice, with_alice) } else { (bob, with_bob) };
    let call = world.place(caller, &callee.to_string());
    let connected = |w: &World| w.state(caller, call) == Some(CallState::Connected);
    assert!(world.run_until(secs(2), connected));
}

#[test]
fn three_are_a_pair_and_one_who_waits_and_five_are_two_pairs() {
    let (mut world, _, nodes) = scene(["a", "b", "c", "d", "e"]);
    let mut met = Vec::new();
    for (i, node) in nodes.into_iter().enumerate() {
        world.pair(node);
        // Twice is once.
        world.pair(node);
        world.run_for(secs(2));
        met.extend(nodes.iter().flat_map(|node| paired(&mut world, *node)));
        assert_eq!(met.len(), i.div_ceil(2) * 2, "of {}", i + 1);
    }
    let mut met: Vec<_> = met.into_iter().map(|(id, _)| id).collect();
    assert_eq!(met, [1, 0, 3, 2].map(|i| world.id(nodes[i])), "first come, first served");
    met.clear();
    world.pair(nodes[0]);
    world.run_for(secs(1));
    assert_eq!(paired(&mut world, nodes[4]).len(), 1, "one who comes back gets the fifth");
}

#[test]
fn who_gives_up_or_goes_while_it_waits_is_met_by_nobody() {
    let (mut world, _, [alice, bob, carol, dora]) = scene(["alice", "bob", "carol", "dora"]);
    world.pair(alice);
    world.run_for(secs(1));
    world.unpair(alice);
    world.unpair(alice);
    world.run_for(secs(1));
    world.pair(bob);
    world.run_for(secs(1));
    world.close(bob);
    world.run_for(secs(1));
    world.pair(carol);
    world.run_for(secs(1));
    assert_eq!(paired(&mut world, carol), []);
    world.pair(dora);
    world.run_for(secs(1));
    assert_eq!(paired(&mut world, carol)[0].0, world.id(dora));
    assert_eq!(paired(&mut world, alice), []);
}

#[test]
fn who_takes_it_back_and_asks_at_once_meets_one() {
    let (mut world, _, [alice, bob]) = scene(["alice", "bob"]);
    world.pair(alice);
    world.run_for(secs(1));
    // The notice of the first request is under way when the second is made.
    world.pair(bob);
    world.unpair(alice);
    world.pair(alice);
    world.run_for(secs(1));
    assert!(paired(&mut world, alice).len() <= 1);
    world.pair(bob);
    world.run_for(secs(1));
    assert_eq!(paired(&mut world, bob).last().unwrap().0, world.id(alice));
}

#[test]
fn a_tracker_that_comes_back_is_asked_again() {
    let (mut world, tracker, [alice, bob]) = scene(["alice", "bob"]);
    world.pair(alice);
    world.run_for(secs(1));
    world.set_tracker_running(tracker, false);
    world.run_for(secs(5));
    world.pair(bob);
    world.set_tracker_running(tracker, true);
    world.run_for(secs(60));
    assert_eq!(paired(&mut world, alice)[0].0, world.id(bob));
    assert_eq!(paired(&mut world, bob).len(), 1);
}

#[test]
fn the_first_tracker_with_a_peer_wins_and_the_other_is_told() {
    let mut world = World::new(7);
    let (one, two) = (world.add_tracker(), world.add_tracker());
    let alice = node(&mut world, "alice", &[one, two]);
    let [bob, carol] =
        [("bob", one), ("carol", two)].map(|(name, at)| node(&mut world, name, &[at]));
    world.run_for(secs(1));
    world.pair(alice);
    world.run_for(secs(1));
    world.pair(carol);
    world.run_for(secs(1));
    assert_eq!(paired(&mut world, alice)[0].0, world.id(carol));
    world.pair(bob);
    world.run_for(secs(10));
    assert_eq!((paired(&mut world, alice), paired(&mut world, bob)), (vec![], vec![]));
}

#[test]
fn two_at_the_same_two_trackers_meet_once() {
    let mut world = World::new(7);
    let trackers = [world.add_tracker(), world.add_tracker()];
    let [alice, bob] = ["alice", "bob"].map(|name| node(&mut world, name, &trackers));
    world.run_for(secs(1));
    world.pair(alice);
    world.pair(bob);
    world.run_for(secs(10));
    assert_eq!((paired(&mut world, alice).len(), paired(&mut world, bob).len()), (1, 1));
}

#[test]
fn the_blocked_are_passed_over_and_stand_in_nobodys_way() {
    let (mut world, _, [alice, bob, carol]) = scene(["alice", "bob", "carol"]);
    let ids = [alice, bob].map(|node| world.id(node));
    world.set_contact(alice, "bob", ids[1], ContactState::Blocked);
    world.set_contact(bob, "alice", ids[0], ContactState::Blocked);
    world.pair(alice);
    world.pair(bob);
    world.run_for(secs(60));
    assert_eq!((paired(&mut world, alice), paired(&mut world, bob)), (vec![], vec![]));
    world.pair(carol);
    world.run_for(secs(5));
    let (with, _) = paired(&mut world, carol)[0];
    assert!(ids.contains(&with), "{with}");
    assert_eq!(paired(&mut world, alice).len() + paired(&mut world, bob).len(), 1);
}

#[test]
fn where_only_contacts_may_call_only_contacts_are_met() {
    let mut world = World::new(7);
    let tracker = world.add_tracker();
    let options = NodeOptions { contacts_only: true, ..NodeOptions::new("alice", [tracker]) };
    let alice = world.add_node(options).unwrap();
    let [bob, carol] = ["bob", "carol"].map(|name| node(&mut world, name, &[tracker]));
    world.run_for(secs(1));
    let id = world.id(carol);
    world.set_contact(alice, "carol", id, ContactState::Accepted);
    world.pair(alice);
    world.pair(bob);
    world.run_for(secs(1));
    assert_eq!(paired(&mut world, alice), []);
    assert_eq!(paired(&mut world, bob).len(), 1, "it cannot know");
    world.run_for(secs(3));
    world.pair(carol);
    world.run_for(secs(1));
    assert_eq!(paired(&mut world, alice)[0].0, id);
}

#[test]
fn a_key_that_registers_elsewhere_waits_no_longer() {
    let mut world = World::new(7);
    let tracker = world.add_tracker();
    let secret = Some([9; 32]);
    let same = |world: &mut World| {
        let options = NodeOptions { secret, ..NodeOptions::new("alice", [tracker]) };
        world.add_node(options).unwrap()
    };
    let first = same(&mut world);
    world.run_for(secs(1));
    world.pair(first);
    world.run_for(secs(1));
    let second = same(&mut world);
    world.run_for(secs(1));
    world.pair(second);
    let bob = node(&mut world, "bob", &[tracker]);
    world.run_for(secs(1));
    world.pair(bob);
    world.run_for(secs(1));
    assert_eq!(paired(&mut world, first), []);
    assert_eq!(paired(&mut world, second)[0].0, world.id(bob));
}

/// Lets what the trackers say pass through a function.
fn edit(world: &mut World, edit: impl Fn(&str) -> String + Send + 'static) {
    world.set_middle(move |_, passing: Passing| {
        if passing.is_datagram || passing.contents.len() < 4 {
            return vec![passing];
        }
        let mut frames = voip_core::protocol::FrameReader::default();
        let mut bytes = &passing.contents[..];
        let mut contents = Vec::new();
        while let Some(content) = frames.next(&mut bytes).unwrap() {
            contents.extend(frame(edit(std::str::from_utf8(&content).unwrap()).as_bytes()));
        }
        vec![Passing { contents, ..passing }]
    });
}

#[test]
fn a_tracker_of_an_older_version_is_told_of() {
    let (mut world, _, [alice]) = scene(["alice"]);
    edit(&mut world, |text| text.replace("\"type\":\"pair\"", "\"type\":\"teleport\""));
    world.pair(alice);
    world.run_for(secs(1));
    let failed = |event: &Event<_>| match event {
        Event::PairingFailed { error } => Some(error.kind()),
        _ => None,
    };
    let events = world.events(alice);
    assert_eq!(events.iter().filter_map(failed).collect::<Vec<_>>(), [ErrorKind::InvalidState]);
    let lonely = world.add_node(NodeOptions::new("lonely", [])).unwrap();
    world.pair(lonely);
    let events = world.events(lonely);
    assert_eq!(
        events.iter().filter_map(failed).collect::<Vec<_>>(),
        [ErrorKind::TrackerUnreachable]
    );
}

#[test]
fn a_tracker_that_hands_out_forgeries_is_not_believed_and_asked_again_seldom() {
    let mallory = Identity::from_secret(&[6; 32]);
    let told = Arc::new(Mutex::new((true, 0)));
    let (mut world, _, [alice, bob]) = scene(["alice", "bob"]);
    let lies = told.clone();
    edit(&mut world, move |text| {
        let (lies, asked) = &mut *lies.lock().unwrap();
        *asked += usize::from(text.contains("\"type\":\"pair\""));
        let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
        if *lies && json["type"] == "paired" {
            // Mallory's word for her own name under Bob's signature.
            let body = json["peer"]["record"]["body"].as_str().unwrap();
            let mut record: PresenceRecord = serde_json::from_str(body).unwrap();
            record.id = mallory.id();
            json["peer"]["record"]["body"] = serde_json::to_string(&record).unwrap().into();
        }
        json.to_string()
    });
    world.pair(alice);
    world.pair(bob);
    world.run_for(secs(60));
    assert_eq!((paired(&mut world, alice), paired(&mut world, bob)), (vec![], vec![]));
    let asked = told.lock().unwrap().1;
    assert!((20..=120).contains(&asked), "{asked} requests of two in a minute");
    told.lock().unwrap().0 = false;
    world.run_for(secs(10));
    assert_eq!(paired(&mut world, alice)[0].0, world.id(bob));
}

#[test]
fn nobody_who_has_not_asked_is_handed_to_anybody() {
    let (mut world, tracker, [alice, bob]) = scene(["alice", "bob"]);
    // A notice that a friend joined becomes one of a pair.
    edit(&mut world, |text| text.replace("\"type\":\"joined\"", "\"type\":\"paired\""));
    let carol = node(&mut world, "carol", &[tracker]);
    world.run_for(secs(1));
    for node in [alice, bob, carol] {
        assert_eq!(paired(&mut world, node), []);
    }
}
