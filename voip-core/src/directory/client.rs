//! A peer's connection to one tracker, over all the connections it takes.
//!
//! Connects, registers in the very call that hears the tracker's challenge, subscribes in the same
//! flight, keeps alive, renews its record at half its life, and after a loss comes back: at once at
//! first, then ever more slowly. What a tracker says about peers counts only with their signatures.
//!
//! The owner carries out [`Output`]s: `Connect` ends in [`Client::handle_connected`] or
//! [`Client::handle_closed`]; after `Disconnect` nothing more is reported of that connection.

mod asking;
mod event;
mod requests;

use std::collections::VecDeque;
use std::net::SocketAddr;

use rand_core::Rng;

pub(crate) use self::event::{ClientStats, Event, Failure, Loss, Output};
use self::requests::{Purpose, Requests};
use super::Peer;
use crate::event::Presence;
use crate::identity::Identity;
use crate::time::{Duration, Instant, UnixMillis};
use crate::wire::framing::FrameReader;
use crate::wire::record::{MAX_RECORD_LIFE, PresenceRecord};
use crate::wire::sealed::Bytes32;
use crate::wire::tracker::{
    BadMessage, Entry, ErrorCode, PROTOCOL_VERSION, PeerMessage, RequestId, Target, TrackerMessage,
    has_type,
};

/// The number of the ping that shows what is spoken; requests have others.
const GREETING: RequestId = 0;
/// The first pause before coming back.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause before coming back.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A connection that held this long has shown that the tracker is well.
const PROVEN: Duration = Duration::from_secs(10);
/// How long connecting, the greeting, and every answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection that is in doubt may take to show that it lives, and a new one to be made.
const DOUBT: Duration = Duration::from_millis(1_500);
/// The pause after it.
const BRIEFLY: Duration = Duration::from_millis(50);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);
/// How often to show that we are there, and to see whether the tracker is.
const PING_EVERY: Duration = Duration::from_secs(15);
/// The longest pause before renewing again when the tracker had too many requests.
const RENEWAL_PAUSE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No connection until then.
    Waiting(Instant),
    /// Connecting until then at most.
    Connecting(Instant),
    /// Connected, no greeting yet.
    Greeting(Instant),
    /// Challenge answered; the request has its own deadline.
    Registering,
    Registered {
        since: Instant,
        ping_at: Instant,
        renew_at: Instant,
    },
    /// Has said goodbye, waits for the answer.
    Leaving(Instant),
    /// For good.
    Stopped,
}

/// See the module.
pub(crate) struct Client {
    identity: Identity,
    name: String,
    presence: Presence,
    rng: Box<dyn Rng + Send>,
    state: State,
    reader: FrameReader,
    requests: Requests,
    challenge: Option<Bytes32>,
    /// The connection is in doubt, and over if nothing comes until then.
    doubted: Option<Instant>,
    last_seq: u64,
    /// Failures in a row.
    failures: u32,
    has_relay: bool,
    loss_told: bool,
    distrust_told: bool,
    refusal_told: Option<ErrorCode>,
    outputs: VecDeque<Output>,
    stats: ClientStats,
}

impl Client {
    /// A client that connects at its first [`Client::handle_timeout`]. `rng` spreads the pauses.
    pub(crate) fn new(identity: Identity, name: &str, rng: Box<dyn Rng + Send>) -> Self {
        Client {
            identity,
            name: name.to_owned(),
            presence: Presence::Available,
            rng,
            state: State::Waiting(Instant::ZERO),
            reader: FrameReader::default(),
            requests: Requests::default(),
            challenge: None,
            doubted: None,
            last_seq: 0,
            failures: 0,
            has_relay: false,
            loss_told: false,
            distrust_told: false,
            refusal_told: None,
            outputs: VecDeque::new(),
            stats: ClientStats::default(),
        }
    }

