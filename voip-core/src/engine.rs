//! Composes the state machines of one node: trackers, calls, sessions, the road of sound.
//!
//! One contract (see ARCHITECTURE.md): `handle_*` in, [`Engine::poll`] out, sleep until
//! [`Engine::next_timeout`]. Time and randomness come from outside, so the same engine runs under
//! `io/` on real sockets and under `sim/` on a virtual network.

mod bulletins;
mod call;
mod contacts;
mod contract;
mod early;
mod introductions;
mod lifecycle;
mod manual;
mod media;
mod mesh;
mod pairing;
mod path;
mod placing;
mod presences;
mod recent;
mod reflexive;
mod relays;
mod reports;
mod signalling;
mod silence;
mod stages;
mod texts;
mod trackers;
mod verification;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

pub(crate) use call::CallKey;
pub(crate) use contract::{Command, EngineConfig, Output};
pub(crate) use manual::{MANUAL_QUEUE, ReadClock, WritePacer};
pub(crate) use mesh::{LinkKey, MAX_NAMED};
pub(crate) use relays::{NamedRelay, RelayAddress, RelayKey};
#[cfg(feature = "devices")]
pub(crate) use stages::Mean;
pub(crate) use stages::Stopwatch;
#[cfg(feature = "sim")]
pub use verification::Verifying;

use crate::directory::client::Client;
use crate::error::Error;
use crate::event::{EndReason, Event};
use crate::frame::FrameDuration;
use crate::id::{CallId, PeerId};
use crate::identity::Identity;
use crate::identity::pins::{Pin, Pins};
use crate::overlay::posts::Posts;
use crate::session::{LocalCandidate, Session, SessionOutput};
use crate::stats::NodeStats;
use crate::time::{Duration, Instant, UnixMillis};
use crate::voice::Ingress;
use crate::wire::signal::Reason;
use crate::wire::stun::is_stun;
use bulletins::Bulletins;
use call::Call;
use introductions::Introductions;
use mesh::MeshNode;
use pairing::Asked;
use placing::{Listing, Lookups};
use presences::Presences;
use recent::Recent;
use reflexive::Reflexive;
use trackers::Tracker;

/// Addresses of peers remembered; datagrams from others take longer to sort.
const MAX_ROUTES: usize = 1024;

