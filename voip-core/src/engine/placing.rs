//! Outgoing calls up to the offer: look the peer up on every tracker, decide whose name it is,
//! make a session, send the signed offer. And listing who is online.

use crate::directory::resolve::{Answer, Resolution, resolve};
use crate::error::{Error, ErrorKind};
use crate::event::{EndReason, Event, Peer};
use crate::id::{CallId, PeerId};
use crate::session::Session;
use crate::stats::CallStats;
use crate::time::{Duration, Instant};
use crate::wire::signal::SignalKind;
use crate::wire::tracker::Target;

use super::bulletins::Alone;
use super::call::{Call, Carrier, OFFER_TIMEOUT, Phase};
use super::{CallKey, Engine, Output};

/// How long trackers may take to say who somebody is, or be connected at all.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Look-ups under way.
#[derive(Default)]
pub(super) struct Lookups {
    searches: Vec<Search>,
    verifications: Vec<Verification>,
}

/// A caller's own word for its name, which counts when a tracker says so, too.
struct Verification {
    request: u64,
    name: String,
    id: PeerId,
}

/// Callers' names that are being verified at one time.
const MAX_VERIFICATIONS: usize = 32;

/// One call that looks for its peer on every tracker.
struct Search {
    call: CallKey,
    target: Target,
    /// One for each tracker, and behind them those of the mesh if this node takes part in it.
    asked: Vec<Question>,
}

/// What one tracker was asked, and what it said.
#[derive(Clone)]
struct Question {
    request: Option<u64>,
    answer: Answer,
    peer: Option<Peer>,
}

/// One `peers` command that collects the trackers' lists.
pub(super) struct Listing {
    request: u64,
    open: Vec<(usize, u64)>,
    peers: Vec<Peer>,
    /// Whether at least one tracker's list came whole, or the mesh has one.
    whole: bool,
    pub(super) deadline: Instant,
}

impl Engine {
    pub(super) fn place(
        &mut self,
        now: Instant,
        key: CallKey,
        target: Target,
        ring_timeout: Option<Duration>,
    ) {
        let mut id = CallId([0; 16]);
        self.random.fill_bytes(&mut id.0);
        let name = match &target {
            Target::Name(name) => name.clone(),
            Target::Peer(id) => id.to_string(),
        };
        let ring_timeout = ring_timeout.unwrap_or(self.config.ring_timeout);
        let mut call = Call::new(id, Phase::Resolving, name, now, ring_timeout);
        call.deadline = now + LOOKUP_TIMEOUT;
        // Whoever rings here may be the one that is called; that is known when the name is resolved.
        let calls_back = self.calls.values().any(|c| c.rings_here() && c.may_be(&target));
        let busy = !calls_back && self.calls.len() >= self.config.max_calls;
        self.calls.insert(key, call);
        let oneself =
            target == Target::Peer(self.id()) || target == Target::Name(self.config.name.clone());
        if busy || oneself {
            return self.end(now, key, EndReason::Busy);
        }
        if self.trackers.is_empty() && self.mesh.is_none() {
            return self.end(now, key, EndReason::TrackerUnreachable);
        }
        let unasked = Question { request: None, answer: Answer::Pending, peer: None };
        let known = self.ask_mesh(&target);
        let is_known = known.iter().any(|question| question.peer.is_some());
        // Nobody waits for a tracker that is away if the mesh knows the peer.
        let asked = self.trackers.iter().map(|tracker| match is_known && !tracker.registered {
            true => Question { answer: Answer::Failed, ..unasked.clone() },
            false => unasked.clone(),
        });
        let asked = asked.chain(known).collect();
        self.lookups.searches.push(Search { call: key, target, asked });
        for tracker in 0..self.trackers.len() {
            if self.trackers[tracker].registered {
                self.look_up_waiting(now, tracker);
            }
        }
        if let Some(last) = self.lookups.searches.iter().position(|s| s.call == key) {
            self.decide(now, last);
        }
    }

    /// What the mesh knows of somebody, if this node takes part in one: it has been told already, or will not be. Where
    /// several keys use a name, each is an answer.
    fn ask_mesh(&self, target: &Target) -> Vec<Question> {
        let answered = |answer, peer| Question { request: None, answer, peer };
        match self.known_in_mesh(target) {
            None => Vec::new(),
            Some(Err(Alone)) => vec![answered(Answer::Failed, None)],
            Some(Ok(peers)) if peers.is_empty() => vec![answered(Answer::NotFound, None)],
            Some(Ok(peers)) => {
                let found = |peer: Peer| answered(Answer::Found(peer.id), Some(peer));
                peers.into_iter().map(found).collect()
            }
        }
    }

    /// A tracker can be asked: ask it for everybody it was not asked for yet.
    pub(super) fn look_up_waiting(&mut self, now: Instant, tracker: usize) {
        for i in 0..self.lookups.searches.len() {
            let request = self.new_request();
            let search = &mut self.lookups.searches[i];
            let Some(question) = search.asked.get_mut(tracker) else { continue };
            if question.answer == Answer::Failed || question.request.is_none() {
                *question =
                    Question { request: Some(request), answer: Answer::Pending, peer: None };
                let target = search.target.clone();
                self.trackers[tracker].client.lookup(now, request, target);
            }
        }
    }

