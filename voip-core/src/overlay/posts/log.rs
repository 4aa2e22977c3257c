//! One log of one author, as far as it is known here.

use std::collections::BTreeMap;

use crate::time::UnixMillis;
use crate::wire::bulletin::Audience;
use crate::wire::exchange::{Head, LogId};
use crate::wire::gossip::SignedMessage;

/// What a post costs beside its text.
const OVERHEAD: usize = 512;

/// A post that is kept.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) message: SignedMessage,
    /// When it was written, by its author's clock.
    pub(crate) at: UnixMillis,
    /// The same, but not after it came: by this it grows old.
    pub(crate) age: UnixMillis,
    /// Of which conversation it is a text; `None` if it is not for this node's user to read.
    pub(crate) conversation: Option<Audience>,
    /// What this node wrote to one peer.
    pub(crate) plain: Option<String>,
    /// The peer it is for has said that it came, or this node has said so.
    pub(crate) is_acknowledged: bool,
    /// It came some time after it was written.
    pub(crate) is_late: bool,
}

impl Stored {
    pub(crate) fn cost(&self) -> usize {
        let plain = self.plain.as_ref().map_or(0, String::len);
        self.message.body().len() + plain + OVERHEAD
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) posts: BTreeMap<u32, Stored>,
    /// What comes up to here is not taken any more.
    pub(crate) floor: u32,
    /// Shown to the user, or given up, up to here.
    pub(crate) shown: u32,
    /// What was given up last is before this.
    pub(crate) whole_from: u32,
    /// The age of what has gone last.
    pub(crate) gone: UnixMillis,
}

impl Log {
    pub(crate) fn head(&self, log: LogId) -> Option<Head> {
        let (first, last) = (*self.posts.keys().next()?, *self.posts.keys().next_back()?);
        let held = u32::try_from(self.posts.len()).unwrap_or(u32::MAX);
        Some(Head { log, first, last, holes: (last - first + 1).saturating_sub(held) })
    }

    /// Ranges of posts that are not here and would be taken, the first few.
    pub(crate) fn missing(&self, from: u32, to: u32, at_most: usize) -> Vec<(u32, u32)> {
        let mut from = from.max(self.floor.saturating_add(1));
        let mut found = Vec::new();
        if from > to {
            return found;
        }
        for seq in self.posts.range(from..=to).map(|(seq, _)| *seq) {
            if found.len() >= at_most {
                return found;
            }
            if seq > from {
                found.push((from, seq - 1));
            }
            from = seq.saturating_add(1);
        }
        if from <= to && found.len() < at_most {
            found.push((from, to));
        }
        found
    }

    /// Whether somebody with this head has what is missing here. Who has as many holes is taken to have the same.
    pub(crate) fn wants(&self, head: &Head) -> bool {
        match self.head(head.log) {
            None => head.last > self.floor,
            Some(own) => {
                let before = head.first < own.first && own.first > self.floor.saturating_add(1);
                head.last > own.last || before || own.holes > head.holes
            }
        }
    }

    /// The next post to show.
    pub(crate) fn ready(&self) -> Option<u32> {
        let next = self.shown.saturating_add(1);
        self.posts.contains_key(&next).then_some(next)
    }

    /// What keeps others from being shown.
    pub(crate) fn gap(&self) -> Option<(u32, u32)> {
        let next = self.shown.saturating_add(1);
        let (seq, _) = self.posts.range(next..).next()?;
        (*seq > next).then(|| (next, *seq - 1))
    }

    /// Up to here, what is not here will never be.
    pub(crate) fn settled(&self) -> u32 {
        self.floor.max(self.shown)
    }
}