    /// What to do next, oldest first.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Client::handle_timeout`] at the latest.
    pub(crate) fn next_timeout(&self) -> Instant {
        let state = match self.state {
            State::Waiting(at)
            | State::Connecting(at)
            | State::Greeting(at)
            | State::Leaving(at) => at,
            State::Registered { ping_at, renew_at, .. } => ping_at.min(renew_at),
            State::Registering | State::Stopped => Instant::FAR_FUTURE,
        };
        let doubted = self.doubted.unwrap_or(Instant::FAR_FUTURE);
        state.min(self.requests.next_deadline()).min(doubted)
    }

    pub(crate) fn is_registered(&self) -> bool {
        matches!(self.state, State::Registered { .. })
    }

    /// Whether the client has left or was replaced, and will not connect again.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    pub(crate) fn stats(&self) -> ClientStats {
        self.stats
    }

    /// The network may have changed: a connection must show that it lives or another one is made, at once.
    pub(crate) fn doubt(&mut self, now: Instant) {
        match self.state {
            State::Registered { since, renew_at, .. } if self.doubted.is_none() => {
                self.doubted = Some(now + DOUBT);
                self.state = State::Registered { since, ping_at: now, renew_at };
            }
            State::Connecting(_) => self.doubted = self.doubted.or(Some(now + DOUBT)),
            // Who was refused is no sooner welcome for it.
            State::Waiting(at) if self.refusal_told.is_none() => {
                self.state = State::Waiting(at.min(now));
            }
            _ => {}
        }
    }

    /// The connection asked for is open.
    pub(crate) fn handle_connected(&mut self, now: Instant) {
        self.doubted = None;
        if matches!(self.state, State::Connecting(_)) {
            self.stats.connections += 1;
            self.reader = FrameReader::default();
            self.state = State::Greeting(now + PATIENCE);
            // A tracker with a relay waits a moment for what is spoken here before it says anything.
            self.outputs.push_back(Output::Send(PeerMessage::Ping { id: GREETING }.to_frame()));
        }
    }

    /// The connection was not to be had, or is gone.
    pub(crate) fn handle_closed(&mut self, now: Instant) {
        match self.state {
            State::Waiting(_) | State::Stopped => {}
            State::Leaving(_) => self.stop(),
            State::Connecting(_) => self.lose(now, Loss::Unreachable),
            State::Greeting(_) | State::Registering | State::Registered { .. } => {
                self.lose(now, Loss::Closed);
            }
        }
    }

    /// The connection came to somebody who is not the tracker, or cannot be understood.
    pub(crate) fn handle_failed(&mut self, now: Instant, loss: Loss) {
        match self.state {
            State::Waiting(_) | State::Stopped | State::Leaving(_) => self.handle_closed(now),
            _ => self.lose(now, loss),
        }
    }

    /// Bytes came over the connection.
    pub(crate) fn handle_bytes(&mut self, now: Instant, wall: UnixMillis, mut bytes: &[u8]) {
        self.doubted = None;
        while self.is_connected() {
            match self.reader.next(&mut bytes) {
                Ok(Some(content)) => self.handle_frame(now, wall, &content),
                Ok(None) => return,
                Err(_) => self.drop_connection(now, Loss::Protocol),
            }
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant, wall: UnixMillis) {
        let may_be_doubted = matches!(self.state, State::Connecting(_) | State::Registered { .. });
        if may_be_doubted && self.doubted.is_some_and(|at| now >= at) {
            self.drop_connection(now, Loss::Silent);
        }
        match self.state {
            State::Waiting(at) if now >= at => {
                self.state = State::Connecting(now + PATIENCE);
                self.outputs.push_back(Output::Connect);
            }
            State::Connecting(at) if now >= at => self.drop_connection(now, Loss::Unreachable),
            State::Greeting(at) if now >= at => self.drop_connection(now, Loss::Silent),
            State::Leaving(at) if now >= at => {
                self.outputs.push_back(Output::Disconnect);
                self.stop();
            }
            State::Registered { renew_at, .. } if now >= renew_at => self.renew(now, wall),
            State::Registered { since, ping_at, renew_at } if now >= ping_at => {
                self.send(now, Purpose::Ping, |id| PeerMessage::Ping { id });
                let ping_at = now + PING_EVERY;
                self.state = State::Registered { since, ping_at, renew_at };
            }
            _ => {}
        }
        while let Some(purpose) = self.requests.take_expired(now) {
            self.handle_overdue(now, purpose);
        }
    }

    /// Says from now on whether to call.
    pub(crate) fn set_presence(&mut self, now: Instant, wall: UnixMillis, presence: Presence) {
        if presence != self.presence {
            self.presence = presence;
            // A renewal that is about to be made says it too.
            if let State::Registered { renew_at, .. } = self.state
                && renew_at > now + RENEWAL_PAUSE
            {
                self.renew(now, wall);
            }
        }
    }

    /// Whether the tracker, while registered there, has a relay.
    pub(crate) fn has_relay(&self) -> bool {
        self.has_relay && self.is_registered()
    }

    /// Says goodbye and stops for good.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.doubted = None;
        if self.is_registered() {
            self.send(now, Purpose::Leave, |id| PeerMessage::Leave { id });
            self.state = State::Leaving(now + GOODBYE);
            return;
        }
        if self.is_connected() || matches!(self.state, State::Connecting(_)) {
            self.outputs.push_back(Output::Disconnect);
        }
        self.stop();
    }

    fn is_connected(&self) -> bool {
        !matches!(self.state, State::Waiting(_) | State::Connecting(_) | State::Stopped)
    }

    fn handle_frame(&mut self, now: Instant, wall: UnixMillis, content: &[u8]) {
        let message = match TrackerMessage::parse(content) {
            Ok(message) => message,
            Err(bad) => return self.handle_malformed(now, &bad, content),
        };
        match message {
            TrackerMessage::Hello { nonce, .. } => self.handle_hello(now, wall, nonce),
            TrackerMessage::Joined { peer, online } => {
                if let Some(peer) = self.verified(wall, &peer)
                    && peer.id != self.identity.id()
                {
                    self.event(Event::Joined { peer, online });
                }
            }
            TrackerMessage::Changed { peer } => {
                if let Some(peer) = self.verified(wall, &peer) {
                    self.event(Event::Changed { peer });
                }
            }
            TrackerMessage::Left { peer, name, online } => {
                self.event(Event::Left { id: peer, name, online });
            }
            TrackerMessage::Signal { from, signal } => {
                self.event(Event::Signal { from, signal });
            }
            TrackerMessage::Paired { peer } => {
                let peer = self.verified(wall, &peer).filter(|peer| peer.id != self.identity.id());
                self.event(Event::Paired { peer });
            }
            TrackerMessage::Error { id: None, code, .. } => self.handle_farewell(now, code),
            TrackerMessage::Pong { id: GREETING } => {}
            TrackerMessage::Unknown => self.stats.unknown += 1,
            answer => self.handle_answer(now, wall, answer),
        }
    }

    /// An answer that cannot be read is a refusal. A notice or a signal may be one that somebody waits for: a tracker
    /// that garbles it is as good as none, and the owner is told so.
    fn handle_malformed(&mut self, now: Instant, bad: &BadMessage, content: &[u8]) {
        self.stats.malformed += 1;
        match bad.id.and_then(|id| self.requests.take(id)) {
            Some(Purpose::Register) => self.handle_refusal(now, bad.code),
            Some(purpose) => self.fail(purpose.request(), Failure::Refused(bad.code)),
            None if has_type(content) => self.drop_connection(now, Loss::Protocol),
            None => {}
        }
    }

    fn handle_hello(&mut self, now: Instant, wall: UnixMillis, nonce: Bytes32) {
        if !matches!(self.state, State::Greeting(_)) {
            self.stats.unexpected += 1;
            return;
        }
        self.challenge = Some(nonce);
        self.state = State::Registering;
        self.register(now, wall);
        self.send(now, Purpose::Subscribe, |id| PeerMessage::Subscribe { id });
    }

    /// The tracker closes the connection and says why.
    fn handle_farewell(&mut self, now: Instant, code: ErrorCode) {
        if code == ErrorCode::Replaced {
            self.outputs.push_back(Output::Disconnect);
            self.stop();
            self.event(Event::Replaced);
        } else {
            self.drop_connection(now, Loss::Refused(code));
        }
    }

    fn handle_answer(&mut self, now: Instant, wall: UnixMillis, answer: TrackerMessage) {
        let Some(purpose) = requests::id_of(&answer).and_then(|id| self.requests.take(id)) else {
            self.stats.unexpected += 1;
            return;
        };
        match (purpose, answer) {
            (Purpose::Register, TrackerMessage::Registered { observed, online, relay, .. }) => {
                self.has_relay = relay;
                self.handle_registered(now, observed, online);
            }
            (Purpose::Register, TrackerMessage::Error { code, .. }) => {
                self.handle_refusal(now, code);
            }
            (Purpose::Leave, _) => {
                self.outputs.push_back(Output::Disconnect);
                self.stop();
            }
            (Purpose::Lookup { request, target }, TrackerMessage::Found { peer, .. }) => {
                let peer = self.verified(wall, &peer);
                self.handle_found(request, &target, peer);
            }
            (Purpose::Lookup { request, .. }, TrackerMessage::NotFound { .. }) => {
                self.event(Event::NotFound { request });
            }
            (Purpose::List { request }, TrackerMessage::Peers { peers, next, .. }) => {
                let peers = peers.iter().filter_map(|entry| self.verified(wall, entry)).collect();
                self.event(Event::Peers { request, peers, next });
            }
            (Purpose::Signal { request }, TrackerMessage::Undeliverable { to, .. }) => {
                self.event(Event::Undeliverable { request, to });
            }
            (Purpose::Relay { request }, TrackerMessage::Relay { username, password, .. }) => {
                self.event(Event::Relay { request, username, password });
            }
            (Purpose::Pair { request }, TrackerMessage::Pairing { .. }) => {
                self.event(Event::Pairing { request });
            }
            (Purpose::Signal { .. }, TrackerMessage::Relayed { .. })
            | (Purpose::Ping, TrackerMessage::Pong { .. })
            | (Purpose::Subscribe | Purpose::Unpair, _) => {}
            (purpose, TrackerMessage::Error { code, .. }) => {
                self.fail(purpose.request(), Failure::Refused(code));
            }
            (purpose, _) => {
                self.stats.unexpected += 1;
                self.fail(purpose.request(), Failure::Refused(ErrorCode::Malformed));
            }
        }
    }

    fn handle_registered(&mut self, now: Instant, observed: SocketAddr, online: u32) {
        if self.state == State::Registering {
            let (ping_at, renew_at) = (now + PING_EVERY, now + MAX_RECORD_LIFE / 2);
            self.state = State::Registered { since: now, ping_at, renew_at };
            self.loss_told = false;
            self.distrust_told = false;
            self.refusal_told = None;
            self.event(Event::Registered { online, observed });
        }
    }

    fn handle_refusal(&mut self, now: Instant, code: ErrorCode) {
        match self.state {
            State::Registered { since, ping_at, .. } if code == ErrorCode::RateLimited => {
                let renew_at = now + self.spread(RENEWAL_PAUSE);
                self.state = State::Registered { since, ping_at, renew_at };
            }
            // The goodbye is on its way.
            State::Leaving(_) => {}
            _ => self.give_up_registering(now, code),
        }
    }

    fn give_up_registering(&mut self, now: Instant, code: ErrorCode) {
        if self.refusal_told != Some(code) {
            self.refusal_told = Some(code);
            self.event(Event::RegistrationRefused(code));
        }
        self.loss_told = true;
        self.drop_connection(now, Loss::Refused(code));
    }

    fn handle_found(&mut self, request: u64, target: &Target, peer: Option<Peer>) {
        let is_asked_for = |peer: &Peer| match target {
            Target::Name(name) => peer.name == *name,
            Target::Peer(id) => peer.id == *id,
        };
        match peer {
            Some(peer) if is_asked_for(&peer) => self.event(Event::Found { request, peer }),
            Some(_) => {
                self.stats.unverified += 1;
                self.event(Event::NotFound { request });
            }
            None => self.event(Event::NotFound { request }),
        }
    }

    fn handle_overdue(&mut self, now: Instant, purpose: Purpose) {
        match purpose {
            Purpose::Register | Purpose::Ping if self.is_connected() => {
                self.drop_connection(now, Loss::Silent);
            }
            purpose => self.fail(purpose.request(), Failure::TimedOut),
        }
    }

    /// The peer an entry tells of, if its own signature says so.
    fn verified(&mut self, wall: UnixMillis, entry: &Entry) -> Option<Peer> {
        match entry.record.open() {
            Ok(record) if record.is_current(wall) => Some(Peer {
                id: record.id,
                name: record.name,
                presence: record.presence,
                since: entry.since,
            }),
            _ => {
                self.stats.unverified += 1;
                None
            }
        }
    }

    /// Registers with a fresh record.
    fn register(&mut self, now: Instant, wall: UnixMillis) {
        let Some(nonce) = self.challenge else { return };
        self.last_seq = wall.0.max(self.last_seq + 1);
        let id = self.identity.id();
        let record = PresenceRecord {
            seq: self.last_seq,
            ..PresenceRecord::new(id, &self.name, self.presence, wall)
        }
        .seal(&self.identity);
        let signature = self.identity.sign_registration(&nonce, &record);
        let version = PROTOCOL_VERSION;
        self.send(now, Purpose::Register, |id| PeerMessage::Register {
            id,
            version,
            record,
            signature,
        });
    }

    fn renew(&mut self, now: Instant, wall: UnixMillis) {
        if let State::Registered { since, ping_at, .. } = self.state {
            let renew_at = now + MAX_RECORD_LIFE / 2;
            self.state = State::Registered { since, ping_at, renew_at };
            self.register(now, wall);
        }
    }

    fn send(&mut self, now: Instant, purpose: Purpose, message: impl FnOnce(u32) -> PeerMessage) {
        let id = self.requests.add(purpose, now + PATIENCE);
        self.outputs.push_back(Output::Send(message(id).to_frame()));
    }

    /// Closes the connection ourselves and comes back later.
    fn drop_connection(&mut self, now: Instant, loss: Loss) {
        self.outputs.push_back(Output::Disconnect);
        self.lose(now, loss);
    }

    /// The connection is gone; comes back after a pause.
    fn lose(&mut self, now: Instant, loss: Loss) {
        if let State::Registered { since, .. } = self.state
            && now - since >= PROVEN
        {
            self.failures = 0;
        }
        // The network is to blame, not the tracker.
        let doubted = self.doubted.take().is_some();
        let pause = if doubted { self.spread(BRIEFLY) } else { self.pause() };
        self.state = State::Waiting(now + pause);
        self.failures = self.failures.saturating_add(u32::from(!doubted));
        self.forget_requests();
        let is_distrust = matches!(loss, Loss::Untrusted(_));
        if !self.loss_told || is_distrust && !self.distrust_told {
            self.loss_told = true;
            self.distrust_told |= is_distrust;
            self.event(Event::Lost(loss));
        }
    }

    fn stop(&mut self) {
        self.state = State::Stopped;
        self.doubted = None;
        self.forget_requests();
    }

    fn forget_requests(&mut self) {
        self.challenge = None;
        while let Some(purpose) = self.requests.take_any() {
            self.fail(purpose.request(), Failure::NotRegistered);
        }
    }

    /// Doubles with every failure.
    fn pause(&mut self) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16));
        self.spread(doubled.min(LONGEST_PAUSE))
    }

    /// At random between half and all of `longest`, so that the peers of a tracker do not come
    /// all at once.
    fn spread(&mut self, longest: Duration) -> Duration {
        let share = f64::from(self.rng.next_u32()) / f64::from(u32::MAX);
        longest.mul_f64(0.5 + 0.5 * share)
    }

    fn fail(&mut self, request: Option<u64>, why: Failure) {
        if let Some(request) = request {
            self.event(Event::Failed { request, why });
        }
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

#[cfg(test)]
mod tests;