    /// Asks whether a caller's name is known to be its own, and pins it if it is.
    pub(super) fn verify_name(&mut self, now: Instant, carrier: Carrier, name: String, id: PeerId) {
        let request = self.new_request();
        let open = &mut self.lookups.verifications;
        if !self.config.pins_names || open.len() >= MAX_VERIFICATIONS {
            return;
        }
        open.push(Verification { request, name: name.clone(), id });
        match carrier {
            Carrier::Tracker(tracker) => {
                if let Some(tracker) = self.trackers.get_mut(tracker) {
                    tracker.client.lookup(now, request, Target::Name(name));
                }
            }
            Carrier::Mesh => {
                let known = self.known_in_mesh(&Target::Name(name)).and_then(Result::ok);
                let known = known.unwrap_or_default().into_iter().find(|peer| peer.id == id);
                self.handle_verification(request, &Ok(known));
            }
        }
    }

    /// True if the answer was to a verification.
    fn handle_verification(&mut self, request: u64, found: &Result<Option<Peer>, ()>) -> bool {
        let open = &mut self.lookups.verifications;
        let Some(i) = open.iter().position(|v| v.request == request) else { return false };
        let Verification { name, id, .. } = open.remove(i);
        if matches!(found, Ok(Some(peer)) if peer.id == id) {
            self.pin_first_use(&name, id);
        }
        true
    }

    /// A tracker has answered a look-up, or failed to.
    pub(super) fn handle_lookup(
        &mut self,
        now: Instant,
        request: u64,
        found: Result<Option<Peer>, ()>,
    ) {
        if self.handle_verification(request, &found) {
            return;
        }
        for i in 0..self.lookups.searches.len() {
            let asked = &mut self.lookups.searches[i].asked;
            let Some(question) = asked.iter_mut().find(|q| q.request == Some(request)) else {
                continue;
            };
            question.answer = match &found {
                Ok(Some(peer)) => Answer::Found(peer.id),
                Ok(None) => Answer::NotFound,
                Err(()) => Answer::Failed,
            };
            question.peer = found.ok().flatten();
            return self.decide(now, i);
        }
    }

    /// A tracker is gone: whoever waited for its list has waited enough. Look-ups fail one by one.
    pub(super) fn forget_listings_of(&mut self, tracker: usize) {
        for listing in &mut self.listings {
            listing.open.retain(|(t, _)| *t != tracker);
        }
        self.finish_listings();
    }

    /// The time for looking up is over: decide with what is there.
    pub(super) fn lookup_timed_out(&mut self, now: Instant, key: CallKey) {
        let searches = &mut self.lookups.searches;
        let Some(i) = searches.iter().position(|s| s.call == key) else { return };
        for question in &mut searches[i].asked {
            if question.answer == Answer::Pending {
                question.answer = Answer::Failed;
            }
        }
        self.decide(now, i);
    }

    pub(super) fn forget_search(&mut self, key: CallKey) {
        self.lookups.searches.retain(|s| s.call != key);
    }

    fn decide(&mut self, now: Instant, search: usize) {
        let Search { call: key, target, asked } = &self.lookups.searches[search];
        let (key, target) = (*key, target.clone());
        let name = match &target {
            Target::Name(name) => Some(name.as_str()),
            Target::Peer(_) => None,
        };
        // A key needs no second opinion: whichever tracker knows it first will do.
        let pinned = match &target {
            Target::Name(name) => self.pins.get(name),
            Target::Peer(id) => Some(*id),
        };
        let answers: Vec<Answer> = asked.iter().map(|q| q.answer).collect();
        let resolution = resolve(pinned, &answers);
        if resolution == Resolution::Wait {
            return;
        }
        let asked = self.lookups.searches.remove(search).asked;
        match resolution {
            Resolution::Wait => {}
            Resolution::Unknown => self.end(now, key, EndReason::UnknownPeer),
            Resolution::Ambiguous => self.end(now, key, EndReason::AmbiguousName),
            Resolution::Unreachable => self.end(now, key, EndReason::TrackerUnreachable),
            Resolution::KeyChanged { pinned, offered } => {
                let name = name.unwrap_or_default().to_owned();
                self.emit(Event::KeyChanged { name, pinned, offered });
                self.end(now, key, EndReason::KeyChanged);
            }
            Resolution::Peer(id) => {
                if let (Some(name), None) = (name, pinned) {
                    self.pin_first_use(name, id);
                }
                let found = asked.into_iter().enumerate();
                let trackers = self.trackers.len();
                let carrier = |i| if i < trackers { Carrier::Tracker(i) } else { Carrier::Mesh };
                let found = found.filter_map(|(i, q)| Some((carrier(i), q.peer?)));
                if let Some((carrier, peer)) = found.into_iter().find(|(_, p)| p.id == id) {
                    self.send_offer(now, key, carrier, id, peer.name);
                }
            }
        }
    }

