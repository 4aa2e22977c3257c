//! The thread `voip-engine`: carries sockets, clock, device and commands to the engine and what the
//! engine wants back out. Media is served before control.

mod device;
mod manual;
mod mesh;
mod relays;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use polling::{Event as Readiness, Events, PollMode, Poller};

use super::link::{Destination, Link, Progress, Watcher, literal, resolve};
use super::udp::UdpPort;
use super::{Clock, realtime, spawn};
#[cfg(feature = "devices")]
use crate::device::{DeviceChoice, DeviceDirection};
use crate::engine::{CallKey, Command, Engine, LinkKey, Output, RelayAddress, RelayKey};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Peer};
use crate::id::PeerId;
use crate::identity::pins::Pins;
use crate::relay::client::RelayTransport;
use crate::stats::{CallStats, NodeStats};
use crate::text::{Text, TextId};
use crate::time::Instant;
use crate::wire::gossip::SignedMessage;
pub(crate) use device::{DeviceClock, NullDevice, Sound, SoundDevice};
use manual::ManualCalls;
pub(crate) use manual::ManualPort;
pub(crate) use mesh::MeshSockets;
use relays::RelayLink;

/// Commands handled in one turn of the loop, so that a flood of them cannot starve the media.
const COMMAND_BUDGET: usize = 64;
/// How stale the published statistics can be.
const PUBLISH_EVERY: Duration = Duration::from_millis(200);
/// How long goodbyes may take when a node is closed.
const FAREWELL: Duration = Duration::from_millis(200);

/// What a key at the poller counts, if it is none of the node's UDP sockets and trackers, whose keys are below.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind(usize);

const RELAYS: Kind = Kind(0);
const LISTENERS: Kind = Kind(1);
const NODES: Kind = Kind(2);
const KINDS: usize = 3;
const FIRST_KEY: usize = 1 << 16;

impl Kind {
    fn key(self, number: usize) -> usize {
        FIRST_KEY + KINDS * number + self.0
    }

    fn of(key: usize) -> Kind {
        Kind((key - FIRST_KEY) % KINDS)
    }

    fn number(self, key: usize) -> usize {
        (key - FIRST_KEY - self.0) / KINDS
    }
}

/// What the threads of the user send to the engine's.
pub(crate) enum Request {
    Command(Command),
    /// A call with manual PCM: its queues.
    Manual(CallKey, Arc<ManualPort>),
    /// A sound card was opened, or was not.
    #[cfg(feature = "devices")]
    Sound(crate::io::sound::SoundNews),
    /// The user wants another sound card.
    #[cfg(feature = "devices")]
    ChooseDevice(DeviceDirection, DeviceChoice),
    /// The name of a tracker was looked up, at the attempt of that number.
    Resolved(usize, u64, Vec<SocketAddr>),
    /// The name of a relay was looked up.
    RelayResolved(RelayKey, RelayAddress, RelayTransport, Vec<SocketAddr>),
    /// A node on this network was heard of.
    LanNode(PeerId, Vec<SocketAddr>),
    /// The name of another node's host was looked up.
    NodeResolved(LinkKey, Vec<SocketAddr>),
    Stop,
}

/// What the engine's thread tells the facade. None of these may block.
pub(crate) trait Listener: Send {
    fn event(&self, event: Event<CallKey>);
    fn call_peer(&self, call: CallKey, name: String, id: PeerId);
    fn call_stats(&self, call: CallKey, stats: CallStats);
    fn node_stats(&self, stats: NodeStats);
    fn peers(&self, request: u64, result: Result<Vec<Peer>, Error>);
    fn text_sent(&self, request: u64, result: Result<TextId, Error>);
    fn texts(&self, request: u64, result: Result<Vec<Text>, Error>);
    fn keep_text(&self, message: SignedMessage);
    fn save_pins(&self, pins: Pins, changes: u64);
    /// An incoming call with manual PCM needs queues.
    fn manual_port(&self, call: CallKey) -> Option<Arc<ManualPort>>;
}

