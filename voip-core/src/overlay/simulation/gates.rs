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

#[test]
fn probe() {
    let n: usize = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    for delays in [Delays::Message, Delays::Pair] {
        for authors in [Authors::One, Authors::Many] {
            let started = std::time::Instant::now();
            let mut world = World::grown(1, delays, n);
            println!("{delays:?} {authors:?} parts {} degrees {:?} opened {}", world.parts(), degrees(&world), world.opened);
            println!("   grown after {:?}", started.elapsed());
            let tree = measure(&mut world, authors, 20, ms(0));
            println!("   tree {tree:?}");
            let steady = measure(&mut world, authors, 20, secs(10));
            println!("   steady {steady:?} degrees {:?} opened {} eager {}", degrees(&world), world.opened,
              world.nodes.iter().map(|n| n.mesh.tree.eager().count()).sum::<usize>());
            println!("   all after {:?} queue {} entry {}", started.elapsed(), world.last, std::mem::size_of::<Entry>());
        }
    }
}
