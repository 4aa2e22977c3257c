//! Who is whose neighbour: HyParView (Leitão, Pereira, Rodrigues: DSN 2007).
//!
//! A small *active view* of neighbours, each over a link and each mutual, and a larger *passive view* of contacts from which
//! lost neighbours are replaced. Three things differ from the paper. Answers to a shuffle take the way of the walk back,
//! for a link made only to answer costs too much. Contacts that could not be reached are not forgotten but tried again
//! by and by, so that two halves of a network find each other after a partition. A request to become neighbours
//! is answered in so many words.

mod links;
mod repair;
mod shuffle;

use std::collections::VecDeque;

use rand_core::Rng;

use super::limits::Offence;
use super::view::{self, View};
use crate::id::PeerId;
use crate::rate::{Bucket, Rate};
use crate::time::{Duration, Instant};
use crate::wire::gossip::{Contact, GossipMessage, MAX_TTL, Priority};
use links::{Ask, Links, Stage};
use shuffle::Walks;

/// Neighbours.
pub(crate) const ACTIVE: usize = 5;
/// Contacts that are no neighbours.
pub(crate) const PASSIVE: usize = 30;
/// Contacts that could not be reached.
const LOST: usize = 30;
/// Contacts that the owner named.
const BOOTSTRAP: usize = 30;
/// Active random walk length.
const ARWL: u8 = MAX_TTL;
/// Passive random walk length.
const PRWL: u8 = 3;
/// How often neighbours may be displaced by newcomers: a bootstrap contact lives through a rush.
const DISPLACEMENTS: Rate = Rate::per_second(20, 50);
/// A contact that refused, or gave up the link, is asked again after that.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Open(Contact),
    Close(PeerId),
    Send(PeerId, GossipMessage),
    /// Is a neighbour from now on.
    Up(PeerId),
    /// Is none any more.
    Down(PeerId),
    Blame(PeerId, Offence),
}

/// See the module.
pub(crate) struct Membership {
    me: Contact,
    active: Vec<Contact>,
    /// Links that do not lead to neighbours, or not yet.
    links: Links,
    passive: View,
    lost: View,
    bootstrap: View,
    walks: Walks,
    displacements: Bucket,
    repair_at: Instant,
    probe_at: Instant,
    rng: Box<dyn Rng + Send>,
    actions: VecDeque<Action>,
    /// Messages that made no sense at the time.
    unexpected: u64,
}

