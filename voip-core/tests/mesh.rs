//! Nodes that need no tracker.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{ms, secs};
use voip_core::sim::{Link, NodeKey, NodeOptions, World};

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
    assert_eq!(world.neighbors(bob), [alice, carol]);
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
