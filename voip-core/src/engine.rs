//! Composes the state machines of one node: trackers, calls, sessions, the road of sound.
//!
//! One contract (see ARCHITECTURE.md): `handle_*` in, [`Engine::poll`] out, sleep until
//! [`Engine::next_timeout`]. Time and randomness come from outside, so the same engine runs under
//! `io/` on real sockets and under `sim/` on a virtual network.

mod call;
mod lifecycle;
mod manual;
mod media;
mod placing;
mod reflexive;
mod signalling;
mod stages;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

pub(crate) use call::CallKey;
pub(crate) use manual::{MANUAL_QUEUE, ReadClock, WritePacer};
pub(crate) use stages::Stopwatch;

use crate::directory::Peer;
use crate::directory::client::{self, Client, Loss};
use crate::error::{Error, ErrorKind};
use crate::event::{EndReason, Event, Presence};
use crate::frame::FrameDuration;
use crate::id::PeerId;
use crate::identity::Identity;
use crate::identity::pins::Pins;
use crate::session::{LocalCandidate, SessionOutput};
use crate::stats::{CallStats, NodeStats};
use crate::time::{Duration, Epoch, Instant, UnixMillis};
use crate::voice::{Codec, EncoderConfig, Ingress, JitterConfig};
use crate::wire::signal::Reason;
use crate::wire::stun::is_stun;
use crate::wire::tracker::{ErrorCode, Target};
use call::Call;
use placing::{Listing, Lookups};
use reflexive::Reflexive;
use signalling::SeenOffers;

/// Addresses of peers remembered; datagrams from others take longer to sort.
const MAX_ROUTES: usize = 1024;

/// What a node is made of, validated.
pub(crate) struct EngineConfig {
    pub(crate) name: String,
    /// As configured, `host:port`.
    pub(crate) trackers: Vec<String>,
    pub(crate) encoder: EncoderConfig,
    pub(crate) jitter: JitterConfig,
    pub(crate) codec: Codec,
    pub(crate) auto_answer: bool,
    pub(crate) ring_timeout: Duration,
    /// Calls at one time; one more is answered "busy".
    pub(crate) max_calls: usize,
    pub(crate) epoch: Epoch,
    /// Wall-clock time at [`Instant::ZERO`].
    pub(crate) wall_at_zero: UnixMillis,
}

/// What the user asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Place {
        call: CallKey,
        target: Target,
    },
    Answer {
        call: CallKey,
    },
    Reject {
        call: CallKey,
        reason: Reason,
    },
    HangUp {
        call: CallKey,
    },
    SetMuted {
        call: CallKey,
        muted: bool,
    },
    /// List the peers online; the answer is an [`Output::Peers`] of the same number.
    Peers {
        request: u64,
    },
    /// Pin a name to the key that was last refused for it, or to the one given.
    AcceptKey {
        name: String,
        id: PeerId,
    },
    /// Say goodbye to everybody.
    Close,
}

/// What has to be done, or told, outside.
#[derive(Debug)]
pub(crate) enum Output {
    /// Connect to this tracker; tell the outcome by `handle_tracker_*`.
    TrackerConnect {
        tracker: usize,
    },
    TrackerSend {
        tracker: usize,
        bytes: Vec<u8>,
    },
    TrackerDisconnect {
        tracker: usize,
    },
    /// Send a datagram from `source` (unspecified: any).
    Transmit {
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    },
    /// Who is at the other end of a call.
    CallPeer {
        call: CallKey,
        name: String,
        id: PeerId,
    },
    /// Final statistics of a call, just before its [`Event::Ended`].
    CallStats {
        call: CallKey,
        stats: Box<CallStats>,
    },
    Event(Event<CallKey>),
    Peers {
        request: u64,
        result: Result<Vec<Peer>, Error>,
    },
    /// The pinned names changed: keep them.
    SavePins(Pins),
}

/// One tracker and what is known of it.
struct Tracker {
    address: String,
    client: Client,
    registered: bool,
    /// Our end of the connection to it: says whether it is on this very machine.
    local: Option<SocketAddr>,
}

/// The state of one node.
pub(crate) struct Engine {
    config: EngineConfig,
    identity: Identity,
    pins: Pins,
    random: Box<dyn Rng + Send>,
    trackers: Vec<Tracker>,
    calls: BTreeMap<CallKey, Call>,
    /// From which address which call's datagrams come: saves asking every session.
    routes: HashMap<SocketAddr, CallKey>,
    ingress: Ingress,
    next_stream: u32,
    stopwatch: Box<dyn Stopwatch>,
    lookups: Lookups,
    listings: Vec<Listing>,
    seen_offers: SeenOffers,
    reflexive: Reflexive,
    host_addresses: Vec<SocketAddr>,
    next_incoming: u64,
    next_request: u64,
    outputs: VecDeque<Output>,
    stats: NodeStats,
}

