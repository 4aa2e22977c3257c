//! A bounded set of contacts of which one is drawn at random.

use rand_core::Rng;

use crate::id::PeerId;
use crate::time::{Duration, Instant};
use crate::wire::gossip::Contact;

/// A contact, and when to try it at the earliest.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) contact: Contact,
    pub(crate) not_before: Instant,
    /// When it was first found missing.
    pub(crate) since: Instant,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct View {
    known: Vec<Known>,
    capacity: usize,
}

impl View {
    pub(crate) fn new(capacity: usize) -> Self {
        View { known: Vec::new(), capacity }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, peer: PeerId) -> bool {
        self.known.iter().any(|k| k.contact.id == peer)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.iter()
    }

    /// Adds a contact; a full view loses a random one. What is known of a contact stays, for anybody may tell us something
    /// else.
    pub(crate) fn insert(&mut self, contact: Contact, not_before: Instant, rng: &mut dyn Rng) {
        if let Some(known) = self.known.iter_mut().find(|k| k.contact.id == contact.id) {
            known.not_before = known.not_before.max(not_before);
            if known.contact.addresses.is_empty() {
                known.contact = contact;
            }
            return;
        }
        if self.known.len() >= self.capacity {
            self.known.swap_remove(below(rng, self.known.len()));
        }
        self.known.push(Known { contact, not_before, since: not_before });
    }

    pub(crate) fn remove(&mut self, peer: PeerId) -> Option<Known> {
        let at = self.known.iter().position(|k| k.contact.id == peer)?;
        Some(self.known.swap_remove(at))
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&Known) -> bool) {
        self.known.retain(keep);
    }

    /// Not to be tried before then.
    pub(crate) fn postpone(&mut self, peer: PeerId, not_before: Instant) {
        if let Some(known) = self.known.iter_mut().find(|k| k.contact.id == peer) {
            known.not_before = not_before;
        }
    }

    pub(crate) fn drain(&mut self) -> Vec<Known> {
        std::mem::take(&mut self.known)
    }

    /// One that may be tried and passes.
    pub(crate) fn pick(
        &self,
        now: Instant,
        rng: &mut dyn Rng,
        mut passes: impl FnMut(PeerId) -> bool,
    ) -> Option<&Contact> {
        let fit = |k: &&Known| k.not_before <= now && passes(k.contact.id);
        let fitting: Vec<_> = self.known.iter().filter(fit).collect();
        pick(&fitting, rng).map(|known| &known.contact)
    }

    /// Up to `count`, without `except`.
    pub(crate) fn sample(&self, count: usize, except: PeerId, rng: &mut dyn Rng) -> Vec<Contact> {
        let others = self.known.iter().map(|k| &k.contact).filter(|c| c.id != except);
        sample(others.collect(), count, rng)
    }
}

/// A number from 0 up to but not `bound`, which is not zero.
pub(crate) fn below(rng: &mut dyn Rng, bound: usize) -> usize {
    ((u64::from(rng.next_u32()) * bound as u64) >> 32) as usize
}

/// Three quarters to five quarters of it.
pub(crate) fn jittered(pause: Duration, rng: &mut dyn Rng) -> Duration {
    pause * 3 / 4 + pause / 2 * (rng.next_u32() >> 16) / (1 << 16)
}

pub(crate) fn pick<'a, T>(all: &'a [T], rng: &mut dyn Rng) -> Option<&'a T> {
    if all.is_empty() { None } else { all.get(below(rng, all.len())) }
}

/// Up to `count` of `all`, in random order.
pub(crate) fn sample(mut all: Vec<&Contact>, count: usize, rng: &mut dyn Rng) -> Vec<Contact> {
    let mut chosen = Vec::with_capacity(count.min(all.len()));
    while chosen.len() < count && !all.is_empty() {
        chosen.push(all.swap_remove(below(rng, all.len())).clone());
    }
    chosen
}
