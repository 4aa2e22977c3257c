//! Many meshes on a virtual clock: links are reliable streams with a delay, or lose single messages; nodes die without
//! a word, networks fall apart. Twice the same for the same seed.

#![allow(clippy::unwrap_used)]

mod attacks;
mod gates;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::id::MessageId;
use crate::time::Duration;
use crate::wire::gossip::Have;
use crate::wire::sealed::Signature;

/// How long it takes to see that a peer cannot be reached.
const UNREACHABLE: Duration = Duration::from_secs(3);
/// Older messages are ignored.
const STALE: Duration = Duration::from_secs(60);

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// How long a message travels: 10 to 100 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delays {
    /// Drawn for each message, as in the prototypes that the gates come from.
    Message,
    /// Drawn for each pair of nodes, and up to a tenth more for each message.
    Pair,
}

pub(super) fn id(n: usize) -> PeerId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(n as u64).to_le_bytes());
    PeerId(id)
}

fn index(peer: PeerId) -> usize {
    u64::from_le_bytes(peer.0[..8].try_into().unwrap()) as usize
}

pub(super) fn contact(n: usize) -> Contact {
    Contact { id: id(n), addresses: Vec::new() }
}

/// "Signed" by its author: the signature is the author's id.
pub(super) fn message(now: Instant, author: usize, n: u64) -> SignedMessage {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&id(author).0);
    let body = format!("{} {n}", now.as_micros());
    SignedMessage::from_parts(id(author), body, Signature(signature)).unwrap()
}

/// Checks the stand-in for a signature, and the age.
pub(super) struct Judge;

impl Validator for Judge {
    fn judge(&mut self, now: Instant, message: &SignedMessage) -> Verdict {
        let sent = message.body().split(' ').next().and_then(|at| at.parse().ok());
        match sent.map(Instant::from_micros) {
            Some(sent) if message.signature().0[..32] == message.author().0 => {
                if now - sent < STALE { Verdict::Accept } else { Verdict::Ignore }
            }
            _ => Verdict::Reject,
        }
    }
}

struct Link {
    peer: usize,
    number: u64,
    /// When what was sent last arrives: streams keep order.
    arrives: Instant,
}

pub(super) struct Node {
    pub(super) mesh: Mesh,
    pub(super) is_alive: bool,
    /// Nodes on different sides cannot reach each other.
    pub(super) side: u8,
    links: Vec<Link>,
    opening: Vec<usize>,
    wake: Instant,
}

enum Event {
    Wake(usize),
    Message { to: usize, from: usize, link: u64, message: GossipMessage },
    Handshake { from: usize, to: usize },
    Failed { at: usize, peer: usize },
    Down { at: usize, peer: usize, link: u64 },
}

struct Entry(Instant, u64, Event);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// What became of one message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    pub(super) delivered: usize,
    pub(super) payloads: usize,
    pub(super) last_hop: u16,
    pub(super) sent_at: Instant,
    pub(super) last_at: Instant,
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Node>,
    pub(super) delays: Delays,
    pub(super) loss: f64,
    pub(super) spreads: BTreeMap<MessageId, Spread>,
    /// Messages other than payload.
    pub(super) control: usize,
    pub(super) opened: usize,
    /// Does not count among those who got a message.
    pub(super) attacker: Option<usize>,
    queue: BinaryHeap<Reverse<Entry>>,
    rng: ChaCha8Rng,
    seed: u64,
    last: u64,
}

impl World {
    pub(super) fn new(seed: u64, delays: Delays) -> World {
        World {
            now: Instant::ZERO + secs(1_000),
            nodes: Vec::new(),
            delays,
            loss: 0.0,
            spreads: BTreeMap::new(),
            control: 0,
            opened: 0,
            attacker: None,
            queue: BinaryHeap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            seed,
            last: 0,
        }
    }

    /// A mesh of `n`, all of whom join within a hundredth of a second for each, up to 20 s, each by three of those
    /// before it, as a tracker would name them.
    pub(super) fn joined(seed: u64, delays: Delays, n: usize) -> World {
        let mut world = World::new(seed, delays);
        let pause = Duration::from_micros((20_000_000 / n as u64).min(10_000));
        for _ in 0..n {
            world.add();
            world.run_for(pause);
        }
        world
    }

    /// And a quarter of a minute later.
    pub(super) fn grown(seed: u64, delays: Delays, n: usize) -> World {
        let mut world = World::joined(seed, delays, n);
        world.run_for(secs(15));
        world
    }

