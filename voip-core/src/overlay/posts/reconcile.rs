//! Neighbours tell each other what they have and ask for what they lack, so that in the end both have the same.
//!
//! A neighbour that comes up, and one at random every 30 to 60 s, is told of all logs, page by page; it answers with what it
//! has beyond. What a neighbour has and we lack is an *offer*, and so is a gap that it might fill. Offers are asked
//! for one question at a time of each neighbour, and a log of one neighbour at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_core::Rng;

use super::shelf::Shelf;
use crate::id::PeerId;
use crate::rate::{Bucket, Rate};
use crate::time::{Duration, Instant};
use crate::wire::exchange::{
    Exchange, Head, LogId, MAX_HEADS, MAX_POSTS_BYTES, MAX_WANTS, Page, Span, len_within,
};

/// How often all logs are told to some neighbour: at random between these.
const SYNC_EVERY: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(60)];
/// Between two messages with heads to one neighbour, full ones and others,
const BETWEEN_PAGES: Duration = Duration::from_millis(500);
const BETWEEN_HEADS: Duration = Duration::from_millis(150);
/// and how long changes wait for others to go with.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(200);
/// Between two questions to one neighbour. Answers of 27 KiB and pages of 30 KiB are 170 KiB a second: with
/// [`super::super::limits::PUSHED_BYTES`], less than a neighbour is allowed in all.
const BETWEEN_WANTS: Duration = Duration::from_millis(250);
/// How long an answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// When to ask again for what a neighbour did not have yet, and how often to ask at all.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const MAX_TRIES: u8 = 30;
/// Logs that one neighbour may have to offer at a time; more come with the next round.
const MAX_OFFERS: usize = 4_096;
/// What one neighbour may say: somewhat more than [`BETWEEN_HEADS`] and [`BETWEEN_WANTS`] let it.
const HEADS_IN: Rate = Rate::per_second(10, 40);
const WANTS_IN: Rate = Rate::per_second(5, 15);

/// What a neighbour has, or may have.
#[derive(Clone, Copy, Debug)]
struct Offer {
    from: u32,
    to: u32,
    tries: u8,
    retry_at: Instant,
}

#[derive(Debug)]
struct Neighbor {
    peer: PeerId,
    /// What comes next of everything is after this log.
    page: Option<Option<LogId>>,
    /// Logs to tell about.
    changed: BTreeSet<LogId>,
    heads_at: Instant,
    offers: BTreeMap<LogId, Offer>,
    /// The question that is open, and until when.
    asked: Vec<Span>,
    asked_until: Instant,
    ask_at: Instant,
    heads_in: Bucket,
    wants_in: Bucket,
    /// It has sent what is not signed by whom it says: nothing of it is believed while the link lasts.
    is_distrusted: bool,
}

impl Neighbor {
    fn offer(&mut self, now: Instant, log: LogId, from: u32, to: u32) -> bool {
        let before = self.offers.get(&log).copied();
        if before.is_none() && self.offers.len() >= MAX_OFFERS {
            return false;
        }
        let from = before.map_or(from, |offer| offer.from.min(from));
        let to = before.map_or(to, |offer| offer.to.max(to));
        self.offers.insert(log, Offer { from, to, tries: 0, retry_at: now });
        self.ask_at = self.ask_at.min(now);
        true
    }

    fn failed(&mut self, log: LogId, retry_at: Instant) {
        if let Some(offer) = self.offers.get_mut(&log) {
            (offer.tries, offer.retry_at) = (offer.tries + 1, retry_at);
            if offer.tries >= MAX_TRIES {
                self.offers.remove(&log);
            }
        }
    }

    fn next_timeout(&self) -> Instant {
        let has_news = self.page.is_some() || !self.changed.is_empty();
        let heads_at = if has_news { self.heads_at } else { Instant::FAR_FUTURE };
        let ask_at = match (self.asked.is_empty(), self.offers.is_empty()) {
            (false, _) => self.asked_until,
            (true, false) => self.ask_at,
            (true, true) => Instant::FAR_FUTURE,
        };
        heads_at.min(ask_at)
    }
}

