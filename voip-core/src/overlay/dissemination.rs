//! Who gets a message from whom: Plumtree (Leitão, Pereira, Rodrigues: SRDS 2007).
//!
//! To *eager* neighbours a message is pushed, to *lazy* ones it is announced. A copy too many turns a link lazy (PRUNE), an
//! announced message that does not come turns it eager (GRAFT): what stays eager is a tree. How long to wait
//! follows from the round-trip times.
//!
//! Two things are added to the paper. Who is not known to have a message is asked whether it has it, again and again
//! while the message is kept: so messages may get lost on links, and new neighbours hear of what they
//! missed. And a neighbour is pushed no more than it will take; what is above is announced.

use std::collections::VecDeque;

use super::limits::{PUSHED_BYTES, PUSHES};
use super::missing::MissingMessages;
use super::rtt::Rtt;
use super::store::{Fate, MESSAGE_LIFE, Store};
use crate::id::{MessageId, PeerId};
use crate::rate::Bucket;
use crate::time::{Duration, Instant};
use crate::wire::gossip::{GossipMessage, Have, MAX_IDS, SignedMessage};

/// By so many hops an announcement must be nearer to the author than the message, for the tree to change.
const OPTIMISATION_THRESHOLD: u16 = 7;
/// Announcements wait for an eighth of a round trip for others to go with, within these bounds,
const BATCH: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(25)];
/// and longer when there are many.
const BETWEEN_BATCHES: Duration = Duration::from_millis(50);
/// Announcements that wait; more will be asked about later.
const MAX_QUEUE: usize = 512;
/// How often to ask about messages: eight timeouts of the link, within these bounds.
const ASK_EVERY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// A new neighbour is asked about what came before after that.
const FIRST_ASK: Duration = Duration::from_millis(50);
/// So many copies of a message may one neighbour send: several may be under way when asked for again.
const COPIES: u8 = 3;

/// What a message is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reception {
    /// Not seen yet: to be validated.
    New,
    /// Seen already.
    Duplicate,
    /// Sent by this neighbour more often, or later, than there is a reason for.
    Replay,
    /// Seen already, and found wrong.
    Invalid,
}

/// What was done and not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TreeStats {
    /// Messages that came once more.
    pub(crate) duplicates: u64,
    /// Messages asked for.
    pub(crate) grafts: u64,
    /// Messages announced instead of pushed, because a neighbour takes no more.
    pub(crate) held_back: u64,
    /// Announcements that were dropped, theirs or ours, because too many waited.
    pub(crate) unannounced: u64,
    /// Messages that could not be given to who asked.
    pub(crate) not_kept: u64,
}

#[derive(Debug)]
struct TreeLink {
    peer: PeerId,
    is_eager: bool,
    rtt: Rtt,
    pushes: Bucket,
    pushed_bytes: Bucket,
    /// What is to be announced, and when.
    queue: Vec<Have>,
    flush_at: Instant,
    flushed_at: Instant,
    /// When to ask about messages that the neighbour is not known to have; it is new until the first time.
    ask_at: Instant,
    is_new: bool,
    /// When it was last told not to push.
    pruned_at: Option<Instant>,
}

