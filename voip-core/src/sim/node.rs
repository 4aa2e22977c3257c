//! A node of the simulated world: the real engine with a simulated device.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::links::SimLinks;
use super::network::{Arrival, Network};
use super::{NodeKey, TrackerKey, WALL_AT_ZERO, tracker};
use crate::engine::{
    CallKey, Engine, EngineConfig, Output, RelayAddress, RelayKey, Stopwatch, Verifying,
};
use crate::error::Error;
use crate::event::{CallState, Event, Peer};
use crate::frame::{AudioFrame, BLOCK, BLOCK_TIME};
use crate::identity::Identity;
use crate::identity::pins::Pins;
use crate::relay::client::RelayTransport;
use crate::stats::CallStats;
use crate::text::{Text, TextId};
use crate::time::{Duration, Epoch, Instant};
use crate::voice::{Codec, EncoderConfig, JitterConfig};

/// Options of a simulated node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its name.
    pub name: String,
    /// The trackers it registers at.
    pub trackers: Vec<TrackerKey>,
    /// Answers at once. Default no.
    pub auto_answer: bool,
    /// Pins names to keys on first use, as a node with an identity file does. Default yes.
    pub pins_names: bool,
    /// Lets only contacts call. Default no.
    pub contacts_only: bool,
    /// How it takes part in verification. Default truly.
    pub verifying: Verifying,
    /// Options of the encoder.
    pub encoder: EncoderConfig,
    /// Options of the jitter buffer.
    pub jitter: JitterConfig,
    /// In place of Opus a codec that costs nothing: what is heard has the level and the pitch of
    /// what was said. Both ends of a call need the same. Default no.
    pub stand_in_codec: bool,
    /// How long an outgoing call rings. Default 45 s.
    pub ring_timeout: Duration,
    /// Takes part in the mesh, and begins with these nodes. Default not at all.
    pub mesh: Option<Vec<NodeKey>>,
    /// Lets peers know no address but those on relays. Default no.
    pub relay_only: bool,
    /// Calls at one time. Default 1.
    pub max_calls: usize,
    /// The secret of the node's key: the same secret is the same peer. Default a new one.
    pub secret: Option<[u8; 32]>,
    /// Hears its latest call alone, as a program does that reads manual PCM: the reads fall in step
    /// with the packets. Default no: a device plays all calls, and its clock stays what it is.
    pub manual_reads: bool,
    /// Whether to keep what is heard. Default yes.
    pub keep_heard: bool,
}

impl NodeOptions {
    /// A node of that name, registered at those trackers, all else by default.
    pub fn new(name: &str, trackers: impl IntoIterator<Item = TrackerKey>) -> NodeOptions {
        NodeOptions {
            name: name.to_owned(),
            trackers: trackers.into_iter().collect(),
            auto_answer: false,
            pins_names: true,
            contacts_only: false,
            verifying: Verifying::Truly,
            encoder: EncoderConfig::default(),
            jitter: JitterConfig::default(),
            stand_in_codec: false,
            ring_timeout: Duration::from_secs(45),
            mesh: None,
            relay_only: false,
            max_calls: 1,
            manual_reads: false,
            secret: None,
            keep_heard: true,
        }
    }
}

/// The ports of a node's ways to relays come after this.
const FIRST_RELAY_PORT: u16 = 40_000;

/// Computing takes no time in a simulated world.
struct NoTime;

impl Stopwatch for NoTime {
    fn nanos(&mut self) -> u64 {
        0
    }
}

pub(super) struct SimNode {
    pub(super) address: SocketAddr,
    pub(super) engine: Engine,
    pub(super) links: SimLinks,
    /// The two ends of each way to a relay.
    relays: BTreeMap<RelayKey, (SocketAddr, SocketAddr, RelayTransport)>,
    pub(super) microphone: VecDeque<f32>,
    pub(super) microphone_runs: bool,
    pub(super) heard: Vec<f32>,
    pub(super) events: Vec<Event<CallKey>>,
    pub(super) states: BTreeMap<CallKey, CallState>,
    pub(super) order: Vec<CallKey>,
    pub(super) listed: Option<Result<Vec<Peer>, Error>>,
    pub(super) sent: Option<Result<TextId, Error>>,
    pub(super) read: Option<Result<Vec<Text>, Error>>,
    final_stats: BTreeMap<CallKey, CallStats>,
    trackers: Vec<SocketAddr>,
    keep_heard: bool,
    manual_reads: bool,
    next_call: u64,
    next_capture: Instant,
    next_playout: Instant,
    frame: AudioFrame,
}

/// The address of the node of that number.
pub(super) fn address(index: usize) -> SocketAddr {
    let [high, low] = (index as u16 + 1).to_be_bytes();
    SocketAddr::from(([10, 1, high, low], 5000))
}

