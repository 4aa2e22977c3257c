//! Nodes that need no tracker.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{ms, secs};
use voip_core::sim::{Link, NodeKey, NodeOptions, World};
use voip_core::{Audience, CallState, EndReason, Event};

fn node(world: &mut World, name: &str, begin_with: &[NodeKey]) -> NodeKey {
    let options = NodeOptions {
        stand_in_codec: true,
        mesh: Some(begin_with.to_vec()),
        ..NodeOptions::new(name, [])
    };
    world.add_node(options).unwrap()
}

fn world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.set_link(Link { delay: ms(20), ..Link::default() });
    world
}

#[test]
fn nodes_that_are_named_become_neighbours() {
    let mut world = world(1);
    let alice = node(&mut world, "alice", &[]);
    let bob = node(&mut world, "bob", &[alice]);
    let carol = node(&mut world, "carol", &[bob]);
    world.run_for(secs(2));
    assert!([alice, carol].iter().all(|node| world.neighbors(bob).contains(node)));
    for _ in 0..20 {
        world.run_for(secs(1));
        eprintln!(
            "{:?} {:?} {:?} {:?}",
            world.elapsed(),
            world.neighbors(alice),
            world.neighbors(bob),
            world.neighbors(carol)
        );
    }
    // Carol is told of Alice, and each has room.
    assert!(world.neighbors(carol).contains(&alice));
}

#[test]
fn a_node_that_is_not_there_yet_is_tried_again() {
    let mut world = world(2);
    let alice = node(&mut world, "alice", &[]);
    world.set_cut_off(alice, true);
    let bob = node(&mut world, "bob", &[alice]);
    world.run_for(secs(20));
    assert_eq!(world.neighbors(bob), []);
    world.set_cut_off(alice, false);
    world.run_for(secs(20));
    assert_eq!(world.neighbors(bob), [alice]);
}

/// Alice, Bob and Carol; Carol knows Bob and Bob Alice.
fn three(seed: u64) -> (World, [NodeKey; 3]) {
    let mut world = world(seed);
    let alice = node(&mut world, "alice", &[]);
    let bob = node(&mut world, "bob", &[alice]);
    let carol = node(&mut world, "carol", &[bob]);
    world.run_for(secs(2));
    (world, [alice, bob, carol])
}

fn names(world: &mut World, node: NodeKey) -> Vec<String> {
    let mut names: Vec<_> = world.peers(node).unwrap().into_iter().map(|p| p.name).collect();
    names.sort();
    names
}

#[test]
fn everybody_knows_who_comes_and_goes() {
    let (mut world, nodes) = three(3);
    for node in nodes {
        assert_eq!(names(&mut world, node), ["alice", "bob", "carol"]);
    }
    world.close(nodes[2]);
    world.run_for(secs(1));
    assert_eq!(names(&mut world, nodes[0]), ["alice", "bob"]);
    let left = |e: &Event<_>| matches!(e, Event::Left { name, online: 2, .. } if name == "carol");
    assert!(world.events(nodes[0]).iter().any(left));
    // Bob vanishes.
    world.set_cut_off(nodes[1], true);
    world.run_for(secs(40));
    assert_eq!(names(&mut world, nodes[0]), ["alice"]);
}

#[test]
fn peers_without_a_tracker_call_each_other() {
    let (mut world, [alice, _, carol]) = three(4);
    for (caller, callee, name) in [(alice, carol, "carol"), (carol, alice, "alice")] {
        let call = world.place(caller, name);
        world.run_for(secs(1));
        assert_eq!(world.state(caller, call), Some(CallState::Ringing), "{name}");
        let there = *world.calls(callee).last().unwrap();
        world.answer(callee, there);
        world.run_for(secs(1));
        assert_eq!(world.state(caller, call), Some(CallState::Connected));
        assert_eq!(world.state(callee, there), Some(CallState::Connected));
        world.hang_up(caller, call);
        world.run_for(secs(1));
        let ended = CallState::Ended(EndReason::PeerHungUp);
        assert_eq!(world.state(callee, there), Some(ended));
    }
}

#[test]
fn two_meshes_that_meet_know_each_other() {
    let mut world = world(5);
    let first: Vec<_> = (0..5).map(|i| node(&mut world, &format!("a{i}"), &[])).collect();
    let second: Vec<_> = (0..5).map(|i| node(&mut world, &format!("b{i}"), &[])).collect();
    for group in [&first, &second] {
        for pair in group.windows(2) {
            world.connect(pair[0], pair[1]);
        }
    }
    world.run_for(secs(20));
    assert_eq!(names(&mut world, first[0]).len(), 5);
    world.connect(first[2], second[3]);
    world.run_for(secs(5));
    for node in first.iter().chain(&second) {
        assert_eq!(names(&mut world, *node).len(), 10);
    }
}

fn texts(world: &mut World, node: NodeKey) -> Vec<(String, String)> {
    let events = world.events(node).into_iter();
    events
        .filter_map(|event| match event {
            Event::Text { text } => Some((text.name, text.text)),
            _ => None,
        })
        .collect()
}

