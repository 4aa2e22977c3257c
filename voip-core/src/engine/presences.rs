//! The nodes of the mesh that this one knows of, and what it has yet to tell its neighbours of them.
//!
//! New neighbours hear of all known nodes, page by page, and the others of those that are new here, always the last that a
//! node has told of itself. What neighbours say in this way is checked as if it had been told to all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::event::{Event, Peer};
use crate::id::PeerId;
use crate::overlay::{Validator, Verdict};
use crate::time::{Duration, Instant, UnixMillis};
use crate::wire::CLOCK_TOLERANCE;
use crate::wire::bulletin::Bulletin;
use crate::wire::exchange::{Exchange, MAX_POSTS_BYTES, len_within};
use crate::wire::gossip::SignedMessage;
use crate::wire::record::PresenceRecord;

use super::Engine;

/// How long one whose neighbours say that it is gone has to contradict.
const DOUBT: Duration = Duration::from_secs(8);
/// Nodes that are known. One more takes the place of the one that would be forgotten first.
const MAX_KNOWN: usize = 16_384;
/// Nodes that have gone and are remembered, so that nobody brings them back with what they had told before.
const MAX_GONE: usize = 4_096;
/// Between two pages for a neighbour: less than half of what it takes.
const PAGE_EVERY: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Default)]
pub(super) struct Presences {
    known: BTreeMap<PeerId, Known>,
    by_name: BTreeSet<(String, PeerId)>,
    /// When each is forgotten unless it tells of itself again.
    agenda: BTreeSet<(Instant, PeerId)>,
    /// With the numbers of the records that ended, oldest first.
    gone: VecDeque<(PeerId, u64)>,
    /// Of whom each neighbour has to hear.
    news: BTreeMap<PeerId, BTreeSet<PeerId>>,
    next_page: Option<Instant>,
    /// What this node has told of itself last.
    pub(super) own: Option<SignedMessage>,
}

/// A node, as it has told of itself.
struct Known {
    peer: Peer,
    seq: u64,
    message: SignedMessage,
    forget_at: Instant,
    is_doubted: bool,
}

impl Presences {
    pub(super) fn next_timeout(&self) -> Instant {
        let first = self.agenda.first().map(|(at, _)| *at);
        first.into_iter().chain(self.next_page).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// Whether a record says something new of its node.
    pub(super) fn is_news(&self, record: &PresenceRecord) -> bool {
        let ended = self.gone.iter().find(|(id, _)| *id == record.id).map(|(_, seq)| *seq);
        let known = self.known.get(&record.id).map(|known| known.seq);
        ended.max(known).is_none_or(|last| last < record.seq)
    }

    pub(super) fn get(&self, id: PeerId) -> Option<&Peer> {
        self.known.get(&id).map(|known| &known.peer)
    }

    pub(super) fn seq(&self, id: PeerId) -> Option<u64> {
        self.known.get(&id).map(|known| known.seq)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Peer> {
        self.known.values().map(|known| &known.peer)
    }

    pub(super) fn len(&self) -> u32 {
        self.known.len() as u32
    }

    /// All that go by this name.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Peer> {
        let first = (name.to_owned(), PeerId([0; 32]));
        let of_name = self.by_name.range(first..).take_while(move |(other, _)| other == name);
        of_name.filter_map(|(_, id)| self.get(*id))
    }

    fn remove(&mut self, id: PeerId) -> Option<Known> {
        let known = self.known.remove(&id)?;
        self.by_name.remove(&(known.peer.name.clone(), id));
        self.agenda.remove(&(known.forget_at, id));
        Some(known)
    }

    fn insert(&mut self, known: Known) {
        let id = known.peer.id;
        self.by_name.insert((known.peer.name.clone(), id));
        self.agenda.insert((known.forget_at, id));
        self.known.insert(id, known);
    }

    /// Its neighbours miss it.
    fn doubt(&mut self, now: Instant, id: PeerId, seq: u64) {
        let is_newly_doubted = |known: &Known| known.seq <= seq && !known.is_doubted;
        if self.known.get(&id).is_some_and(is_newly_doubted)
            && let Some(known) = self.remove(id)
        {
            let forget_at = known.forget_at.min(now + DOUBT);
            self.insert(Known { forget_at, is_doubted: true, ..known });
        }
    }

    /// There is a neighbour: it has to hear of all.
    pub(super) fn neighbor_up(&mut self, now: Instant, neighbor: PeerId, me: PeerId) {
        let all = self.known.keys().copied().filter(|id| *id != neighbor).chain([me]);
        self.news.insert(neighbor, all.collect());
        self.next_page.get_or_insert(now);
    }

    pub(super) fn neighbor_down(&mut self, neighbor: PeerId) {
        self.news.remove(&neighbor);
    }

    /// Neighbours but the one who told have to hear of this node, too.
    fn spread(&mut self, now: Instant, id: PeerId, from: PeerId) {
        for (neighbor, news) in &mut self.news {
            if *neighbor != from && *neighbor != id {
                news.insert(id);
                self.next_page.get_or_insert(now);
            }
        }
    }

    /// The next page for each neighbour for whom there is something.
    fn pages(&mut self, now: Instant, me: PeerId) -> Vec<(PeerId, Exchange)> {
        let mut pages = Vec::new();
        for (neighbor, news) in &mut self.news {
            let (mut messages, mut bytes) = (Vec::new(), 0);
            while let Some(id) = news.first().copied() {
                let known = self.known.get(&id).map(|known| &known.message);
                let own = self.own.as_ref().filter(|_| id == me);
                if let Some(message) = known.or(own) {
                    bytes += len_within(message);
                    if bytes > MAX_POSTS_BYTES {
                        break;
                    }
                    messages.push(message.clone());
                }
                news.remove(&id);
            }
            if !messages.is_empty() {
                pages.push((*neighbor, Exchange::Presences { messages }));
            }
        }
        let is_more = self.news.values().any(|news| !news.is_empty());
        self.next_page = is_more.then_some(now + PAGE_EVERY);
        pages
    }
}

impl Engine {
    /// A node has told of itself.
    pub(super) fn meet(&mut self, now: Instant, record: PresenceRecord, message: SignedMessage) {
        let PresenceRecord { id, name, seq, expires, presence, .. } = record;
        if id == self.id() {
            return;
        }
        let wall = self.wall(now);
        let lives = expires.plus(CLOCK_TOLERANCE).0.saturating_sub(wall.0);
        let before = self.presences.remove(id).map(|before| before.peer);
        if self.presences.known.len() >= MAX_KNOWN
            && let Some((_, first)) = self.presences.agenda.first().copied()
        {
            self.part(first);
        }
        let since = before.as_ref().map_or(wall, |before| before.since);
        let peer = Peer { name: name.clone(), id, presence, since };
        let forget_at = now + Duration::from_millis(lives);
        let known = Known { peer: peer.clone(), seq, message, forget_at, is_doubted: false };
        self.presences.insert(known);
        let online = self.online_in_mesh();
        match before {
            Some(before) if before.name == name => {
                if before.presence != presence {
                    self.emit(Event::Changed { peer });
                }
                return;
            }
            Some(Peer { name, .. }) => self.emit(Event::Left { name, id, online }),
            None => {}
        }
        self.emit(Event::Joined { peer, online });
    }