/// See the module.
pub(crate) struct Reconciler {
    neighbors: Vec<Neighbor>,
    sync_at: Instant,
    sends: VecDeque<(PeerId, Exchange)>,
    rng: Box<dyn Rng + Send>,
    /// Messages of neighbours that say too much, and offers above what is remembered.
    pub(crate) throttled: u64,
}

impl Reconciler {
    pub(crate) fn new(rng: Box<dyn Rng + Send>) -> Self {
        let (neighbors, sends) = (Vec::new(), VecDeque::new());
        Reconciler { neighbors, sync_at: Instant::FAR_FUTURE, sends, rng, throttled: 0 }
    }

    pub(crate) fn poll(&mut self) -> Option<(PeerId, Exchange)> {
        self.sends.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        let neighbors = self.neighbors.iter().map(Neighbor::next_timeout);
        neighbors.chain([self.sync_at]).min().unwrap_or(Instant::FAR_FUTURE)
    }

    pub(crate) fn neighbor_up(&mut self, now: Instant, peer: PeerId) {
        self.neighbor_down(peer);
        self.neighbors.push(Neighbor {
            peer,
            page: Some(None),
            changed: BTreeSet::new(),
            heads_at: now,
            offers: BTreeMap::new(),
            asked: Vec::new(),
            asked_until: Instant::FAR_FUTURE,
            ask_at: now,
            heads_in: Bucket::default(),
            wants_in: Bucket::default(),
            is_distrusted: false,
        });
        if self.sync_at == Instant::FAR_FUTURE {
            self.sync_at = now + self.sync_pause();
        }
    }

    pub(crate) fn neighbor_down(&mut self, peer: PeerId) {
        self.neighbors.retain(|neighbor| neighbor.peer != peer);
        if self.neighbors.is_empty() {
            self.sync_at = Instant::FAR_FUTURE;
        }
    }

    fn neighbor(&mut self, peer: PeerId) -> Option<&mut Neighbor> {
        self.neighbors.iter_mut().find(|n| n.peer == peer && !n.is_distrusted)
    }

    pub(crate) fn distrust(&mut self, peer: PeerId) {
        if let Some(neighbor) = self.neighbor(peer) {
            neighbor.is_distrusted = true;
            neighbor.offers.clear();
            neighbor.asked.clear();
        }
    }

    /// A log has grown by what came from `from`: the others may like to know.
    pub(crate) fn announce(&mut self, now: Instant, log: LogId, from: Option<PeerId>) {
        for neighbor in self.neighbors.iter_mut().filter(|n| Some(n.peer) != from) {
            if neighbor.changed.is_empty() && neighbor.page.is_none() {
                neighbor.heads_at = neighbor.heads_at.max(now + ANNOUNCE_AFTER);
            }
            neighbor.changed.insert(log);
        }
    }

    /// Somebody may have this.
    pub(crate) fn seek(&mut self, now: Instant, span: Span) {
        if !self.neighbors.is_empty() {
            self.neighbors.rotate_left(1);
        }
        for neighbor in self.neighbors.iter_mut().filter(|n| !n.is_distrusted) {
            let is_noted = neighbor.offer(now, span.log, span.from, span.to);
            self.throttled += u64::from(!is_noted);
        }
    }

    /// Whether somebody has, or may have, something of this log; also if there is nobody to ask.
    pub(crate) fn is_hopeful(&self, log: LogId) -> bool {
        self.neighbors.is_empty() || self.neighbors.iter().any(|n| n.offers.contains_key(&log))
    }