fn told(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn texts_come_once_to_whom_they_are_for() {
    let (mut world, [alice, bob, carol]) = three(6);
    let id = world.id(carol);
    world.send_text(alice, Audience::All, "for all").unwrap();
    world.send_text(alice, Audience::Room("general".into()), "for a room").unwrap();
    let secret = world.send_text(alice, Audience::Peer(id), "for Carol").unwrap();
    world.run_for(secs(2));
    let open = [told("alice", "for all"), told("alice", "for a room")];
    assert_eq!(texts(&mut world, bob), open);
    assert_eq!(texts(&mut world, carol), [&open[..], &[told("alice", "for Carol")]].concat());
    let delivered = Event::TextDelivered { to: id, ids: vec![secret] };
    let told: Vec<_> = world.events(alice).into_iter().filter(|e| *e == delivered).collect();
    assert_eq!(told.len(), 1);
    let with_carol = world.history(alice, Audience::Peer(id), 10).unwrap();
    assert_eq!(with_carol.iter().map(|text| &*text.text).collect::<Vec<_>>(), ["for Carol"]);
    let id = world.id(alice);
    let with_alice = world.history(carol, Audience::Peer(id), 10).unwrap();
    assert_eq!(with_alice.iter().map(|text| &*text.text).collect::<Vec<_>>(), ["for Carol"]);
    assert_eq!(world.history(bob, Audience::Peer(id), 10).unwrap(), []);
}

#[test]
fn who_was_away_a_minute_has_missed_nothing() {
    let (mut world, [alice, bob, carol]) = three(7);
    world.set_cut_off(carol, true);
    let id = world.id(carol);
    for n in 0..30 {
        world.send_text(alice, Audience::All, &format!("{n}")).unwrap();
        world.run_for(secs(2));
    }
    world.send_text(bob, Audience::Peer(id), "back?").unwrap();
    world.set_cut_off(carol, false);
    world.run_for(secs(30));
    let came = texts(&mut world, carol);
    let of_alice: Vec<_> = came.iter().filter(|(name, _)| name == "alice").collect();
    assert_eq!(of_alice.len(), 30, "{came:?}");
    assert!(of_alice.iter().enumerate().all(|(n, (_, text))| *text == n.to_string()), "in order");
    assert!(came.contains(&told("bob", "back?")));
    let arrived = |e: &Event<_>| matches!(e, Event::TextDelivered { to, .. } if *to == id);
    assert_eq!(world.events(bob).iter().filter(|e| arrived(e)).count(), 1);
}

#[test]
fn a_call_and_texts_go_on_when_the_tracker_is_gone_for_good() {
    let mut world = world(8);
    let tracker = world.add_tracker();
    let mut nodes: Vec<NodeKey> = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let options = NodeOptions {
            stand_in_codec: true,
            mesh: Some(nodes.last().copied().into_iter().collect()),
            ..NodeOptions::new(name, [tracker])
        };
        nodes.push(world.add_node(options).unwrap());
    }
    world.run_for(secs(3));
    let call = world.place(nodes[0], "e");
    world.run_for(secs(1));
    let there = *world.calls(nodes[4]).last().unwrap();
    world.set_tracker_running(tracker, false);
    world.run_for(secs(1));
    world.answer(nodes[4], there);
    world.run_for(secs(1));
    assert_eq!(world.state(nodes[0], call), Some(CallState::Connected));
    let next = world.place(nodes[1], "d");
    world.run_for(secs(2));
    assert_eq!(world.state(nodes[1], next), Some(CallState::Ringing));
    world.send_text(nodes[2], Audience::All, "still here").unwrap();
    world.run_for(secs(1));
    for node in [0, 1, 3, 4] {
        assert_eq!(texts(&mut world, nodes[node]), [told("c", "still here")]);
    }
}

#[test]
fn nodes_that_share_a_tracker_find_each_other() {
    let mut world = world(9);
    let tracker = world.add_tracker();
    let add = |world: &mut World, name: &str, mesh| {
        let options = NodeOptions { mesh, ..NodeOptions::new(name, [tracker]) };
        world.add_node(options).unwrap()
    };
    let names = ["a", "b", "c", "d"];
    let nodes: Vec<_> = names.map(|name| add(&mut world, name, Some(Vec::new()))).into();
    let outside = add(&mut world, "outside", None);
    world.run_for(secs(10));
    assert!(nodes.iter().all(|node| world.neighbors(*node).len() >= 2));
    assert_eq!(world.neighbors(outside), []);
    world.set_tracker_running(tracker, false);
    world.send_text(nodes[0], Audience::All, "hello").unwrap();
    world.run_for(secs(1));
    assert!(nodes[1..].iter().all(|node| texts(&mut world, *node) == [told("a", "hello")]));
}

#[test]
fn one_who_is_said_to_be_gone_and_is_not_stays() {
    let (mut world, [alice, bob, carol]) = three(10);
    // Alice and Bob lose each other, as if a router had forgotten them: Carol reaches both.
    let link = (world.address(alice).ip(), world.address(bob).ip());
    let begun = world.elapsed();
    world.set_middle(move |now, passing| {
        let ends = (passing.source.ip(), passing.destination.ip());
        let is_cut = now < begun + secs(40) && (ends == link || ends == (link.1, link.0));
        if is_cut { Vec::new() } else { vec![passing] }
    });
    world.run_for(secs(60));
    for node in [alice, bob, carol] {
        assert_eq!(names(&mut world, node), ["alice", "bob", "carol"]);
        let left = |e: &Event<_>| matches!(e, Event::Left { .. });
        assert!(!world.events(node).iter().any(left));
    }
}

#[test]
fn two_that_link_to_each_other_at_once_are_neighbours_at_once() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        world.set_link(Link { delay: ms(20), jitter: ms(seed), ..Link::default() });
        let (alice, bob) = (node(&mut world, "alice", &[]), node(&mut world, "bob", &[]));
        world.run_for(ms(100));
        world.connect(alice, bob);
        world.run_for(ms(seed * 5));
        world.connect(bob, alice);
        world.run_for(ms(500));
        assert_eq!(
            (world.neighbors(alice), world.neighbors(bob)),
            (vec![bob], vec![alice]),
            "{seed}"
        );
        world.run_for(secs(20));
        assert_eq!(
            (world.neighbors(alice), world.neighbors(bob)),
            (vec![bob], vec![alice]),
            "{seed}"
        );
    }
}
