//! What nodes of the mesh tell all others: that they are there and that others are gone, signals of calls, texts.
//!
//! A node tells of itself when it has neighbours, again after some minutes, and when it goes. Of one that vanishes its
//! neighbours tell; if it is there after all, it says so, and until then nobody forgets it. Everything is signed by its author
//! and checked before it is handed on ([`Judge`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::event::{Event, Peer, Presence};
use crate::id::{MessageId, PeerId};
use crate::identity::envelope::{open_signal, seal_signal};
use crate::overlay::posts::Posts;
use crate::overlay::{Validator, Verdict};
use crate::time::{Duration, Instant, UnixMillis};
use crate::wire::CLOCK_TOLERANCE;
use crate::wire::bulletin::Bulletin;
use crate::wire::exchange::{Exchange, MAX_POSTS_BYTES, len_within};
use crate::wire::gossip::SignedMessage;
use crate::wire::record::PresenceRecord;
use crate::wire::signal::SealedSignal;
use crate::wire::tracker::Target;

use super::Engine;
use super::call::Carrier;

/// How often a node tells that it is there: less than half of what a record lives.
const TELL_EVERY: Duration = Duration::from_secs(240);
/// How long one whose neighbours say that it is gone has to contradict.
const DOUBT: Duration = Duration::from_secs(8);
/// How often at most a node says that it is there after all.
const CONTRADICT_EVERY: Duration = Duration::from_secs(3);
/// Nodes that are known: some 25 MiB.
const MAX_KNOWN: usize = 16_384;
/// Signals and goodbyes that are remembered, so that none is handed on again.
const MAX_SEEN: usize = 4_096;
const SEEN_FOR: Duration = Duration::from_secs(600);

/// What is known of the nodes of the mesh.
#[derive(Default)]
pub(super) struct Bulletins {
    known: BTreeMap<PeerId, Known>,
    by_name: BTreeSet<(String, PeerId)>,
    seen: VecDeque<(Instant, MessageId)>,
    /// What this node has told of itself last.
    own: Option<(Presence, UnixMillis)>,
    tell_at: Option<Instant>,
    /// When it did.
    told: Instant,
}

/// A node, as it has told of itself.
struct Known {
    peer: Peer,
    seq: u64,
    expires: UnixMillis,
    message: SignedMessage,
    /// Its neighbours say that it is gone: when that is believed.
    doubted: Option<Instant>,
}

/// This node is in a mesh of one.
pub(super) struct Alone;

/// Checks what others tell before it is handed on.
pub(super) struct Judge<'a> {
    bulletins: &'a mut Bulletins,
    posts: Option<&'a mut Posts>,
    wall: UnixMillis,
}

impl Bulletins {
    pub(super) fn judge<'a>(
        &'a mut self,
        posts: Option<&'a mut Posts>,
        wall: UnixMillis,
    ) -> Judge<'a> {
        Judge { bulletins: self, posts, wall }
    }

    fn is_new(&mut self, now: Instant, id: MessageId) -> bool {
        while self.seen.front().is_some_and(|(at, _)| now.since(*at) > SEEN_FOR) {
            self.seen.pop_front();
        }
        if self.seen.iter().any(|(_, seen)| *seen == id) {
            return false;
        }
        if self.seen.len() >= MAX_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back((now, id));
        true
    }

    fn forget(&mut self, id: PeerId) -> Option<Known> {
        let gone = self.known.remove(&id)?;
        self.by_name.remove(&(gone.peer.name.clone(), id));
        Some(gone)
    }

    fn next_timeout(&self) -> Instant {
        let doubted = self.known.values().filter_map(|known| known.doubted);
        doubted.chain(self.tell_at).min().unwrap_or(Instant::FAR_FUTURE)
    }
}