impl SimNode {
    pub(super) fn new(
        index: usize,
        options: NodeOptions,
        seed: [u8; 32],
        epoch: Epoch,
        now: Instant,
    ) -> Result<SimNode, Error> {
        options.encoder.validate()?;
        let mut random = ChaCha20Rng::from_seed(seed);
        let mut secret = [0; 32];
        random.fill_bytes(&mut secret);
        let trackers: Vec<_> = options.trackers.iter().map(|t| tracker::address(t.0)).collect();
        let config = EngineConfig {
            name: options.name,
            trackers: trackers.iter().map(SocketAddr::to_string).collect(),
            encoder: options.encoder,
            jitter: options.jitter,
            codec: if options.stand_in_codec { Codec::StandIn } else { Codec::Opus },
            auto_answer: options.auto_answer,
            pins_names: options.pins_names,
            contacts_only: options.contacts_only,
            ring_timeout: options.ring_timeout,
            max_calls: options.max_calls,
            relays: Vec::new(),
            mesh: options
                .mesh
                .map(|nodes| nodes.into_iter().map(|node| address(node.0).to_string()).collect()),
            history: Vec::new(),
            relay_only: options.relay_only,
            epoch,
            wall_at_zero: WALL_AT_ZERO,
        };
        let identity = Identity::from_secret(&options.secret.unwrap_or(secret));
        let pins = Pins::default();
        let mut engine =
            Engine::new(config, identity, pins, Box::new(random), Box::new(NoTime), now)?;
        engine.handle_host_addresses(now, vec![address(index)]);
        engine.set_verifying(options.verifying);
        Ok(SimNode {
            address: address(index),
            engine,
            links: SimLinks::default(),
            relays: BTreeMap::new(),
            microphone: VecDeque::new(),
            microphone_runs: true,
            heard: Vec::new(),
            events: Vec::new(),
            states: BTreeMap::new(),
            order: Vec::new(),
            listed: None,
            sent: None,
            read: None,
            final_stats: BTreeMap::new(),
            trackers,
            keep_heard: options.keep_heard,
            manual_reads: options.manual_reads,
            next_call: 1,
            next_capture: Instant::FAR_FUTURE,
            next_playout: Instant::FAR_FUTURE,
            frame: AudioFrame::SILENCE,
        })
    }

    pub(super) fn new_call(&mut self) -> CallKey {
        let key = CallKey(self.next_call);
        self.next_call += 1;
        self.note(key, CallState::Placing);
        key
    }

    pub(super) fn next_wake(&self) -> Instant {
        self.engine.next_timeout().min(self.next_capture).min(self.next_playout)
    }

    pub(super) fn wake(&mut self, now: Instant) {
        if self.engine.next_timeout() <= now {
            self.engine.handle_timeout(now);
        }
        if !self.engine.has_media() {
            self.next_capture = Instant::FAR_FUTURE;
            self.next_playout = Instant::FAR_FUTURE;
        }
        if self.next_playout <= now {
            self.play(now);
        }
        if self.next_capture <= now {
            self.capture(now);
        }
    }

    /// The device plays 10 ms, or the program reads them.
    fn play(&mut self, now: Instant) {
        match self.order.last().filter(|_| self.manual_reads) {
            Some(&call) => {
                self.engine.handle_read(now, call, &mut self.frame);
                self.next_playout += self.engine.take_read_lag(call);
            }
            None => self.engine.handle_playout(now, &mut self.frame),
        }
        if self.keep_heard {
            self.heard.extend_from_slice(&self.frame.0);
        }
        self.next_playout += BLOCK_TIME;
    }

    /// The device captures 10 ms.
    fn capture(&mut self, now: Instant) {
        self.frame = AudioFrame::SILENCE;
        let said = self.microphone.len().min(BLOCK);
        self.frame.0[..said].copy_from_slice(&self.microphone.make_contiguous()[..said]);
        self.microphone.drain(..said);
        if self.microphone_runs {
            self.engine.handle_mic(now, now, &self.frame.0);
        }
        self.next_capture += BLOCK_TIME;
    }

    fn open_relay(
        &mut self,
        now: Instant,
        relay: RelayKey,
        address: RelayAddress,
        transport: RelayTransport,
        network: &mut Network,
    ) {
        let RelayAddress::Tracker(_, remote) = address else {
            return self.engine.handle_relay_closed(now, relay);
        };
        let port = FIRST_RELAY_PORT + relay.0 as u16;
        let local = SocketAddr::new(self.address.ip(), port);
        self.relays.insert(relay, (local, remote, transport));
        match transport {
            RelayTransport::Udp => self.engine.handle_relay_opened(now, relay, local, remote),
            RelayTransport::Tcp => network.open(now, local, remote),
        }
    }

