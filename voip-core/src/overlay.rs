//! A mesh of peers that hand on signed messages to all, with nobody in the middle.
//!
//! [`membership`] decides who is whose neighbour (HyParView), [`dissemination`] how a message comes to everybody
//! (Plumtree), [`pulse`] whether neighbours are there, [`limits`] what they may do. [`Mesh`] composes them.
//!
//! The owner carries out [`Output`]s: `Open` ends in [`Mesh::handle_link_up`] or [`Mesh::handle_link_failed`]; links that
//! others open are reported by the former, too, and the end of any link but by `Close` with [`Mesh::handle_link_down`]. It
//! must know for sure which peer is at the other end: here a peer is what its link says it is.

mod dissemination;
mod limits;
mod membership;
mod missing;
pub(crate) mod posts;
mod pulse;
mod rtt;
mod store;
mod view;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use rand_core::Rng;

use crate::id::PeerId;
use crate::time::Instant;
use crate::wire::exchange::Exchange;
use crate::wire::gossip::{Contact, GossipMessage, SignedMessage};
use dissemination::{Plumtree, Reception, TreeStats};
use limits::{Guard, Offence};
use membership::{Action, Membership};
use pulse::{Beat, Pulse};
use store::Fate;

/// What the owner makes of a message, before anybody else gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// To be handed on.
    Accept,
    /// Not to be handed on, for a reason that others may see differently: too old by our clock, a room we do not know.
    Ignore,
    /// Wrong for everybody, as a bad signature: who sent it is to blame.
    Reject,
}

/// Judges messages. What is older than [`store::ID_LIFE`] must not be accepted again: only the owner can tell.
pub(crate) trait Validator {
    fn judge(&mut self, now: Instant, message: &SignedMessage) -> Verdict;
}

/// What the owner is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Open a link.
    Open(Contact),
    /// Close a link, when what was sent has left.
    Close(PeerId),
    Send(PeerId, GossipMessage),
    /// A message of somebody else, for the first time; it came by so many hops.
    Deliver(SignedMessage, u16),
    NeighborUp(PeerId),
    NeighborDown(PeerId),
    /// It is down, and has not said why.
    NeighborLost(PeerId),
    /// What a neighbour says about the posts it has.
    Exchange(PeerId, Exchange),
}

/// What was dropped and why, and some of what was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MeshStats {
    /// Messages accepted from neighbours.
    pub(crate) delivered: u64,
    /// From peers without a link.
    pub(crate) strangers: u64,
    /// Not messages, or beyond their limits.
    pub(crate) malformed: u64,
    /// Of a later version's type.
    pub(crate) unknown: u64,
    /// Of no use at the time: from peers that are no neighbours, answers to nothing.
    pub(crate) unexpected: u64,
    /// More than a peer may send.
    pub(crate) flooded: u64,
    /// Messages on random walks above what a neighbour may send, or takes.
    pub(crate) walks_cut: u64,
    /// Rejected by the validator.
    pub(crate) invalid: u64,
    /// Ignored by the validator.
    pub(crate) ignored: u64,
    /// Of authors that say too much.
    pub(crate) overtalked: u64,
    /// The same message too often from the same neighbour.
    pub(crate) replayed: u64,
    /// Neighbours that showed no life.
    pub(crate) silent: u64,
    /// Peers banned for what they did.
    pub(crate) banned: u64,
    /// Links refused to banned peers.
    pub(crate) refused: u64,
    /// Messages given up before their time.
    pub(crate) evicted: u64,
    pub(crate) tree: TreeStats,
}

impl MeshStats {
    /// All that was dropped for what it is.
    pub(crate) fn dropped(&self) -> u64 {
        let MeshStats { strangers, malformed, unknown, unexpected, flooded, walks_cut, .. } = self;
        let MeshStats { invalid, ignored, overtalked, replayed, refused, .. } = self;
        let kinds = [strangers, malformed, unknown, unexpected, flooded, walks_cut];
        let judged = [invalid, ignored, overtalked, replayed, refused];
        kinds.into_iter().chain(judged).sum()
    }
}

/// See the module.
pub(crate) struct Mesh {
    membership: Membership,
    tree: Plumtree,
    pulse: Pulse,
    guard: Guard,
    outputs: VecDeque<Output>,
    stats: MeshStats,
}

impl Mesh {
    /// A mesh of one: `me` is what others are told of this node.
    pub(crate) fn new(me: Contact, rng: Box<dyn Rng + Send>) -> Self {
        let mut membership = Membership::new(me, rng);
        let guard = Guard::new(membership.random());
        Mesh {
            membership,
            tree: Plumtree::default(),
            pulse: Pulse::default(),
            guard,
            outputs: VecDeque::new(),
            stats: MeshStats::default(),
        }
    }

    /// What to do next, oldest first.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Mesh::handle_timeout`] at the latest.
    pub(crate) fn next_timeout(&self) -> Instant {
        let (membership, tree) = (self.membership.next_timeout(), self.tree.next_timeout());
        membership.min(tree).min(self.pulse.next_timeout())
    }

