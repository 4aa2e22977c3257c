//! Receipts: texts for one peer that have come are told to their author, some at a time.

use std::collections::BTreeMap;

use super::{Event, Posts, Way};
use crate::id::PeerId;
use crate::time::{Duration, Instant};
use crate::wire::bulletin::{Audience, Content, Enclosed, MAX_RANGES, Post, Receipt, TextId};
use crate::wire::exchange::LogId;

/// How long a receipt waits for others to go with, and between two receipts.
const COALESCE: Duration = Duration::from_millis(300);
/// Logs of which something is to be told; more are not told of.
const MAX_PENDING: usize = 1_024;

/// What is still to be told.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    pending: BTreeMap<LogId, Vec<(u32, u32)>>,
    due: Option<Instant>,
}

impl Receipts {
    /// A text has come; nothing is missing since `whole_from`.
    pub(crate) fn add(&mut self, now: Instant, log: LogId, seq: u32, whole_from: u32) {
        if !self.pending.contains_key(&log) && self.pending.len() >= MAX_PENDING {
            return;
        }
        let ranges = self.pending.entry(log).or_default();
        match ranges.last_mut() {
            Some((from, to)) if whole_from <= *from && *to < seq => *to = seq,
            _ => ranges.push((seq, seq)),
        }
        self.due.get_or_insert(now + COALESCE);
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.due.unwrap_or(Instant::FAR_FUTURE)
    }

    /// The next receipt to send, and to whom.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<(PeerId, Receipt)> {
        self.due.take_if(|due| *due <= now)?;
        let mut first = self.pending.first_entry()?;
        let log = *first.key();
        let rest = first.get().len().min(MAX_RANGES);
        let rest = first.get_mut().split_off(rest);
        let ranges = std::mem::replace(first.get_mut(), rest);
        if first.get().is_empty() {
            first.remove();
        }
        self.due = (!self.pending.is_empty()).then_some(now + COALESCE);
        Some((log.author, Receipt { log: log.log, ranges }))
    }
}

impl Posts {
    /// This node's texts for one peer each of which no receipt has come, as far as they are kept.
    #[cfg(test)]
    pub(crate) fn unacknowledged(&self) -> Vec<TextId> {
        let me = self.identity.id();
        let logs = self.shelf.logs_of(me);
        let waits = logs.flat_map(|(id, log)| {
            let open = log.posts.iter().filter(|(_, stored)| {
                matches!(stored.conversation, Some(Audience::Peer(_))) && !stored.is_acknowledged
            });
            open.map(|(seq, _)| TextId { author: me, log: id.log, seq: *seq })
        });
        waits.collect()
    }

    /// A receipt for this node has come.
    pub(super) fn take_receipt(&mut self, id: TextId, post: &Post, way: Way) {
        let Content::Receipt(envelope) = &post.content else { return };
        let what = Enclosed::Receipt { log: id.log, seq: id.seq };
        let opened = self.identity.open_from(id.author, what, envelope);
        let Some(receipt) = opened.and_then(|bytes| Receipt::parse(&bytes)) else {
            self.stats.unreadable += 1;
            return;
        };
        let ids = self.acknowledge(self.identity.id(), id.author, &receipt);
        if way != Way::Disk && !ids.is_empty() {
            self.event(Event::Delivered { by: id.author, ids });
        }
    }

    /// Marks the texts of `author` in the conversation with `peer` of which a receipt speaks: those that were not before.
    pub(super) fn acknowledge(
        &mut self,
        author: PeerId,
        peer: PeerId,
        receipt: &Receipt,
    ) -> Vec<TextId> {
        let log_id = LogId { author, log: receipt.log };
        let Some(log) = self.shelf.log_mut(log_id) else { return Vec::new() };
        let mut ids = Vec::new();
        for (from, to) in &receipt.ranges {
            for (seq, stored) in log.posts.range_mut(*from..=*to) {
                if stored.conversation == Some(Audience::Peer(peer)) && !stored.is_acknowledged {
                    stored.is_acknowledged = true;
                    ids.push(TextId { author, log: receipt.log, seq: *seq });
                }
            }
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn receipts_go_together_in_ranges_and_not_over_what_is_missing() {
        let mut receipts = Receipts::default();
        let log = LogId { author: PeerId([1; 32]), log: 7 };
        for (seq, whole_from) in [(2, 0), (3, 0), (7, 0), (12, 11), (14, 11), (8, 11)] {
            receipts.add(Instant::ZERO, log, seq, whole_from);
        }
        let due = receipts.next_timeout();
        assert_eq!(due, Instant::ZERO + COALESCE);
        let (peer, receipt) = receipts.handle_timeout(due).unwrap();
        assert_eq!((peer, receipt.log), (log.author, log.log));
        assert_eq!(receipt.ranges, [(2, 7), (12, 14), (8, 8)]);
        assert_eq!(receipts.next_timeout(), Instant::FAR_FUTURE);
    }

    #[test]
    fn more_than_fits_goes_next() {
        let mut receipts = Receipts::default();
        let log = LogId { author: PeerId([1; 32]), log: 7 };
        (1..=40).for_each(|n| receipts.add(Instant::ZERO, log, n * 2, n * 2));
        let mut now = receipts.next_timeout();
        assert_eq!(receipts.handle_timeout(now).unwrap().1.ranges.len(), MAX_RANGES);
        now = receipts.next_timeout();
        assert_eq!(receipts.handle_timeout(now).unwrap().1.ranges.len(), 8);
        assert_eq!(receipts.handle_timeout(now + COALESCE), None);
    }
}
