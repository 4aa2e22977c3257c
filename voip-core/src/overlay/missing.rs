//! Messages that neighbours have announced and that have not come.

use std::collections::BTreeMap;

use crate::id::{MessageId, PeerId};
use crate::time::{Duration, Instant};

/// One neighbour's announcements that wait at a time: nobody takes the place of others.
const MAX_OF_ONE: usize = 256;
const MAX_ANNOUNCERS: usize = 8;
/// How often a message is asked for; it may be announced again after that.
const TRIES: u8 = 10;

#[derive(Debug)]
struct Missing {
    /// Who has it, and in how many hops it would come; whose turn it is to be asked at the front.
    announcers: Vec<(PeerId, u16)>,
    ask_at: Instant,
    tries: u8,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct MissingMessages {
    missing: BTreeMap<MessageId, Missing>,
    /// In how many of them each neighbour is an announcer.
    announced: BTreeMap<PeerId, usize>,
    /// Not later than any of theirs.
    ask_at: Option<Instant>,
}

impl MissingMessages {
    /// A neighbour has what we have not; it is to be asked for it at `ask_at` if it is the first to say so. Whether there
    /// was room.
    pub(crate) fn announce(
        &mut self,
        id: MessageId,
        peer: PeerId,
        hops: u16,
        ask_at: Instant,
    ) -> bool {
        let is_new = !self.missing.contains_key(&id);
        let announced = self.announced.entry(peer).or_default();
        if is_new && *announced >= MAX_OF_ONE {
            return false;
        }
        let fresh = || Missing { announcers: Vec::new(), ask_at, tries: 0 };
        let entry = self.missing.entry(id).or_insert_with(fresh);
        if let Some((_, known)) = entry.announcers.iter_mut().find(|(known, _)| *known == peer) {
            *known = hops;
        } else if entry.announcers.len() < MAX_ANNOUNCERS {
            entry.announcers.push((peer, hops));
            *announced += 1;
        }
        if is_new {
            self.ask_at = Some(self.next_timeout().min(ask_at));
        }
        true
    }

    /// It came, or is not wanted: whoever had announced it in the fewest hops.
    pub(crate) fn take(&mut self, id: MessageId) -> Option<(PeerId, u16)> {
        let missing = self.missing.remove(&id)?;
        missing.uncount(&mut self.announced);
        missing.announcers.into_iter().min_by_key(|(_, hops)| *hops)
    }

    /// A neighbour is gone.
    pub(crate) fn release(&mut self, peer: PeerId) {
        self.missing.retain(|_, missing| {
            missing.announcers.retain(|(announcer, _)| *announcer != peer);
            !missing.announcers.is_empty()
        });
        self.announced.remove(&peer);
    }

    /// Not later than [`MissingMessages::due`] has something.
    pub(crate) fn next_timeout(&self) -> Instant {
        self.ask_at.unwrap_or(Instant::FAR_FUTURE)
    }

    /// What is to be asked for now, and of whom; `patience` says how long to wait for each.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        patience: impl Fn(PeerId) -> Duration,
    ) -> Vec<(PeerId, MessageId)> {
        if self.next_timeout() > now {
            return Vec::new();
        }
        let (mut due, announced) = (Vec::new(), &mut self.announced);
        self.missing.retain(|id, missing| {
            if missing.ask_at > now {
                return true;
            }
            let Some((peer, _)) = missing.announcers.first().copied() else { return false };
            missing.announcers.rotate_left(1);
            missing.tries += 1;
            missing.ask_at = now + patience(peer);
            due.push((peer, *id));
            if missing.tries >= TRIES {
                missing.uncount(announced);
            }
            missing.tries < TRIES
        });
        self.ask_at = self.missing.values().map(|m| m.ask_at).min();
        due
    }

    #[cfg(test)]
    pub(crate) fn is_bounded(&self, neighbours: usize) -> bool {
        let counted: usize = self.announced.values().sum();
        counted == self.missing.values().map(|m| m.announcers.len()).sum::<usize>()
            && self.missing.len() <= neighbours * MAX_OF_ONE
            && self.announced.len() <= neighbours
    }
}

impl Missing {
    fn uncount(&self, announced: &mut BTreeMap<PeerId, usize>) {
        for (peer, _) in &self.announcers {
            if let Some(count) = announced.get_mut(peer) {
                *count = count.saturating_sub(1);
            }
        }
    }
}