    pub(crate) fn handle_heads(
        &mut self,
        now: Instant,
        from: PeerId,
        heads: &[Head],
        page: Option<Page>,
        shelf: &Shelf,
    ) {
        let Some(neighbor) = self.neighbors.iter_mut().find(|n| n.peer == from) else { return };
        if neighbor.is_distrusted || !neighbor.heads_in.take(now, HEADS_IN, 1) {
            self.throttled += 1;
            return;
        }
        for head in heads.iter().filter(|head| shelf.wants(head)) {
            let is_noted = neighbor.offer(now, head.log, head.first, head.last);
            self.throttled += u64::from(!is_noted);
        }
        let Some(page) = page else { return };
        let end = if page.more { heads.last().map(|head| head.log) } else { None };
        let ours =
            shelf.heads_after(page.after).take_while(|head| end.is_none_or(|e| head.log <= e));
        for own in ours {
            let theirs = heads.binary_search_by_key(&own.log, |head| head.log);
            let has_all = theirs.ok().and_then(|at| heads.get(at)).is_some_and(|theirs| {
                theirs.first <= own.first && theirs.last >= own.last && theirs.holes <= own.holes
            });
            if !has_all {
                neighbor.changed.insert(own.log);
            }
        }
    }

    pub(crate) fn handle_want(
        &mut self,
        now: Instant,
        from: PeerId,
        spans: &[Span],
        shelf: &Shelf,
    ) {
        let Some(neighbor) = self.neighbors.iter_mut().find(|n| n.peer == from) else { return };
        if !neighbor.wants_in.take(now, WANTS_IN, 1) {
            self.throttled += 1;
            return;
        }
        self.sends.push_back((from, answer(spans, shelf)));
    }

    /// What was asked of a neighbour that answers now.
    pub(crate) fn take_asked(&mut self, peer: PeerId) -> Vec<Span> {
        self.neighbor(peer).map(|neighbor| std::mem::take(&mut neighbor.asked)).unwrap_or_default()
    }

    /// What became of the question: `got` are the logs of which something came.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        peer: PeerId,
        asked: &[Span],
        got: &BTreeSet<LogId>,
        without: &[Span],
        shelf: &Shelf,
    ) {
        let Some(neighbor) = self.neighbor(peer) else { return };
        for span in asked {
            let Some(offer) = neighbor.offers.get_mut(&span.log) else { continue };
            let of_log = || without.iter().filter(|w| w.log == span.log);
            let mut first = shelf.missing(span.log, offer.from, offer.to, 1);
            let before = offer.from;
            while let Some((from, to)) = first.first().copied() {
                let Some(gone) = of_log().find(|w| (w.from..=w.to).contains(&from)) else { break };
                // Behind `from`, so that this comes to an end.
                offer.from = gone.to.min(to).saturating_add(1);
                first = shelf.missing(span.log, offer.from, offer.to, 1);
            }
            if first.is_empty() || offer.from > offer.to {
                neighbor.offers.remove(&span.log);
            } else if offer.from == before && !got.contains(&span.log) {
                neighbor.failed(span.log, now + RETRY_AFTER);
            }
        }
    }

    /// Nothing of this log is taken any more, whoever has it.
    pub(crate) fn refuse(&mut self, peer: PeerId, log: LogId) {
        if let Some(neighbor) = self.neighbor(peer) {
            neighbor.offers.remove(&log);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, shelf: &Shelf) {
        if self.sync_at <= now {
            self.sync_at = now + self.sync_pause();
            let at = crate::overlay::view::below(&mut self.rng, self.neighbors.len().max(1));
            if let Some(neighbor) = self.neighbors.get_mut(at) {
                neighbor.page.get_or_insert(None);
            }
        }
        for neighbor in self.neighbors.iter_mut().filter(|n| n.heads_at <= now) {
            self.sends.extend(news(now, neighbor, shelf).map(|heads| (neighbor.peer, heads)));
        }
        for neighbor in &mut self.neighbors {
            if neighbor.asked_until <= now {
                neighbor.asked_until = Instant::FAR_FUTURE;
                for span in std::mem::take(&mut neighbor.asked) {
                    neighbor.failed(span.log, now);
                }
            }
        }
        for at in 0..self.neighbors.len() {
            self.ask(now, at, shelf);
        }
    }

    /// The next question to a neighbour, if it is time for one.
    fn ask(&mut self, now: Instant, at: usize, shelf: &Shelf) {
        let others = self.neighbors.iter().enumerate().filter(|(n, _)| *n != at);
        let open: BTreeSet<LogId> =
            others.flat_map(|(_, n)| n.asked.iter().map(|span| span.log)).collect();
        let Some(neighbor) = self.neighbors.get_mut(at) else { return };
        if neighbor.ask_at > now || !neighbor.asked.is_empty() {
            return;
        }
        let (mut spans, mut again_at) = (Vec::new(), Instant::FAR_FUTURE);
        neighbor.offers.retain(|log, offer| {
            if spans.len() >= MAX_WANTS || offer.retry_at > now || open.contains(log) {
                again_at = again_at.min(offer.retry_at.max(now + BETWEEN_WANTS));
                return true;
            }
            let missing = shelf.missing(*log, offer.from, offer.to, MAX_WANTS - spans.len());
            spans.extend(missing.iter().map(|(from, to)| Span { log: *log, from: *from, to: *to }));
            !missing.is_empty()
        });
        neighbor.ask_at = if spans.is_empty() { again_at } else { now + BETWEEN_WANTS };
        if !spans.is_empty() {
            neighbor.asked.clone_from(&spans);
            neighbor.asked_until = now + ANSWER_WITHIN;
            self.sends.push_back((neighbor.peer, Exchange::Want { spans }));
        }
    }

    fn sync_pause(&mut self) -> Duration {
        let spread = SYNC_EVERY[1] - SYNC_EVERY[0];
        SYNC_EVERY[0] + spread * (self.rng.next_u32() >> 16) / (1 << 16)
    }

    #[cfg(test)]
    pub(crate) fn is_bounded(&self) -> bool {
        self.neighbors.iter().all(|n| n.offers.len() <= MAX_OFFERS && n.asked.len() <= MAX_WANTS)
    }
}

