//! The thread `voip-engine`: carries sockets, clock, device and commands to the engine and what the
//! engine wants back out. Media is served before control.

mod device;
mod manual;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use polling::{Event as Readiness, Events, PollMode, Poller};

use super::tracker_link::{Progress, TrackerLink, literal, resolve};
use super::udp::UdpPort;
use super::{Clock, spawn};
use crate::engine::{CallKey, Command, Engine, Output};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Peer};
use crate::id::PeerId;
use crate::identity::pins::Pins;
use crate::stats::{CallStats, NodeStats};
use crate::time::Instant;
use device::DeviceClock;
pub(crate) use device::{NullDevice, SoundDevice};
use manual::ManualCalls;
pub(crate) use manual::ManualPort;

/// Commands handled in one turn of the loop, so that a flood of them cannot starve the media.
const COMMAND_BUDGET: usize = 64;
/// The longest sleep; bounds how stale the published statistics can be.
const LONGEST_SLEEP: Duration = Duration::from_millis(200);
/// How long goodbyes may take when a node is closed.
const FAREWELL: Duration = Duration::from_millis(200);

/// What the threads of the user send to the engine's.
pub(crate) enum Request {
    Command(Command),
    /// A call with manual PCM: its queues.
    Manual(CallKey, Arc<ManualPort>),
    /// The name of a tracker was looked up.
    Resolved(usize, Vec<SocketAddr>),
    Stop,
}

/// What the engine's thread tells the facade. None of these may block.
pub(crate) trait Listener: Send {
    fn event(&self, event: Event<CallKey>);
    fn call_peer(&self, call: CallKey, name: String, id: PeerId);
    fn call_stats(&self, call: CallKey, stats: CallStats);
    fn node_stats(&self, stats: NodeStats);
    fn peers(&self, request: u64, result: Result<Vec<Peer>, Error>);
    fn save_pins(&self, pins: Pins);
    /// An incoming call with manual PCM needs queues.
    fn manual_port(&self, call: CallKey) -> Option<Arc<ManualPort>>;
}

/// Sends requests and wakes the thread.
#[derive(Clone)]
pub(crate) struct Requests {
    sender: Sender<Request>,
    poller: Arc<Poller>,
}

impl Requests {
    pub(crate) fn new() -> Result<(Requests, Receiver<Request>), Error> {
        let poller = Poller::new().map_err(|e| system("the poller", &e))?;
        let (sender, receiver) = std::sync::mpsc::channel();
        Ok((Requests { sender, poller: Arc::new(poller) }, receiver))
    }

    /// False when the engine has stopped.
    pub(crate) fn send(&self, request: Request) -> bool {
        let sent = self.sender.send(request).is_ok();
        self.wake();
        sent
    }

    pub(crate) fn wake(&self) {
        if let Err(error) = self.poller.notify() {
            tracing::error!(%error, "the engine could not be woken");
        }
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
    links: HashMap<usize, TrackerLink>,
    tracker_addresses: Vec<String>,
    device: Option<DeviceClock>,
    manual: ManualCalls,
    requests: Requests,
    inbox: Receiver<Request>,
    listener: L,
    published: Instant,
    buffer: Vec<u8>,
}

impl<L: Listener> Driver<L> {
    pub(crate) fn new(
        engine: Engine,
        clock: Clock,
        udp: UdpPort,
        tracker_addresses: Vec<String>,
        device: Option<Box<dyn SoundDevice>>,
        (requests, inbox): (Requests, Receiver<Request>),
        listener: L,
    ) -> Driver<L> {
        Driver {
            manual: ManualCalls::new(engine.frame()),
            engine,
            clock,
            udp,
            links: HashMap::new(),
            tracker_addresses,
            device: device.map(DeviceClock::new),
            requests,
            inbox,
            listener,
            published: Instant::ZERO,
            buffer: Vec::new(),
        }
    }