impl Membership {
    pub(crate) fn new(me: Contact, rng: Box<dyn Rng + Send>) -> Self {
        Membership {
            me,
            active: Vec::with_capacity(ACTIVE),
            links: Links::default(),
            passive: View::new(PASSIVE),
            lost: View::new(LOST),
            bootstrap: View::new(BOOTSTRAP),
            walks: Walks::default(),
            displacements: Bucket::default(),
            repair_at: Instant::FAR_FUTURE,
            probe_at: Instant::FAR_FUTURE,
            rng,
            actions: VecDeque::new(),
            unexpected: 0,
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(crate) fn active(&self) -> impl Iterator<Item = PeerId> {
        self.active.iter().map(|c| c.id)
    }

    pub(crate) fn is_active(&self, peer: PeerId) -> bool {
        self.active.iter().any(|c| c.id == peer)
    }

    /// Whether there is a link, of a neighbour or not.
    pub(crate) fn is_linked(&self, peer: PeerId) -> bool {
        self.is_active(peer) || self.links.is_up(peer)
    }

    pub(crate) fn unexpected(&self) -> u64 {
        self.unexpected
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Contacts from outside the mesh, to begin with and to fall back on.
    pub(crate) fn add_contacts(&mut self, now: Instant, contacts: Vec<Contact>) {
        for contact in contacts {
            if contact.id != self.me.id && contact.is_valid() {
                self.bootstrap.remove(contact.id);
                self.bootstrap.insert(contact, now, &mut *self.rng);
            }
        }
        self.repair_at = now;
    }

    /// Says goodbye to all.
    pub(crate) fn leave(&mut self) {
        for peer in self.active.drain(..).map(|c| c.id) {
            self.actions.push_back(Action::Down(peer));
            self.actions.push_back(Action::Send(peer, GossipMessage::Disconnect { alive: false }));
            self.actions.push_back(Action::Close(peer));
        }
        self.actions.extend(self.links.drain().map(Action::Close));
        for view in [&mut self.passive, &mut self.lost, &mut self.bootstrap] {
            view.drain();
        }
        (self.repair_at, self.probe_at) = (Instant::FAR_FUTURE, Instant::FAR_FUTURE);
    }

    /// A link is open, whoever asked for it.
    pub(crate) fn handle_link_up(&mut self, now: Instant, peer: PeerId) {
        if self.is_active(peer) {
            return;
        }
        if peer == self.me.id {
            self.actions.push_back(Action::Close(peer));
            return;
        }
        match self.links.open(now, peer) {
            Ok(Some(ask)) => self.ask(peer, ask),
            Ok(None) => {}
            Err(links::Full) => self.actions.push_back(Action::Close(peer)),
        }
    }

    /// A link that was asked for could not be had.
    pub(crate) fn handle_link_failed(&mut self, now: Instant, peer: PeerId) {
        if let Some(contact) = self.links.remove(peer) {
            self.miss(now, contact);
        }
    }

    /// A link is gone.
    pub(crate) fn handle_link_down(&mut self, now: Instant, peer: PeerId) {
        if let Some(contact) = self.deactivate(now, peer) {
            self.miss(now, contact);
        } else if let Some(contact) = self.links.remove(peer) {
            // It was there: whoever closed it has no room.
            self.keep(contact, now + AFTER_REFUSAL);
            self.hasten_repair(now, self.repair_pause() / 2);
        }
    }

    /// A neighbour shows no life, or a peer is to be got rid of.
    pub(crate) fn handle_silence(&mut self, now: Instant, peer: PeerId) {
        self.handle_link_down(now, peer);
        self.actions.push_back(Action::Close(peer));
    }

    /// Nothing more to do with that peer.
    pub(crate) fn forget(&mut self, now: Instant, peer: PeerId) {
        self.deactivate(now, peer);
        self.links.remove(peer);
        for view in [&mut self.passive, &mut self.lost, &mut self.bootstrap] {
            view.remove(peer);
        }
        self.actions.push_back(Action::Close(peer));
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        let probe_at = if self.lost.is_empty() { Instant::FAR_FUTURE } else { self.probe_at };
        self.repair_at.min(probe_at).min(self.walks.shuffle_at()).min(self.links.next_deadline())
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some((contact, stage)) = self.links.take_expired(now) {
            let peer = contact.id;
            self.actions.push_back(Action::Close(peer));
            match stage {
                Stage::Opening(_) => self.miss(now, contact),
                Stage::Asked(_) | Stage::Idle => self.keep(contact, now + AFTER_REFUSAL),
            }
        }
        if now >= self.repair_at {
            self.repair(now);
        }
        if now >= self.probe_at {
            self.probe(now);
        }
        if now >= self.walks.shuffle_at() {
            self.shuffle(now);
        }
    }

    /// JOIN, NEIGHBOR and what follows from them; the rest in `shuffle.rs`.
    pub(crate) fn handle(&mut self, now: Instant, from: PeerId, message: GossipMessage) {
        match message {
            GossipMessage::Join { contact } | GossipMessage::Neighbor { contact, .. }
                if contact.id != from =>
            {
                self.actions.push_back(Action::Blame(from, Offence::Unsolicited));
            }
            GossipMessage::Join { contact } => self.handle_join(now, contact),
            GossipMessage::Neighbor { contact, priority } => {
                let accepted = self.accept(now, contact, priority);
                self.answer(from, accepted);
            }
            GossipMessage::NeighborReply { accepted, contacts } => {
                self.handle_reply(now, from, accepted, contacts);
            }
            GossipMessage::Disconnect { alive } => self.handle_disconnect(now, from, alive),
            _ if !self.is_active(from) => self.unexpected += 1,
            GossipMessage::ForwardJoin { contact, ttl } => {
                self.handle_forward_join(now, from, contact, ttl);
            }
            GossipMessage::Shuffle { walk, contacts, ttl } => {
                self.handle_shuffle(now, from, walk, contacts, ttl);
            }
            GossipMessage::ShuffleReply { walk, contacts } => {
                self.handle_shuffle_reply(now, walk, contacts);
            }
            _ => self.unexpected += 1,
        }
    }

    fn handle_join(&mut self, now: Instant, contact: Contact) {
        let peer = contact.id;
        let accepted = self.accept(now, contact.clone(), Priority::High);
        self.answer(peer, accepted);
        if accepted {
            let others = self.active.iter().filter(|c| c.id != peer);
            let walk = |c: &Contact| {
                let contact = contact.clone();
                Action::Send(c.id, GossipMessage::ForwardJoin { contact, ttl: ARWL })
            };
            self.actions.extend(others.map(walk));
        }
    }

    fn handle_forward_join(&mut self, now: Instant, from: PeerId, contact: Contact, ttl: u8) {
        let newcomer = contact.id;
        if newcomer == self.me.id {
            return;
        }
        let is_known = self.is_active(newcomer);
        if !is_known && (ttl == 0 || self.active.len() <= 1) {
            self.open(now, contact, Ask::Neighbor(Priority::High));
            return;
        }
        if ttl == PRWL {
            self.keep(contact.clone(), now);
        }
        let others: Vec<_> = self.active().filter(|p| *p != from && *p != newcomer).collect();
        if let (Some(ttl), Some(next)) = (ttl.checked_sub(1), view::pick(&others, &mut *self.rng)) {
            let message = GossipMessage::ForwardJoin { contact, ttl };
            self.actions.push_back(Action::Send(*next, message));
        } else if !is_known {
            self.open(now, contact, Ask::Neighbor(Priority::High));
        }
    }

    /// Takes a peer with a link into the active view, if it may be.
    fn accept(&mut self, now: Instant, contact: Contact, priority: Priority) -> bool {
        let peer = contact.id;
        if self.is_active(peer) {
            return true;
        }
        if peer == self.me.id {
            return false;
        }
        if self.active.len() >= ACTIVE {
            let may_displace =
                priority == Priority::High && self.displacements.take(now, DISPLACEMENTS, 1);
            if !may_displace {
                return false;
            }
            self.displace(now);
        }
        let known = self.links.remove(peer);
        for view in [&mut self.passive, &mut self.lost] {
            view.remove(peer);
        }
        let has_addresses = !contact.addresses.is_empty();
        self.active.push(if has_addresses { contact } else { known.unwrap_or(contact) });
        self.actions.push_back(Action::Up(peer));
        self.walks.begin(now, &mut *self.rng);
        true
    }

    fn answer(&mut self, peer: PeerId, accepted: bool) {
        let contacts = self.some_contacts(peer);
        let message = GossipMessage::NeighborReply { accepted, contacts };
        self.actions.push_back(Action::Send(peer, message));
        // A refused peer closes the link, when it has read where else to go.
    }

    fn handle_reply(&mut self, now: Instant, from: PeerId, accepted: bool, others: Vec<Contact>) {
        let Some(ask) = self.links.asked(from) else {
            self.unexpected += u64::from(!self.is_active(from));
            return;
        };
        let contact = Contact { id: from, addresses: Vec::new() };
        if accepted {
            let priority = match ask {
                Ask::Join | Ask::Bridge => Priority::High,
                Ask::Neighbor(priority) => priority,
            };
            if !self.accept(now, contact, priority) {
                let goodbye = GossipMessage::Disconnect { alive: true };
                self.actions.push_back(Action::Send(from, goodbye));
                self.dismiss(now, from);
            } else if ask == Ask::Bridge {
                // Whoever was lost with this one may be back, too.
                for known in self.lost.drain() {
                    self.keep(known.contact, now);
                }
            }
        } else {
            self.dismiss(now, from);
            // Each attempt costs a link: who has nearly enough neighbours does not hurry.
            self.hasten_repair(now, self.repair_pause() / 2);
        }
        others.into_iter().for_each(|other| self.keep(other, now));
    }

    fn handle_disconnect(&mut self, now: Instant, from: PeerId, alive: bool) {
        if let Some(contact) = self.deactivate(now, from)
            && alive
        {
            self.keep(contact, now + AFTER_REFUSAL);
        }
        self.dismiss(now, from);
        if !alive {
            self.passive.remove(from);
        }
    }

    /// Closes a link of no neighbour.
    fn dismiss(&mut self, now: Instant, peer: PeerId) {
        if let Some(contact) = self.links.remove(peer) {
            self.keep(contact, now + AFTER_REFUSAL);
        }
        self.bootstrap.postpone(peer, now + AFTER_REFUSAL);
        self.actions.push_back(Action::Close(peer));
    }

    /// Takes a random neighbour out of the active view.
    fn displace(&mut self, now: Instant) {
        let Some(peer) = view::pick(&self.active, &mut *self.rng).map(|c| c.id) else { return };
        if let Some(contact) = self.deactivate(now, peer) {
            let goodbye = GossipMessage::Disconnect { alive: true };
            self.actions.push_back(Action::Send(peer, goodbye));
            self.actions.push_back(Action::Close(peer));
            self.keep(contact, now + AFTER_REFUSAL);
        }
    }

    fn deactivate(&mut self, now: Instant, peer: PeerId) -> Option<Contact> {
        let at = self.active.iter().position(|c| c.id == peer)?;
        let contact = self.active.remove(at);
        self.actions.push_back(Action::Down(peer));
        self.hasten_repair(now, Duration::ZERO);
        Some(contact)
    }

    /// Into the passive view.
    fn keep(&mut self, contact: Contact, not_before: Instant) {
        if contact.id != self.me.id && !self.is_active(contact.id) {
            self.passive.insert(contact, not_before, &mut *self.rng);
        }
    }

    fn ask(&mut self, peer: PeerId, ask: Ask) {
        let contact = self.me.clone();
        let message = match ask {
            Ask::Join => GossipMessage::Join { contact },
            Ask::Bridge => GossipMessage::Neighbor { contact, priority: Priority::High },
            Ask::Neighbor(priority) => GossipMessage::Neighbor { contact, priority },
        };
        self.actions.push_back(Action::Send(peer, message));
    }

    fn open(&mut self, now: Instant, contact: Contact, ask: Ask) {
        let peer = contact.id;
        if self.is_active(peer) {
            return;
        }
        match self.links.begin(now, contact.clone(), ask) {
            Ok(links::Begun::Open) => self.actions.push_back(Action::Open(contact)),
            Ok(links::Begun::Ask) => self.ask(peer, ask),
            Ok(links::Begun::Already) => {}
            Err(links::Full) => self.keep(contact, now),
        }
    }

    /// Three quarters to five quarters of it.
    fn jittered(&mut self, pause: Duration) -> Duration {
        view::jittered(pause, &mut *self.rng)
    }

    #[cfg(test)]
    pub(crate) fn is_bounded(&self) -> bool {
        self.active.len() <= ACTIVE
            && self.passive.len() <= PASSIVE
            && self.lost.len() <= LOST
            && self.bootstrap.len() <= BOOTSTRAP
            && self.links.len() <= links::MAX_LINKS
            && self.walks.is_bounded()
            && self.active().all(|p| !self.links.contains(p) && !self.passive.contains(p))
    }
}
