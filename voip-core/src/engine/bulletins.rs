//! What nodes of the mesh tell all others: that they are there and that others are gone, signals of calls, texts.
//!
//! A node tells of itself when it has neighbours, again after some minutes, and when it goes. Of one that vanishes its
//! neighbours tell; if it is there after all, it says so, and until then nobody forgets it. Everything is signed by its author
//! and checked before it is handed on ([`Judge`]).

use crate::event::{Peer, Presence};
use crate::id::{MessageId, PeerId};
use crate::identity::envelope::{open_signal, seal_signal};
use crate::overlay::posts::Posts;
use crate::overlay::{Validator, Verdict};
use crate::time::{Duration, Instant, UnixMillis};
use crate::wire::CLOCK_TOLERANCE;
use crate::wire::bulletin::Bulletin;
use crate::wire::exchange::Exchange;
use crate::wire::gossip::SignedMessage;
use crate::wire::record::PresenceRecord;
use crate::wire::signal::SealedSignal;
use crate::wire::tracker::Target;

use super::Engine;
use super::call::Carrier;
use super::presences::Presences;
use super::recent::Recent;

/// How often a node tells that it is there: less than half of what a record lives.
const TELL_EVERY: Duration = Duration::from_secs(240);
/// How often at most, whatever others do: all it tells, its calls' signals included, is limited.
const TELL_AGAIN: Duration = Duration::from_secs(3);
/// What was not to be told for too much is tried again after that.
const RETRY: Duration = Duration::from_secs(1);

/// What this node has told, and heard lately.
#[derive(Default)]
pub(super) struct Bulletins {
    /// Signals and goodbyes that came: none is handed on again.
    seen: Recent<MessageId>,
    /// What this node has told of itself last, and when.
    own: Option<(Presence, UnixMillis)>,
    told: Option<Instant>,
    /// When to tell of itself again; not while there are no neighbours.
    tell_at: Option<Instant>,
}

/// This node is in a mesh of one.
pub(super) struct Alone;

/// Checks what others tell before it is handed on.
pub(super) struct Judge<'a> {
    bulletins: &'a mut Bulletins,
    presences: &'a Presences,
    posts: Option<&'a mut Posts>,
    wall: UnixMillis,
}