/// The state of one node.
pub(crate) struct Engine {
    config: EngineConfig,
    identity: Identity,
    pins: Pins,
    /// The number of the user's last change of them.
    pin_changes: u64,
    #[cfg(feature = "sim")]
    verifying: Verifying,
    random: Box<dyn Rng + Send>,
    trackers: Vec<Tracker>,
    mesh: Option<MeshNode>,
    bulletins: Bulletins,
    presences: Presences,
    introductions: Introductions,
    posts: Option<Posts>,
    /// Whether the user waits for a peer.
    wants_pair: bool,
    calls: BTreeMap<CallKey, Call>,
    /// Unwelcome calls that ring, and of which the user never hears; at most as many as `max_calls`.
    unheard: Vec<(CallKey, Call)>,
    /// From which address which call's datagrams come: saves asking every session.
    routes: HashMap<SocketAddr, CallKey>,
    ingress: Ingress,
    next_stream: u32,
    stopwatch: Box<dyn Stopwatch>,
    playout_delay: Duration,
    lookups: Lookups,
    listings: Vec<Listing>,
    /// Calls offered lately: none can be played again.
    seen_offers: Recent<CallId>,
    reflexive: Reflexive,
    host_addresses: Vec<SocketAddr>,
    next_incoming: u64,
    next_relay: u64,
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
            pin_changes: 0,
            #[cfg(feature = "sim")]
            verifying: Verifying::default(),
            random,
            trackers: Vec::new(),
            mesh: None,
            bulletins: Bulletins::default(),
            presences: Presences::default(),
            introductions: Introductions::default(),
            posts: None,
            wants_pair: false,
            calls: BTreeMap::new(),
            unheard: Vec::new(),
            routes: HashMap::new(),
            ingress,
            next_stream: 0,
            stopwatch,
            playout_delay: Duration::ZERO,
            lookups: Lookups::default(),
            listings: Vec::new(),
            seen_offers: Recent::default(),
            reflexive: Reflexive::default(),
            host_addresses: Vec::new(),
            next_incoming: CallKey::FIRST_INCOMING.0,
            next_relay: 0,
            next_request: 0,
            outputs: VecDeque::new(),
            stats: NodeStats::default(),
            config,
        };
        if let Some(named) = engine.config.mesh.clone() {
            let random = Box::new(ChaCha8Rng::seed_from_u64(engine.random.next_u64()));
            engine.mesh = Some(MeshNode::new(engine.id(), &named, random));
            let random = Box::new(ChaCha8Rng::seed_from_u64(engine.random.next_u64()));
            let mut posts = Posts::new(engine.identity.clone(), &engine.config.name, random);
            let history = std::mem::take(&mut engine.config.history);
            posts.load(now, engine.wall(now), &history);
            engine.posts = Some(posts);
        }
        for address in engine.config.trackers.clone() {
            let random = Box::new(ChaCha8Rng::seed_from_u64(engine.random.next_u64()));
            let mut client = Client::new(engine.identity.clone(), &engine.config.name, random);
            client.handle_timeout(now, engine.wall(now));
            engine.trackers.push(Tracker {
                address,
                client,
                registered: false,
                asked: Asked::default(),
                local: None,
                remote: None,
            });
        }
        engine.drain_trackers(now);
        Ok(engine)
    }

    /// The addresses of this host at which the node's port can be reached.
    pub(crate) fn handle_host_addresses(&mut self, now: Instant, addresses: Vec<SocketAddr>) {
        self.host_addresses = addresses;
        self.look_for_paths(now);
        self.tell_mesh_addresses(now);
    }

    /// How this engine takes part in verification from now on.
    #[cfg(feature = "sim")]
    pub(crate) fn set_verifying(&mut self, verifying: Verifying) {
        self.verifying = verifying;
    }

    /// What is pinned to names.
    #[cfg(feature = "sim")]
    pub(crate) fn pins(&self) -> &Pins {
        &self.pins
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

    /// How long sound takes from this engine to the air.
    #[cfg(feature = "devices")]
    pub(crate) fn handle_playout_delay(&mut self, delay: Duration) {
        self.playout_delay = delay;
    }

    /// A datagram came to `destination`.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) {
        if is_stun(datagram)
            && let Some(news) = self.reflexive.handle_response(now, datagram, destination)
        {
            if news {
                self.tell_addresses(now);
            }
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
        self.drain(now);
    }

    /// The user wants something.
    pub(crate) fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Place { call, target, ring_timeout } => {
                self.place(now, call, target, ring_timeout);
            }
            Command::Answer { call } => self.answer(now, call),
            Command::Reject { call, reason } => self.reject(now, call, reason),
            Command::HangUp { call } => self.hang_up(now, call, EndReason::HungUp),
            Command::SetMuted { call, muted } => self.set_muted(now, call, muted),
            Command::Peers { request } => self.list_peers(now, request),
            Command::Pair => self.pair(now),
            Command::Unpair => self.unpair(now),
            Command::ChangePins { name, change, number } => {
                self.change_pins(now, &name, &change, number);
            }
            Command::Connect { address } => self.connect(now, &address),
            Command::SendText { request, to, text } => self.send_text(now, request, to, &text),
            Command::ReadTexts { request, of, before, limit } => {
                self.read_texts(request, &of, before, limit);
            }
            Command::Close => self.close(now),
        }
        self.drain(now);
    }

    /// The clock has reached [`Engine::next_timeout`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        // Media before control.
        for session in self.calls.values_mut().filter_map(|c| c.session.as_mut()) {
            session.handle_timeout(now);
        }
        self.drain_sessions(now);
        self.watch_silences(now);
        self.watch_paths(now);
        self.handle_relay_timeouts(now);
        self.handle_call_deadlines(now);
        self.end_unheard(now, Reason::NoAnswer, false);
        let wall = self.wall(now);
        for tracker in &mut self.trackers {
            if tracker.client.next_timeout() <= now {
                tracker.client.handle_timeout(now, wall);
            }
        }
        self.handle_pair_pauses(now);
        self.reflexive.handle_timeout(now, &mut self.random);
        self.expire_listings(now);
        self.handle_introductions_timeout(now);
        self.handle_mesh_timeout(now);
        self.handle_posts_timeout(now);
        self.drain(now);
    }

    /// When [`Engine::handle_timeout`] wants to be called.
    pub(crate) fn next_timeout(&self) -> Instant {
        let calls = self.calls.values().map(Call::next_timeout);
        let unheard = self.unheard.iter().map(|(_, call)| call.deadline);
        let trackers = self.trackers.iter();
        let trackers = trackers.map(|t| t.client.next_timeout().min(t.asked.next_timeout()));
        let listings = self.listings.iter().map(|l| l.deadline);
        calls
            .chain(unheard)
            .chain(trackers)
            .chain(listings)
            .chain(self.mesh.as_ref().map(MeshNode::next_timeout))
            .chain([self.bulletin_timeout(), self.introductions.next_timeout()])
            .chain(self.posts.as_ref().map(Posts::next_timeout))
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

    pub(crate) fn node_stats(&self) -> NodeStats {
        let dropped = self.trackers.iter().map(|t| t.client.stats().dropped()).sum();
        let mesh = self.mesh.as_ref().map(|node| &node.mesh);
        let texts = self.posts.as_ref().map_or(0, |posts| posts.stats().dropped());
        NodeStats {
            tracker_messages_dropped: dropped,
            neighbors: mesh.map_or(0, |mesh| mesh.neighbors().count() as u32),
            mesh_messages_dropped: mesh.map_or(0, |mesh| mesh.stats().dropped()) + texts,
            ..self.stats.clone()
        }
    }

    /// Whether every tracker has taken leave: nothing is left to wait for.
    pub(crate) fn has_left(&self) -> bool {
        self.trackers.iter().all(|t| t.client.is_stopped())
    }

    pub(crate) fn frame(&self) -> FrameDuration {
        self.config.encoder.frame
    }

    /// Whether any call needs the microphone and the loudspeaker.
    pub(crate) fn has_media(&self) -> bool {
        self.calls.values().any(Call::is_connected)
    }

    /// Whether a call needs sound, or will in a moment.
    #[cfg(feature = "devices")]
    pub(crate) fn wants_sound(&self) -> bool {
        self.calls.values().any(Call::is_answered)
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

    /// Pins a name that is new here, if this node pins names by itself.
    fn pin_first_use(&mut self, name: &str, id: PeerId) {
        if self.config.pins_names && self.pins.check(name, id) == Pin::New {
            self.pin(name, id);
        }
    }

    fn pin(&mut self, name: &str, id: PeerId) {
        match self.pins.accept(name, id) {
            Ok(()) => {
                let saved = Output::SavePins(self.pins.clone(), self.pin_changes);
                self.outputs.push_back(saved);
            }
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

    pub(super) fn drain(&mut self, now: Instant) {
        self.drain_trackers(now);
        while let Some((destination, contents)) = self.reflexive.poll() {
            let source = unspecified_like(destination);
            self.outputs.push_back(Output::Transmit { source, destination, contents });
        }
    }

    fn drain_sessions(&mut self, now: Instant) {
        let has_output = |call: &Call| call.session.as_ref().is_some_and(Session::has_output);
        while let Some((&key, _)) = self.calls.iter().find(|(_, call)| has_output(call)) {
            self.drain_session(now, key);
        }
    }

    fn drain_session(&mut self, now: Instant, key: CallKey) {
        while let Some(output) =
            self.calls.get_mut(&key).and_then(|c| c.session.as_mut()).and_then(|s| s.poll())
        {
            match output {
                SessionOutput::Transmit { source, destination, contents } => {
                    if self.send_by_relay(now, key, source, destination, &contents) {
                        continue;
                    }
                    self.outputs.push_back(Output::Transmit { source, destination, contents });
                }
                SessionOutput::Rtp(rtp) => self.handle_rtp(now, key, &rtp),
                SessionOutput::Connected => self.session_connected(now, key),
                SessionOutput::ChannelOpen => self.channel_open(now, key),
                SessionOutput::Message(message) => self.handle_message(now, key, &message),
                SessionOutput::PathLost => self.path_lost(now, key),
                SessionOutput::PathBack => self.path_back(now, key),
                SessionOutput::Closed { by_peer } => self.session_closed(now, key, by_peer),
            }
        }
    }

    fn close(&mut self, now: Instant) {
        for key in self.call_keys() {
            self.hang_up(now, key, EndReason::NodeClosed);
        }
        self.end_unheard(now, Reason::Declined, true);
        for tracker in &mut self.trackers {
            tracker.client.leave(now);
        }
        self.leave_mesh(now);
    }
}

fn unspecified_like(address: SocketAddr) -> SocketAddr {
    if address.is_ipv4() {
        SocketAddr::from(([0, 0, 0, 0], 0))
    } else {
        SocketAddr::from(([0u16; 8], 0))
    }
}