impl Validator for Judge<'_> {
    fn judge(&mut self, now: Instant, message: &SignedMessage) -> Verdict {
        let bulletin = match message.open() {
            Ok(bulletin) => bulletin,
            Err(error) => {
                self.posts.iter_mut().for_each(|posts| posts.count_bad(error));
                return Verdict::Reject;
            }
        };
        let is_timely = |at: UnixMillis| at.is_within(CLOCK_TOLERANCE, self.wall);
        let fits = match &bulletin {
            Bulletin::Presence { record, .. } => {
                let Ok(record) = record.open() else { return Verdict::Reject };
                if record.id != message.author() {
                    return Verdict::Reject;
                }
                let known = self.bulletins.known.get(&record.id);
                record.is_current(self.wall) && known.is_none_or(|known| known.seq < record.seq)
            }
            Bulletin::Gone { at, .. } | Bulletin::Signal { at, .. } => {
                is_timely(*at) && self.bulletins.is_new(now, message.id())
            }
            Bulletin::Post(post) => {
                let posts = self.posts.as_mut();
                let judge =
                    |posts: &mut &mut Posts| posts.judge_post(now, self.wall, message, post);
                return posts.map_or(Verdict::Ignore, judge);
            }
            Bulletin::Note { .. } | Bulletin::Unknown => false,
        };
        if fits { Verdict::Accept } else { Verdict::Ignore }
    }
}

impl Engine {
    /// A bulletin that was checked, for the first time.
    pub(super) fn handle_bulletin(&mut self, now: Instant, message: &SignedMessage) {
        let Some(bulletin) = Bulletin::parse(message.body()) else { return };
        match bulletin {
            Bulletin::Presence { record, .. } => {
                if let Ok(record) = PresenceRecord::parse(&record.body) {
                    self.meet(now, record, message.clone());
                }
            }
            Bulletin::Gone { peer, seq, .. } => self.handle_gone(now, message.author(), peer, seq),
            Bulletin::Signal { to, signal, .. } if to == self.id() => {
                match open_signal(&self.identity, message.author(), &signal) {
                    Some(sealed) => {
                        self.handle_signal(now, Carrier::Mesh, message.author(), &sealed)
                    }
                    None => self.stats.signals_dropped += 1,
                }
            }
            Bulletin::Post(_) => {
                let wall = self.wall(now);
                if let Some(posts) = &mut self.posts {
                    posts.handle_delivered(now, wall, message);
                }
                self.drain_posts(now);
            }
            Bulletin::Signal { .. } | Bulletin::Note { .. } | Bulletin::Unknown => {}
        }
    }

    /// A node has told of itself.
    fn meet(&mut self, now: Instant, record: PresenceRecord, message: SignedMessage) {
        let PresenceRecord { id, name, seq, expires, presence, .. } = record;
        let before = self.bulletins.forget(id);
        if self.bulletins.known.len() >= MAX_KNOWN {
            return;
        }
        let since = before.as_ref().map_or(self.wall(now), |before| before.peer.since);
        let peer = Peer { name: name.clone(), id, presence, since };
        self.bulletins.by_name.insert((name.clone(), id));
        let known = Known { peer: peer.clone(), seq, expires, message, doubted: None };
        self.bulletins.known.insert(id, known);
        let online = self.online_in_mesh();
        match before {
            Some(Known { peer: before, .. }) if before.name == name => {
                if before.presence != presence {
                    self.emit(Event::Changed { peer });
                }
                return;
            }
            Some(Known { peer: Peer { name, .. }, .. }) => {
                self.emit(Event::Left { name, id, online });
            }
            None => {}
        }
        self.emit(Event::Joined { peer, online });
    }

    /// Somebody says that a node is gone: that node itself, or one that has lost its link to it.
    fn handle_gone(&mut self, now: Instant, author: PeerId, peer: PeerId, seq: u64) {
        if peer == self.id() {
            self.contradict(now, seq);
        } else if author == peer {
            self.part(peer);
        } else if let Some(known) = self.bulletins.known.get_mut(&peer)
            && known.seq <= seq
        {
            known.doubted.get_or_insert(now + DOUBT);
        }
    }

    /// Somebody misses this node. Whoever says so again and again does not make it speak more often.
    fn contradict(&mut self, now: Instant, seq: u64) {
        if let Some((_, last)) = self.bulletins.own
            && seq >= last.0
        {
            let at = (self.bulletins.told + CONTRADICT_EVERY).max(now);
            self.bulletins.tell_at = self.bulletins.tell_at.map(|other| other.min(at));
        }
    }

