//! What a neighbour may do, what wrong costs it, and who is not let in again for a while.

use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::id::PeerId;
use crate::rate::{Bucket, Rate};
use crate::time::{Duration, Instant};

/// Messages of all kinds from one neighbour. What one may send ([`PUSHES`] and what belongs to it) is well below.
const MESSAGES: Rate = Rate::per_second(150, 600);
/// Bytes from one neighbour.
const BYTES: Rate = Rate::per_second(384 * 1024, 3 * 1024 * 1024);
/// Payload messages pushed to one neighbour; more are announced and come when asked for.
pub(crate) const PUSHES: Rate = Rate::per_second(75, 300);
/// Bytes of payload sent to one neighbour.
pub(crate) const PUSHED_BYTES: Rate = Rate::per_second(192 * 1024, 2 * 1024 * 1024);
/// Requests to become neighbours from one peer: each begins with what it may have missed.
const REQUESTS: Rate = Rate::per_second(1, 10);
/// Messages on random walks from one neighbour, each of which makes others send some.
const WALKS_IN: Rate = Rate::per_second(30, 120);
/// Messages on random walks sent to one neighbour; more are dropped, or we would be blamed for them.
const WALKS_OUT: Rate = Rate::per_second(20, 80);
/// Messages of one author: what comes above is not handed on.
const OF_AUTHOR: Rate = Rate::per_second(20, 100);
/// Points of offences, one of which is forgiven every second; who has more is dropped.
const POINTS: Rate = Rate::per_second(1, 100);
/// How long somebody who was dropped is refused.
const BAN: Duration = Duration::from_secs(600);
/// As many as have links and some that had.
const MAX_ACCOUNTS: usize = 64;
const MAX_BANS: usize = 1024;
const AUTHORS: usize = 1024;

/// What a neighbour does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence {
    /// Not a message, or beyond its limits.
    Malformed,
    /// A message whose signature or content is wrong: honest neighbours hand on none.
    Invalid,
    /// More than [`MESSAGES`] or [`BYTES`].
    Flood,
    /// The same message again and again.
    Replay,
    /// An answer to nothing, or somebody else's name.
    Unsolicited,
}

impl Offence {
    const fn points(self) -> u32 {
        match self {
            Offence::Malformed | Offence::Invalid => 20,
            Offence::Unsolicited => 5,
            Offence::Replay => 2,
            Offence::Flood => 1,
        }
    }
}

#[derive(Debug)]
struct Account {
    peer: PeerId,
    messages: Bucket,
    bytes: Bucket,
    requests: Bucket,
    walks_in: Bucket,
    walks_out: Bucket,
    points: Bucket,
}

impl Account {
    fn new(peer: PeerId) -> Self {
        let full = Bucket::default();
        Account {
            peer,
            messages: full,
            bytes: full,
            requests: full,
            walks_in: full,
            walks_out: full,
            points: full,
        }
    }
}

/// The books of all neighbours.
pub(crate) struct Guard {
    /// The one used last at the end.
    accounts: Vec<Account>,
    banned: VecDeque<(PeerId, Instant)>,
    /// Authors that fall on the same place share it; where they fall is secret.
    authors: Vec<Bucket>,
    secret: u64,
}

impl Guard {
    pub(crate) fn new(secret: u64) -> Self {
        Guard { accounts: Vec::new(), banned: VecDeque::new(), authors: Vec::new(), secret }
    }

    /// Whether a message of so many bytes from `peer` may be looked at.
    pub(crate) fn admit(&mut self, now: Instant, peer: PeerId, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.account(peer).is_some_and(|account| {
            account.messages.take(now, MESSAGES, 1) && account.bytes.take(now, BYTES, bytes)
        })
    }

    /// Whether `peer` may ask to become a neighbour.
    pub(crate) fn admit_request(&mut self, now: Instant, peer: PeerId) -> bool {
        self.account(peer).is_some_and(|account| account.requests.take(now, REQUESTS, 1))
    }

    /// Whether a message on a random walk from `peer` may go on.
    pub(crate) fn admit_walk(&mut self, now: Instant, peer: PeerId) -> bool {
        self.account(peer).is_some_and(|account| account.walks_in.take(now, WALKS_IN, 1))
    }

    /// Whether a message on a random walk may be sent to `peer`.
    pub(crate) fn may_walk(&mut self, now: Instant, peer: PeerId) -> bool {
        self.account(peer).is_some_and(|account| account.walks_out.take(now, WALKS_OUT, 1))
    }