    /// Runs until asked to stop.
    pub(crate) fn run(mut self) {
        self.engine.handle_realtime(ask_for_realtime());
        self.engine.handle_host_addresses(self.udp.host_addresses());
        match self.watch_udp() {
            Ok(()) => self.turn_until_stopped(),
            Err(error) => tracing::error!(%error, "the engine cannot watch its sockets"),
        }
        for tracker in self.links.keys().copied().collect::<Vec<_>>() {
            self.close_link(tracker);
        }
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
            if stop_at.is_some_and(|at| now >= at || self.links.is_empty()) {
                return;
            }
            let wake = self.next_wake().min(stop_at.unwrap_or(Instant::FAR_FUTURE));
            events.clear();
            let sleep = wake.since(self.clock.now()).min(LONGEST_SLEEP);
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

    fn next_wake(&self) -> Instant {
        let device = self.device.as_ref().map_or(Instant::FAR_FUTURE, DeviceClock::next_wake);
        self.engine.next_timeout().min(device).min(self.manual.next_wake())
    }

    fn serve_media(&mut self, events: &Events) {
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
        if let Some(device) = &mut self.device {
            device.serve(now, &self.clock, &mut self.engine);
        }
        self.manual.serve(now, &mut self.engine);
        self.drain();
    }

    /// True if the node is to be closed.
    fn serve_control(&mut self, events: &Events) -> bool {
        let first_link = self.udp.families().len();
        for event in events.iter().filter(|e| e.key >= first_link && e.key != usize::MAX) {
            self.serve_link(event.key - first_link, event);
        }
        for _ in 0..COMMAND_BUDGET {
            let Ok(request) = self.inbox.try_recv() else { break };
            let now = self.clock.now();
            match request {
                Request::Command(command) => self.engine.handle_command(now, command),
                Request::Manual(call, port) => self.manual.add(call, port),
                Request::Resolved(tracker, addresses) => self.open_link(tracker, addresses),
                Request::Stop => {
                    self.engine.handle_command(now, Command::Close);
                    return true;
                }
            }
        }
        let now = self.clock.now();
        if now.since(self.published) >= LONGEST_SLEEP {
            self.publish(now);
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
        self.listener.node_stats(self.engine.node_stats().clone());
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit { source, destination, contents } => {
                    self.udp.send(source, destination, &contents);
                }
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
                Output::SavePins(pins) => self.listener.save_pins(pins),
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
            Event::Connected { .. } => {
                if let Some(device) = &mut self.device {
                    device.start(&self.clock, &mut self.engine);
                }
            }
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
        let Some(address) = self.tracker_addresses.get(tracker) else { return };
        if let Some(address) = literal(address) {
            return self.open_link(tracker, vec![address]);
        }
        let (address, requests) = (address.clone(), self.requests.clone());
        let looked_up = spawn("voip-resolve", move || {
            requests.send(Request::Resolved(tracker, resolve(&address)));
        });
        if looked_up.is_err() {
            self.engine.handle_tracker_closed(self.clock.now(), tracker);
        }
    }

    fn open_link(&mut self, tracker: usize, addresses: Vec<SocketAddr>) {
        self.close_link(tracker);
        let link = TrackerLink::connect(addresses);
        let usable = link.socket().is_some();
        self.links.insert(tracker, link);
        let progress = if usable { Progress::Retry } else { Progress::Gone };
        self.after_link(tracker, progress);
    }

    fn close_link(&mut self, tracker: usize) {
        if let Some(socket) = self.links.remove(&tracker).as_ref().and_then(TrackerLink::socket) {
            self.unwatch(socket);
        }
    }

    fn unwatch(&self, socket: &std::net::TcpStream) {
        if let Err(error) = self.requests.poller.delete(socket) {
            tracing::debug!(%error, "a tracker's socket was not watched");
        }
    }

    fn serve_link(&mut self, tracker: usize, event: Readiness) {
        if event.writable
            && let Some(link) = self.links.get_mut(&tracker)
        {
            let progress = link.writable();
            self.after_link(tracker, progress);
        }
        if event.readable
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

    /// Tells the engine how a link fares and watches for what it now waits for.
    fn after_link(&mut self, tracker: usize, progress: Progress) {
        let now = self.clock.now();
        match progress {
            Progress::Gone => {
                self.close_link(tracker);
                return self.engine.handle_tracker_closed(now, tracker);
            }
            Progress::Connected => {
                if let Some((local, remote)) = self.links.get(&tracker).and_then(|l| l.addresses())
                {
                    self.engine.handle_tracker_connected(now, tracker, local, remote);
                }
            }
            Progress::Waiting | Progress::Retry => {}
        }
        let Some(link) = self.links.get(&tracker) else { return };
        let Some(socket) = link.socket() else { return };
        let key = self.udp.families().len() + tracker;
        let interest = Readiness::new(key, link.is_connected(), link.wants_write());
        let poller = &self.requests.poller;
        let watched = if progress == Progress::Retry {
            // SAFETY: `close_link` deletes the socket from the poller before it is dropped, and
            // `TrackerLink` closes a socket that failed, which the poller forgets by itself.
            unsafe { poller.add_with_mode(socket, interest, PollMode::Level) }
        } else {
            poller.modify_with_mode(socket, interest, PollMode::Level)
        };
        if let Err(error) = watched {
            tracing::error!(%error, "a tracker's socket cannot be watched");
        }
    }
}

/// Real-time scheduling for this thread, so that a busy machine does not disturb the sound. Needs
/// a privilege (CAP_SYS_NICE or an rtprio limit on Linux); without it the thread runs as it is.
fn ask_for_realtime() -> bool {
    #[cfg(target_os = "linux")]
    let asked = {
        use thread_priority::unix::{
            RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        use thread_priority::{ThreadPriority, ThreadPriorityValue};
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
        ThreadPriorityValue::try_from(10)
            .map_err(|e| e.to_string())
            .and_then(|value| {
                let priority = ThreadPriority::Crossplatform(value);
                set_thread_priority_and_policy(thread_native_id(), priority, policy)
                    .map_err(|e| e.to_string())
            })
    };
    #[cfg(not(target_os = "linux"))]
    let asked = thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Max)
        .map_err(|e| e.to_string());
    if let Err(error) = &asked {
        tracing::info!(error, "no real-time priority for the engine");
    }
    asked.is_ok()
}