    pub(crate) fn neighbors(&self) -> impl Iterator<Item = PeerId> {
        self.membership.active()
    }

    pub(crate) fn stats(&self) -> MeshStats {
        let unexpected = self.stats.unexpected + self.membership.unexpected();
        let (evicted, tree) = (self.tree.evicted(), self.tree.stats());
        MeshStats { unexpected, evicted, tree, ..self.stats }
    }

    /// Contacts that the owner has from elsewhere, as from a tracker: to join by, and to fall back on.
    pub(crate) fn add_contacts(&mut self, now: Instant, contacts: Vec<Contact>) {
        self.membership.add_contacts(now, contacts);
        self.settle(now);
    }

    /// A contact that the user has named, and that is there: to become its neighbour, and to fall back on it.
    pub(crate) fn join(&mut self, now: Instant, contact: Contact) {
        self.membership.join(now, contact);
        self.settle(now);
    }

    /// Where this node can be reached now.
    pub(crate) fn set_addresses(&mut self, addresses: Vec<String>) {
        self.membership.set_addresses(addresses);
    }

    /// Disseminates a message that this node has signed; `false` if it says more than others would hand on.
    pub(crate) fn broadcast(&mut self, now: Instant, message: SignedMessage) -> bool {
        let may = self.guard.author_may(now, message.author());
        if may {
            self.tree.broadcast(now, message);
            self.settle(now);
        }
        may
    }

    /// Tells a neighbour about posts; to others nothing is sent.
    pub(crate) fn send_exchange(&mut self, peer: PeerId, exchange: Exchange) {
        if self.membership.is_active(peer) {
            self.outputs.push_back(Output::Send(peer, GossipMessage::Exchange(exchange)));
        }
    }

    /// Whether this author may say one thing more; then it has.
    pub(crate) fn author_may(&mut self, now: Instant, author: PeerId) -> bool {
        self.guard.author_may(now, author)
    }

    /// What a neighbour has said about posts or nodes is not true.
    pub(crate) fn blame_invalid(&mut self, now: Instant, peer: PeerId) {
        self.stats.invalid += 1;
        self.blame(now, peer, Offence::Invalid);
        self.settle(now);
    }