    /// Charges `peer`, and says whether it has gone too far and is banned.
    pub(crate) fn blame(&mut self, now: Instant, peer: PeerId, offence: Offence) -> bool {
        let points = offence.points();
        let pardoned = self.account(peer).is_some_and(|a| a.points.take(now, POINTS, points));
        if !pardoned {
            self.accounts.retain(|account| account.peer != peer);
            self.banned.retain(|(banned, until)| *banned != peer && *until > now);
            if self.banned.len() >= MAX_BANS {
                self.banned.pop_front();
            }
            self.banned.push_back((peer, now + BAN));
        }
        !pardoned
    }

    pub(crate) fn is_banned(&self, now: Instant, peer: PeerId) -> bool {
        self.banned.iter().any(|(banned, until)| *banned == peer && *until > now)
    }

    /// Whether one more message of this author is to be handed on.
    pub(crate) fn author_may(&mut self, now: Instant, author: PeerId) -> bool {
        if self.authors.is_empty() {
            self.authors.resize(AUTHORS, Bucket::default());
        }
        let mut hasher = DefaultHasher::new();
        (self.secret, author).hash(&mut hasher);
        let place = hasher.finish() as usize % AUTHORS;
        self.authors.get_mut(place).is_some_and(|bucket| bucket.take(now, OF_AUTHOR, 1))
    }

    fn account(&mut self, peer: PeerId) -> Option<&mut Account> {
        match self.accounts.iter().rposition(|account| account.peer == peer) {
            Some(at) => {
                if let Some(used) = self.accounts.get_mut(at..) {
                    used.rotate_left(1);
                }
            }
            None => {
                if self.accounts.len() >= MAX_ACCOUNTS {
                    self.accounts.remove(0);
                }
                self.accounts.push(Account::new(peer));
            }
        }
        self.accounts.last_mut()
    }

    #[cfg(test)]
    pub(crate) fn is_bounded(&self) -> bool {
        self.accounts.len() <= MAX_ACCOUNTS && self.banned.len() <= MAX_BANS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: usize) -> PeerId {
        let mut id = [0; 32];
        id.iter_mut().zip(n.to_le_bytes()).for_each(|(to, from)| *to = from);
        PeerId(id)
    }

    #[test]
    fn a_flood_is_cut_and_ends_in_a_ban_that_ends() {
        let mut guard = Guard::new(1);
        let start = Instant::from_micros(1_000_000);
        let admitted = (0..1_000).filter(|_| guard.admit(start, peer(1), 100)).count();
        assert_eq!(admitted, 600);
        let offences = (0..1_000).take_while(|_| !guard.blame(start, peer(1), Offence::Flood));
        assert_eq!(offences.count(), 100);
        assert!(guard.is_banned(start + Duration::from_secs(599), peer(1)));
        assert!(!guard.is_banned(start + BAN, peer(1)));
        assert!(!guard.is_banned(start, peer(2)) && guard.admit(start, peer(2), 100));
    }

    #[test]
    fn big_messages_are_counted_by_their_bytes() {
        let mut guard = Guard::new(1);
        let admitted =
            (0..1_000).filter(|_| guard.admit(Instant::ZERO, peer(1), 32 * 1024)).count();
        assert_eq!(admitted, 96);
    }

    #[test]
    fn few_offences_are_forgiven_in_time() {
        let mut guard = Guard::new(1);
        for n in 0..100 {
            let now = Instant::ZERO + Duration::from_secs(20 * n);
            assert!(!guard.blame(now, peer(1), Offence::Invalid));
        }
        let now = Instant::ZERO + Duration::from_secs(2_000);
        let invalid = (0..10).take_while(|_| !guard.blame(now, peer(1), Offence::Invalid));
        assert!(invalid.count() <= 5);
    }

    #[test]
    fn the_books_do_not_grow() {
        let mut guard = Guard::new(1);
        for n in 0..5_000 {
            guard.admit(Instant::ZERO, peer(n), 1);
            let is_banned = (0..6).any(|_| guard.blame(Instant::ZERO, peer(n), Offence::Malformed));
            assert!(is_banned);
            guard.author_may(Instant::ZERO, peer(n));
        }
        assert!(guard.is_bounded());
        assert!(guard.is_banned(Instant::ZERO, peer(4_999)));
    }
}