impl Bulletins {
    /// This node is to tell of itself soon, but not too often.
    fn hasten(&mut self, now: Instant) {
        let at = self.told.map_or(now, |told| (told + TELL_AGAIN).max(now));
        self.tell_at = Some(self.tell_at.map_or(at, |other| other.min(at)));
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
        let fits = match &bulletin {
            Bulletin::Presence { record, .. } => {
                let Ok(record) = record.open() else { return Verdict::Reject };
                if record.id != message.author() {
                    return Verdict::Reject;
                }
                record.is_current(self.wall) && self.presences.is_news(&record)
            }
            Bulletin::Gone { at, .. } | Bulletin::Signal { at, .. } => {
                at.is_within(CLOCK_TOLERANCE, self.wall)
                    && self.bulletins.seen.insert(now, message.id())
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
    /// Who checks what others tell; with the texts, if it is told to all.
    pub(super) fn judge(&mut self, wall: UnixMillis, with_posts: bool) -> Judge<'_> {
        let posts = self.posts.as_mut().filter(|_| with_posts);
        Judge { bulletins: &mut self.bulletins, presences: &self.presences, posts, wall }
    }

    /// Bytes of a message that came from a neighbour.
    pub(super) fn hear(&mut self, now: Instant, peer: PeerId, bytes: &[u8]) {
        let wall = self.wall(now);
        let Some(mut node) = self.mesh.take() else { return };
        node.mesh.handle_message(now, peer, bytes, &mut self.judge(wall, true));
        self.mesh = Some(node);
        self.drain_mesh(now);
    }

    /// A bulletin that was checked, for the first time.
    pub(super) fn handle_bulletin(&mut self, now: Instant, message: &SignedMessage) {
        let Some(bulletin) = Bulletin::parse(message.body()) else { return };
        match bulletin {
            Bulletin::Presence { record, .. } => {
                if let Ok(record) = PresenceRecord::parse(&record.body) {
                    self.meet(now, record, message.clone());
                }
            }
            Bulletin::Gone { peer, seq, .. } if peer == self.id() => self.contradict(now, seq),
            Bulletin::Gone { peer, seq, .. } => self.handle_gone(now, message.author(), peer, seq),
            Bulletin::Signal { to, signal, .. } if to == self.id() => {
                match open_signal(&self.identity, message.author(), &signal) {
                    Some(sealed) => {
                        self.handle_signal(now, Carrier::Mesh, message.author(), &sealed);
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

    /// Somebody misses this node.
    fn contradict(&mut self, now: Instant, seq: u64) {
        if self.bulletins.own.is_some_and(|(_, last)| seq >= last.0) {
            self.bulletins.hasten(now);
        }
    }

    pub(super) fn neighbor_up(&mut self, now: Instant, peer: PeerId) {
        // Whoever comes with the neighbour has to hear of this node.
        self.bulletins.hasten(now);
        self.tell_presence_in_mesh(now);
        let me = self.id();
        self.presences.neighbor_up(now, peer, me);
        self.handle_presences_timeout(now);
        if let Some(posts) = &mut self.posts {
            posts.handle_neighbor_up(now, peer);
        }
        self.drain_posts(now);
    }

    pub(super) fn neighbor_down(&mut self, peer: PeerId) {
        self.presences.neighbor_down(peer);
        if let Some(posts) = &mut self.posts {
            posts.handle_neighbor_down(peer);
        }
    }

    /// What a neighbour says to this node alone.
    pub(super) fn handle_exchange(&mut self, now: Instant, from: PeerId, exchange: &Exchange) {
        if let Exchange::Presences { messages } = exchange {
            return self.handle_presences(now, from, messages);
        }
        let wall = self.wall(now);
        if let Some(posts) = &mut self.posts {
            posts.handle_exchange(now, wall, from, exchange);
        }
        self.drain_posts(now);
    }

    /// Tells the mesh that this node is there, if it is time.
    fn tell_presence_in_mesh(&mut self, now: Instant) {
        if self.bulletins.tell_at.is_none_or(|at| at > now) {
            return;
        }
        self.bulletins.tell_at = None;
        if self.mesh.as_ref().is_none_or(|node| node.mesh.neighbors().next().is_none()) {
            return;
        }
        // Each record has a greater number than the one before.
        let last = self.bulletins.own.map_or(UnixMillis(0), |(_, last)| last);
        let issued = self.wall(now).max(UnixMillis(last.0 + 1));
        let presence = self.presence();
        let record = PresenceRecord::new(self.id(), &self.config.name, presence, issued);
        let record = record.seal(&self.identity);
        let addresses = Vec::new();
        let told = self.tell(now, &Bulletin::Presence { record, addresses });
        if told.is_some() {
            self.bulletins.own = Some((presence, issued));
            self.bulletins.told = Some(now);
            self.presences.own = told;
        }
        let pause = if self.bulletins.told == Some(now) { TELL_EVERY } else { RETRY };
        self.bulletins.tell_at.get_or_insert(now + pause);
    }

    /// This node is in a call now, or no longer.
    pub(super) fn tell_presence_change_in_mesh(&mut self, now: Instant) {
        if self.bulletins.own.is_some_and(|(told, _)| told != self.presence()) {
            self.bulletins.hasten(now);
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

    /// Tells everybody; what was told, if it was.
    pub(super) fn tell(&mut self, now: Instant, bulletin: &Bulletin) -> Option<SignedMessage> {
        let message = SignedMessage::sign(&self.identity, bulletin.body());
        let node = self.mesh.as_mut();
        let told = node.zip(message).and_then(|(node, message)| {
            node.mesh.broadcast(now, message.clone()).then_some(message)
        });
        if told.is_none() {
            tracing::warn!("a bulletin is too long, or one too many, and is not told");
        }
        self.drain_mesh(now);
        told
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
        self.handle_presences_timeout(now);
    }

    pub(super) fn bulletin_timeout(&self) -> Instant {
        let tell_at = self.bulletins.tell_at.unwrap_or(Instant::FAR_FUTURE);
        tell_at.min(self.presences.next_timeout())
    }

    /// Whom the mesh knows by that name or key: not one but several if several keys use a name. `None` if this node
    /// takes no part in it.
    pub(super) fn known_in_mesh(&self, target: &Target) -> Option<Result<Vec<Peer>, Alone>> {
        let node = self.mesh.as_ref()?;
        if node.mesh.neighbors().next().is_none() {
            return Some(Err(Alone));
        }
        Some(Ok(match target {
            Target::Peer(id) => self.presences.get(*id).cloned().into_iter().collect(),
            Target::Name(name) => self.presences.named(name).cloned().collect(),
        }))
    }

    pub(super) fn is_in_mesh(&self, peer: PeerId) -> bool {
        self.mesh.is_some() && self.presences.get(peer).is_some()
    }

    /// Everybody in the mesh, this node included; `None` if it takes no part in it.
    pub(super) fn mesh_peers(&self) -> Option<Vec<Peer>> {
        self.mesh.as_ref()?;
        let (name, presence) = (self.config.name.clone(), self.presence());
        let since = self.config.wall_at_zero;
        let me = Peer { name, id: self.id(), presence, since };
        Some(self.presences.all().cloned().chain([me]).collect())
    }
}
