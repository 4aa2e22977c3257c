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
        _ => {
            GossipMessage::Shuffle { walk: attacker.n as u32, contacts: vec![contact; 16], ttl: 6 }
        }
    }
}

/// What came of an attack.
struct Outcome {
    /// The share of honest deliveries while it went on.
    share: f64,
    /// The longest time, in ms, that somebody went on listening.
    endured: u64,
    /// Peers that banned the attacker, and how often the honest banned each other.
    bans: usize,
    honest_bans: usize,
}

fn attacked(seed: u64, attack: Attack, per_second: u64) -> Outcome {
    let mut world = World::grown(seed, Delays::Message, NODES);
    world.attacker = Some(ATTACKER);
    let mut attacker = Attacker { n: 0, heard: Vec::new() };
    let (mut ids, mut since, mut endured) = (Vec::new(), BTreeMap::new(), 0);
    for step in 0..60_000_u64 {
        if step % 1_000 == 0 {
            let author = world.below(NODES - 1);
            ids.push(world.broadcast(author));
            attacker.heard.extend(world.nodes[ATTACKER].mesh.tree.kept().cloned());
            assert!(world.nodes.iter().all(|node| node.mesh.is_bounded()));
        }
        let peers = world.linked(ATTACKER);
        since.retain(|peer, _| peers.contains(peer));
        for peer in &peers {
            endured = endured.max(step - *since.entry(*peer).or_insert(step));
        }
        if step * per_second / 1_000 != (step + 1) * per_second / 1_000 {
            attacker.n += 1;
            for peer in peers {
                let message = attack(&mut attacker, &mut world);
                world.inject(ATTACKER, peer, message);
            }
        }
        world.run_for(ms(1));
    }
    world.run_for(secs(10));
    let honest = NODES - 2;
    let delivered: usize = ids.iter().map(|id| world.spreads[id].delivered).sum();
    let bans_of = |peer: usize| {
        let nodes = world.nodes[..ATTACKER].iter();
        nodes.filter(|node| node.mesh.guard.is_banned(world.now, id(peer))).count()
    };
    Outcome {
        share: delivered as f64 / (honest * ids.len()) as f64,
        endured,
        bans: bans_of(ATTACKER),
        honest_bans: (0..ATTACKER).map(bans_of).sum(),
    }
}

/// `patience`, in ms: how long nobody may go on listening.
fn assert_dropped(seeds: std::ops::Range<u64>, attack: Attack, per_second: u64, patience: u64) {
    for seed in seeds {
        let Outcome { share, endured, bans, honest_bans } = attacked(seed, attack, per_second);
        println!("{seed}: {share:.4} heard, dropped by {bans} in {endured} ms");
        assert!(share >= 0.99, "{seed}: {share}");
        assert!(endured <= patience && bans > 0, "{seed}: {endured} ms, {bans} bans");
        assert_eq!(honest_bans, 0, "{seed}");
    }
}

#[test]
fn who_floods_is_dropped() {
    assert_dropped(0..10, flood, 1_000, 2_000);
}

#[test]
fn who_forges_is_dropped() {
    assert_dropped(0..10, forge, 1_000, 2_000);
    assert_dropped(0..2, forge, 1, 20_000);
}

#[test]
fn who_replays_is_dropped() {
    assert_dropped(0..10, replay, 1_000, 2_000);
    assert_dropped(0..2, replay, 20, 30_000);
}

#[test]
fn who_promises_what_there_is_not_is_dropped() {
    assert_dropped(0..2, promise, 1_000, 2_000);
}

#[test]
fn who_sends_others_on_walks_is_dropped() {
    assert_dropped(0..2, walk, 1_000, 2_000);
}

#[test]
#[ignore = "minutes: ten seeds"]
fn the_grid_of_attacks() {
    for (attack, per_second, patience) in [
        (forge as Attack, 1, 20_000),
        (replay, 20, 30_000),
        (promise, 1_000, 2_000),
        (walk, 1_000, 2_000),
    ] {
        assert_dropped(0..10, attack, per_second, patience);
    }
}