/// What to tell a neighbour next: of everything, or of what has changed.
fn news(now: Instant, neighbor: &mut Neighbor, shelf: &Shelf) -> Option<Exchange> {
    neighbor.heads_at = now + BETWEEN_HEADS;
    if let Some(after) = neighbor.page.take() {
        let mut heads = shelf.heads_after(after);
        let logs: Vec<Head> = heads.by_ref().take(MAX_HEADS).collect();
        let more = heads.next().is_some();
        neighbor.heads_at = now + BETWEEN_PAGES;
        neighbor.page = logs.last().filter(|_| more).map(|head| Some(head.log));
        return Some(Exchange::Heads { logs, page: Some(Page { after, more }) });
    }
    let mut logs = Vec::new();
    while logs.len() < MAX_HEADS
        && let Some(log) = neighbor.changed.pop_first()
    {
        logs.extend(shelf.head(log));
    }
    if logs.len() >= MAX_HEADS {
        neighbor.heads_at = now + BETWEEN_PAGES;
    }
    (!logs.is_empty()).then_some(Exchange::Heads { logs, page: None })
}

fn answer(spans: &[Span], shelf: &Shelf) -> Exchange {
    let (mut messages, mut without, mut answered) = (Vec::new(), Vec::new(), 0);
    let mut room = MAX_POSTS_BYTES;
    'spans: for span in spans {
        let (mut next, mut settled) = (span.from, 0);
        if let Some(log) = shelf.log(span.log) {
            settled = log.settled().min(span.to);
            for (seq, stored) in log.posts.range(span.from..=span.to) {
                let Some(left) = room.checked_sub(len_within(&stored.message)) else {
                    break 'spans;
                };
                room = left;
                messages.push(stored.message.clone());
                if next < *seq && *seq <= settled.saturating_add(1) {
                    without.push(Span { from: next, to: *seq - 1, ..*span });
                }
                next = seq.saturating_add(1);
            }
        } else if shelf.is_gone(span.log) {
            settled = span.to;
        }
        if next <= settled {
            without.push(Span { from: next, to: settled, ..*span });
        }
        answered += 1;
    }
    without.truncate(MAX_WANTS);
    Exchange::Posts { messages, answered, without }
}
