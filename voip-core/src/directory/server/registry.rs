//! Who is registered under which name.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use super::event::ConnId;
use crate::event::Presence;
use crate::id::PeerId;
use crate::time::UnixMillis;
use crate::wire::record::{PresenceRecord, SealedRecord};
use crate::wire::tracker::Entry;

/// A peer that is online.
pub(super) struct Registration {
    pub(super) conn: ConnId,
    pub(super) id: PeerId,
    pub(super) name: String,
    pub(super) presence: Presence,
    pub(super) seq: u64,
    pub(super) since: UnixMillis,
    sealed: SealedRecord,
}

impl Registration {
    pub(super) fn new(
        conn: ConnId,
        record: PresenceRecord,
        sealed: SealedRecord,
        since: UnixMillis,
    ) -> Self {
        let PresenceRecord { id, name, presence, seq, .. } = record;
        Registration { conn, id, name, presence, seq, since, sealed }
    }

    /// As others get to see it.
    pub(super) fn entry(&self) -> Entry {
        Entry { record: self.sealed.clone(), since: self.since }
    }
}

/// Registrations by key; each name belongs to one key.
#[derive(Default)]
pub(super) struct Registry {
    by_id: BTreeMap<PeerId, Registration>,
    by_name: BTreeMap<String, PeerId>,
}

impl Registry {
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.by_id.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn get(&self, id: PeerId) -> Option<&Registration> {
        self.by_id.get(&id)
    }

    /// Whose name it is.
    pub(super) fn owner(&self, name: &str) -> Option<PeerId> {
        self.by_name.get(name).copied()
    }

    /// Enters, and gives back the key's earlier registration. The name must be free or the key's.
    pub(super) fn insert(&mut self, registration: Registration) -> Option<Registration> {
        let earlier = self.remove(registration.id);
        self.by_name.insert(registration.name.clone(), registration.id);
        self.by_id.insert(registration.id, registration);
        earlier
    }

    pub(super) fn remove(&mut self, id: PeerId) -> Option<Registration> {
        let gone = self.by_id.remove(&id)?;
        self.by_name.remove(&gone.name);
        Some(gone)
    }

    /// Up to `limit` peers in order of name, from after the name `after`; and the name after which
    /// to go on, if there are more.
    pub(super) fn page(&self, after: Option<&str>, limit: usize) -> (Vec<Entry>, Option<String>) {
        let start = after.map_or(Unbounded, Excluded);
        let mut names = self.by_name.range::<str, _>((start, Unbounded));
        let mut last = None;
        let peers = names
            .by_ref()
            .take(limit)
            .inspect(|(name, _)| last = Some(name.as_str()))
            .filter_map(|(_, id)| self.get(*id))
            .map(Registration::entry)
            .collect();
        let next = names.next().and(last).map(str::to_owned);
        (peers, next)
    }
}