impl Engine {
    pub(crate) fn new(
        config: EngineConfig,
        identity: Identity,
        pins: Pins,
        random: Box<dyn Rng + Send>,
        stopwatch: Box<dyn Stopwatch>,
        now: Instant,
    ) -> Result<Engine, Error> {
        let ingress = Ingress::new(config.jitter.clone())?;
        let mut engine = Engine {
            identity,
            pins,
            random,
            trackers: Vec::new(),
            calls: BTreeMap::new(),
            routes: HashMap::new(),
            ingress,
            next_stream: 0,
            stopwatch,
            lookups: Lookups::default(),
            listings: Vec::new(),
            seen_offers: SeenOffers::default(),
            reflexive: Reflexive::default(),
            host_addresses: Vec::new(),
            next_incoming: CallKey::FIRST_INCOMING.0,
            next_request: 0,
            outputs: VecDeque::new(),
            stats: NodeStats::default(),
            config,
        };
        for address in engine.config.trackers.clone() {
            let random = Box::new(ChaCha8Rng::seed_from_u64(engine.random.next_u64()));
            let mut client = Client::new(engine.identity.clone(), &engine.config.name, random);
            client.handle_timeout(now, engine.wall(now));
            engine.trackers.push(Tracker { address, client, registered: false, local: None });
        }
        engine.drain_trackers(now);
        Ok(engine)
    }

    /// The addresses of this host at which the node's port can be reached.
    pub(crate) fn handle_host_addresses(&mut self, addresses: Vec<SocketAddr>) {
        self.host_addresses = addresses;
    }

    /// The connection to a tracker stands; `local` and `remote` are its two ends.
    pub(crate) fn handle_tracker_connected(
        &mut self,
        now: Instant,
        tracker: usize,
        local: SocketAddr,
        remote: SocketAddr,
    ) {
        let Some(t) = self.trackers.get_mut(tracker) else { return };
        t.local = Some(local);
        t.client.handle_connected(now);
        self.reflexive.ask(tracker, remote, now, &mut self.random);
        self.drain(now);
    }

    /// Bytes from a tracker.
    pub(crate) fn handle_tracker_bytes(&mut self, now: Instant, tracker: usize, bytes: &[u8]) {
        let wall = self.wall(now);
        let Some(t) = self.trackers.get_mut(tracker) else { return };
        t.client.handle_bytes(now, wall, bytes);
        self.drain(now);
    }

    /// A connection to a tracker is gone or could not be made.
    pub(crate) fn handle_tracker_closed(&mut self, now: Instant, tracker: usize) {
        let Some(t) = self.trackers.get_mut(tracker) else { return };
        t.client.handle_closed(now);
        self.drain(now);
    }

    /// Whether this engine runs with real-time priority.
    pub(crate) fn handle_realtime(&mut self, realtime: bool) {
        self.stats.realtime = realtime;
    }

    /// The node's sound device has begun: wall-clock microseconds of its first samples.
    pub(crate) fn handle_device_started(&mut self, capture_unix_us: u64, playout_unix_us: u64) {
        self.stats.capture_started_unix_us = Some(capture_unix_us);
        self.stats.playout_started_unix_us = Some(playout_unix_us);
    }