    /// Whether what comes to that address is this node's.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        let is_here = |(local, ..): &(SocketAddr, SocketAddr, RelayTransport)| {
            *local == address && local.ip() == self.address.ip()
        };
        address == self.address
            || self.relays.values().any(is_here)
            || address.ip() == self.address.ip() && self.links.has(address)
    }

    /// The way to a relay, if it begins at the address that the node has now.
    fn relay_from_here(
        &self,
        relay: RelayKey,
    ) -> Option<&(SocketAddr, SocketAddr, RelayTransport)> {
        self.relays.get(&relay).filter(|(local, ..)| local.ip() == self.address.ip())
    }

    fn relay_at(&self, address: SocketAddr) -> Option<RelayKey> {
        self.relays.iter().find(|(_, (local, ..))| *local == address).map(|(relay, _)| *relay)
    }

    pub(super) fn receive(&mut self, now: Instant, arrival: Arrival, network: &mut Network) {
        if let Some(relay) = self.relay_at(arrival.destination()) {
            return self.receive_relayed(now, relay, arrival);
        }
        let tracker_at = |s: SocketAddr| self.trackers.iter().position(|t| *t == s);
        match arrival {
            Arrival::Opened { source, .. }
            | Arrival::Bytes { source, .. }
            | Arrival::Closed { source, .. }
                if tracker_at(source).is_none() =>
            {
                self.receive_of_link(now, arrival, network);
            }
            Arrival::Datagram { source, destination, contents } => {
                self.engine.handle_datagram(now, source, destination, &contents);
            }
            Arrival::Opened { source, destination } => {
                if let Some(tracker) = tracker_at(source) {
                    self.engine.handle_tracker_connected(now, tracker, destination, source);
                }
            }
            Arrival::Bytes { source, bytes, .. } => {
                if let Some(tracker) = tracker_at(source) {
                    self.engine.handle_tracker_bytes(now, tracker, &bytes);
                }
            }
            Arrival::Closed { source, .. } => {
                if let Some(tracker) = tracker_at(source) {
                    self.engine.handle_tracker_closed(now, tracker);
                }
            }
        }
    }

    fn receive_relayed(&mut self, now: Instant, relay: RelayKey, arrival: Arrival) {
        match arrival {
            Arrival::Datagram { contents: bytes, .. } | Arrival::Bytes { bytes, .. } => {
                self.engine.handle_relay_bytes(now, relay, &bytes);
            }
            Arrival::Opened { source, destination } => {
                self.engine.handle_relay_opened(now, relay, destination, source);
            }
            Arrival::Closed { .. } => {
                self.relays.remove(&relay);
                self.engine.handle_relay_closed(now, relay);
            }
        }
    }

    pub(super) fn drain(&mut self, now: Instant, network: &mut Network) {
        while let Some(output) = self.engine.poll() {
            match output {
                // From an address that the node no longer has nothing can be sent.
                Output::Transmit { source, destination, contents } => {
                    if source.ip().is_unspecified() || source == self.address {
                        network.send(now, self.address, destination, contents);
                    }
                }
                Output::RelayOpen { relay, address, transport } => {
                    self.open_relay(now, relay, address, transport, network);
                }
                Output::RelaySend { relay, bytes } => match self.relay_from_here(relay) {
                    Some((local, remote, RelayTransport::Udp)) => {
                        network.send(now, *local, *remote, bytes);
                    }
                    Some((local, remote, RelayTransport::Tcp)) => {
                        network.send_bytes(now, *local, *remote, bytes);
                    }
                    None => {}
                },
                Output::RelayClose { relay } => {
                    if let Some((local, remote, RelayTransport::Tcp)) = self.relays.remove(&relay) {
                        network.close(now, local, remote);
                    }
                }
                Output::LinkOpen { link, addresses } => {
                    self.links.open(now, (link, &addresses), self.address, network);
                }
                Output::LinkSend { link, bytes } => self.links.send(now, link, bytes, network),
                Output::LinkClose { link } => self.links.close(now, link, network),
                Output::FindAddresses => {
                    self.engine.handle_host_addresses(now, vec![self.address]);
                }
                Output::TrackerConnect { tracker } => {
                    network.open(now, self.address, self.trackers[tracker]);
                }
                Output::TrackerSend { tracker, bytes } => {
                    network.send_bytes(now, self.address, self.trackers[tracker], bytes);
                }
                Output::TrackerDisconnect { tracker } => {
                    network.close(now, self.address, self.trackers[tracker]);
                }
                Output::CallStats { call, stats } => {
                    self.final_stats.insert(call, *stats);
                }
                Output::Peers { result, .. } => self.listed = Some(result),
                Output::TextSent { result, .. } => self.sent = Some(result),
                Output::Texts { result, .. } => self.read = Some(result),
                Output::CallPeer { .. } | Output::SavePins(..) | Output::KeepText(_) => {}
                Output::Event(event) => self.handle_event(now, event),
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event<CallKey>) {
        match event {
            Event::Incoming { call } | Event::Ringing { call } => {
                self.note(call, CallState::Ringing);
            }
            Event::Answered { call } => self.note(call, CallState::Connecting),
            Event::Connected { call } => {
                self.note(call, CallState::Connected);
                if self.next_capture == Instant::FAR_FUTURE {
                    self.next_capture = now;
                    self.next_playout = now;
                }
            }
            Event::Ended { call, reason } => self.note(call, CallState::Ended(reason)),
            _ => {}
        }
        self.events.push(event);
    }

    fn note(&mut self, call: CallKey, state: CallState) {
        if self.states.insert(call, state).is_none() {
            self.order.push(call);
        }
    }

    pub(super) fn stats(&self, call: CallKey) -> Option<CallStats> {
        self.engine.call_stats(call).or_else(|| self.final_stats.get(&call).cloned())
    }
}