impl TreeLink {
    fn ask_pause(&self) -> Duration {
        (self.rtt.timeout() * 8).clamp(ASK_EVERY[0], ASK_EVERY[1])
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Plumtree {
    links: Vec<TreeLink>,
    store: Store,
    missing: MissingMessages,
    sends: VecDeque<(PeerId, GossipMessage)>,
    stats: TreeStats,
}

impl Plumtree {
    pub(crate) fn poll(&mut self) -> Option<(PeerId, GossipMessage)> {
        self.sends.pop_front()
    }

    pub(crate) fn stats(&self) -> TreeStats {
        self.stats
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.store.evicted
    }

    pub(crate) fn link_up(&mut self, now: Instant, peer: PeerId) {
        self.link_down(peer);
        self.links.push(TreeLink {
            peer,
            is_eager: true,
            rtt: Rtt::default(),
            pushes: Bucket::default(),
            pushed_bytes: Bucket::default(),
            queue: Vec::new(),
            flush_at: Instant::FAR_FUTURE,
            flushed_at: Instant::ZERO,
            ask_at: now + FIRST_ASK,
            is_new: true,
            pruned_at: None,
        });
    }

    pub(crate) fn link_down(&mut self, peer: PeerId) {
        let before = self.links.len();
        self.links.retain(|link| link.peer != peer);
        if self.links.len() < before {
            self.missing.release(peer);
            self.store.release(peer);
        }
    }

    pub(crate) fn set_rtt(&mut self, peer: PeerId, rtt: Rtt) {
        if let Some(link) = self.link(peer) {
            link.rtt = rtt;
        }
    }

    /// Our own message.
    pub(crate) fn broadcast(&mut self, now: Instant, message: SignedMessage) {
        self.spread(now, message, 0, None);
    }

    /// A message came from a neighbour. If it is [`Reception::New`], one of `accept` and `refuse` has to follow.
    pub(crate) fn receive(&mut self, now: Instant, from: PeerId, id: MessageId) -> Reception {
        let Some((at, fate)) = self.store.seen(id) else { return Reception::New };
        self.stats.duplicates += 1;
        match (fate, self.store.count_copy(id, from)) {
            (Fate::Invalid, _) => return Reception::Invalid,
            (_, Some(copies)) if copies > COPIES => return Reception::Replay,
            (Fate::Accepted, None) if now - at >= MESSAGE_LIFE => return Reception::Replay,
            (Fate::Accepted, None | Some(1)) => self.prune(now, from),
            // From whom we have asked for it, or what others may think better of.
            _ => {}
        }
        Reception::Duplicate
    }

    /// The message is valid: it is handed on.
    pub(crate) fn accept(&mut self, now: Instant, from: PeerId, message: SignedMessage, hops: u16) {
        let id = message.id();
        if let Some(link) = self.link(from) {
            link.is_eager = true;
        }
        if let Some((nearer, fewer)) = self.missing.take(id)
            && nearer != from
            && hops.saturating_sub(fewer) >= OPTIMISATION_THRESHOLD
        {
            self.graft(nearer, Vec::new());
            self.prune(now, from);
        }
        self.spread(now, message, hops, Some(from));
    }

    /// The message is not to be handed on, and not to be validated again.
    pub(crate) fn refuse(&mut self, now: Instant, id: MessageId, fate: Fate) {
        self.missing.take(id);
        self.store.remember(now, id, fate);
    }

    pub(crate) fn handle(&mut self, now: Instant, from: PeerId, message: GossipMessage) {
        match message {
            GossipMessage::IHave { messages, ask } => self.handle_ihave(now, from, &messages, ask),
            GossipMessage::Graft { ids } => self.handle_graft(now, from, &ids),
            GossipMessage::Prune => {
                if let Some(link) = self.link(from) {
                    link.is_eager = false;
                }
            }
            _ => {}
        }
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        let links = self.links.iter().map(|link| link.flush_at.min(link.ask_at));
        let next = links.min().unwrap_or(Instant::FAR_FUTURE);
        next.min(self.missing.next_timeout()).min(self.store.next_timeout())
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.store.handle_timeout(now);
        for link in self.links.iter_mut().filter(|link| link.flush_at <= now) {
            (link.flush_at, link.flushed_at) = (Instant::FAR_FUTURE, now);
            let queue = std::mem::take(&mut link.queue);
            announce(&mut self.sends, link.peer, &queue, false);
        }
        self.ask_around(now);
        self.graft_missing(now);
    }

    fn link(&mut self, peer: PeerId) -> Option<&mut TreeLink> {
        self.links.iter_mut().find(|link| link.peer == peer)
    }

    /// To everybody but whom it came from.
    fn spread(&mut self, now: Instant, message: SignedMessage, hops: u16, from: Option<PeerId>) {
        let id = message.id();
        self.store.keep(now, message.clone(), hops);
        if let Some(from) = from {
            self.store.count_copy(id, from);
        }
        let hops = hops.saturating_add(1);
        for link in self.links.iter_mut().filter(|link| Some(link.peer) != from) {
            link.ask_at = link.ask_at.min(now + link.ask_pause());
            if link.is_eager && may_push(now, link, &message) {
                let message = message.clone();
                self.sends.push_back((link.peer, GossipMessage::Gossip { message, hops }));
                continue;
            }
            self.stats.held_back += u64::from(link.is_eager);
            self.stats.unannounced += u64::from(link.queue.len() >= MAX_QUEUE);
            if link.queue.len() < MAX_QUEUE {
                link.queue.push(Have { id, hops });
                let batch = (link.rtt.smoothed() / 8).clamp(BATCH[0], BATCH[1]);
                let flush_at = (now + batch).max(link.flushed_at + BETWEEN_BATCHES);
                link.flush_at = link.flush_at.min(flush_at);
            }
        }
    }

    fn handle_ihave(&mut self, now: Instant, from: PeerId, messages: &[Have], ask: bool) {
        let ask_at = now + self.wait_for_push();
        let mut both_have = Vec::new();
        for have in messages {
            if let Some(kept) = self.store.get(have.id) {
                both_have.push(Have { id: have.id, hops: kept.hops.saturating_add(1) });
                self.store.hold(have.id, from);
            } else if !self.store.has_seen(have.id)
                && !self.missing.announce(have.id, from, have.hops, ask_at)
            {
                self.stats.unannounced += 1;
            }
        }
        if ask {
            announce(&mut self.sends, from, &both_have, false);
        }
    }

    /// How long a message that was announced may still come by itself: longer makes the tree deeper, shorter makes more
    /// copies.
    fn wait_for_push(&self) -> Duration {
        let sum: Duration = self.links.iter().map(|link| link.rtt.smoothed()).sum();
        sum * 5 / 4 / self.links.len().max(1) as u32
    }

    fn handle_graft(&mut self, now: Instant, from: PeerId, ids: &[MessageId]) {
        let Some(link) = self.links.iter_mut().find(|link| link.peer == from) else { return };
        link.is_eager = true;
        for id in ids {
            match self.store.get(*id) {
                Some(kept) if may_push(now, link, &kept.message) => {
                    let (message, hops) = (kept.message.clone(), kept.hops.saturating_add(1));
                    self.sends.push_back((from, GossipMessage::Gossip { message, hops }));
                }
                _ => self.stats.not_kept += 1,
            }
        }
    }

    fn graft(&mut self, peer: PeerId, ids: Vec<MessageId>) {
        if let Some(link) = self.link(peer) {
            link.is_eager = true;
            link.pruned_at = None;
            self.stats.grafts += ids.len() as u64;
            self.sends.push_back((peer, GossipMessage::Graft { ids }));
        }
    }

    /// Tells a neighbour not to push, and again only when it should have heard.
    fn prune(&mut self, now: Instant, peer: PeerId) {
        let Some(link) = self.link(peer) else { return };
        let is_told = link.pruned_at.is_some_and(|at| now < at + link.rtt.timeout());
        if link.is_eager || !is_told {
            link.is_eager = false;
            link.pruned_at = Some(now);
            self.sends.push_back((peer, GossipMessage::Prune));
        }
    }

    fn graft_missing(&mut self, now: Instant) {
        let links = &self.links;
        let patience = |peer| {
            let link = links.iter().find(|link| link.peer == peer);
            link.map_or(ASK_EVERY[0], |link| link.rtt.timeout())
        };
        let mut due = self.missing.due(now, patience);
        due.sort_unstable();
        for of_one in due.chunk_by(|a, b| a.0 == b.0) {
            for chunk in of_one.chunks(MAX_IDS) {
                if let Some((peer, _)) = chunk.first() {
                    self.graft(*peer, chunk.iter().map(|(_, id)| *id).collect());
                }
            }
        }
    }

    /// Asks neighbours about messages that they are not known to have.
    fn ask_around(&mut self, now: Instant) {
        for link in self.links.iter_mut().filter(|link| link.ask_at <= now) {
            let pause = link.ask_pause();
            // What is younger may be under way, or its answer.
            let is_due = |at: Instant| link.is_new || now - at >= pause / 2;
            let mut waits = false;
            let mut unknown = Vec::new();
            for kept in self.store.iter().rev().filter(|kept| !kept.is_held_by(link.peer)) {
                waits = true;
                if is_due(kept.at) && unknown.len() < MAX_QUEUE {
                    let hops = kept.hops.saturating_add(1);
                    unknown.push(Have { id: kept.message.id(), hops });
                }
            }
            announce(&mut self.sends, link.peer, &unknown, true);
            link.is_new = false;
            link.ask_at = if waits { now + pause } else { Instant::FAR_FUTURE };
        }
    }

    #[cfg(test)]
    pub(crate) fn is_bounded(&self) -> bool {
        self.store.is_bounded()
            && self.missing.is_bounded(self.links.len())
            && self.links.iter().all(|link| link.queue.len() <= MAX_QUEUE)
    }

    #[cfg(test)]
    pub(crate) fn kept(&self) -> impl Iterator<Item = &SignedMessage> {
        self.store.iter().map(|kept| &kept.message)
    }
}

fn may_push(now: Instant, link: &mut TreeLink, message: &SignedMessage) -> bool {
    let bytes = u32::try_from(message.body().len()).unwrap_or(u32::MAX).saturating_add(512);
    link.pushed_bytes.take(now, PUSHED_BYTES, bytes) && link.pushes.take(now, PUSHES, 1)
}

fn announce(
    sends: &mut VecDeque<(PeerId, GossipMessage)>,
    peer: PeerId,
    messages: &[Have],
    ask: bool,
) {
    for chunk in messages.chunks(MAX_IDS) {
        sends.push_back((peer, GossipMessage::IHave { messages: chunk.to_vec(), ask }));
    }
}
