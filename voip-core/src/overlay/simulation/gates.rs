//! What the mesh has to reach.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authors {
    One,
    Many,
}

#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// The smallest share of the living that a message reached.
    reach: f64,
    rmr: f64,
    last_hop: f64,
    highest_hop: u16,
    last_ms: f64,
    control: f64,
}

/// Sends `count` messages, one every two seconds, and waits `patience` after the last.
fn measure(world: &mut World, authors: Authors, count: usize, patience: Duration) -> Figures {
    let one = world.nodes.iter().position(|node| node.is_alive).unwrap();
    let control = world.control;
    let mut ids = Vec::new();
    for _ in 0..count {
        let author = if authors == Authors::One { one } else { world.some_living() };
        ids.push(world.broadcast(author));
        world.run_for(secs(2));
    }
    world.run_for(patience);
    let receivers = (world.living() - 1) as f64;
    let mut figures = Figures { reach: 1.0, ..Figures::default() };
    let share = 1.0 / count as f64;
    for id in ids {
        let spread = world.spreads[&id];
        let delivered = spread.delivered as f64;
        figures.reach = figures.reach.min(delivered / receivers);
        figures.rmr += (spread.payloads as f64 / delivered.max(1.0) - 1.0) * share;
        figures.last_hop += f64::from(spread.last_hop) * share;
        figures.highest_hop = figures.highest_hop.max(spread.last_hop);
        figures.last_ms += spread.last_at.since(spread.sent_at).as_secs_f64() * 1e3 * share;
    }
    figures.control = (world.control - control) as f64 / receivers * share;
    figures
}

fn degrees(world: &World) -> Vec<usize> {
    let mut counts = vec![0; 6];
    for node in world.nodes.iter().filter(|node| node.is_alive) {
        counts[node.mesh.neighbors().count()] += 1;
    }
    counts
}

const EITHER: [Authors; 2] = [Authors::One, Authors::Many];

/// Messages reach everybody, cheaply, once the tree has grown.
fn without_failures(n: usize, seed: u64, delays: Delays, authors: Authors, count: usize) {
    let mut world = World::grown(seed, delays, n);
    assert_eq!(world.parts(), 1);
    let growing = measure(&mut world, authors, count, ms(0));
    let steady = measure(&mut world, authors, count, secs(10));
    println!("{n} {authors:?} {delays:?} {seed}: {steady:?} {:?}", degrees(&world));
    assert_eq!((growing.reach, steady.reach), (1.0, 1.0), "{n} {seed}");
    let (rmr, last_hop) = if authors == Authors::One { (0.2, 12.0) } else { (0.6, 21.0) };
    assert!(steady.rmr <= rmr, "{n} {seed}: {steady:?}");
    // What the gates come from. With a delay of its own for each pair the tree is the one of the shortest times, and hops
    // count for nothing.
    if delays == Delays::Message {
        assert!(steady.last_hop <= last_hop, "{n} {seed}: {steady:?}");
    }
}

/// Half of the nodes die at once and nobody tells.
fn half_dies(n: usize, seed: u64, count: usize) -> (usize, Figures, Figures) {
    let mut world = World::grown(seed, Delays::Message, n);
    measure(&mut world, Authors::One, 10, ms(0));
    world.kill(n / 2, 0);
    world.run_for(secs(30));
    let parts = world.parts();
    let healing = measure(&mut world, Authors::One, count, ms(0));
    let healed = measure(&mut world, Authors::One, 5, secs(10));
    println!("{n} half {seed}: {parts} parts {healing:?} {healed:?} {:?}", degrees(&world));
    (parts, healing, healed)
}

fn assert_heals(n: usize, seeds: std::ops::Range<u64>, count: usize) {
    let all = seeds.clone().count();
    let mut connected = 0;
    for seed in seeds {
        let (parts, healing, healed) = half_dies(n, seed, count);
        if parts == 1 {
            connected += 1;
            assert_eq!((healing.reach, healed.reach), (1.0, 1.0), "{n} {seed}");
            assert!(healed.rmr <= 0.3, "{n} {seed}: {healed:?}");
        }
    }
    assert!(connected as f64 >= all as f64 * 0.99, "{connected} of {all}");
}

/// Each message, whatever it is, is lost with a probability of 30 %.
fn messages_get_lost(n: usize, seed: u64, count: usize) {
    let mut world = World::grown(seed, Delays::Message, n);
    world.loss = 0.3;
    for authors in EITHER {
        let lossy = measure(&mut world, authors, count, secs(25));
        println!("{n} lossy {authors:?} {seed}: {lossy:?} {:?}", degrees(&world));
        assert_eq!(lossy.reach, 1.0, "{n} {seed}: {lossy:?}");
    }
}

