//! How nodes of the mesh that have a tracker in common become neighbours: one that has too few asks the tracker who is
//! online, and sends some of them, as a signal, the addresses at which it listens; they answer with theirs.

use std::collections::BTreeMap;

use rand_core::Rng;

use crate::event::Peer;
use crate::id::{CallId, PeerId};
use crate::time::{Duration, Instant};
use crate::wire::gossip::Contact;
use crate::wire::sealed::Nonce;
use crate::wire::signal::{Signal, SignalKind};

use super::Engine;

/// A node with fewer neighbours looks for more.
const ENOUGH: usize = 2;
/// So many are asked at once.
const ASKED: usize = 3;
/// Between two rounds; doubles up to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LAST_PAUSE: Duration = Duration::from_secs(60);
/// One who was told our addresses is not told again before.
const AGAIN: Duration = Duration::from_secs(30);
/// Those who were told lately; while there are more, nobody is.
const MAX_TOLD: usize = 256;

/// What a node does to find neighbours through its trackers.
#[derive(Default)]
pub(super) struct Introductions {
    round: Option<Instant>,
    pause: Duration,
    /// The requests for lists of who is online.
    requests: Vec<(usize, u64)>,
    told: BTreeMap<PeerId, Instant>,
}

impl Introductions {
    pub(super) fn next_timeout(&self) -> Instant {
        self.round.unwrap_or(Instant::FAR_FUTURE)
    }

    /// Whether somebody is to be told; from then on it was.
    fn may_tell(&mut self, now: Instant, peer: PeerId) -> bool {
        self.told.retain(|_, at| now.since(*at) < AGAIN);
        let may = self.told.len() < MAX_TOLD && !self.told.contains_key(&peer);
        if may {
            self.told.insert(peer, now);
        }
        may
    }
}

impl Engine {
    /// There is a tracker that can be asked.
    pub(super) fn begin_introductions(&mut self, now: Instant) {
        if self.mesh.is_some() {
            (self.introductions.round, self.introductions.pause) = (Some(now), FIRST_PAUSE);
        }
    }

    pub(super) fn handle_introductions_timeout(&mut self, now: Instant) {
        if self.introductions.round.is_none_or(|at| at > now) {
            return;
        }
        let neighbors = self.mesh.iter().flat_map(|node| node.mesh.neighbors()).count();
        let trackers: Vec<_> =
            (0..self.trackers.len()).filter(|t| self.trackers[*t].registered).collect();
        self.introductions.requests.clear();
        if trackers.is_empty() {
            self.introductions.round = None;
            return;
        }
        let pause = self.introductions.pause;
        self.introductions.round = Some(now + pause);
        self.introductions.pause = (2 * pause).min(LAST_PAUSE);
        if neighbors >= ENOUGH {
            return;
        }
        for tracker in trackers {
            let request = self.new_request();
            self.introductions.requests.push((tracker, request));
            self.trackers[tracker].client.list(now, request, None);
        }
    }

    /// True if the list was asked for here.
    pub(super) fn handle_list_for_mesh(
        &mut self,
        now: Instant,
        tracker: usize,
        request: u64,
        peers: &[Peer],
    ) -> bool {
        let open = &mut self.introductions.requests;
        let Some(i) = open.iter().position(|open| *open == (tracker, request)) else {
            return false;
        };
        open.remove(i);
        let me = self.id();
        let neighbors: Vec<_> = self.mesh.iter().flat_map(|node| node.mesh.neighbors()).collect();
        let strangers = peers.iter().map(|peer| peer.id);
        let mut strangers: Vec<_> =
            strangers.filter(|id| *id != me && !neighbors.contains(id)).collect();
        for _ in 0..ASKED {
            if strangers.is_empty() {
                break;
            }
            let peer = strangers.swap_remove(self.random.next_u32() as usize % strangers.len());
            self.introduce_oneself(now, tracker, peer);
        }
        true
    }

    fn introduce_oneself(&mut self, now: Instant, tracker: usize, peer: PeerId) {
        if !self.introductions.may_tell(now, peer) {
            return;
        }
        let wall = self.wall(now);
        let (mut call, mut nonce) = (CallId([0; 16]), Nonce([0; 16]));
        self.random.fill_bytes(&mut call.0);
        self.random.fill_bytes(&mut nonce.0);
        let mut signal = Signal::new(SignalKind::Introduce, call, self.id(), peer, wall, nonce);
        signal.addresses = Some(self.mesh_addresses());
        let sealed = signal.seal(&self.identity);
        let request = self.new_request();
        if let Some(tracker) = self.trackers.get_mut(tracker) {
            tracker.client.signal(now, request, peer, sealed);
        }
    }

    /// Somebody at that tracker would like to be a neighbour.
    pub(super) fn handle_introduction(
        &mut self,
        now: Instant,
        tracker: usize,
        from: PeerId,
        addresses: Vec<String>,
    ) {
        let Some(node) = &mut self.mesh else { return };
        node.mesh.add_contacts(now, vec![Contact { id: from, addresses }]);
        self.drain_mesh(now);
        self.introduce_oneself(now, tracker, from);
    }
}