/// Sends requests and wakes the thread.
#[derive(Clone)]
pub(crate) struct Requests {
    sender: Sender<Request>,
    poller: Arc<Poller>,
    /// Where the thread is: after a fork it exists in the parent only.
    process: u32,
}

impl Requests {
    pub(crate) fn new() -> Result<(Requests, Receiver<Request>), Error> {
        let poller = Poller::new().map_err(|e| system("the poller", &e))?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let (poller, process) = (Arc::new(poller), std::process::id());
        Ok((Requests { sender, poller, process }, receiver))
    }

    /// False when the engine has stopped, or runs in another process.
    pub(crate) fn send(&self, request: Request) -> bool {
        let sent = self.is_in_this_process() && self.sender.send(request).is_ok();
        if sent {
            self.wake();
        }
        sent
    }

    pub(crate) fn is_in_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    pub(crate) fn wake(&self) {
        if let Err(error) = self.wake_quietly() {
            tracing::error!(%error, "the engine could not be woken");
        }
    }

    /// Wakes the thread and logs nothing: for the system's callbacks, which may not. Does not block
    /// nor allocate either.
    pub(crate) fn wake_quietly(&self) -> std::io::Result<()> {
        self.poller.notify()
    }
}

pub(super) fn system(what: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::System, format!("{what}: {error}"))
}

/// Everything the thread owns.
pub(crate) struct Driver<L> {
    engine: Engine,
    clock: Clock,
    udp: UdpPort,
    links: HashMap<usize, Link>,
    trackers: Vec<Destination>,
    relays: HashMap<RelayKey, RelayLink>,
    named_relays: Vec<Destination>,
    mesh: Option<MeshSockets>,
    sound: Sound,
    manual: ManualCalls,
    requests: Requests,
    inbox: Receiver<Request>,
    listener: L,
    published: Instant,
    /// Requests were left over for the next turn.
    backlog: bool,
    /// Counts attempts to connect to trackers; and the attempt at which each is looked up.
    attempts: u64,
    lookups: HashMap<usize, u64>,
    buffer: Vec<u8>,
}

impl<L: Listener> Driver<L> {
    pub(crate) fn new(
        engine: Engine,
        clock: Clock,
        (udp, mesh): (UdpPort, Option<MeshSockets>),
        (trackers, named_relays): (Vec<Destination>, Vec<Destination>),
        sound: Sound,
        (requests, inbox): (Requests, Receiver<Request>),
        listener: L,
    ) -> Driver<L> {
        Driver {
            manual: ManualCalls::new(engine.frame()),
            engine,
            clock,
            udp,
            links: HashMap::new(),
            trackers,
            relays: HashMap::new(),
            named_relays,
            mesh,
            sound,
            requests,
            inbox,
            listener,
            published: Instant::ZERO,
            backlog: false,
            attempts: 0,
            lookups: HashMap::new(),
            buffer: Vec::new(),
        }
    }

    /// Runs until asked to stop.
    pub(crate) fn run(mut self) {
        self.engine.handle_realtime(realtime::ask());
        self.find_addresses();
        match self.watch_udp().and_then(|()| self.watch_listeners()) {
            Ok(()) => self.turn_until_stopped(),
            Err(error) => tracing::error!(%error, "the engine cannot watch its sockets"),
        }
        // Nothing left to do if the node was closed; else the calls end here.
        self.engine.handle_command(self.clock.now(), Command::Close);
        self.drain();
        for tracker in self.links.keys().copied().collect::<Vec<_>>() {
            self.close_link(tracker);
        }
        for relay in self.relays.keys().copied().collect::<Vec<_>>() {
            self.close_relay(relay);
        }
        self.close_mesh();
        for family in self.udp.families() {
            if let Err(error) = self.requests.poller.delete(&family.socket) {
                tracing::debug!(%error, "a socket was not watched");
            }
        }
    }

