//! HyParView's shuffle: contacts are exchanged with whoever is at the end of a random walk.

use std::collections::VecDeque;

use rand_core::Rng;

use super::{ACTIVE, Action, Membership};
use crate::id::PeerId;
use crate::overlay::view;
use crate::time::{Duration, Instant};
use crate::wire::gossip::{Contact, GossipMessage, MAX_TTL};

const SHUFFLE_EVERY: Duration = Duration::from_secs(60);
/// The first one, when there is a neighbour.
const FIRST_SHUFFLE: Duration = Duration::from_secs(2);
/// Of the active view (k_a in the paper), of the passive view (k_p).
const FROM_ACTIVE: usize = 3;
const FROM_PASSIVE: usize = 4;
/// How long a walk may take there and back.
const WALK: Duration = Duration::from_secs(30);
const MAX_WALKS: usize = 64;

#[derive(Debug)]
struct Walk {
    number: u32,
    /// Where it came from; `None`: here.
    from: Option<PeerId>,
    until: Instant,
}

/// Walks that passed here, or began here.
#[derive(Debug, Default)]
pub(crate) struct Walks {
    walks: VecDeque<Walk>,
    shuffle_at: Option<Instant>,
}

impl Walks {
    pub(crate) fn shuffle_at(&self) -> Instant {
        self.shuffle_at.unwrap_or(Instant::FAR_FUTURE)
    }

    /// There is a neighbour: the first shuffle will be soon.
    pub(crate) fn begin(&mut self, now: Instant, rng: &mut dyn Rng) {
        self.shuffle_at.get_or_insert_with(|| now + view::jittered(FIRST_SHUFFLE, rng));
    }

    fn remember(&mut self, now: Instant, number: u32, from: Option<PeerId>) {
        while self.walks.front().is_some_and(|w| w.until <= now || self.walks.len() >= MAX_WALKS) {
            self.walks.pop_front();
        }
        self.walks.push_back(Walk { number, from, until: now + WALK });
    }

    /// Each walk is gone back once.
    fn take(&mut self, now: Instant, number: u32) -> Option<Option<PeerId>> {
        // A walk may pass twice: the last time is gone back first.
        let at = self.walks.iter().rposition(|w| w.number == number && w.until > now)?;
        self.walks.remove(at).map(|walk| walk.from)
    }

    #[cfg(test)]
    pub(crate) fn is_bounded(&self) -> bool {
        self.walks.len() <= MAX_WALKS
    }
}

impl Membership {
    pub(super) fn shuffle(&mut self, now: Instant) {
        self.walks.shuffle_at = Some(now + self.jittered(SHUFFLE_EVERY));
        let Some(to) = view::pick(&self.active, &mut *self.rng).map(|c| c.id) else {
            self.walks.shuffle_at = None;
            return;
        };
        let mut contacts = self.some_contacts(to);
        contacts.push(self.me.clone());
        let walk = self.rng.next_u32();
        self.walks.remember(now, walk, None);
        let ttl = MAX_TTL;
        self.actions.push_back(Action::Send(to, GossipMessage::Shuffle { walk, contacts, ttl }));
    }

    pub(super) fn handle_shuffle(
        &mut self,
        now: Instant,
        from: PeerId,
        walk: u32,
        contacts: Vec<Contact>,
        ttl: u8,
    ) {
        let others: Vec<_> = self.active().filter(|p| *p != from).collect();
        let next = view::pick(&others, &mut *self.rng).zip(ttl.checked_sub(1).filter(|t| *t > 0));
        if let Some((next, ttl)) = next {
            self.walks.remember(now, walk, Some(from));
            let message = GossipMessage::Shuffle { walk, contacts, ttl };
            self.actions.push_back(Action::Send(*next, message));
            return;
        }
        let count = contacts.len().min(FROM_ACTIVE + FROM_PASSIVE);
        let mut answer = self.passive.sample(count, from, &mut *self.rng);
        let more = count - answer.len();
        answer.extend(view::sample(self.active.iter().collect(), more, &mut *self.rng));
        contacts.into_iter().for_each(|contact| self.keep(contact, now));
        let message = GossipMessage::ShuffleReply { walk, contacts: answer };
        self.actions.push_back(Action::Send(from, message));
    }

    pub(super) fn handle_shuffle_reply(&mut self, now: Instant, walk: u32, contacts: Vec<Contact>) {
        match self.walks.take(now, walk) {
            Some(None) => contacts.into_iter().for_each(|contact| self.keep(contact, now)),
            Some(Some(origin)) if self.is_active(origin) => {
                let message = GossipMessage::ShuffleReply { walk, contacts };
                self.actions.push_back(Action::Send(origin, message));
            }
            Some(Some(_)) | None => self.unexpected += 1,
        }
        if self.active.len() < ACTIVE {
            self.hasten_repair(now, Duration::from_millis(100));
        }
    }

    /// What to tell others of whom we know.
    pub(super) fn some_contacts(&mut self, except: PeerId) -> Vec<Contact> {
        let others: Vec<_> = self.active.iter().filter(|c| c.id != except).collect();
        let mut contacts = view::sample(others, FROM_ACTIVE, &mut *self.rng);
        contacts.extend(self.passive.sample(FROM_PASSIVE, except, &mut *self.rng));
        contacts
    }
}
