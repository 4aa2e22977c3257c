//! Meshes whose nodes write to each other, on a virtual clock, over links that lose messages and break.

#![allow(clippy::unwrap_used)]

mod scenes;

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::overlay::{self, Mesh, Validator, view};
use crate::wire::gossip::{Contact, GossipMessage};

/// How long it takes to see that a peer cannot be reached.
const UNREACHABLE: Duration = Duration::from_secs(3);

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn identity(n: usize) -> Identity {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&(n as u64).to_le_bytes());
    Identity::from_secret(&secret)
}

pub(super) fn random(seed: u64) -> Box<ChaCha8Rng> {
    Box::new(ChaCha8Rng::seed_from_u64(seed))
}

pub(super) fn wall(now: Instant) -> UnixMillis {
    UnixMillis(1_700_000_000_000 + now.as_micros() / 1_000)
}

struct Judge<'a>(&'a mut Posts);

impl Validator for Judge<'_> {
    fn judge(&mut self, now: Instant, message: &SignedMessage) -> Verdict {
        self.0.judge(now, wall(now), message)
    }
}

struct Link {
    peer: usize,
    number: u64,
    arrives: Instant,
}

struct Node {
    id: PeerId,
    mesh: Mesh,
    posts: Posts,
    links: Vec<Link>,
    opening: Vec<usize>,
    /// Nodes on different sides cannot reach each other.
    side: usize,
    wake: Instant,
    texts: Vec<Text>,
    missing: u32,
    delivered: Vec<TextId>,
    stored: Vec<SignedMessage>,
}

enum Step {
    Wake(usize),
    Message { to: usize, from: usize, link: u64, bytes: Vec<u8> },
    Handshake { from: usize, to: usize },
    Failed { at: usize, peer: usize },
    Down { at: usize, peer: usize, link: u64 },
}

struct World {
    now: Instant,
    nodes: Vec<Node>,
    indices: BTreeMap<PeerId, usize>,
    loss: f64,
    queue: BTreeMap<(Instant, u64), Step>,
    rng: ChaCha8Rng,
    last: u64,
    /// Bytes of exchanges, of everything, and messages of exchanges that were sent.
    exchanged: usize,
    sent: usize,
    exchanges: usize,
    /// All that was sent, if it is to be searched.
    log: Option<Vec<Vec<u8>>>,
}

impl World {
    fn grown(seed: u64, n: usize) -> World {
        let mut world = World {
            now: Instant::ZERO + secs(1_000),
            nodes: Vec::new(),
            indices: BTreeMap::new(),
            loss: 0.0,
            queue: BTreeMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            last: 0,
            exchanged: 0,
            sent: 0,
            exchanges: 0,
            log: None,
        };
        for _ in 0..n {
            world.add();
            world.run_for(Duration::from_millis(50));
        }
        world.run_for(secs(10));
        world
    }

    fn add(&mut self) -> usize {
        let n = self.nodes.len();
        let identity = identity(n);
        let id = identity.id();
        let contact = Contact { id, addresses: Vec::new() };
        self.indices.insert(id, n);
        self.nodes.push(Node {
            id,
            mesh: Mesh::new(contact, random(n as u64)),
            posts: Posts::new(identity, &format!("node {n}"), random(1_000 + n as u64)),
            links: Vec::new(),
            opening: Vec::new(),
            side: 0,
            wake: Instant::FAR_FUTURE,
            texts: Vec::new(),
            missing: 0,
            delivered: Vec::new(),
            stored: Vec::new(),
        });
        self.introduce(n);
        n
    }

    /// Tells a node of three others, as a tracker would.
    fn introduce(&mut self, n: usize) {
        if n > 0 {
            let mut some = || self.nodes[view::below(&mut self.rng, n)].id;
            let contact = |id| Contact { id, addresses: Vec::new() };
            let contacts = vec![contact(some()), contact(some()), contact(some())];
            self.nodes[n].mesh.add_contacts(self.now, contacts);
        }
        self.follow(n);
    }

