//! The logs of all authors, within bounds of number and bytes: of each author and in all, what is oldest goes first.
//!
//! What has gone is known to be gone, or neighbours that still have it would bring it again and again: by the number up to
//! which a log has gone, and for logs of which nothing is left, in the end, by time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::log::{Log, Stored};
use crate::id::{MessageId, PeerId};
use crate::rate::{Bucket, Rate};
use crate::time::{Instant, UnixMillis};
use crate::wire::bulletin::TextId;
use crate::wire::exchange::{Head, LogId};

/// Of one author, in all its logs.
pub(crate) const MAX_POSTS_OF_AUTHOR: usize = 1_000;
pub(crate) const MAX_BYTES_OF_AUTHOR: usize = 1024 * 1024;
/// Logs of one author.
pub(crate) const MAX_LOGS: usize = 4;
/// Of all authors.
pub(crate) const MAX_POSTS: usize = 20_000;
pub(crate) const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Logs of which nothing is left, remembered.
const MAX_EMPTIED: usize = 4_096;
/// Posts of one author that are taken: all that are kept of it at once, and then by and by.
const OF_AUTHOR: Rate = Rate::per_second(5, 1_200);

/// What a post is to the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To be put there.
    New,
    /// There already.
    Held,
    /// Another one is in its place: its author has written two of one number.
    Fork,
    /// Too old.
    Gone,
}

#[derive(Debug, Default)]
struct Author {
    posts: usize,
    bytes: usize,
    /// Logs before this one are gone.
    since: u64,
    taken: Bucket,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    logs: BTreeMap<LogId, Log>,
    authors: BTreeMap<PeerId, Author>,
    /// Logs by the age of their first post.
    ages: BTreeSet<(UnixMillis, LogId)>,
    emptied: VecDeque<LogId>,
    /// Posts of unknown logs up to this age are gone.
    forgotten: UnixMillis,
    posts: usize,
    bytes: usize,
}

impl TextId {
    pub(crate) fn log_id(&self) -> LogId {
        LogId { author: self.author, log: self.log }
    }
}

impl Shelf {
    pub(crate) fn log(&self, log: LogId) -> Option<&Log> {
        self.logs.get(&log)
    }

    pub(crate) fn log_mut(&mut self, log: LogId) -> Option<&mut Log> {
        self.logs.get_mut(&log)
    }

    pub(crate) fn get(&self, id: TextId) -> Option<&Stored> {
        self.logs.get(&id.log_id())?.posts.get(&id.seq)
    }

    pub(crate) fn logs_of(
        &self,
        author: PeerId,
    ) -> impl DoubleEndedIterator<Item = (&LogId, &Log)> {
        self.logs.range(LogId { author, log: 0 }..=LogId { author, log: u64::MAX })
    }

    pub(crate) fn log_ids(&self) -> Vec<LogId> {
        self.logs.keys().copied().collect()
    }

    /// What is here after a log, in order.
    pub(crate) fn heads_after(&self, after: Option<LogId>) -> impl Iterator<Item = Head> {
        let start = match after {
            Some(log) => std::ops::Bound::Excluded(log),
            None => std::ops::Bound::Unbounded,
        };
        self.logs.range((start, std::ops::Bound::Unbounded)).filter_map(|(id, log)| log.head(*id))
    }

    pub(crate) fn head(&self, log: LogId) -> Option<Head> {
        self.logs.get(&log)?.head(log)
    }

    pub(crate) fn wants(&self, head: &Head) -> bool {
        match self.logs.get(&head.log) {
            Some(log) => log.wants(head),
            None => !self.is_gone(head.log),
        }
    }

    pub(crate) fn is_gone(&self, log: LogId) -> bool {
        self.authors.get(&log.author).is_some_and(|author| log.log < author.since)
    }

    pub(crate) fn missing(
        &self,
        log: LogId,
        from: u32,
        to: u32,
        at_most: usize,
    ) -> Vec<(u32, u32)> {
        match self.logs.get(&log) {
            Some(log) => log.missing(from, to, at_most),
            None if from > to || self.is_gone(log) => Vec::new(),
            None => vec![(from, to)],
        }
    }

    pub(crate) fn place(&self, id: TextId, message: MessageId, age: UnixMillis) -> Place {
        if self.is_gone(id.log_id()) {
            return Place::Gone;
        }
        match self.logs.get(&id.log_id()) {
            Some(log) => match log.posts.get(&id.seq) {
                Some(held) if held.message.id() == message => Place::Held,
                Some(_) => Place::Fork,
                None if id.seq <= log.floor => Place::Gone,
                None => Place::New,
            },
            None if age <= self.forgotten => Place::Gone,
            None => Place::New,
        }
    }

    /// Whether one more post of an author may be taken.
    pub(crate) fn may_take(&mut self, now: Instant, author: PeerId) -> bool {
        self.authors.get_mut(&author).is_none_or(|author| author.taken.take(now, OF_AUTHOR, 1))
    }

