//! One among fifty means no good.

use super::*;

const NODES: usize = 50;
const ATTACKER: usize = 49;

/// What the attacker sends to one neighbour, a thousand times a second.
type Attack = fn(&mut Attacker, &mut World) -> GossipMessage;

struct Attacker {
    n: u64,
    heard: Vec<SignedMessage>,
}

fn gossip(message: SignedMessage) -> GossipMessage {
    GossipMessage::Gossip { message, hops: 1 }
}

/// Valid messages of its own.
fn flood(attacker: &mut Attacker, world: &mut World) -> GossipMessage {
    gossip(message(world.now, ATTACKER, attacker.n))
}

/// Messages in the names of others.
fn forge(attacker: &mut Attacker, world: &mut World) -> GossipMessage {
    let body = format!("{} {}", world.now.as_micros(), attacker.n);
    let author = id(world.below(NODES - 1));
    gossip(SignedMessage::from_parts(author, body, Signature([0xee; 64])).unwrap())
}

/// What others have said, again.
fn replay(attacker: &mut Attacker, world: &mut World) -> GossipMessage {
    match attacker.heard.len() {
        0 => GossipMessage::Prune,
        len => gossip(attacker.heard[world.below(len)].clone()),
    }
}

/// Announcements of messages that there are not.
fn promise(attacker: &mut Attacker, _: &mut World) -> GossipMessage {
    let have = |n: u64| {
        let mut id = MessageId([0; 16]);
        id.0[..8].copy_from_slice(&(attacker.n * 64 + n).to_le_bytes());
        Have { id, hops: 0 }
    };
    GossipMessage::IHave { messages: (0..64).map(have).collect(), ask: true }
}

/// Contacts of peers that there are not.
fn walk(attacker: &mut Attacker, world: &mut World) -> GossipMessage {
    let contact = contact(world.below(NODES));
    match attacker.n % 2 {
        0 => GossipMessage::ForwardJoin { contact, ttl: 6 },
        _ => GossipMessage::Shuffle { walk: attacker.n as u32, contacts: vec![contact; 16], ttl: 6 },
    }
}

/// The share of honest deliveries while the attack goes on; the attacker's neighbours at the end.
fn attacked(seed: u64, attack: Attack, per_second: u64) -> (f64, usize, World) {
    let mut world = World::grown(seed, Delays::Message, NODES);
    let mut attacker = Attacker { n: 0, heard: Vec::new() };
    let mut ids = Vec::new();
    for step in 0..60_000_u64 {
        if step % 1_000 == 0 {
            let author = world.below(NODES - 1);
            ids.push(world.broadcast(author));
            let heard = world.nodes[ATTACKER].mesh.tree.kept().cloned();
            attacker.heard.extend(heard);
        }
        if step * per_second / 1_000 != (step + 1) * per_second / 1_000 {
            attacker.n += 1;
            for peer in world.linked(ATTACKER) {
                let message = attack(&mut attacker, &mut world);
                world.inject(ATTACKER, peer, message);
            }
        }
        world.run_for(ms(1));
    }
    world.run_for(secs(10));
    let honest = (NODES - 2) as f64;
    let reached = |id: &MessageId| {
        let spread = world.spreads[id];
        (spread.delivered as f64).min(honest)
    };
    let share = ids.iter().map(reached).sum::<f64>() / (honest * ids.len() as f64);
    for node in &world.nodes {
        assert!(node.mesh.is_bounded());
    }
    let peers = world.nodes[..ATTACKER].iter();
    let left = peers.filter(|n| n.mesh.neighbors().any(|peer| peer == id(ATTACKER))).count();
    (share, left, world)
}

fn banned(world: &World) -> u64 {
    world.nodes.iter().map(|node| node.mesh.stats().banned).sum()
}

/// The honest may not take each other for attackers, either.
fn honest_bans(world: &World) -> usize {
    let nodes = world.nodes[..ATTACKER].iter();
    nodes.map(|n| (0..ATTACKER).filter(|p| n.mesh.guard.is_banned(world.now, id(*p))).count()).sum()
}

#[test]
fn an_attacker_is_dropped_and_the_honest_are_heard() {
    let attacks: [(&str, Attack); 5] = [
        ("flood", flood),
        ("forge", forge),
        ("replay", replay),
        ("promise", promise),
        ("walk", walk),
    ];
    for (name, attack) in attacks {
        for seed in 0..2 {
            let (share, left, world) = attacked(seed, attack, 1_000);
            println!("{name} {seed}: {share:.4}, {left} left, {} bans", banned(&world));
            assert!(share >= 0.99, "{name} {seed}: {share}");
            assert_eq!(left, 0, "{name} {seed}");
            assert_eq!(honest_bans(&world), 0, "{name} {seed}");
        }
    }
}