    fn write(&mut self, n: usize, audience: Audience, text: &str) -> TextId {
        let id = self.nodes[n].posts.write(self.now, wall(self.now), audience, text).unwrap();
        self.follow(n);
        id
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), step) = entry.remove_entry();
            self.now = at;
            self.handle(step);
        }
        self.now = end;
    }

    fn can_reach(&self, a: usize, b: usize) -> bool {
        self.nodes[a].side == self.nodes[b].side
    }

    fn delay(&mut self) -> Duration {
        Duration::from_micros(10_000 + u64::from(self.rng.next_u32()) * 90_000 / (1 << 32))
    }

    fn push(&mut self, at: Instant, step: Step) {
        self.last += 1;
        self.queue.insert((at, self.last), step);
    }

    fn send(&mut self, from: usize, to: usize, message: &GossipMessage) {
        let bytes = message.to_bytes();
        self.sent += bytes.len();
        if let GossipMessage::Exchange(_) = message {
            self.exchanged += bytes.len();
            self.exchanges += 1;
        }
        self.log.iter_mut().for_each(|log| log.push(bytes.clone()));
        let is_lost = f64::from(self.rng.next_u32()) < self.loss * f64::from(u32::MAX);
        let arrives = self.now + self.delay();
        let link = self.nodes[from].links.iter_mut().find(|link| link.peer == to);
        let Some(link) = link.filter(|_| !is_lost) else { return };
        link.arrives = link.arrives.max(arrives);
        let (arrives, link) = (link.arrives, link.number);
        self.push(arrives, Step::Message { to, from, link, bytes });
    }

    fn handle(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Wake(n) => {
                let node = &mut self.nodes[n];
                if node.wake != now {
                    return;
                }
                node.wake = Instant::FAR_FUTURE;
                node.mesh.handle_timeout(now);
                node.posts.handle_timeout(now, wall(now));
                self.follow(n);
            }
            Step::Message { to, from, link, bytes } => {
                let is_open = self.nodes[to].links.iter().any(|l| l.number == link);
                if self.can_reach(from, to) && is_open {
                    let peer = self.nodes[from].id;
                    let Node { mesh, posts, .. } = &mut self.nodes[to];
                    mesh.handle_message(now, peer, &bytes, &mut Judge(posts));
                    self.follow(to);
                }
            }
            Step::Handshake { from, to } => self.shake_hands(from, to),
            Step::Failed { at, peer } => {
                let id = self.nodes[peer].id;
                let node = &mut self.nodes[at];
                if let Some(found) = node.opening.iter().position(|p| *p == peer) {
                    node.opening.swap_remove(found);
                    node.mesh.handle_link_failed(now, id);
                    self.follow(at);
                }
            }
            Step::Down { at, peer, link } => {
                let id = self.nodes[peer].id;
                let can_reach = self.can_reach(at, peer);
                let node = &mut self.nodes[at];
                let before = node.links.len();
                node.links.retain(|l| l.number != link);
                if node.links.len() < before && can_reach {
                    node.mesh.handle_link_down(now, id);
                    self.follow(at);
                }
            }
        }
    }

    fn shake_hands(&mut self, from: usize, to: usize) {
        let opening = &mut self.nodes[from].opening;
        let Some(at) = opening.iter().position(|peer| *peer == to) else { return };
        opening.swap_remove(at);
        if !self.can_reach(from, to) {
            self.nodes[from].opening.push(to);
            return self.push(self.now + UNREACHABLE, Step::Failed { at: from, peer: to });
        }
        self.last += 1;
        let (number, arrives) = (self.last, self.now);
        for (node, peer) in [(from, to), (to, from)] {
            self.nodes[node].links.retain(|link| link.peer != peer);
            self.nodes[node].links.push(Link { peer, number, arrives });
        }
        for (node, peer) in [(from, to), (to, from)] {
            let id = self.nodes[peer].id;
            self.nodes[node].mesh.handle_link_up(self.now, id);
            self.follow(node);
        }
    }

    /// Carries out what a node wants.
    fn follow(&mut self, n: usize) {
        let now = self.now;
        loop {
            if let Some(output) = self.nodes[n].mesh.poll() {
                self.follow_mesh(n, output);
            } else if let Some(output) = self.nodes[n].posts.poll() {
                let node = &mut self.nodes[n];
                match output {
                    Output::Broadcast(message) => assert!(node.mesh.broadcast(now, message)),
                    Output::Send(peer, exchange) => node.mesh.send_exchange(peer, exchange),
                    Output::Store(message) => node.stored.push(message),
                    Output::Event(Event::Text(text)) => node.texts.push(text),
                    Output::Event(Event::Missing { count, .. }) => node.missing += count,
                    Output::Event(Event::Delivered { ids, .. }) => node.delivered.extend(ids),
                }
            } else {
                break;
            }
        }
        let node = &self.nodes[n];
        let wake = node.mesh.next_timeout().min(node.posts.next_timeout()).max(now);
        if wake < node.wake && wake < Instant::FAR_FUTURE {
            self.nodes[n].wake = wake;
            self.push(wake, Step::Wake(n));
        }
    }

    fn follow_mesh(&mut self, n: usize, output: overlay::Output) {
        let now = self.now;
        match output {
            overlay::Output::Send(peer, message) => self.send(n, self.indices[&peer], &message),
            overlay::Output::Deliver(message, _) => {
                self.nodes[n].posts.handle_delivered(now, wall(now), &message);
            }
            overlay::Output::NeighborUp(peer) => self.nodes[n].posts.handle_neighbor_up(now, peer),
            overlay::Output::NeighborDown(peer) => self.nodes[n].posts.handle_neighbor_down(peer),
            overlay::Output::NeighborLost(_) => {}
            overlay::Output::Exchange(peer, exchange) => {
                self.nodes[n].posts.handle_exchange(now, wall(now), peer, &exchange);
            }
            overlay::Output::Open(contact) => {
                let to = self.indices[&contact.id];
                self.nodes[n].opening.push(to);
                let at = now + self.delay() * 3;
                self.push(at, Step::Handshake { from: n, to });
            }
            overlay::Output::Close(peer) => {
                let peer = self.indices[&peer];
                self.nodes[n].opening.retain(|p| *p != peer);
                let links = &mut self.nodes[n].links;
                if let Some(at) = links.iter().position(|link| link.peer == peer) {
                    let link = links.swap_remove(at);
                    let arrives = link.arrives.max(now + self.delay());
                    let link = link.number;
                    self.push(arrives, Step::Down { at: peer, peer: n, link });
                }
            }
        }
    }
}