    fn send_offer(
        &mut self,
        now: Instant,
        key: CallKey,
        carrier: Carrier,
        peer: PeerId,
        name: String,
    ) {
        let others = self.calls.iter().filter(|(k, c)| **k != key && c.peer == Some(peer));
        if let Some((&other, call)) = others.last() {
            // One path leads from node to node. Whoever rings here is answered by calling back.
            if call.rings_here() {
                return self.answer_instead(now, key, other);
            }
            return self.end(now, key, EndReason::Busy);
        }
        if self.calls.len() > self.config.max_calls {
            return self.end(now, key, EndReason::Busy);
        }
        let candidates = self.candidates_of(key);
        let first = self.first_sequence();
        let made = Session::offer(now, self.config.epoch, first, &candidates);
        let (session, sdp) = match made {
            Ok(made) => made,
            Err(error) => {
                tracing::error!(%error, "no session could be made");
                return self.end(now, key, EndReason::Unreachable);
            }
        };
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.session = Some(session);
        call.peer = Some(peer);
        call.name.clone_from(&name);
        call.carrier = carrier;
        call.phase = Phase::Offered;
        call.ring_deadline = now + call.ring_timeout;
        call.deadline = call.ring_deadline.min(now + OFFER_TIMEOUT);
        self.outputs.push_back(Output::CallPeer { call: key, name, id: peer });
        let own_name = self.config.name.clone();
        let commit = self.commit(key);
        let offer = self.send_signal(now, key, SignalKind::Offer, |signal| {
            signal.sdp = Some(sdp);
            signal.name = Some(own_name);
            signal.commit = commit;
        });
        if let Some(call) = self.calls.get_mut(&key) {
            call.offer_hash = offer.map(|offer| offer.hash());
        }
        self.seek_relay(now, key);
        self.drain_session(now, key);
    }

    /// The user calls a peer who is just ringing here: that call becomes the one placed.
    fn answer_instead(&mut self, now: Instant, key: CallKey, ringing: CallKey) {
        let Some(mut call) = self.calls.remove(&ringing) else { return };
        if let Some(placed) = self.calls.get(&key) {
            (call.began, call.muted) = (placed.began, placed.muted);
        }
        let stats = Box::new(CallStats::default());
        self.outputs.push_back(Output::CallStats { call: ringing, stats });
        self.emit(Event::Ended { call: ringing, reason: EndReason::HungUp });
        if let Some(id) = call.peer {
            self.outputs.push_back(Output::CallPeer { call: key, name: call.name.clone(), id });
        }
        self.calls.insert(key, call);
        self.answer(now, key);
    }

    pub(super) fn list_peers(&mut self, now: Instant, request: u64) {
        let mut open = Vec::new();
        for tracker in 0..self.trackers.len() {
            if self.trackers[tracker].registered {
                let id = self.new_request();
                self.trackers[tracker].client.list(now, id, None);
                open.push((tracker, id));
            }
        }
        let known = self.mesh_peers();
        if open.is_empty() && known.is_none() {
            let error = Error::new(ErrorKind::TrackerUnreachable, "no tracker is connected");
            self.outputs.push_back(Output::Peers { request, result: Err(error) });
            return;
        }
        let deadline = now + LOOKUP_TIMEOUT;
        let (whole, peers) = (known.is_some(), known.unwrap_or_default());
        self.listings.push(Listing { request, open, peers, whole, deadline });
        self.finish_listings();
    }

    /// One page of a tracker's list, or (`None`) its failure.
    pub(super) fn handle_peers(
        &mut self,
        now: Instant,
        tracker: usize,
        request: u64,
        page: Option<(Vec<Peer>, Option<String>)>,
    ) {
        let asked = (tracker, request);
        let again = self.new_request();
        let Some(listing) = self.listings.iter_mut().find(|l| l.open.contains(&asked)) else {
            return;
        };
        listing.open.retain(|open| *open != asked);
        if let Some((peers, next)) = page {
            listing.peers.extend(peers);
            listing.whole |= next.is_none();
            if next.is_some() {
                listing.open.push((tracker, again));
                self.trackers[tracker].client.list(now, again, next);
            }
        }
        self.finish_listings();
    }

    pub(super) fn expire_listings(&mut self, now: Instant) {
        for listing in self.listings.iter_mut().filter(|l| l.deadline <= now) {
            listing.open.clear();
        }
        self.finish_listings();
    }

    /// Hands out the lists that are complete: each peer once, by name.
    fn finish_listings(&mut self) {
        let mut finished = Vec::new();
        self.listings.retain_mut(|listing| {
            let complete = listing.open.is_empty();
            if complete {
                let mut peers = std::mem::take(&mut listing.peers);
                peers.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
                peers.dedup_by(|a, b| (&a.name, a.id) == (&b.name, b.id));
                let whole = listing.whole;
                let failed = || Error::new(ErrorKind::TimedOut, "no tracker gave its whole list");
                let result = whole.then_some(peers).ok_or_else(failed);
                finished.push(Output::Peers { request: listing.request, result });
            }
            !complete
        });
        self.outputs.extend(finished);
    }
}