    /// Says goodbye to all neighbours.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.membership.leave();
        self.settle(now);
    }

    /// A link to this peer is open, whoever opened it.
    pub(crate) fn handle_link_up(&mut self, now: Instant, peer: PeerId) {
        if self.guard.is_banned(now, peer) {
            self.stats.refused += 1;
            self.membership.forget(now, peer);
        } else {
            self.membership.handle_link_up(now, peer);
        }
        self.settle(now);
    }

    /// The link asked for was not to be had.
    pub(crate) fn handle_link_failed(&mut self, now: Instant, peer: PeerId) {
        self.membership.handle_link_failed(now, peer);
        self.settle(now);
    }

    /// A link is gone.
    pub(crate) fn handle_link_down(&mut self, now: Instant, peer: PeerId) {
        self.membership.handle_link_down(now, peer);
        self.settle(now);
    }

    /// A message came over a link.
    pub(crate) fn handle_message(
        &mut self,
        now: Instant,
        from: PeerId,
        bytes: &[u8],
        validator: &mut dyn Validator,
    ) {
        if self.admit(now, from, bytes.len()) {
            match GossipMessage::parse(bytes) {
                Some(message) => self.handle_parsed(now, from, message, validator),
                None => {
                    self.stats.malformed += 1;
                    self.blame(now, from, Offence::Malformed);
                }
            }
        }
        self.settle(now);
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(beat) = self.pulse.handle_timeout(now) {
            match beat {
                Beat::Ping(peer, n) => {
                    self.outputs.push_back(Output::Send(peer, GossipMessage::Ping { n }));
                }
                Beat::Lost(peer) => {
                    self.stats.silent += 1;
                    self.membership.handle_silence(now, peer);
                }
            }
        }
        self.membership.handle_timeout(now);
        self.settle(now);
        self.tree.handle_timeout(now);
        self.settle(now);
    }

    /// Whether a message of so many bytes is to be looked at.
    fn admit(&mut self, now: Instant, from: PeerId, bytes: usize) -> bool {
        if !self.membership.is_linked(from) {
            self.stats.strangers += 1;
            return false;
        }
        let admitted = self.guard.admit(now, from, bytes);
        if !admitted {
            self.stats.flooded += 1;
            self.blame(now, from, Offence::Flood);
        }
        admitted
    }

    fn handle_parsed(
        &mut self,
        now: Instant,
        from: PeerId,
        message: GossipMessage,
        validator: &mut dyn Validator,
    ) {
        self.pulse.hear(now, from);
        let is_neighbor = self.membership.is_active(from);
        match message {
            GossipMessage::Unknown => self.stats.unknown += 1,
            GossipMessage::Join { .. } | GossipMessage::Neighbor { .. } => {
                if self.guard.admit_request(now, from) {
                    self.membership.handle(now, from, message);
                } else {
                    self.stats.flooded += 1;
                    self.blame(now, from, Offence::Flood);
                }
            }
            GossipMessage::NeighborReply { .. } | GossipMessage::Disconnect { .. } => {
                self.membership.handle(now, from, message);
            }
            _ if !is_neighbor => self.stats.unexpected += 1,
            GossipMessage::ForwardJoin { .. }
            | GossipMessage::Shuffle { .. }
            | GossipMessage::ShuffleReply { .. } => {
                if self.guard.admit_walk(now, from) {
                    self.membership.handle(now, from, message);
                } else {
                    self.stats.walks_cut += 1;
                    self.blame(now, from, Offence::Flood);
                }
            }
            GossipMessage::Gossip { message, hops } => {
                self.handle_gossip(now, from, message, hops, validator);
            }
            GossipMessage::IHave { .. } | GossipMessage::Graft { .. } | GossipMessage::Prune => {
                self.tree.handle(now, from, message);
            }
            GossipMessage::Exchange(exchange) => {
                self.outputs.push_back(Output::Exchange(from, exchange));
            }
            GossipMessage::Ping { n } => {
                self.outputs.push_back(Output::Send(from, GossipMessage::Pong { n }));
            }
            GossipMessage::Pong { n } => match self.pulse.handle_pong(now, from, n) {
                Some(rtt) => self.tree.set_rtt(from, rtt),
                None => self.stats.unexpected += 1,
            },
        }
    }

    /// Nothing gets past here that was not judged.
    fn handle_gossip(
        &mut self,
        now: Instant,
        from: PeerId,
        message: SignedMessage,
        hops: u16,
        validator: &mut dyn Validator,
    ) {
        let id = message.id();
        match self.tree.receive(now, from, id) {
            Reception::Duplicate => return,
            Reception::Replay => {
                self.stats.replayed += 1;
                return self.blame(now, from, Offence::Replay);
            }
            Reception::Invalid => {
                self.stats.invalid += 1;
                return self.blame(now, from, Offence::Invalid);
            }
            Reception::New => {}
        }
        match validator.judge(now, &message) {
            Verdict::Accept if self.guard.author_may(now, message.author()) => {
                self.stats.delivered += 1;
                self.tree.accept(now, from, message.clone(), hops);
                self.outputs.push_back(Output::Deliver(message, hops));
            }
            Verdict::Accept => {
                self.stats.overtalked += 1;
                self.tree.refuse(now, id, Fate::Ignored);
                if message.author() == from {
                    self.blame(now, from, Offence::Flood);
                }
            }
            Verdict::Ignore => {
                self.stats.ignored += 1;
                self.tree.refuse(now, id, Fate::Ignored);
            }
            Verdict::Reject => {
                self.stats.invalid += 1;
                self.tree.refuse(now, id, Fate::Invalid);
                self.blame(now, from, Offence::Invalid);
            }
        }
    }

    fn blame(&mut self, now: Instant, peer: PeerId, offence: Offence) {
        if self.guard.blame(now, peer, offence) {
            self.stats.banned += 1;
            self.membership.forget(now, peer);
        }
    }

    #[cfg(test)]
    fn is_bounded(&self) -> bool {
        self.membership.is_bounded() && self.tree.is_bounded() && self.guard.is_bounded()
    }

    /// Carries out what membership and tree want of each other and of the owner.
    fn settle(&mut self, now: Instant) {
        while let Some(action) = self.membership.poll() {
            self.carry_out(now, action);
        }
        while let Some((peer, message)) = self.tree.poll() {
            self.outputs.push_back(Output::Send(peer, message));
        }
    }

    fn carry_out(&mut self, now: Instant, action: Action) {
        match action {
            Action::Open(contact) if self.guard.is_banned(now, contact.id) => {
                self.membership.forget(now, contact.id);
            }
            Action::Open(contact) => self.outputs.push_back(Output::Open(contact)),
            Action::Close(peer) => self.outputs.push_back(Output::Close(peer)),
            Action::Send(peer, message) => {
                let is_walk = matches!(
                    message,
                    GossipMessage::ForwardJoin { .. }
                        | GossipMessage::Shuffle { .. }
                        | GossipMessage::ShuffleReply { .. }
                );
                if is_walk && !self.guard.may_walk(now, peer) {
                    self.stats.walks_cut += 1;
                } else {
                    self.outputs.push_back(Output::Send(peer, message));
                }
            }
            Action::Up(peer) => {
                self.pulse.watch(now, peer);
                self.tree.link_up(now, peer);
                self.outputs.push_back(Output::NeighborUp(peer));
            }
            Action::Down(peer) => {
                self.pulse.forget(peer);
                self.tree.link_down(peer);
                self.outputs.push_back(Output::NeighborDown(peer));
            }
            Action::Lost(peer) => self.outputs.push_back(Output::NeighborLost(peer)),
            Action::Blame(peer, offence) => self.blame(now, peer, offence),
        }
    }
}