    /// Puts a post in its place, which must be [`Place::New`]; then [`Shelf::overfull`] has to be asked.
    pub(crate) fn insert(&mut self, id: TextId, stored: Stored) {
        let log_id = id.log_id();
        let author = self.authors.entry(id.author).or_default();
        author.posts += 1;
        author.bytes += stored.cost();
        self.posts += 1;
        self.bytes += stored.cost();
        let log = self.logs.entry(log_id).or_default();
        let before = log.posts.first_key_value().map(|(_, first)| first.age);
        log.posts.insert(id.seq, stored);
        self.reorder(log_id, before);
    }

    /// Adds what this node wrote to what it has sealed.
    pub(crate) fn set_plain(&mut self, id: TextId, plain: String) {
        let Some(stored) =
            self.logs.get_mut(&id.log_id()).and_then(|log| log.posts.get_mut(&id.seq))
        else {
            return;
        };
        let before = stored.cost();
        stored.plain = Some(plain);
        let after = stored.cost();
        self.bytes = self.bytes.saturating_add(after) - before;
        if let Some(author) = self.authors.get_mut(&id.author) {
            author.bytes = author.bytes.saturating_add(after) - before;
        }
    }

    /// A log of which the first post has to go, if any: be it for `author`, of which one has been put here, or for all.
    pub(crate) fn overfull(&mut self, author: PeerId) -> Option<LogId> {
        while self.logs_of(author).count() > MAX_LOGS {
            let (id, log) = self.logs_of(author).next()?;
            let id = *id;
            if !log.posts.is_empty() {
                return Some(id);
            }
            self.logs.remove(&id);
            if let Some(author) = self.authors.get_mut(&author) {
                author.since = id.log.saturating_add(1);
            }
        }
        let of_author = self.authors.get(&author)?;
        if of_author.posts > MAX_POSTS_OF_AUTHOR || of_author.bytes > MAX_BYTES_OF_AUTHOR {
            return self.logs_of(author).find(|(_, log)| !log.posts.is_empty()).map(|(id, _)| *id);
        }
        let is_full = self.posts > MAX_POSTS || self.bytes > MAX_BYTES;
        if is_full { self.ages.first().map(|(_, log)| *log) } else { None }
    }

    /// Takes the first post of a log away for good.
    pub(crate) fn pop_first(&mut self, log_id: LogId) -> Option<(TextId, Stored)> {
        let log = self.logs.get_mut(&log_id)?;
        let (seq, stored) = log.posts.pop_first()?;
        log.floor = log.floor.max(seq);
        log.gone = log.gone.max(stored.age);
        let is_empty = log.posts.is_empty();
        self.posts -= 1;
        self.bytes = self.bytes.saturating_sub(stored.cost());
        if let Some(author) = self.authors.get_mut(&log_id.author) {
            author.posts -= 1;
            author.bytes = author.bytes.saturating_sub(stored.cost());
        }
        self.reorder(log_id, Some(stored.age));
        if is_empty {
            self.emptied.push_back(log_id);
            while self.emptied.len() > MAX_EMPTIED {
                self.forget_emptied();
            }
        }
        Some((TextId { author: log_id.author, log: log_id.log, seq }, stored))
    }

    fn forget_emptied(&mut self) {
        let Some(id) = self.emptied.pop_front() else { return };
        if let Some(log) = self.logs.get(&id).filter(|log| log.posts.is_empty()) {
            self.forgotten = self.forgotten.max(log.gone);
            self.logs.remove(&id);
            if self.logs_of(id.author).next().is_none() {
                self.authors.remove(&id.author);
            }
        }
    }

    fn reorder(&mut self, log_id: LogId, before: Option<UnixMillis>) {
        let log = self.logs.get(&log_id);
        let after = log.and_then(|log| log.posts.first_key_value()).map(|(_, first)| first.age);
        if before != after {
            before.map(|age| self.ages.remove(&(age, log_id)));
            after.map(|age| self.ages.insert((age, log_id)));
        }
    }

    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.posts, self.bytes)
    }

    #[cfg(test)]
    pub(crate) fn is_consistent(&self) -> bool {
        let all = || self.logs.values().flat_map(|log| log.posts.values());
        let filled = self.logs.values().filter(|log| !log.posts.is_empty()).count();
        self.posts == all().count()
            && self.bytes == all().map(Stored::cost).sum::<usize>()
            && self.posts <= MAX_POSTS
            && self.bytes <= MAX_BYTES
            && self.ages.len() == filled
            && self.logs.len() - filled <= MAX_EMPTIED
            && self.authors.len() <= self.logs.len()
            && self.authors.iter().all(|(id, author)| {
                author.posts <= MAX_POSTS_OF_AUTHOR
                    && author.bytes <= MAX_BYTES_OF_AUTHOR
                    && self.logs_of(*id).count() <= MAX_LOGS
            })
    }
}
