//! Texts that peers write to all, to a room or to one of them, over a mesh.
//!
//! Every author's posts are a log. New ones come by gossip and are handed to the user in the order of their log, each once;
//! what is missing, and what was written while a node was away, comes from neighbours ([`reconcile`]). Posts are kept
//! within bounds ([`shelf`]), those that others alone can read among them. Texts for one peer are sealed, and receipts say
//! that they came ([`receipts`]).

mod events;
mod history;
mod log;
mod receipts;
mod reconcile;
mod shelf;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_core::Rng;

use super::Verdict;
use crate::id::PeerId;
use crate::identity::Identity;
use crate::rate::{Bucket, Rate};
use crate::time::{Duration, Instant, UnixMillis};
use crate::wire::CLOCK_TOLERANCE;
use crate::wire::bulletin::{
    Audience, Bulletin, Content, Enclosed, MAX_SEQ, Post, Receipt, TextId, is_text,
};
use crate::wire::exchange::{Exchange, LogId, Span};
use crate::wire::gossip::SignedMessage;
use crate::wire::sealed::OpenError;
pub(crate) use events::{Event, Output, PostsStats, Text, WriteError};
use history::History;
use log::Stored;
use receipts::Receipts;
use reconcile::Reconciler;
use shelf::{Place, Shelf};

/// What overtakes another by gossip is no gap yet: neighbours are asked after that.
const ASK_FOR_GAP_AFTER: Duration = Duration::from_millis(200);
/// How long what came out of order waits.
const GIVE_UP_GAP_AFTER: Duration = Duration::from_secs(30);
/// A text that a neighbour brings later than that after it was written is marked as late.
const LATE: Duration = Duration::from_secs(30);
/// What this node's user may write.
const OF_USER: Rate = Rate::per_second(5, 50);

/// Since when a log waits for what is missing, and what is to be done when.
#[derive(Clone, Copy, Debug)]
struct Gap {
    since: Instant,
    alarm: Instant,
    /// Neighbours are asked.
    is_sought: bool,
}

/// By which way a post has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Own,
    Gossip,
    Neighbor(PeerId),
    Disk,
}

/// See the module.
pub(crate) struct Posts {
    identity: Identity,
    name: String,
    shelf: Shelf,
    reconciler: Reconciler,
    receipts: Receipts,
    history: History,
    /// Logs in which something is missing, and by when they want to be looked at.
    gaps: BTreeMap<LogId, Gap>,
    alarms: BTreeSet<(Instant, LogId)>,
    /// This node's log and the next number in it, from the first post on.
    own: Option<(u64, u32)>,
    written: Bucket,
    outputs: VecDeque<Output>,
    stats: PostsStats,
}

impl Posts {
    /// `name` is what others are told: see [`crate::wire::name::check_name`].
    pub(crate) fn new(identity: Identity, name: &str, rng: Box<dyn Rng + Send>) -> Self {
        Posts {
            identity,
            name: name.to_owned(),
            shelf: Shelf::default(),
            reconciler: Reconciler::new(rng),
            receipts: Receipts::default(),
            history: History::default(),
            gaps: BTreeMap::new(),
            alarms: BTreeSet::new(),
            own: None,
            written: Bucket::default(),
            outputs: VecDeque::new(),
            stats: PostsStats::default(),
        }
    }