    /// A datagram came to `destination`.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) {
        if is_stun(datagram) && self.reflexive.handle_response(datagram, destination) {
            return;
        }
        let accepts = |call: &Call| {
            call.session.as_ref().is_some_and(|s| s.accepts(now, source, destination, datagram))
        };
        let routed = self.routes.get(&source).copied();
        let routed = routed.filter(|key| self.calls.get(key).is_some_and(accepts));
        let found =
            routed.or_else(|| self.calls.iter().find(|(_, c)| accepts(c)).map(|(key, _)| *key));
        let Some(key) = found else {
            self.stats.datagrams_dropped += 1;
            return;
        };
        if routed.is_none() && self.routes.len() < MAX_ROUTES {
            self.routes.insert(source, key);
        }
        if let Some(session) = self.calls.get_mut(&key).and_then(|c| c.session.as_mut()) {
            session.handle_datagram(now, source, destination, datagram);
        }
        self.drain_session(now, key);
    }

    /// The user wants something.
    pub(crate) fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Place { call, target } => self.place(now, call, target),
            Command::Answer { call } => self.answer(now, call),
            Command::Reject { call, reason } => self.reject(now, call, reason),
            Command::HangUp { call } => self.hang_up(now, call, EndReason::HungUp),
            Command::SetMuted { call, muted } => self.set_muted(now, call, muted),
            Command::Peers { request } => self.list_peers(now, request),
            Command::AcceptKey { name, id } => self.pin(&name, id),
            Command::Close => self.close(now),
        }
        self.drain(now);
    }

    /// The clock has reached [`Engine::next_timeout`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        // Media before control.
        for key in self.call_keys() {
            if let Some(session) = self.calls.get_mut(&key).and_then(|c| c.session.as_mut())
                && session.next_timeout() <= now
            {
                session.handle_timeout(now);
                self.drain_session(now, key);
            }
        }
        self.handle_call_deadlines(now);
        let wall = self.wall(now);
        for tracker in &mut self.trackers {
            if tracker.client.next_timeout() <= now {
                tracker.client.handle_timeout(now, wall);
            }
        }
        self.reflexive.handle_timeout(now, &mut self.random);
        self.expire_listings(now);
        self.drain(now);
    }

    /// When [`Engine::handle_timeout`] wants to be called.
    pub(crate) fn next_timeout(&self) -> Instant {
        let calls = self.calls.values().map(Call::next_timeout);
        let trackers = self.trackers.iter().map(|t| t.client.next_timeout());
        let listings = self.listings.iter().map(|l| l.deadline);
        calls
            .chain(trackers)
            .chain(listings)
            .chain([self.reflexive.next_timeout()])
            .min()
            .unwrap_or(Instant::FAR_FUTURE)
    }

    /// Takes the next output.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn id(&self) -> PeerId {
        self.identity.id()
    }

    pub(crate) fn node_stats(&self) -> &NodeStats {
        &self.stats
    }

    pub(crate) fn frame(&self) -> FrameDuration {
        self.config.encoder.frame
    }

    /// Whether any call needs the microphone and the loudspeaker.
    pub(crate) fn has_media(&self) -> bool {
        self.calls.values().any(Call::is_connected)
    }

    fn wall(&self, now: Instant) -> UnixMillis {
        self.config.wall_at_zero.plus(now.since(Instant::ZERO))
    }

    pub(crate) fn call_keys(&self) -> Vec<CallKey> {
        self.calls.keys().copied().collect()
    }

    fn emit(&mut self, event: Event<CallKey>) {
        self.outputs.push_back(Output::Event(event));
    }

    fn new_request(&mut self) -> u64 {
        self.next_request = self.next_request.wrapping_add(1);
        self.next_request
    }

    fn pin(&mut self, name: &str, id: PeerId) {
        match self.pins.accept(name, id) {
            Ok(()) => self.outputs.push_back(Output::SavePins(self.pins.clone())),
            Err(error) => tracing::warn!(%error, name, "name not pinned"),
        }
    }

    /// Where peers can reach this node. Loopback counts only when a tracker is reached over it, for
    /// then peers may be on this very machine, or when there is nothing else.
    fn local_candidates(&self) -> Vec<LocalCandidate> {
        let is_loopback = |a: &SocketAddr| a.ip().to_canonical().is_loopback();
        let only_loopback = self.host_addresses.iter().all(is_loopback);
        let tracker_is_local = |a: &SocketAddr| {
            let families = self.trackers.iter().filter_map(|t| t.local);
            families.clone().count() == 0 || families.into_iter().any(|l| l.ip() == a.ip())
        };
        let usable = |a: &&SocketAddr| only_loopback || !is_loopback(a) || tracker_is_local(a);
        let hosts: Vec<SocketAddr> = self.host_addresses.iter().filter(usable).copied().collect();
        let mut candidates: Vec<_> = hosts.iter().map(|a| LocalCandidate::Host(*a)).collect();
        candidates.extend(self.reflexive.candidates(&hosts));
        candidates
    }

    fn drain(&mut self, now: Instant) {
        self.drain_trackers(now);
        while let Some((destination, contents)) = self.reflexive.poll() {
            let source = unspecified_like(destination);
            self.outputs.push_back(Output::Transmit { source, destination, contents });
        }
    }

    fn drain_trackers(&mut self, now: Instant) {
        for tracker in 0..self.trackers.len() {
            while let Some(output) = self.trackers[tracker].client.poll() {
                match output {
                    client::Output::Connect => {
                        self.outputs.push_back(Output::TrackerConnect { tracker });
                    }
                    client::Output::Send(bytes) => {
                        self.outputs.push_back(Output::TrackerSend { tracker, bytes });
                    }
                    client::Output::Disconnect => {
                        self.outputs.push_back(Output::TrackerDisconnect { tracker });
                    }
                    client::Output::Event(event) => self.handle_tracker_event(now, tracker, event),
                }
            }
        }
    }

    fn handle_tracker_event(&mut self, now: Instant, tracker: usize, event: client::Event) {
        match event {
            client::Event::Registered { online, .. } => {
                self.tracker_registered(now, tracker, online);
            }
            client::Event::RegistrationRefused(code) => self.tracker_lost(tracker, refusal(code)),
            client::Event::Replaced => {
                let message = "the same key has registered from elsewhere";
                self.tracker_lost(tracker, Error::new(ErrorKind::InvalidState, message));
            }
            client::Event::Lost(loss) => self.tracker_lost(tracker, loss_error(loss)),
            client::Event::Joined { peer, online } => self.emit(Event::Joined { peer, online }),
            client::Event::Changed { peer } => self.emit(Event::Changed { peer }),
            client::Event::Left { name, id, online } => self.emit(Event::Left { name, id, online }),
            client::Event::Found { request, peer } => {
                self.handle_lookup(now, request, Ok(Some(peer)));
            }
            client::Event::NotFound { request } => self.handle_lookup(now, request, Ok(None)),
            client::Event::Peers { request, peers, next } => {
                self.handle_peers(now, tracker, request, Some((peers, next)));
            }
            client::Event::Signal { from: _, signal } => self.handle_signal(now, tracker, &signal),
            client::Event::Undeliverable { request, to: _ } => {
                self.handle_undeliverable(now, request);
            }
            client::Event::Failed { request, why: _ } => {
                self.handle_lookup(now, request, Err(()));
                self.handle_peers(now, tracker, request, None);
            }
        }
    }

    fn tracker_registered(&mut self, now: Instant, tracker: usize, online: u32) {
        let t = &mut self.trackers[tracker];
        t.registered = true;
        let address = t.address.clone();
        self.emit(Event::Registered { tracker: address, online });
        self.look_up_waiting(now, tracker);
    }

    fn tracker_lost(&mut self, tracker: usize, error: Error) {
        let t = &mut self.trackers[tracker];
        t.registered = false;
        let address = t.address.clone();
        self.emit(Event::TrackerLost { tracker: address, error });
        self.forget_listings_of(tracker);
    }

    fn drain_session(&mut self, now: Instant, key: CallKey) {
        while let Some(output) =
            self.calls.get_mut(&key).and_then(|c| c.session.as_mut()).and_then(|s| s.poll())
        {
            match output {
                SessionOutput::Transmit { source, destination, contents } => {
                    self.outputs.push_back(Output::Transmit { source, destination, contents });
                }
                SessionOutput::Rtp(rtp) => self.handle_rtp(key, &rtp),
                SessionOutput::Connected => self.session_connected(now, key),
                SessionOutput::ChannelOpen => self.channel_open(now, key),
                SessionOutput::Message(message) => self.handle_message(key, &message),
                SessionOutput::PathLost => self.path_lost(now, key),
                SessionOutput::PathBack => self.path_back(key),
                SessionOutput::Closed { by_peer } => self.session_closed(now, key, by_peer),
            }
        }
    }

    /// Lets the trackers know whether this node is in a call.
    fn tell_presence(&mut self, now: Instant) {
        let busy = self.calls.values().any(Call::is_answered);
        let presence = if busy { Presence::Busy } else { Presence::Available };
        let wall = self.wall(now);
        for tracker in &mut self.trackers {
            tracker.client.set_presence(now, wall, presence);
        }
    }

    fn close(&mut self, now: Instant) {
        for key in self.call_keys() {
            self.hang_up(now, key, EndReason::NodeClosed);
        }
        for tracker in &mut self.trackers {
            tracker.client.leave(now);
        }
    }
}

