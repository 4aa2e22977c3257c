//! Credentials for a relay: each for one key, one call and a short time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_core::CryptoRng;

use crate::id::{CallId, PeerId};
use crate::time::{Duration, Instant};
use crate::wire::turn::Key;

/// How long an allocation may be made with them. One that is made lives on.
pub(crate) const LIFETIME: Duration = Duration::from_secs(600);
/// Of one key at once, and of all; the oldest make room.
const MAX_PER_KEY: usize = 8;
const MAX_GRANTS: usize = 20_000;

/// What a peer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) lifetime: Duration,
}

/// What is remembered of it.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) owner: PeerId,
    /// The other peer of the call.
    pub(super) peer: PeerId,
    pub(super) call: CallId,
    pub(super) key: Key,
    pub(super) expires: Instant,
    /// Allocations that were made with it and live.
    held: u32,
}

#[derive(Default)]
pub(super) struct Grants {
    by_name: BTreeMap<String, Grant>,
    /// Those with which an allocation may still be made, in the order in which they were given.
    by_owner: BTreeMap<PeerId, VecDeque<String>>,
    expiring: BTreeSet<(Instant, String)>,
}

impl Grants {
    pub(super) fn issue(
        &mut self,
        now: Instant,
        owner: PeerId,
        peer: PeerId,
        call: CallId,
        rng: &mut dyn CryptoRng,
    ) -> Granted {
        let (mut name, mut secret) = ([0; 12], [0; 16]);
        rng.fill_bytes(&mut name);
        rng.fill_bytes(&mut secret);
        let (username, password) = (hex::encode(name), hex::encode(secret));
        let key = Key::new(&username, &password);
        let expires = now + LIFETIME;
        let grant = Grant { owner, peer, call, key, expires, held: 0 };
        self.by_name.insert(username.clone(), grant);
        self.expiring.insert((expires, username.clone()));
        let own = self.by_owner.entry(owner).or_default();
        own.push_back(username.clone());
        if own.len() > MAX_PER_KEY
            && let Some(oldest) = own.front().cloned()
        {
            self.give_up(&oldest, now);
        }
        if self.expiring.len() > MAX_GRANTS
            && let Some((_, oldest)) = self.expiring.first().cloned()
        {
            self.give_up(&oldest, now);
        }
        Granted { username, password, lifetime: LIFETIME }
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.by_name.len() + self.by_owner.len() + self.expiring.len()
    }

    pub(super) fn get(&self, username: &str) -> Option<&Grant> {
        self.by_name.get(username)
    }

    /// An allocation was made with it.
    pub(super) fn hold(&mut self, username: &str) {
        if let Some(grant) = self.by_name.get_mut(username) {
            grant.held += 1;
        }
    }

    /// That allocation is gone.
    pub(super) fn release(&mut self, username: &str) {
        if let Some(grant) = self.by_name.get_mut(username) {
            grant.held -= 1;
        }
        self.forget_unless_used(username);
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.expiring.first().map_or(Instant::FAR_FUTURE, |(at, _)| *at)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((_, username)) = self.expiring.first().filter(|(at, _)| *at <= now).cloned()
        {
            self.give_up(&username, now);
        }
    }

    /// No allocation may be made with it any more.
    fn give_up(&mut self, username: &str, now: Instant) {
        if let Some(grant) = self.by_name.get_mut(username) {
            let owner = grant.owner;
            self.expiring
                .remove(&(std::mem::replace(&mut grant.expires, now), username.to_owned()));
            if let Some(own) = self.by_owner.get_mut(&owner) {
                own.retain(|name| name != username);
                if own.is_empty() {
                    self.by_owner.remove(&owner);
                }
            }
        }
        self.forget_unless_used(username);
    }

    fn forget_unless_used(&mut self, username: &str) {
        let Some(grant) = self.by_name.get(username) else { return };
        let may_be_used = self.expiring.contains(&(grant.expires, username.to_owned()));
        if grant.held == 0 && !may_be_used {
            self.by_name.remove(username);
        }
    }
}