    /// Somebody says that another node is gone: that node itself, or one that has lost its link to it.
    pub(super) fn handle_gone(&mut self, now: Instant, author: PeerId, peer: PeerId, seq: u64) {
        if author != peer {
            return self.presences.doubt(now, peer, seq);
        }
        let gone = &mut self.presences.gone;
        gone.retain(|(id, _)| *id != peer);
        if gone.len() >= MAX_GONE {
            gone.pop_front();
        }
        gone.push_back((peer, seq));
        if self.presences.seq(peer).is_some_and(|known| known <= seq) {
            self.part(peer);
        }
    }

    /// A neighbour has gone without a word: this node says so.
    pub(super) fn neighbor_lost(&mut self, now: Instant, peer: PeerId) {
        let at = self.wall(now);
        if let Some(seq) = self.presences.seq(peer) {
            self.presences.doubt(now, peer, seq);
            self.tell(now, &Bulletin::Gone { peer, seq, at });
        }
    }

    fn part(&mut self, peer: PeerId) {
        if let Some(Known { peer: Peer { name, id, .. }, .. }) = self.presences.remove(peer) {
            let online = self.online_in_mesh();
            self.emit(Event::Left { name, id, online });
        }
    }

    fn online_in_mesh(&self) -> u32 {
        self.presences.len() + 1
    }

    /// A neighbour tells of nodes; of those that are new here the others are told.
    pub(super) fn handle_presences(
        &mut self,
        now: Instant,
        from: PeerId,
        messages: &[SignedMessage],
    ) {
        let wall = self.wall(now);
        for message in messages {
            match self.judge_presence(now, wall, message) {
                Verdict::Accept if message.author() != self.id() => {
                    self.handle_bulletin(now, message);
                    self.presences.spread(now, message.author(), from);
                }
                Verdict::Accept | Verdict::Ignore => {}
                Verdict::Reject => {
                    if let Some(node) = &mut self.mesh {
                        node.mesh.blame_invalid(now, from);
                    }
                    return self.drain_mesh(now);
                }
            }
        }
    }

    fn judge_presence(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        message: &SignedMessage,
    ) -> Verdict {
        let Some(Bulletin::Presence { .. }) = Bulletin::parse(message.body()) else {
            return Verdict::Reject;
        };
        let verdict = self.judge(wall, false).judge(now, message);
        let may = |node: &mut super::mesh::MeshNode| node.mesh.author_may(now, message.author());
        match verdict {
            Verdict::Accept if !self.mesh.as_mut().is_some_and(may) => Verdict::Ignore,
            verdict => verdict,
        }
    }

    pub(super) fn handle_presences_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.presences.agenda.first().copied()
            && at <= now
        {
            self.part(id);
        }
        if self.presences.next_page.is_none_or(|at| at > now) {
            return;
        }
        let me = self.id();
        for (neighbor, page) in self.presences.pages(now, me) {
            if let Some(node) = &mut self.mesh {
                node.mesh.send_exchange(neighbor, page);
            }
        }
        self.drain_mesh(now);
    }
}