    fn turn_until_stopped(&mut self) {
        let mut events = Events::new();
        let mut stop_at = None;
        loop {
            self.drain();
            let now = self.clock.now();
            if stop_at.is_some_and(|at| now >= at || self.has_said_goodbye()) {
                return;
            }
            let wake = self.next_wake().min(stop_at.unwrap_or(Instant::FAR_FUTURE));
            events.clear();
            let sleep = if self.backlog { Duration::ZERO } else { wake.since(self.clock.now()) };
            if let Err(error) = self.requests.poller.wait(&mut events, Some(sleep)) {
                tracing::error!(%error, "the engine cannot wait");
                return;
            }
            self.serve_media(&events);
            if self.serve_control(&events) {
                stop_at.get_or_insert(self.clock.now() + FAREWELL);
            }
        }
    }

    /// Trackers have been left, and what was said to peers is on the wire.
    fn has_said_goodbye(&self) -> bool {
        self.engine.has_left() && self.udp.next_wake() == Instant::FAR_FUTURE
    }

    fn next_wake(&self) -> Instant {
        let publishing = self.published + PUBLISH_EVERY;
        let engine = self.engine.next_timeout().min(self.udp.next_wake());
        let sound = self.sound.next_wake().min(self.manual.next_wake());
        engine.min(sound).min(publishing)
    }

    fn serve_media(&mut self, events: &Events) {
        #[cfg(feature = "sim")]
        self.udp.serve_line(self.clock.now());
        let families = self.udp.families().len();
        for event in events.iter().filter(|e| e.key < families) {
            let (engine, clock) = (&mut self.engine, &self.clock);
            self.udp.receive(event.key, |source, destination, datagram| {
                engine.handle_datagram(clock.now(), source, destination, datagram);
            });
        }
        let now = self.clock.now();
        if self.engine.next_timeout() <= now {
            self.engine.handle_timeout(now);
        }
        self.drain();
        self.sound.serve(now, &self.clock, &mut self.engine);
        self.manual.serve(now, &mut self.engine);
        self.drain();
    }

    /// True if the node is to be closed.
    fn serve_control(&mut self, events: &Events) -> bool {
        let first_link = self.udp.families().len();
        for event in events.iter().filter(|e| e.key >= first_link && e.key != usize::MAX) {
            match event.key {
                key if key < FIRST_KEY => self.serve_link(key - first_link, event),
                key => match Kind::of(key) {
                    LISTENERS => self.accept_nodes(LISTENERS.number(key)),
                    NODES => self.serve_node_link(LinkKey(NODES.number(key) as u64), event),
                    _ => self.serve_relay(event),
                },
            }
        }
        let mut stop = false;
        self.backlog = true;
        for _ in 0..COMMAND_BUDGET {
            let Ok(request) = self.inbox.try_recv() else {
                self.backlog = false;
                break;
            };
            stop |= self.handle_request(request);
        }
        #[cfg(feature = "devices")]
        self.tell_devices();
        let now = self.clock.now();
        self.resume_accepting(now);
        if now.since(self.published) >= PUBLISH_EVERY {
            self.publish(now);
        }
        stop
    }

    /// True if the node is to be closed.
    fn handle_request(&mut self, request: Request) -> bool {
        let now = self.clock.now();
        match request {
            Request::Command(command) => self.engine.handle_command(now, command),
            Request::Manual(call, port) => self.manual.add(call, port),
            #[cfg(feature = "devices")]
            Request::Sound(news) => {
                if let Sound::Cards(cards) = &mut self.sound {
                    cards.handle_news(now, news);
                }
            }
            #[cfg(feature = "devices")]
            Request::ChooseDevice(direction, choice) => {
                if let Sound::Cards(cards) = &mut self.sound {
                    cards.choose(now, direction, choice);
                }
            }
            Request::Resolved(tracker, attempt, addresses) => {
                // An answer to an attempt given up long ago must not replace a later link.
                if self.lookups.get(&tracker) == Some(&attempt) {
                    self.open_link(tracker, addresses);
                }
            }
            Request::RelayResolved(relay, address, transport, addresses) => {
                self.open_relay_at(relay, address, transport, addresses);
            }
            Request::LanNode(peer, addresses) => {
                self.engine.handle_lan_node(now, peer, &addresses);
            }
            Request::NodeResolved(link, addresses) => self.open_node_link_at(link, addresses),
            Request::Stop => {
                self.engine.handle_command(now, Command::Close);
                return true;
            }
        }
        false
    }