    /// What to do next, oldest first.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        let send = |(peer, exchange)| Output::Send(peer, exchange);
        self.outputs.pop_front().or_else(|| self.reconciler.poll().map(send))
    }

    /// When to call [`Posts::handle_timeout`] at the latest.
    pub(crate) fn next_timeout(&self) -> Instant {
        let alarm = self.alarms.first().map_or(Instant::FAR_FUTURE, |(at, _)| *at);
        alarm.min(self.reconciler.next_timeout()).min(self.receipts.next_timeout())
    }

    pub(crate) fn stats(&self) -> PostsStats {
        PostsStats { throttled: self.reconciler.throttled, ..self.stats }
    }

    /// Writes a text, the next of this node's log.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        audience: Audience,
        text: &str,
    ) -> Result<TextId, WriteError> {
        let me = self.identity.id();
        if !is_text(text) {
            return Err(WriteError::BadText);
        }
        if !audience.is_valid() {
            return Err(WriteError::BadRoom);
        }
        if audience == Audience::Peer(me) {
            return Err(WriteError::ToOneself);
        }
        if !self.written.take(now, OF_USER, 1) {
            return Err(WriteError::TooFast);
        }
        let (log, seq) = self.next_place(wall);
        let (content, plain) = match audience {
            Audience::Peer(reader) => {
                let what = Enclosed::Text { log, seq };
                let sealed = self.identity.seal_for(reader, what, text.as_bytes());
                (Content::Sealed(sealed.ok_or(WriteError::BadKey)?), Some(text))
            }
            Audience::All | Audience::Room(_) => (Content::Text(text.to_owned()), None),
        };
        self.publish(now, wall, audience, content, plain).ok_or(WriteError::TooLong)
    }

    fn next_place(&self, wall: UnixMillis) -> (u64, u32) {
        let newest = || self.shelf.logs_of(self.identity.id()).next_back();
        let begin = || newest().map_or(wall.0, |(id, _)| wall.0.max(id.log.saturating_add(1)));
        match self.own {
            Some((log, seq)) if seq <= MAX_SEQ => (log, seq),
            _ => (begin(), 1),
        }
    }

    /// Signs the next post of this node's log and hands it to everybody; `None` if it is too long.
    fn publish(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        to: Audience,
        content: Content,
        plain: Option<&str>,
    ) -> Option<TextId> {
        let (log, seq) = self.next_place(wall);
        let post = Post { log, seq, at: wall, name: self.name.clone(), to, content };
        let body = Bulletin::Post(post.clone()).body();
        let message = SignedMessage::sign(&self.identity, body)?;
        self.own = Some((log, seq + 1));
        let id = post.id(self.identity.id());
        self.put(now, wall, &message, post, Way::Own);
        if let Some(plain) = plain {
            self.shelf.set_plain(id, plain.to_owned());
            self.trim(now, wall, id.author);
            self.keep_note(log, seq, plain.as_bytes());
        }
        self.outputs.push_back(Output::Broadcast(message));
        Some(id)
    }

    /// What is sealed for somebody else this node could not read again: a copy for itself goes to the disk.
    fn keep_note(&mut self, log: u64, seq: u32, bytes: &[u8]) {
        let me = self.identity.id();
        let note =
            self.identity.seal_for(me, Enclosed::Note { log, seq }, bytes).and_then(|sealed| {
                SignedMessage::sign(&self.identity, Bulletin::Note { log, seq, sealed }.body())
            });
        self.outputs.extend(note.map(Output::Store));
    }

    /// Judges a message before it is handed on: see [`super::Validator`]. What is no post is ignored here.
    #[cfg(test)]
    pub(crate) fn judge(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        message: &SignedMessage,
    ) -> Verdict {
        match message.open() {
            Ok(Bulletin::Post(post)) => self.judge_post(now, wall, message, &post),
            Ok(_) => Verdict::Ignore,
            Err(error) => {
                self.count_bad(error);
                Verdict::Reject
            }
        }
    }

    /// The same for a post that has been opened, and so is well-formed and signed.
    ///
    /// A fork is nothing to blame neighbours for: each hands on what it has seen first.
    pub(crate) fn judge_post(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        message: &SignedMessage,
        post: &Post,
    ) -> Verdict {
        let id = post.id(message.author());
        let counter = if post.at > wall.plus(CLOCK_TOLERANCE) {
            &mut self.stats.early
        } else {
            match self.shelf.place(id, message.id(), post.at.min(wall)) {
                Place::New if self.shelf.may_take(now, id.author) => return Verdict::Accept,
                Place::New => &mut self.stats.overtalked,
                Place::Held => &mut self.stats.duplicates,
                Place::Fork => &mut self.stats.forks,
                Place::Gone => &mut self.stats.gone,
            }
        };
        *counter += 1;
        Verdict::Ignore
    }

    /// A message that is nobody's.
    pub(crate) fn count_bad(&mut self, error: OpenError) {
        match error {
            OpenError::BadSignature => self.stats.forged += 1,
            _ => self.stats.malformed += 1,
        }
    }

    /// A message that was judged with [`Verdict::Accept`] has been delivered by the mesh.
    pub(crate) fn handle_delivered(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        message: &SignedMessage,
    ) {
        if let Some(Bulletin::Post(post)) = Bulletin::parse(message.body()) {
            self.put(now, wall, message, post, Way::Gossip);
        }
    }

    pub(crate) fn handle_neighbor_up(&mut self, now: Instant, peer: PeerId) {
        self.reconciler.neighbor_up(now, peer);
        let gaps: Vec<LogId> = self.gaps.keys().copied().collect();
        // Those that are new are sought when their time has come.
        gaps.into_iter().for_each(|log| self.seek(now, log));
    }

    pub(crate) fn handle_neighbor_down(&mut self, peer: PeerId) {
        self.reconciler.neighbor_down(peer);
    }

    /// A neighbour tells or asks.
    pub(crate) fn handle_exchange(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        from: PeerId,
        exchange: &Exchange,
    ) {
        match exchange {
            Exchange::Heads { logs, page } => {
                self.reconciler.handle_heads(now, from, logs, *page, &self.shelf);
            }
            Exchange::Want { spans } => self.reconciler.handle_want(now, from, spans, &self.shelf),
            Exchange::Posts { messages, answered, without } => {
                self.handle_posts(now, wall, from, messages, usize::from(*answered), without);
            }
            Exchange::Presences { .. } | Exchange::Unknown => {}
        }
        self.reconciler.handle_timeout(now, &self.shelf);
    }

    fn handle_posts(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        from: PeerId,
        messages: &[SignedMessage],
        answered: usize,
        without: &[Span],
    ) {
        let asked = self.reconciler.take_asked(from);
        let mut got = BTreeSet::new();
        for message in messages {
            // The cheap questions first: nobody makes us check signatures of what we have not asked for.
            let post = match Bulletin::parse(message.body()) {
                Some(Bulletin::Post(post)) => post,
                _ => {
                    self.stats.malformed += 1;
                    return self.reconciler.distrust(from);
                }
            };
            let id = post.id(message.author());
            let is_asked = asked
                .iter()
                .any(|span| span.log == id.log_id() && (span.from..=span.to).contains(&id.seq));
            if !is_asked {
                self.stats.unexpected += 1;
            } else if self.shelf.place(id, message.id(), post.at.min(wall)) == Place::Held {
                got.insert(id.log_id());
                self.stats.duplicates += 1;
            } else if !message.is_signed() {
                self.stats.forged += 1;
                return self.reconciler.distrust(from);
            } else if self.judge_post(now, wall, message, &post) == Verdict::Accept {
                got.insert(id.log_id());
                self.put(now, wall, message, post, Way::Neighbor(from));
            } else {
                self.reconciler.refuse(from, id.log_id());
            }
        }
        let done = asked.get(..answered).unwrap_or(&asked);
        self.reconciler.answered(now, from, done, &got, without, &self.shelf);
        for span in done {
            let is_sought = self.gaps.get(&span.log).is_some_and(|gap| gap.is_sought);
            if is_sought && !self.reconciler.is_hopeful(span.log) {
                self.give_up(now, wall, span.log);
            }
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant, wall: UnixMillis) {
        while let Some((at, log)) = self.alarms.first().copied()
            && at <= now
        {
            self.alarms.pop_first();
            let Some(gap) = self.gaps.get_mut(&log) else { continue };
            let end = gap.since + GIVE_UP_GAP_AFTER;
            if now >= end {
                self.give_up(now, wall, log);
            } else {
                (gap.alarm, gap.is_sought) = (end, true);
                self.alarms.insert((end, log));
                self.seek(now, log);
            }
        }
        if let Some((peer, receipt)) = self.receipts.handle_timeout(now) {
            self.send_receipt(now, wall, peer, receipt);
        }
        self.reconciler.handle_timeout(now, &self.shelf);
    }

    fn send_receipt(&mut self, now: Instant, wall: UnixMillis, peer: PeerId, receipt: Receipt) {
        let (log, seq) = self.next_place(wall);
        let bytes = receipt.to_bytes();
        let what = Enclosed::Receipt { log, seq };
        if let Some(sealed) = self.identity.seal_for(peer, what, &bytes) {
            let (to, content) = (Audience::Peer(peer), Content::Receipt(sealed));
            if self.publish(now, wall, to, content, None).is_some() {
                self.keep_note(log, seq, &bytes);
            }
        }
    }

    /// Takes a post in, shows what can be shown, and drops what is too much.
    fn put(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        message: &SignedMessage,
        post: Post,
        way: Way,
    ) {
        let id = post.id(message.author());
        let (log, age) = (id.log_id(), post.at.min(wall));
        if self.shelf.place(id, message.id(), age) != Place::New {
            return;
        }
        let is_late = matches!(way, Way::Neighbor(_)) && post.at.plus(LATE) < wall;
        let conversation = self.conversation(id, &post);
        let stored = Stored {
            message: message.clone(),
            at: post.at,
            age,
            conversation,
            plain: None,
            is_acknowledged: false,
            is_late,
        };
        self.shelf.insert(id, stored);
        if way != Way::Disk {
            self.outputs.push_back(Output::Store(message.clone()));
        }
        if let Way::Neighbor(from) = way {
            self.reconciler.announce(now, log, Some(from));
        }
        if let (Audience::Peer(to), Content::Receipt(_)) = (&post.to, &post.content)
            && *to == self.identity.id()
        {
            self.take_receipt(id, &post, way);
        }
        if way == Way::Disk {
            if let Some(log) = self.shelf.log_mut(log) {
                log.shown = log.shown.max(id.seq);
            }
            self.index(id);
        } else if self.shelf.log(log).is_some_and(|log| id.seq <= log.shown) {
            // It had been given up.
            self.show(now, id);
        } else {
            self.show_ready(now, log);
        }
        self.trim(now, wall, id.author);
    }

    /// Drops what is too much after something of `author` was put on the shelf.
    fn trim(&mut self, now: Instant, wall: UnixMillis, author: PeerId) {
        while let Some(full) = self.shelf.overfull(author) {
            self.drop_first(now, wall, full);
        }
    }

    /// In which conversation this node's user reads it.
    fn conversation(&self, id: TextId, post: &Post) -> Option<Audience> {
        let me = self.identity.id();
        match (&post.to, &post.content) {
            (_, Content::Receipt(_)) => None,
            (Audience::Peer(to), _) if id.author == me => Some(Audience::Peer(*to)),
            (Audience::Peer(to), _) if *to == me => Some(Audience::Peer(id.author)),
            (Audience::Peer(_), _) => None,
            (to, _) => Some(to.clone()),
        }
    }

    /// Shows all that is next in its log.
    fn show_ready(&mut self, now: Instant, log_id: LogId) {
        while let Some(seq) = self.shelf.log(log_id).and_then(|log| log.ready()) {
            self.close_gap(log_id);
            if let Some(log) = self.shelf.log_mut(log_id) {
                log.shown = seq;
            }
            self.show(now, TextId { author: log_id.author, log: log_id.log, seq });
        }
        if self.shelf.log(log_id).is_none_or(|log| log.gap().is_none()) {
            self.close_gap(log_id);
        } else if let Entry::Vacant(entry) = self.gaps.entry(log_id) {
            let alarm = now + ASK_FOR_GAP_AFTER;
            entry.insert(Gap { since: now, alarm, is_sought: false });
            self.alarms.insert((alarm, log_id));
        }
    }

    fn close_gap(&mut self, log: LogId) {
        if let Some(gap) = self.gaps.remove(&log) {
            self.alarms.remove(&(gap.alarm, log));
        }
    }

    /// Asks neighbours for what is missing, further on, too.
    fn seek(&mut self, now: Instant, log_id: LogId) {
        let Some(log) = self.shelf.log(log_id) else { return };
        if let (Some((from, _)), Some(head)) = (log.gap(), log.head(log_id)) {
            self.reconciler.seek(now, Span { log: log_id, from, to: head.last });
        }
    }

    /// What is missing will not come: goes on with what is next.
    fn give_up(&mut self, now: Instant, wall: UnixMillis, log_id: LogId) {
        self.close_gap(log_id);
        let Some(log) = self.shelf.log_mut(log_id) else { return };
        let Some((from, to)) = log.gap() else { return };
        log.shown = to;
        log.whole_from = to + 1;
        let count = to - from + 1;
        self.stats.missing += u64::from(count);
        let LogId { author, log } = log_id;
        self.event(Event::Missing { author, log, count, at: wall });
        self.show_ready(now, log_id);
    }

    /// Drops the first post of a log, but not before it was shown.
    fn drop_first(&mut self, now: Instant, wall: UnixMillis, log_id: LogId) {
        let is_shown = self
            .shelf
            .log(log_id)
            .is_some_and(|log| log.posts.keys().next().is_none_or(|first| *first <= log.shown));
        if !is_shown {
            self.give_up(now, wall, log_id);
        }
        if let Some((id, stored)) = self.shelf.pop_first(log_id) {
            self.stats.evicted += 1;
            self.history.remove(id, &stored);
            self.show_ready(now, log_id);
        }
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