/// For five minutes there are two networks, the smaller one with `1 / share` of the nodes.
fn falls_apart(n: usize, seed: u64, share: usize) {
    let mut world = World::grown(seed, Delays::Message, n);
    (0..n).filter(|i| i % share == 0).for_each(|i| world.nodes[i].side = 1);
    world.run_for(secs(300));
    // Who knew nobody on its side is a part of its own.
    let parts = world.parts();
    assert!(parts >= 2, "{n} {seed}");
    (0..n).for_each(|i| world.nodes[i].side = 0);
    let mut healed_after = 0;
    while world.parts() > 1 && healed_after < 120 {
        world.run_for(secs(1));
        healed_after += 1;
    }
    world.run_for(secs(30));
    let after = measure(&mut world, Authors::Many, 5, secs(10));
    println!(
        "{n}/{share} apart {seed}: {parts} parts, {healed_after} s, then {after:?} {:?}",
        degrees(&world)
    );
    assert!(healed_after <= 30, "{n}/{share} {seed}: {healed_after} s");
    assert_eq!((world.parts(), after.reach), (1, 1.0), "{n} {seed}");
}

#[test]
fn everybody_gets_every_message_about_once() {
    for authors in EITHER {
        (0..10).for_each(|seed| without_failures(100, seed, Delays::Message, authors, 10));
        without_failures(100, 0, Delays::Pair, authors, 10);
        without_failures(1_000, 0, Delays::Message, authors, 10);
    }
}

#[test]
fn ten_thousand_nodes_get_every_message() {
    let mut world = World::joined(0, Delays::Message, 10_000);
    let figures = measure(&mut world, Authors::Many, 2, secs(2));
    assert_eq!((world.parts(), figures.reach), (1, 1.0), "{figures:?}");
}

/// More than anybody is pushed at a time: the rest is announced, and nobody is taken for an attacker.
#[test]
fn all_speak_at_once() {
    let mut world = World::grown(0, Delays::Message, 100);
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.extend((0..100).map(|author| world.broadcast(author)));
        world.run_for(ms(20));
    }
    world.run_for(secs(25));
    let delivered = ids.iter().map(|id| world.spreads[id].delivered);
    assert_eq!(delivered.min(), Some(99));
    let stats: Vec<_> = world.nodes.iter().map(|node| node.mesh.stats()).collect();
    let held_back: u64 = stats.iter().map(|stats| stats.tree.held_back).sum();
    println!("{held_back} held back, {:?}", stats[0]);
    assert!(held_back > 0);
    assert!(stats.iter().all(|stats| stats.banned == 0 && stats.flooded == 0));
}

#[test]
fn the_living_find_together_when_half_of_all_die() {
    assert_heals(100, 0..10, 15);
    assert_heals(1_000, 0..1, 15);
}

#[test]
fn what_gets_lost_is_sent_again() {
    (0..10).for_each(|seed| messages_get_lost(100, seed, 10));
    messages_get_lost(1_000, 0, 5);
}

#[test]
fn two_halves_find_together() {
    (0..10).for_each(|seed| falls_apart(100, seed, 2));
    (0..3).for_each(|seed| falls_apart(100, seed, 10));
}

#[test]
#[ignore = "minutes: a hundred and a thousand nodes, ten seeds each"]
fn the_grid_without_failures() {
    for authors in EITHER {
        for delays in [Delays::Message, Delays::Pair] {
            (0..10).for_each(|seed| without_failures(100, seed, delays, authors, 20));
            (0..10).for_each(|seed| without_failures(1_000, seed, delays, authors, 20));
        }
    }
}

#[test]
#[ignore = "minutes: ten thousand nodes"]
fn the_grid_of_ten_thousand_with_one_author() {
    without_failures(10_000, 0, Delays::Pair, Authors::One, 20);
    (0..10).for_each(|seed| without_failures(10_000, seed, Delays::Message, Authors::One, 20));
}

#[test]
#[ignore = "minutes: ten thousand nodes"]
fn the_grid_of_ten_thousand_with_many_authors() {
    (0..10).for_each(|seed| without_failures(10_000, seed, Delays::Message, Authors::Many, 20));
    without_failures(10_000, 0, Delays::Pair, Authors::Many, 20);
}

#[test]
#[ignore = "minutes: thirty seeds"]
fn the_grid_when_half_of_all_die() {
    assert_heals(100, 0..30, 15);
    assert_heals(1_000, 0..30, 15);
    assert_heals(10_000, 0..2, 15);
}

#[test]
#[ignore = "minutes: ten seeds"]
fn the_grid_of_loss() {
    (0..10).for_each(|seed| messages_get_lost(1_000, seed, 10));
    messages_get_lost(10_000, 0, 5);
}

#[test]
#[ignore = "minutes: ten seeds"]
fn the_grid_of_partitions() {
    (0..10).for_each(|seed| falls_apart(1_000, seed, 10));
    (0..10).for_each(|seed| falls_apart(1_000, seed, 2));
}