fn refusal(code: ErrorCode) -> Error {
    let (kind, message) = match code {
        ErrorCode::NameTaken => (ErrorKind::NameTaken, "another key holds this name"),
        ErrorCode::ClockSkew => (ErrorKind::InvalidState, "this machine's clock is wrong"),
        ErrorCode::UnsupportedVersion => {
            (ErrorKind::Protocol, "the tracker speaks another version of the protocol")
        }
        ErrorCode::RateLimited | ErrorCode::Full => {
            (ErrorKind::TrackerUnreachable, "the tracker is full")
        }
        _ => (ErrorKind::Protocol, "the tracker refused the registration"),
    };
    Error::new(kind, message)
}

fn loss_error(loss: Loss) -> Error {
    let message = match loss {
        Loss::Unreachable => "it cannot be reached",
        Loss::Closed => "it closed the connection",
        Loss::Silent => "it does not answer",
        Loss::Protocol => "it does not speak the protocol",
        Loss::Refused(code) => return refusal(code),
    };
    Error::new(ErrorKind::TrackerUnreachable, message)
}

fn unspecified_like(address: SocketAddr) -> SocketAddr {
    if address.is_ipv4() {
        SocketAddr::from(([0, 0, 0, 0], 0))
    } else {
        SocketAddr::from(([0u16; 8], 0))
    }
}
