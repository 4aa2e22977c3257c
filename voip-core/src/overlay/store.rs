//! What has come: messages for whoever asks for them, ids for longer. Bounded by time, number, and bytes.

use std::collections::{BTreeMap, VecDeque};

use crate::id::{MessageId, PeerId};
use crate::time::{Duration, Instant};
use crate::wire::gossip::SignedMessage;

/// How long a message is kept.
pub(crate) const MESSAGE_LIFE: Duration = Duration::from_secs(30);
/// How long an id is known. A message that comes later than that is new again, unless its validator knows better.
pub(crate) const ID_LIFE: Duration = Duration::from_secs(90);
const MAX_MESSAGES: usize = 1024;
const MAX_BYTES: usize = 4 * 1024 * 1024;
const MAX_IDS: usize = 32 * 1024;
/// Neighbours remembered for each message.
const MAX_HOLDERS: usize = 16;
/// What a message costs beside its text.
const OVERHEAD: usize = 512;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Handed on.
    Accepted,
    /// Not handed on, and nobody's fault.
    Ignored,
    /// Wrong, and so is every copy.
    Invalid,
}

/// A message that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) message: SignedMessage,
    /// How many it had come.
    pub(crate) hops: u16,
    pub(crate) at: Instant,
    /// Neighbours that have it, and how often each has sent it.
    holders: Vec<(PeerId, u8)>,
}