    fn part(&mut self, peer: PeerId) {
        if let Some(Known { peer: Peer { name, id, .. }, .. }) = self.bulletins.forget(peer) {
            let online = self.online_in_mesh();
            self.emit(Event::Left { name, id, online });
        }
    }

    fn online_in_mesh(&self) -> u32 {
        self.bulletins.known.len() as u32 + 1
    }

    pub(super) fn neighbor_up(&mut self, now: Instant, peer: PeerId) {
        // Whoever comes with the neighbour has to hear of this node.
        self.bulletins.tell_at = Some(now);
        let known = self.bulletins.known.values().filter(|known| known.peer.id != peer);
        let messages: Vec<_> = known.map(|known| known.message.clone()).collect();
        self.introduce(&[peer], &messages);
        self.tell_presence_in_mesh(now);
        if let Some(posts) = &mut self.posts {
            posts.handle_neighbor_up(now, peer);
        }
        self.drain_posts(now);
    }

    /// Tells neighbours of nodes.
    fn introduce(&mut self, to: &[PeerId], messages: &[SignedMessage]) {
        let Some(node) = &mut self.mesh else { return };
        let (mut page, mut bytes) = (Vec::new(), 0);
        for (i, message) in messages.iter().enumerate() {
            page.push(message.clone());
            bytes += len_within(message);
            let next = messages.get(i + 1).map_or(0, len_within);
            if next == 0 || bytes + next > MAX_POSTS_BYTES {
                let exchange = Exchange::Presences { messages: std::mem::take(&mut page) };
                to.iter().for_each(|peer| node.mesh.send_exchange(*peer, exchange.clone()));
                bytes = 0;
            }
        }
    }

    /// A neighbour tells of nodes; of those that are new here the others are told.
    fn handle_presences(&mut self, now: Instant, from: PeerId, messages: Vec<SignedMessage>) {
        let wall = self.wall(now);
        let mut new = Vec::new();
        for message in messages {
            let is_presence =
                matches!(Bulletin::parse(message.body()), Some(Bulletin::Presence { .. }));
            let verdict = match is_presence {
                true => self.bulletins.judge(None, wall).judge(now, &message),
                false => Verdict::Reject,
            };
            match verdict {
                Verdict::Accept if message.author() != self.id() => {
                    self.handle_bulletin(now, &message);
                    new.push(message);
                }
                Verdict::Accept | Verdict::Ignore => {}
                Verdict::Reject => {
                    if let Some(node) = &mut self.mesh {
                        node.mesh.blame_invalid(now, from);
                    }
                    break;
                }
            }
        }
        let neighbors = self.mesh.iter().flat_map(|node| node.mesh.neighbors());
        let others: Vec<_> = neighbors.filter(|peer| *peer != from).collect();
        self.introduce(&others, &new);
    }

    /// What a neighbour says to this node alone.
    pub(super) fn handle_exchange(&mut self, now: Instant, from: PeerId, exchange: Exchange) {
        if let Exchange::Presences { messages } = exchange {
            return self.handle_presences(now, from, messages);
        }
        let wall = self.wall(now);
        if let Some(posts) = &mut self.posts {
            posts.handle_exchange(now, wall, from, &exchange);
        }
        self.drain_posts(now);
    }

    /// A neighbour has gone without a word.
    pub(super) fn neighbor_lost(&mut self, now: Instant, peer: PeerId) {
        let at = self.wall(now);
        if let Some(known) = self.bulletins.known.get_mut(&peer) {
            let seq = known.seq;
            known.doubted.get_or_insert(now + DOUBT);
            self.tell(now, &Bulletin::Gone { peer, seq, at });
        }
    }

    /// Tells the mesh that this node is there, if it is time.
    fn tell_presence_in_mesh(&mut self, now: Instant) {
        let due = self.bulletins.tell_at.is_some_and(|at| at <= now);
        if !due || self.mesh.as_ref().is_none_or(|node| node.mesh.neighbors().next().is_none()) {
            return;
        }
        self.bulletins.tell_at = Some(now + TELL_EVERY);
        self.bulletins.told = now;
        // Each record has a greater number than the one before.
        let last = self.bulletins.own.map_or(UnixMillis(0), |(_, last)| last);
        let issued = self.wall(now).max(UnixMillis(last.0 + 1));
        let presence = self.presence();
        self.bulletins.own = Some((presence, issued));
        let record = PresenceRecord::new(self.id(), &self.config.name, presence, issued);
        let record = record.seal(&self.identity);
        let addresses = Vec::new();
        self.tell(now, &Bulletin::Presence { record, addresses });
    }