    fn publish(&mut self, now: Instant) {
        self.published = now;
        for key in self.engine.call_keys() {
            if let Some(mut stats) = self.engine.call_stats(key) {
                stats.unread_ms = self.manual.unread_ms(key);
                self.listener.call_stats(key, stats);
            }
        }
        self.listener.node_stats(self.node_stats());
    }

    #[cfg(not(feature = "devices"))]
    fn node_stats(&self) -> NodeStats {
        self.engine.node_stats()
    }

    #[cfg(feature = "devices")]
    fn node_stats(&self) -> NodeStats {
        let stats = self.engine.node_stats();
        let Sound::Cards(cards) = &self.sound else { return stats };
        NodeStats {
            microphone: cards.microphone_stats(),
            loudspeaker: cards.loudspeaker_stats(),
            ..stats
        }
    }

    #[cfg(feature = "devices")]
    fn tell_devices(&mut self) {
        let Sound::Cards(cards) = &mut self.sound else { return };
        while let Some((direction, device, change)) = cards.poll() {
            self.listener.event(Event::DeviceChanged { direction, device, change });
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit { source, destination, contents } => {
                    self.udp.send(&self.clock, source, destination, &contents);
                }
                Output::RelayOpen { relay, address, transport } => {
                    self.open_relay(relay, address, transport);
                }
                Output::RelaySend { relay, bytes } => self.send_relay(relay, &bytes),
                Output::RelayClose { relay } => self.close_relay(relay),
                Output::LinkOpen { link, addresses } => self.open_node_link(link, &addresses),
                Output::LinkSend { link, bytes } => self.send_node_link(link, &bytes),
                Output::LinkClose { link } => self.close_node_link(link),
                Output::FindAddresses => self.find_addresses(),
                Output::TrackerConnect { tracker } => self.begin_connecting(tracker),
                Output::TrackerSend { tracker, bytes } => {
                    if let Some(link) = self.links.get_mut(&tracker) {
                        let progress = link.send(&bytes);
                        self.after_link(tracker, progress);
                    }
                }
                Output::TrackerDisconnect { tracker } => self.close_link(tracker),
                Output::CallPeer { call, name, id } => self.listener.call_peer(call, name, id),
                Output::CallStats { call, mut stats } => {
                    stats.unread_ms = self.manual.unread_ms(call);
                    self.listener.call_stats(call, *stats);
                }
                Output::Peers { request, result } => self.listener.peers(request, result),
                Output::TextSent { request, result } => self.listener.text_sent(request, result),
                Output::Texts { request, result } => self.listener.texts(request, result),
                Output::KeepText(message) => self.listener.keep_text(message),
                Output::SavePins(pins, changes) => self.listener.save_pins(pins, changes),
                Output::Event(event) => self.handle_event(event),
            }
        }
    }

    fn handle_event(&mut self, event: Event<CallKey>) {
        match &event {
            Event::Incoming { call } => {
                let call = *call;
                self.listener.event(event);
                if let Some(port) = self.listener.manual_port(call) {
                    self.manual.add(call, port);
                }
                return;
            }
            Event::Ended { call, reason } => self.manual.end(*call, reason.to_error()),
            Event::Answered { .. } => self.sound.prepare(self.clock.now()),
            Event::Connected { .. } => self.sound.start(&self.clock, &mut self.engine),
            _ => {}
        }
        self.listener.event(event);
    }

    fn watch_udp(&self) -> std::io::Result<()> {
        for (key, family) in self.udp.families().iter().enumerate() {
            // SAFETY: the sockets live in `self.udp`, and `run` deletes them from the poller
            // before they are dropped.
            unsafe {
                self.requests.poller.add_with_mode(
                    &family.socket,
                    Readiness::readable(key),
                    PollMode::Level,
                )?;
            }
        }
        Ok(())
    }

    fn begin_connecting(&mut self, tracker: usize) {
        self.close_link(tracker);
        let Some(destination) = self.trackers.get(tracker) else { return };
        let address = destination.host_and_port();
        if let Some(address) = literal(address) {
            return self.open_link(tracker, vec![address]);
        }
        let (address, requests) = (address.to_owned(), self.requests.clone());
        self.attempts += 1;
        let attempt = self.attempts;
        self.lookups.insert(tracker, attempt);
        let looked_up = spawn("voip-resolve", move || {
            requests.send(Request::Resolved(tracker, attempt, resolve(&address)));
        });
        if looked_up.is_err() {
            self.engine.handle_tracker_closed(self.clock.now(), tracker);
        }
    }

    fn open_link(&mut self, tracker: usize, mut addresses: Vec<SocketAddr>) {
        self.close_link(tracker);
        // An address that swallows what is sent to it must not be the first for ever.
        if !addresses.is_empty() {
            let first = self.attempts as usize % addresses.len();
            addresses.rotate_left(first);
        }
        let Some(destination) = self.trackers.get(tracker) else { return };
        let watcher = self.watcher(self.udp.families().len() + tracker);
        self.links.insert(tracker, Link::to(destination, addresses, watcher));
        self.after_link(tracker, Progress::Failed);
    }

    fn close_link(&mut self, tracker: usize) {
        self.lookups.remove(&tracker);
        self.links.remove(&tracker);
    }

    fn serve_link(&mut self, tracker: usize, event: Readiness) {
        let Some(link) = self.links.get_mut(&tracker) else { return };
        let was_connected = link.is_connected();
        if !was_connected || event.writable {
            let progress = if was_connected { link.flush() } else { link.finish_connecting() };
            let goes_on = was_connected || progress == Progress::Connected;
            self.after_link(tracker, progress);
            if !goes_on {
                return;
            }
        }
        // The end of a handshake may have brought more than itself.
        if (event.readable || !was_connected)
            && let Some(link) = self.links.get_mut(&tracker)
        {
            let progress = link.read(&mut self.buffer);
            let now = self.clock.now();
            if !self.buffer.is_empty() {
                self.engine.handle_tracker_bytes(now, tracker, &self.buffer);
            }
            self.after_link(tracker, progress);
        }
    }

    fn find_addresses(&mut self) {
        self.engine.handle_host_addresses(self.clock.now(), self.udp.host_addresses());
    }

    /// Tells the engine how a link fares and watches for what it now waits for.
    fn after_link(&mut self, tracker: usize, progress: Progress) {
        let now = self.clock.now();
        match progress {
            Progress::Failed => return self.try_next_address(tracker),
            Progress::Gone => {
                self.close_link(tracker);
                return self.engine.handle_tracker_closed(now, tracker);
            }
            Progress::Refused(loss) => {
                self.close_link(tracker);
                return self.engine.handle_tracker_failed(now, tracker, loss);
            }
            Progress::Connected => {
                if let Some((local, remote)) = self.links.get(&tracker).and_then(|l| l.addresses())
                {
                    // The network may be another one than when the node started.
                    self.find_addresses();
                    self.engine.handle_tracker_connected(now, tracker, local, remote);
                }
            }
            Progress::Waiting => {}
        }
        if let Some(link) = self.links.get_mut(&tracker) {
            link.watch();
        }
    }

    /// The socket of a link, if it has one, is of no use: on to the tracker's next address.
    fn try_next_address(&mut self, tracker: usize) {
        if !self.links.get_mut(&tracker).is_some_and(Link::try_next) {
            self.links.remove(&tracker);
            self.engine.handle_tracker_closed(self.clock.now(), tracker);
        }
    }

    /// What watches a socket under this key.
    fn watcher(&self, key: usize) -> Watcher {
        Watcher { poller: self.requests.poller.clone(), key }
    }
}