impl Kept {
    pub(crate) fn is_held_by(&self, peer: PeerId) -> bool {
        self.holders.iter().any(|(holder, _)| *holder == peer)
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Instant,
    fate: Fate,
    /// Its number, of an accepted message.
    number: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Store {
    ids: BTreeMap<MessageId, Seen>,
    ids_by_age: VecDeque<MessageId>,
    /// The oldest first, with consecutive numbers.
    kept: VecDeque<Kept>,
    /// The number of the oldest.
    first: u64,
    bytes: usize,
    /// Messages given up before their time.
    pub(crate) evicted: u64,
}

impl Store {
    pub(crate) fn has_seen(&self, id: MessageId) -> bool {
        self.ids.contains_key(&id)
    }

    /// When it came, and what became of it.
    pub(crate) fn seen(&self, id: MessageId) -> Option<(Instant, Fate)> {
        self.ids.get(&id).map(|seen| (seen.at, seen.fate))
    }

    pub(crate) fn get(&self, id: MessageId) -> Option<&Kept> {
        self.kept.get(self.place(id)?)
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Kept> {
        self.kept.iter()
    }

    /// Knows the id of a message that is not kept.
    pub(crate) fn remember(&mut self, now: Instant, id: MessageId, fate: Fate) {
        self.insert(id, Seen { at: now, fate, number: u64::MAX });
    }

    pub(crate) fn keep(&mut self, now: Instant, message: SignedMessage, hops: u16) {
        let number = self.first + self.kept.len() as u64;
        if !self.insert(message.id(), Seen { at: now, fate: Fate::Accepted, number }) {
            return;
        }
        self.bytes += message.body().len() + OVERHEAD;
        self.kept.push_back(Kept { message, hops, at: now, holders: Vec::new() });
        while self.kept.len() > MAX_MESSAGES || self.bytes > MAX_BYTES {
            self.evicted += 1;
            self.drop_oldest();
        }
    }

    /// A neighbour has it.
    pub(crate) fn hold(&mut self, id: MessageId, peer: PeerId) {
        if let Some(kept) = self.place(id).and_then(|place| self.kept.get_mut(place))
            && !kept.is_held_by(peer)
            && kept.holders.len() < MAX_HOLDERS
        {
            kept.holders.push((peer, 0));
        }
    }

    /// A neighbour has sent it: how often, as far as is known; `None` if the message is no longer kept.
    pub(crate) fn count_copy(&mut self, id: MessageId, peer: PeerId) -> Option<u8> {
        self.hold(id, peer);
        let kept = self.place(id).and_then(|place| self.kept.get_mut(place))?;
        let Some((_, copies)) = kept.holders.iter_mut().find(|(holder, _)| *holder == peer) else {
            return Some(1);
        };
        *copies = copies.saturating_add(1);
        Some(*copies)
    }

    /// A neighbour is gone: when it comes back it may not have what it had.
    pub(crate) fn release(&mut self, peer: PeerId) {
        for kept in &mut self.kept {
            kept.holders.retain(|(holder, _)| *holder != peer);
        }
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        let message = self.kept.front().map(|kept| kept.at + MESSAGE_LIFE);
        let id = self.oldest_id().map(|at| at + ID_LIFE);
        message.into_iter().chain(id).min().unwrap_or(Instant::FAR_FUTURE)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while self.kept.front().is_some_and(|kept| now - kept.at >= MESSAGE_LIFE) {
            self.drop_oldest();
        }
        while self.oldest_id().is_some_and(|at| now - at >= ID_LIFE) {
            self.forget_oldest_id();
        }
    }

    fn place(&self, id: MessageId) -> Option<usize> {
        let place = self.ids.get(&id)?.number.checked_sub(self.first)?;
        usize::try_from(place).ok()
    }

    /// Whether it is new.
    fn insert(&mut self, id: MessageId, seen: Seen) -> bool {
        if self.has_seen(id) {
            return false;
        }
        self.ids.insert(id, seen);
        self.ids_by_age.push_back(id);
        if self.ids_by_age.len() > MAX_IDS {
            self.forget_oldest_id();
        }
        true
    }

    fn oldest_id(&self) -> Option<Instant> {
        self.ids_by_age.front().and_then(|id| self.ids.get(id)).map(|seen| seen.at)
    }

    fn drop_oldest(&mut self) {
        if let Some(kept) = self.kept.pop_front() {
            self.first += 1;
            self.bytes -= kept.message.body().len() + OVERHEAD;
        }
    }

    fn forget_oldest_id(&mut self) {
        if let Some(id) = self.ids_by_age.pop_front() {
            self.ids.remove(&id);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_bounded(&self) -> bool {
        self.ids.len() <= MAX_IDS
            && self.ids.len() == self.ids_by_age.len()
            && self.kept.len() <= MAX_MESSAGES
            && self.bytes <= MAX_BYTES
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::sealed::Signature;

    fn message(n: usize, len: usize) -> SignedMessage {
        let body = format!("{n:0>len$}");
        SignedMessage::from_parts(PeerId([1; 32]), body, Signature([0; 64])).unwrap()
    }

    #[test]
    fn messages_go_after_half_a_minute_and_ids_later() {
        let mut store = Store::default();
        let first = message(1, 10);
        store.keep(Instant::ZERO, first.clone(), 3);
        assert_eq!(store.next_timeout(), Instant::ZERO + MESSAGE_LIFE);
        store.handle_timeout(Instant::ZERO + MESSAGE_LIFE);
        assert!(store.get(first.id()).is_none() && store.has_seen(first.id()));
        store.handle_timeout(Instant::ZERO + ID_LIFE);
        assert!(!store.has_seen(first.id()));
        assert_eq!(store.next_timeout(), Instant::FAR_FUTURE);
        assert_eq!(store.bytes, 0);
    }

    #[test]
    fn neither_number_nor_bytes_grow_without_end() {
        let mut store = Store::default();
        (0..2_000).for_each(|n| store.keep(Instant::ZERO, message(n, 10), 1));
        assert_eq!(store.kept.len(), MAX_MESSAGES);
        (0..2_000).for_each(|n| store.keep(Instant::ZERO, message(n, 16_000), 1));
        assert!(store.is_bounded() && store.kept.len() < 300);
        (0..40_000).for_each(|n| store.remember(Instant::ZERO, message(n, 20).id(), Fate::Ignored));
        assert!(store.is_bounded());
    }

    #[test]
    fn copies_are_counted_by_neighbour() {
        let (mut store, alice, bob) = (Store::default(), PeerId([1; 32]), PeerId([2; 32]));
        let id = message(1, 10).id();
        assert_eq!(store.count_copy(id, alice), None);
        store.keep(Instant::ZERO, message(1, 10), 1);
        store.hold(id, bob);
        assert_eq!([alice, alice, bob].map(|p| store.count_copy(id, p)), [1, 2, 1].map(Some));
        store.release(alice);
        assert!(
            !store.get(id).unwrap().is_held_by(alice) && store.get(id).unwrap().is_held_by(bob)
        );
    }
}