    /// This node is in a call now, or no longer.
    pub(super) fn tell_presence_change_in_mesh(&mut self, now: Instant) {
        if self.bulletins.own.is_some_and(|(told, _)| told != self.presence()) {
            self.bulletins.tell_at = Some(now);
            self.tell_presence_in_mesh(now);
        }
    }

    /// This node goes.
    pub(super) fn leave_mesh(&mut self, now: Instant) {
        if let Some((_, seq)) = self.bulletins.own.take() {
            let (peer, at) = (self.id(), self.wall(now));
            self.tell(now, &Bulletin::Gone { peer, seq: seq.0, at });
        }
        if let Some(node) = &mut self.mesh {
            node.mesh.leave(now);
        }
        self.drain_mesh(now);
        self.mesh = None;
    }

    fn tell(&mut self, now: Instant, bulletin: &Bulletin) {
        let message = SignedMessage::sign(&self.identity, bulletin.body());
        let sent = match (message, &mut self.mesh) {
            (Some(message), Some(node)) => node.mesh.broadcast(now, message),
            _ => false,
        };
        if !sent {
            tracing::warn!("a bulletin is too long, or one too many, and is not told");
        }
        self.drain_mesh(now);
    }

    /// A signal for a peer that only the mesh reaches, or that it reaches, too.
    pub(super) fn signal_by_mesh(&mut self, now: Instant, to: PeerId, signal: &SealedSignal) {
        let at = self.wall(now);
        if let Some(signal) = seal_signal(&self.identity, to, signal) {
            self.tell(now, &Bulletin::Signal { to, at, signal });
        }
    }

    pub(super) fn handle_bulletin_timeout(&mut self, now: Instant) {
        self.tell_presence_in_mesh(now);
        let wall = self.wall(now);
        let is_over = |known: &Known| {
            known.doubted.is_some_and(|at| at <= now) || known.expires.plus(CLOCK_TOLERANCE) <= wall
        };
        let over = self.bulletins.known.values().filter(|known| is_over(known));
        for id in over.map(|known| known.peer.id).collect::<Vec<_>>() {
            self.part(id);
        }
    }

    pub(super) fn bulletin_timeout(&self) -> Instant {
        self.bulletins.next_timeout()
    }

    /// Whom the mesh knows by that name or key: not one but several if several keys use a name. `None` if this node
    /// takes no part in it.
    pub(super) fn known_in_mesh(&self, target: &Target) -> Option<Result<Vec<Peer>, Alone>> {
        let node = self.mesh.as_ref()?;
        if node.mesh.neighbors().next().is_none() {
            return Some(Err(Alone));
        }
        let Bulletins { known, by_name, .. } = &self.bulletins;
        let ids: Vec<PeerId> = match target {
            Target::Peer(id) => vec![*id],
            Target::Name(name) => {
                let first = (name.clone(), PeerId([0; 32]));
                let of_name = by_name.range(first..).take_while(|(other, _)| other == name);
                of_name.map(|(_, id)| *id).collect()
            }
        };
        Some(Ok(ids.iter().filter_map(|id| known.get(id)).map(|k| k.peer.clone()).collect()))
    }

    pub(super) fn is_in_mesh(&self, peer: PeerId) -> bool {
        self.mesh.is_some() && self.bulletins.known.contains_key(&peer)
    }

    /// Everybody in the mesh, this node included; `None` if it takes no part in it.
    pub(super) fn mesh_peers(&self) -> Option<Vec<Peer>> {
        self.mesh.as_ref()?;
        let (name, presence) = (self.config.name.clone(), self.presence());
        let since = self.config.wall_at_zero;
        let me = Peer { name, id: self.id(), presence, since };
        let others = self.bulletins.known.values().map(|known| known.peer.clone());
        Some(others.chain([me]).collect())
    }
}
