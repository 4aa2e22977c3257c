//! A node: one name and key, one port, its trackers, its calls.

mod builder;
mod contacts;
#[cfg(feature = "devices")]
mod devices;
mod pairing;
mod texts;
mod turn_server;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::call::{Call, CallShared, WeakCall};
use crate::engine::{CallKey, Command};
use crate::error::{Error, ErrorKind};
use crate::event::{CallState, Event, Peer};
use crate::frame::FrameDuration;
use crate::id::PeerId;
use crate::identity::pins::Pins;
use crate::io::deadline_after;
use crate::io::driver::{Listener, ManualPort, Request, Requests};
use crate::io::events::EventQueue;
use crate::io::history_file::HistoryFile;
use crate::io::lan::Lan;
use crate::io::pins_file::PinsFile;
use crate::stats::{CallStats, NodeStats};
use crate::text::{Text, TextId};
use crate::time::Duration;
use crate::wire::gossip::SignedMessage;
use crate::wire::tracker::Target;

pub use builder::{Audio, NodeBuilder};
use contacts::Contacts;
#[cfg(feature = "devices")]
pub use devices::devices;
use texts::Answers;

/// One participant: it has a name and a key, is registered at its trackers, and calls and is
/// called. Made by [`Node::builder`].
///
/// All methods may be used from any thread; those with a `timeout` block for at most so long, the
/// others not at all. Dropping a node ends its calls, leaves its trackers and stops its thread
/// within half a second.
pub struct Node {
    inner: Arc<Inner>,
    name: String,
    id: PeerId,
    local_address: SocketAddr,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the facade shares with the engine's thread.
struct Inner {
    requests: Requests,
    events: Arc<EventQueue<Event<QueuedCall>>>,
    calls: Mutex<HashMap<CallKey, Known>>,
    next_call: AtomicU64,
    board: Mutex<Board>,
    changed: Condvar,
    pins: Option<Arc<PinsFile>>,
    /// Until the node is closed.
    history: Mutex<Option<HistoryFile>>,
    lan: Mutex<Option<Lan>>,
    contacts: Mutex<Contacts>,
    /// Whether the node's kind of audio is sound cards.
    #[cfg(feature = "devices")]
    has_devices: bool,
    /// The rate of manual PCM, if that is the node's kind of audio.
    manual_rate: Option<u32>,
    frame: FrameDuration,
    auto_answer: bool,
    has_one_tracker: bool,
    is_in_mesh: bool,
    #[cfg(feature = "sim")]
    line: Option<crate::io::bad_line::LineCounts>,
}

/// A call that is not over.
struct Known {
    call: WeakCall,
    /// Holds an incoming call until its event is made, an automatically answered one to its end.
    kept: Option<Call>,
}

/// The call of an event that waits to be read. The event of a call that nobody holds any more must
/// not keep it up, but the first event of an incoming call is all there is to hold it.
struct QueuedCall {
    call: WeakCall,
    kept: Option<Call>,
}

impl QueuedCall {
    fn into_call(self) -> Call {
        self.kept.unwrap_or_else(|| self.call.upgrade())
    }
}

/// What the engine's thread has published.
#[derive(Default)]
struct Board {
    registered: BTreeSet<String>,
    registration_error: Option<Error>,
    lists: Answers<Vec<Peer>>,
    texts_sent: Answers<TextId>,
    texts_read: Answers<Vec<Text>>,
    stats: NodeStats,
    /// The engine's thread is over, or will be soon.
    closed: bool,
}

impl Node {
    /// Begins to describe a node. Names have 1 to 64 bytes of UTF-8 without control characters.
    pub fn builder(name: impl Into<String>) -> NodeBuilder {
        NodeBuilder::new(name.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// The local UDP address; of the IPv4 socket if there are two.
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Blocks until one tracker has accepted this node.
    ///
    /// # Errors
    /// After `timeout` the reason of the last refusal ([`ErrorKind::NameTaken`],
    /// [`ErrorKind::TrackerUnreachable`] …), or [`ErrorKind::TimedOut`]. A name that is taken is
    /// reported at once, and so is [`ErrorKind::TrackerUntrusted`] of an only tracker. The node keeps
    /// trying. [`ErrorKind::Closed`].
    pub fn wait_registered(&self, timeout: Duration) -> Result<(), Error> {
        self.check_process()?;
        let taken = |board: &Board| {
            board.registration_error.clone().filter(|e| match e.kind() {
                ErrorKind::NameTaken => true,
                ErrorKind::TrackerUntrusted => self.inner.has_one_tracker,
                _ => false,
            })
        };
        let mut board = self.inner.board.lock();
        let undecided = |board: &mut Board| {
            board.registered.is_empty() && taken(board).is_none() && !board.closed
        };
        self.inner.changed.wait_while_until(&mut board, undecided, deadline_after(timeout));
        if board.closed {
            return Err(Error::closed());
        }
        if !board.registered.is_empty() {
            return Ok(());
        }
        let unknown = || Error::new(ErrorKind::TimedOut, "no tracker has answered yet");
        Err(board.registration_error.clone().unwrap_or_else(unknown))
    }

    /// Who is online, by name: the lists of all trackers that answer and the nodes of the mesh, each peer
    /// once, this node included.
    ///
    /// # Errors
    /// [`ErrorKind::TrackerUnreachable`] with neither a tracker nor a mesh, [`ErrorKind::TimedOut`],
    /// [`ErrorKind::Closed`].
    pub fn peers(&self, timeout: Duration) -> Result<Vec<Peer>, Error> {
        self.check_process()?;
        let command = |request| Command::Peers { request };
        self.inner.ask(|board| &mut board.lists, command, timeout)
    }

    /// Calls somebody: a name, or a key as [`PeerId`] or its 64 hexadecimal digits. Returns at
    /// once; what becomes of the call is told by events and by [`Call::wait_answered`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no name, or this node's own;
    /// [`ErrorKind::Closed`].
    pub fn place(&self, target: &str) -> Result<Call, Error> {
        self.place_with(target, None)
    }

    /// [`Node::place`] for a call that rings for another time than the node's others, 1 s to 10 min.
    /// (The peer's program has a limit of its own.)
    ///
    /// # Errors
    /// As [`Node::place`]; [`ErrorKind::InvalidArgument`] for a time out of this range.
    pub fn place_for(&self, target: &str, ring_timeout: Duration) -> Result<Call, Error> {
        builder::check_ring_timeout(ring_timeout)?;
        self.place_with(target, Some(ring_timeout))
    }

    fn place_with(&self, target: &str, ring_timeout: Option<Duration>) -> Result<Call, Error> {
        let target = match PeerId::from_str(target) {
            Ok(id) => Target::Peer(id),
            Err(_) => {
                builder::check("name", target)?;
                Target::Name(target.to_owned())
            }
        };
        let name = match &target {
            Target::Name(name) => name.clone(),
            Target::Peer(id) => id.to_string(),
        };
        if target == Target::Peer(self.id) || name == self.name {
            return Err(Error::new(ErrorKind::InvalidArgument, "a node cannot call itself"));
        }
        let key = CallKey(self.inner.next_call.fetch_add(1, Ordering::Relaxed));
        let call = self.inner.adopt(key, CallState::Placing, name);
        if let Some(port) = self.inner.port_of(key) {
            self.inner.request(Request::Manual(key, port))?;
        }
        self.send(Command::Place { call: key, target, ring_timeout })?;
        Ok(call)
    }

    /// Calls somebody and blocks until the call is answered.
    ///
    /// # Errors
    /// As [`Node::place`] and [`Call::wait_answered`]; after `timeout` the call is hung up.
    pub fn call(&self, target: &str, timeout: Duration) -> Result<Call, Error> {
        let call = self.place(target)?;
        call.wait_answered(timeout)?;
        Ok(call)
    }

    /// The next event, waiting for at most `timeout`; `None` when there was none, or when the node is
    /// [closed](Node::is_closed) and all have been read.
    pub fn next_event(&self, timeout: Duration) -> Option<Event<Call>> {
        self.check_process().ok()?;
        let event = self.inner.events.next(timeout, || Event::Lagged)?;
        event.try_map(|call| Some(call.into_call()))
    }

    /// A descriptor that is readable while events wait, and once the node is closed: for poll, epoll
    /// and event loops. Only to wait on; read the events with [`Node::next_event`].
    #[cfg(unix)]
    pub fn event_descriptor(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.events.descriptor()
    }

    /// Makes the event descriptor unreadable though events wait: the next one makes it readable again.
    /// For an event loop in which somebody waits for what a call becomes, as [`Call::state`] tells it,
    /// and somebody else, later or never, reads the events.
    ///
    /// True if it was readable: then the loop may not have told yet whoever else waits for it, and
    /// has to do so now.
    #[cfg(unix)]
    pub fn rest_event_descriptor(&self) -> bool {
        self.check_process().is_ok() && self.inner.events.rest()
    }

    /// Statistics, at most 0.2 s old.
    pub fn stats(&self) -> NodeStats {
        let mut stats = self.inner.board.lock().stats.clone();
        stats.events_dropped = self.inner.events.dropped();
        stats
    }

    /// What the node's bad line did to the sound it sent: see [`NodeBuilder::line`]. `None` without
    /// one.
    #[cfg(feature = "sim")]
    pub fn line_stats(&self) -> Option<crate::line::LineStats> {
        self.inner.line.as_ref().map(|counts| *counts.lock())
    }

    /// Ends all calls, leaves the trackers and the mesh and stops, within half a second, and two more where
    /// the disk is slow and [texts are kept](NodeBuilder::history_file). The same as dropping the
    /// node, but other threads may be using it: whoever waits for something of it returns. A second
    /// time does nothing.
    pub fn close(&self) {
        // After a fork the thread exists in the parent only.
        if !self.inner.requests.is_in_this_process() {
            return;
        }
        self.inner.requests.send(Request::Stop);
        let lan = self.inner.lan.lock().take();
        drop(lan);
        self.inner.close_board();
        let mut thread = self.thread.lock();
        if let Some(thread) = thread.take() {
            // A panic of the thread has been reported by its own hook.
            let _ = thread.join();
            if let Some(file) = &self.inner.pins {
                file.settle();
            }
            drop(self.inner.history.lock().take());
        }
    }

    /// Whether the node has stopped: it was closed, or belongs to another process. Events that it
    /// left can still be read, but no more will come.
    pub fn is_closed(&self) -> bool {
        !self.inner.requests.is_in_this_process() || self.inner.events.is_closed()
    }

    fn check_process(&self) -> Result<(), Error> {
        if self.inner.requests.is_in_this_process() { Ok(()) } else { Err(Error::closed()) }
    }

    fn send(&self, command: Command) -> Result<(), Error> {
        self.inner.request(Request::Command(command))
    }
}

impl Inner {
    fn request(&self, request: Request) -> Result<(), Error> {
        if self.requests.send(request) { Ok(()) } else { Err(Error::closed()) }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Nobody waits for trackers any more.
    fn close_board(&self) {
        self.board.lock().closed = true;
        self.changed.notify_all();
    }

    /// Makes the first handle of a call and remembers the call until it ends.
    fn adopt(&self, key: CallKey, state: CallState, name: String) -> Call {
        let port = self.manual_rate.map(|rate| Arc::new(ManualPort::new(rate, self.frame)));
        let shared = CallShared::new(key, state, name, self.requests.clone(), port);
        let call = Call::holding(shared);
        self.calls.lock().insert(key, Known { call: call.downgrade(), kept: None });
        call
    }

    fn port_of(&self, key: CallKey) -> Option<Arc<ManualPort>> {
        self.calls.lock().get(&key).and_then(|known| known.call.shared.manual())
    }

    /// The engine's event as the user gets it, with a handle for its key.
    fn deliver(&self, event: Event<CallKey>) {
        let can_be_read_again = event.can_be_read_again();
        let mut queued = event.call().and_then(|key| self.follow(*key, &event));
        if let Some(event) = event.try_map(|_| queued.take()) {
            self.events.push(event, can_be_read_again);
        }
    }

    /// Brings what is known of a call up to date; returns what its event is to hold.
    fn follow(&self, key: CallKey, event: &Event<CallKey>) -> Option<QueuedCall> {
        let mut calls = self.calls.lock();
        let known = calls.get_mut(&key)?;
        known.call.shared.follow(event);
        let call = known.call.clone();
        let kept = match event {
            // An automatically answered call stays up though nobody may ever look at its events.
            Event::Incoming { .. } if self.auto_answer => known.kept.clone(),
            Event::Incoming { .. } => known.kept.take(),
            Event::Ended { .. } => {
                let gone = calls.remove(&key);
                // What it holds hangs up when it goes: not under the lock.
                drop(calls);
                drop(gone);
                None
            }
            _ => None,
        };
        Some(QueuedCall { call, kept })
    }
}

/// What the engine's thread tells.
struct Reporter(Arc<Inner>);

impl Reporter {
    fn post(&self, change: impl FnOnce(&mut Board)) {
        change(&mut self.0.board.lock());
        self.0.changed.notify_all();
    }
}

impl Drop for Reporter {
    /// The engine's thread is over: mostly because the node was closed and all calls have ended,
    /// but even after a bug nobody may wait for it for ever.
    fn drop(&mut self) {
        let left = std::mem::take(&mut *self.0.calls.lock());
        for known in left.values() {
            known.call.shared.abandon();
        }
        self.0.close_board();
        self.0.events.close();
    }
}

impl Listener for Reporter {
    fn event(&self, event: Event<CallKey>) {
        match &event {
            Event::Registered { tracker, .. } => self.post(|board| {
                board.registered.insert(tracker.clone());
                board.registration_error = None;
            }),
            Event::TrackerLost { tracker, error } => self.post(|board| {
                board.registered.remove(tracker);
                board.registration_error = Some(error.clone());
            }),
            _ => {}
        }
        self.0.deliver(event);
    }

    fn call_peer(&self, call: CallKey, name: String, id: PeerId) {
        let known = self.0.calls.lock().get(&call).map(|known| known.call.shared.clone());
        match known {
            Some(shared) => shared.set_peer(name, id),
            None => {
                let handle = self.0.adopt(call, CallState::Ringing, name.clone());
                if let Some(known) = self.0.calls.lock().get_mut(&call) {
                    known.call.shared.set_peer(name, id);
                    known.kept = Some(handle);
                }
            }
        }
    }

    fn call_stats(&self, call: CallKey, stats: CallStats) {
        if let Some(known) = self.0.calls.lock().get(&call) {
            known.call.shared.set_stats(stats);
        }
    }

    fn node_stats(&self, stats: NodeStats) {
        self.post(|board| board.stats = stats);
    }

    fn peers(&self, request: u64, result: Result<Vec<Peer>, Error>) {
        self.post(|board| board.lists.answer(request, result));
    }

    fn text_sent(&self, request: u64, result: Result<TextId, Error>) {
        self.post(|board| board.texts_sent.answer(request, result));
    }

    fn texts(&self, request: u64, result: Result<Vec<Text>, Error>) {
        self.post(|board| board.texts_read.answer(request, result));
    }

    fn keep_text(&self, message: SignedMessage) {
        if let Some(file) = &*self.0.history.lock()
            && !file.keep(message)
        {
            tracing::warn!("the disk is too slow for the history: a text is not kept");
        }
    }

    fn save_pins(&self, pins: Pins, changes: u64) {
        self.0.contacts.lock().follow(&pins, changes);
        if let Some(file) = &self.0.pins {
            file.save(pins);
        }
    }

    fn manual_port(&self, call: CallKey) -> Option<Arc<ManualPort>> {
        self.0.port_of(call)
    }
}
