//! Where new neighbours come from when some are missing, and what becomes of contacts that cannot be reached.

use super::links::{Ask, Links};
use super::{ACTIVE, AFTER_REFUSAL, Membership};
use crate::id::PeerId;
use crate::time::{Duration, Instant};
use crate::wire::gossip::{Contact, Priority};

/// With so many there is no hurry to find more.
const ENOUGH: usize = 4;
/// Between two looks for more neighbours: without any, with too few, with nearly enough.
const REPAIR_EVERY: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(5)];
/// How often one lost contact is tried again: without neighbours, with some, and when the losses are long ago.
const PROBE_EVERY: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(15), Duration::from_secs(60)];
/// Losses are recent until then.
const RECENT: Duration = Duration::from_secs(600);
/// Lost contacts are forgotten after that.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

impl Membership {
    /// A contact cannot be reached.
    pub(super) fn miss(&mut self, now: Instant, contact: Contact) {
        self.passive.remove(contact.id);
        self.bootstrap
            .postpone(contact.id, now + PROBE_EVERY[usize::from(!self.active.is_empty())]);
        if self.lost.is_empty() {
            self.probe_at = now + self.probe_pause(now);
        }
        self.lost.insert(contact, now, &mut *self.rng);
        self.hasten_repair(now, Duration::ZERO);
    }

    pub(super) fn hasten_repair(&mut self, now: Instant, by: Duration) {
        self.repair_at = self.repair_at.min(now + by);
    }

    pub(super) fn repair_pause(&self) -> Duration {
        match self.active.len() {
            0 => REPAIR_EVERY[0],
            1..ENOUGH => REPAIR_EVERY[1],
            _ => REPAIR_EVERY[2],
        }
    }

    /// Looks for as many neighbours as are missing.
    pub(super) fn repair(&mut self, now: Instant) {
        self.repair_at = Instant::FAR_FUTURE;
        loop {
            let missing = ACTIVE.saturating_sub(self.active.len());
            if missing <= self.links.under_way(now) {
                break;
            }
            let Some((contact, ask)) = self.candidate(now) else { break };
            let before = self.links.len();
            self.passive.postpone(contact.id, now + AFTER_REFUSAL);
            self.bootstrap.postpone(contact.id, now + AFTER_REFUSAL / 4);
            self.open(now, contact, ask);
            if self.links.len() == before {
                break;
            }
        }
        if self.active.len() < ACTIVE {
            self.repair_at = now + self.jittered(self.repair_pause());
        }
    }

    /// From the passive view, or else from where we began.
    fn candidate(&mut self, now: Instant) -> Option<(Contact, Ask)> {
        let is_free = |peer: PeerId, links: &Links, active: &[Contact]| {
            !links.contains(peer) && active.iter().all(|c| c.id != peer)
        };
        let (links, active) = (&self.links, &self.active);
        let is_alone = active.is_empty();
        let priority = if is_alone { Priority::High } else { Priority::Low };
        let rng = &mut *self.rng;
        if let Some(contact) = self.passive.pick(now, rng, |p| is_free(p, links, active)) {
            return Some((contact.clone(), Ask::Neighbor(priority)));
        }
        let contact = self.bootstrap.pick(now, rng, |p| is_free(p, links, active))?;
        Some((contact.clone(), if is_alone { Ask::Join } else { Ask::Neighbor(Priority::Low) }))
    }

    /// Tries one lost contact again.
    pub(super) fn probe(&mut self, now: Instant) {
        self.lost.retain(|known| now - known.since < FORGET_AFTER);
        self.probe_at = now + self.probe_pause(now);
        let (links, rng) = (&self.links, &mut *self.rng);
        let contact = self.lost.pick(now, rng, |p| !links.contains(p)).cloned();
        if let Some(contact) = contact {
            self.open(now, contact, Ask::Bridge);
        }
    }

    fn probe_pause(&mut self, now: Instant) -> Duration {
        let is_recent = self.lost.is_empty() || self.lost.iter().any(|k| now - k.since < RECENT);
        let pause = match (self.active.is_empty(), is_recent) {
            (true, _) => PROBE_EVERY[0],
            (_, true) => PROBE_EVERY[1],
            (_, false) => PROBE_EVERY[2],
        };
        self.jittered(pause)
    }
}