    pub(super) fn add(&mut self) -> usize {
        let n = self.nodes.len();
        let rng = ChaCha8Rng::seed_from_u64(self.seed.wrapping_mul(1_000_003) ^ n as u64);
        self.nodes.push(Node {
            mesh: Mesh::new(contact(n), Box::new(rng)),
            is_alive: true,
            side: 0,
            links: Vec::new(),
            opening: Vec::new(),
            wake: Instant::FAR_FUTURE,
        });
        if n > 0 {
            let contacts = (0..3).map(|_| contact(self.below(n))).collect();
            self.nodes[n].mesh.add_contacts(self.now, contacts);
            self.follow(n);
        }
        n
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        view::below(&mut self.rng, bound)
    }

    pub(super) fn some_living(&mut self) -> usize {
        loop {
            let n = self.below(self.nodes.len());
            if self.nodes[n].is_alive {
                return n;
            }
        }
    }

    pub(super) fn living(&self) -> usize {
        self.nodes.iter().filter(|node| node.is_alive).count()
    }

    pub(super) fn kill(&mut self, count: usize, except: usize) {
        let mut left = count;
        while left > 0 {
            let n = self.some_living();
            if n != except {
                self.nodes[n].is_alive = false;
                left -= 1;
            }
        }
    }

    pub(super) fn broadcast(&mut self, author: usize) -> MessageId {
        self.last += 1;
        let message = message(self.now, author, self.last);
        let id = message.id();
        let now = self.now;
        self.spreads.insert(id, Spread { sent_at: now, last_at: now, ..Spread::default() });
        assert!(self.nodes[author].mesh.broadcast(now, message));
        self.follow(author);
        id
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|Reverse(entry)| entry.0 <= end) {
            let Reverse(Entry(at, _, event)) = self.queue.pop().unwrap();
            self.now = at;
            self.handle(event);
        }
        self.now = end;
    }

    /// Peers with a link from here.
    pub(super) fn linked(&self, n: usize) -> Vec<usize> {
        self.nodes[n].links.iter().map(|link| link.peer).collect()
    }

    /// The living fall into so many parts that are connected by mutual neighbours.
    pub(super) fn parts(&self) -> usize {
        let is_neighbor =
            |a: usize, b: usize| self.nodes[a].mesh.neighbors().any(|peer| peer == id(b));
        let mut seen: Vec<bool> = self.nodes.iter().map(|node| !node.is_alive).collect();
        let mut parts = 0;
        while let Some(start) = seen.iter().position(|seen| !seen) {
            parts += 1;
            seen[start] = true;
            let mut todo = vec![start];
            while let Some(n) = todo.pop() {
                for peer in self.nodes[n].mesh.neighbors().map(index) {
                    if !seen[peer] && is_neighbor(peer, n) {
                        seen[peer] = true;
                        todo.push(peer);
                    }
                }
            }
        }
        parts
    }

    /// Says something that a mesh would not.
    pub(super) fn inject(&mut self, from: usize, to: usize, message: GossipMessage) {
        self.send(from, to, message);
    }

    fn can_reach(&self, a: usize, b: usize) -> bool {
        self.nodes[a].is_alive && self.nodes[b].is_alive && self.nodes[a].side == self.nodes[b].side
    }

    fn delay(&mut self, a: usize, b: usize) -> Duration {
        let drawn = u64::from(self.rng.next_u32());
        match self.delays {
            Delays::Message => Duration::from_micros(10_000 + drawn * 90_000 / (1 << 32)),
            Delays::Pair => {
                let pair = (a.min(b) as u64) << 32 | a.max(b) as u64;
                // The finaliser of splitmix64.
                let mut own = (self.seed << 48 ^ pair).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                own = (own ^ own >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                own = (own ^ own >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                let base = 10_000 + (own >> 32) * 90_000 / (1 << 32);
                Duration::from_micros(base + base / 10 * drawn / (1 << 32))
            }
        }
    }

    fn push(&mut self, at: Instant, event: Event) {
        self.last += 1;
        self.queue.push(Reverse(Entry(at, self.last, event)));
    }

    fn send(&mut self, from: usize, to: usize, message: GossipMessage) {
        if let GossipMessage::Gossip { message, .. } = &message {
            if let Some(spread) = self.spreads.get_mut(&message.id()) {
                spread.payloads += 1;
            }
        } else {
            self.control += 1;
        }
        let is_lost = f64::from(self.rng.next_u32()) < self.loss * f64::from(u32::MAX);
        let arrives = self.now + self.delay(from, to);
        let link = self.nodes[from].links.iter_mut().find(|link| link.peer == to);
        let Some(link) = link.filter(|_| !is_lost) else { return };
        link.arrives = link.arrives.max(arrives);
        let (arrives, link) = (link.arrives, link.number);
        self.push(arrives, Event::Message { to, from, link, message });
    }

    fn handle(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Wake(n) => {
                let node = &mut self.nodes[n];
                if node.wake != now || !node.is_alive {
                    return;
                }
                node.wake = Instant::FAR_FUTURE;
                if node.mesh.next_timeout() <= now {
                    node.mesh.handle_timeout(now);
                }
                self.follow(n);
            }
            Event::Message { to, from, link, message } => {
                let is_open = self.nodes[to].links.iter().any(|l| l.number == link);
                if self.can_reach(from, to) && is_open {
                    let len = match &message {
                        GossipMessage::Gossip { message, .. } => message.body().len() + 300,
                        _ => 200,
                    };
                    let mesh = &mut self.nodes[to].mesh;
                    if mesh.admit(now, id(from), len) {
                        mesh.handle_parsed(now, id(from), message, &mut Judge);
                    }
                    mesh.settle(now);
                    self.follow(to);
                }
            }
            Event::Handshake { from, to } => {
                let opening = &mut self.nodes[from].opening;
                let Some(at) = opening.iter().position(|peer| *peer == to) else { return };
                opening.swap_remove(at);
                if !self.can_reach(from, to) {
                    self.nodes[from].opening.push(to);
                    self.push(now + UNREACHABLE, Event::Failed { at: from, peer: to });
                    return;
                }
                self.last += 1;
                let number = self.last;
                for (node, peer) in [(from, to), (to, from)] {
                    self.nodes[node].links.retain(|link| link.peer != peer);
                    self.nodes[node].links.push(Link { peer, number, arrives: now });
                }
                for (node, peer) in [(from, to), (to, from)] {
                    self.nodes[node].mesh.handle_link_up(now, id(peer));
                    self.follow(node);
                }
            }
            Event::Failed { at, peer } => {
                let opening = &mut self.nodes[at].opening;
                if let Some(found) = opening.iter().position(|p| *p == peer) {
                    opening.swap_remove(found);
                    self.nodes[at].mesh.handle_link_failed(now, id(peer));
                    self.follow(at);
                }
            }
            Event::Down { at, peer, link } => {
                let before = self.nodes[at].links.len();
                self.nodes[at].links.retain(|l| l.number != link);
                if self.nodes[at].links.len() < before
                    && self.nodes[at].side == self.nodes[peer].side
                {
                    self.nodes[at].mesh.handle_link_down(now, id(peer));
                    self.follow(at);
                }
            }
        }
    }

    /// Carries out what a mesh wants.
    fn follow(&mut self, n: usize) {
        let now = self.now;
        while let Some(output) = self.nodes[n].mesh.poll() {
            match output {
                Output::Send(peer, message) => self.send(n, index(peer), message),
                Output::Deliver(message, hops) => {
                    let counts = self.attacker != Some(n);
                    let spread = self.spreads.get_mut(&message.id()).filter(|_| counts);
                    if let Some(spread) = spread {
                        spread.delivered += 1;
                        spread.last_hop = spread.last_hop.max(hops);
                        spread.last_at = now;
                    }
                }
                Output::Open(contact) => {
                    let to = index(contact.id);
                    self.opened += 1;
                    self.nodes[n].opening.push(to);
                    let at = now + self.delay(n, to) * 3;
                    self.push(at, Event::Handshake { from: n, to });
                }
                Output::Close(peer) => {
                    let peer = index(peer);
                    self.nodes[n].opening.retain(|p| *p != peer);
                    let links = &mut self.nodes[n].links;
                    if let Some(at) = links.iter().position(|link| link.peer == peer) {
                        let link = links.swap_remove(at);
                        let arrives = link.arrives.max(now + self.delay(n, peer));
                        let link = link.number;
                        self.push(arrives, Event::Down { at: peer, peer: n, link });
                    }
                }
                Output::NeighborUp(_)
                | Output::NeighborDown(_)
                | Output::NeighborLost(_)
                | Output::Exchange(..) => {}
            }
        }
        let wake = self.nodes[n].mesh.next_timeout().max(now);
        if wake < self.nodes[n].wake && wake < Instant::FAR_FUTURE {
            self.nodes[n].wake = wake;
            self.push(wake, Event::Wake(n));
        }
    }
}
