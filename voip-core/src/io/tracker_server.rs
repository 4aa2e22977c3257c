//! A tracker on real sockets: one thread, `voip-tracker`, that owns them and the state machine.
//!
//! TCP for the tracker protocol, plain, in TLS or in WebSockets ([`stream`]), and, on the same port
//! number, UDP for STUN. When the system has no
//! descriptor left, the thread gives up one kept in reserve to turn the waiting away, and pauses
//! accepting for a while; those connected notice nothing.

mod relay;
mod sockets;
pub(crate) mod stream;
mod websocket;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use polling::{Event, Events, PollMode, Poller};

use self::relay::RelaySockets;
use self::sockets::{Door, Peer, reserve_descriptor};
pub(crate) use self::stream::Offer;
use self::stream::{Fault, Tally};
use super::clock::Clock;
use super::datagrams::BATCH;
use super::random::OsRandom;
use super::spawn;
use crate::directory::server::{Config, ConnId, Output, Server, TrackerEvent, TrackerStats};
use crate::error::{Error, ErrorKind};
use crate::relay::server::{self as relaying, AllocationId, Via};
use crate::time::{Duration, Instant};

/// Events kept for whoever fetches them; then the oldest go.
const MAX_EVENTS: usize = 4096;
/// How long not to accept once the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may say nothing before it counts as one that waits to be greeted.
const GREETED_AFTER: Duration = Duration::from_millis(250);
/// What one socket may do before the others have their turn.
const TURN: usize = 64;

/// Bytes that may wait for a client of the relay which does not read: half a second at 100 kbit/s.
const RELAY_BACKLOG: usize = 8 * 1024;
/// Bytes read of a connection in one go.
const CHUNK: usize = 16 * 1024;

/// What a key at the poller is: four times a number, and which of these kinds it counts.
const LISTENER: usize = 0;
const DATAGRAMS: usize = 1;
const CONNECTION: usize = 2;
const ALLOCATION: usize = 3;
const KINDS: usize = 4;

fn key(kind: usize, number: u64) -> usize {
    KINDS * number as usize + kind
}

/// What the thread and the handle share.
struct Shared {
    poller: Poller,
    is_stopping: AtomicBool,
    report: Mutex<Report>,
    news: Condvar,
}

#[derive(Default)]
struct Report {
    events: VecDeque<TrackerEvent>,
    events_dropped: u64,
    stats: TrackerStats,
    is_over: bool,
}

/// A running tracker. Dropping it stops it.
pub(crate) struct TrackerServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    thread: Mutex<Option<JoinHandle<()>>>,
    process: u32,
}

impl TrackerServer {
    /// Binds and starts. With port 0 the system chooses one that is free for TCP and UDP.
    /// The first address is the one that [`TrackerServer::address`] tells.
    pub(crate) fn start(bind: &[SocketAddr], config: Config, offer: Offer) -> Result<Self, Error> {
        let doors = bind.iter().map(|bind| sockets::bind(*bind)).collect::<Result<Vec<_>, _>>()?;
        let address = doors.first().map(|door| door.datagrams.local);
        let address = address
            .ok_or_else(|| system("to listen nowhere", io::ErrorKind::InvalidInput.into()))?;
        let rng = OsRandom::new()?;
        let shared = Arc::new(Shared {
            poller: Poller::new().map_err(|e| system("a poller", e))?,
            is_stopping: AtomicBool::new(false),
            report: Mutex::default(),
            news: Condvar::new(),
        });
        let server = Server::new(config, Box::new(rng));
        let worker = Worker::new(shared.clone(), doors, server, offer)
            .map_err(|e| system("watching the sockets", e))?;
        let thread = spawn("voip-tracker", move || worker.run())?;
        let process = std::process::id();
        Ok(TrackerServer { shared, address, thread: Mutex::new(Some(thread)), process })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next event; `None` when there was none in `timeout`, or the tracker has stopped.
    pub(crate) fn next_event(&self, timeout: Duration) -> Option<TrackerEvent> {
        if !self.is_in_this_process() {
            return None;
        }
        let mut report = self.shared.report.lock();
        let is_waiting = |report: &mut Report| report.events.is_empty() && !report.is_over;
        self.shared.news.wait_while_for(&mut report, is_waiting, timeout);
        report.events.pop_front()
    }

    /// Whether its thread is over, or in another process.
    pub(crate) fn is_over(&self) -> bool {
        !self.is_in_this_process() || self.shared.report.lock().is_over
    }

    /// After a fork the thread exists in the parent only, and locks may be held by threads that do not
    /// exist either.
    fn is_in_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    pub(crate) fn stats(&self) -> TrackerStats {
        self.shared.report.lock().stats
    }

    /// Stops, and waits for the thread, which never waits for anything but its sockets.
    pub(crate) fn stop(&self) {
        if !self.is_in_this_process() {
            return;
        }
        self.shared.is_stopping.store(true, Ordering::Release);
        if let Err(e) = self.shared.poller.notify() {
            tracing::warn!("the tracker's thread could not be woken: {e}");
        }
        if self.thread.lock().take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the tracker's thread panicked");
        }
    }
}

impl Drop for TrackerServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn system(what: &str, e: io::Error) -> Error {
    Error::new(ErrorKind::System, format!("the system refused {what}: {e}"))
}

/// What the thread owns.
struct Worker {
    shared: Arc<Shared>,
    doors: Vec<Door>,
    relayed: RelaySockets,
    server: Server,
    clock: Clock,
    offer: Offer,
    peers: BTreeMap<ConnId, Peer>,
    /// Until when who has said nothing need not be greeted, oldest first.
    ungreeted: VecDeque<(Instant, ConnId)>,
    tally: Tally,
    /// Peers that have something to be sent.
    unsent: BTreeSet<ConnId>,
    next_conn: u64,
    reserve: Option<socket2::Socket>,
    /// Not accepting until then.
    paused_until: Option<Instant>,
    accept_pauses: u64,
    buffer: Vec<u8>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.peers.values().for_each(|peer| {
            let _ = self.shared.poller.delete(&peer.socket);
        });
        for door in &self.doors {
            let _ = self.shared.poller.delete(&door.listener);
            let _ = self.shared.poller.delete(&door.datagrams.socket);
        }
        self.relayed.clear(&self.shared.poller);
        let mut report = self.shared.report.lock();
        report.is_over = true;
        self.shared.news.notify_all();
    }
}

impl Worker {
    fn new(
        shared: Arc<Shared>,
        doors: Vec<Door>,
        server: Server,
        offer: Offer,
    ) -> io::Result<Self> {
        let worker = Worker {
            shared,
            buffer: vec![
                0;
                doors
                    .iter()
                    .map(|door| BATCH * door.datagrams.room())
                    .fold(CHUNK, usize::max)
            ],
            doors,
            relayed: RelaySockets::default(),
            server,
            clock: Clock::new(),
            offer,
            peers: BTreeMap::new(),
            ungreeted: VecDeque::new(),
            tally: Tally::default(),
            unsent: BTreeSet::new(),
            next_conn: 1,
            reserve: reserve_descriptor(),
            paused_until: None,
            accept_pauses: 0,
        };
        let poller = &worker.shared.poller;
        for (i, door) in (0..).zip(&worker.doors) {
            let (listener, datagrams) = (key(LISTENER, i), key(DATAGRAMS, i));
            // SAFETY: dropping the worker, which owns both sockets, deletes them from the poller first.
            unsafe {
                poller.add_with_mode(&door.listener, Event::readable(listener), PollMode::Level)?;
                let socket = &door.datagrams.socket;
                poller.add_with_mode(socket, Event::readable(datagrams), PollMode::Level)?;
            }
        }
        Ok(worker)
    }

    fn run(mut self) {
        let mut events = Events::new();
        while !self.shared.is_stopping.load(Ordering::Acquire) {
            events.clear();
            match self.shared.poller.wait(&mut events, self.patience()) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    tracing::error!("the tracker cannot watch its sockets any more: {e}");
                    return;
                }
            }
            for event in events.iter() {
                let number = event.key / KINDS;
                match event.key % KINDS {
                    LISTENER => self.accept(number),
                    DATAGRAMS => self.receive_datagrams(number),
                    CONNECTION => self.serve(ConnId(number as u64), event),
                    _ => self.receive_relayed(AllocationId(number as u64)),
                }
            }
            let now = self.clock.now();
            self.greet_the_silent(now);
            self.server.handle_timeout(now);
            self.resume_accepting(now);
            self.carry_out();
        }
    }

    /// How long there is nothing to do unless something arrives.
    fn patience(&self) -> Option<Duration> {
        let ungreeted = self.ungreeted.front().map_or(Instant::FAR_FUTURE, |(until, _)| *until);
        let paused = self.paused_until.unwrap_or(Instant::FAR_FUTURE);
        let wake = self.server.next_timeout().min(ungreeted).min(paused);
        (wake < Instant::FAR_FUTURE).then(|| wake.since(self.clock.now()))
    }

    fn accept(&mut self, door: usize) {
        for _ in 0..TURN {
            let Some(accepted) = self.doors.get(door).map(|door| door.listener.accept()) else {
                return;
            };
            match accepted {
                Ok((stream, from)) => {
                    let conn = ConnId(self.next_conn);
                    self.next_conn += 1;
                    let local = stream.local_addr();
                    let peer = local.and_then(|local| {
                        let offer = self.offer.clone();
                        Ok((Peer::new(stream, conn, offer, &self.shared.poller)?, local))
                    });
                    match peer {
                        Ok((peer, local)) => {
                            self.peers.insert(conn, peer);
                            let (now, wall) = (self.clock.now(), self.clock.wall());
                            self.greet_later(now, conn);
                            self.server.handle_connected(now, wall, conn, from, local);
                        }
                        Err(e) => {
                            tracing::debug!("a connection from {from} was not to be had: {e}")
                        }
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if is_of_one_connection(&e) => {}
                Err(e) => return self.pause_accepting(&e),
            }
        }
    }

    /// The system has no descriptor left, or no memory: turns away who waits, and accepts nobody
    /// for a while.
    fn pause_accepting(&mut self, e: &io::Error) {
        tracing::warn!("no connections are accepted for {ACCEPT_PAUSE:?}: {e}");
        self.accept_pauses += 1;
        self.publish_stats();
        self.reserve = None;
        for door in &self.doors {
            for _ in 0..TURN {
                if door.listener.accept().is_err() {
                    break;
                }
            }
        }
        self.reserve = reserve_descriptor();
        self.paused_until = Some(self.clock.now() + ACCEPT_PAUSE);
        self.watch_listeners(Event::none);
    }

    fn resume_accepting(&mut self, now: Instant) {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.watch_listeners(Event::readable);
        }
    }

    fn watch_listeners(&self, interest: impl Fn(usize) -> Event) {
        for (i, door) in (0..).zip(&self.doors) {
            let interest = interest(key(LISTENER, i));
            let poller = &self.shared.poller;
            if let Err(e) = poller.modify_with_mode(&door.listener, interest, PollMode::Level) {
                tracing::error!("a listener of the tracker is lost: {e}");
            }
        }
    }

    fn receive_datagrams(&mut self, door: usize) {
        let (server, clock) = (&mut self.server, &self.clock);
        let Some(door) = self.doors.get(door) else { return };
        door.datagrams.receive(&mut self.buffer, |from, local, datagram| {
            server.handle_datagram(clock.now(), from, local, datagram);
        });
    }

    fn receive_relayed(&mut self, allocation: AllocationId) {
        let (server, clock) = (&mut self.server, &self.clock);
        self.relayed.receive(allocation, &mut self.buffer, |from, datagram| {
            server.handle_relayed(clock.now(), allocation, from, datagram);
        });
    }

    /// A connection can be read or written.
    fn serve(&mut self, conn: ConnId, event: Event) {
        if event.writable {
            self.unsent.insert(conn);
        }
        if !event.readable {
            return;
        }
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        match peer.read(&mut self.buffer) {
            Ok(0) => self.end(conn),
            Ok(len) => self.take(conn, len),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.end(conn),
        }
        // What one peer's request sends to many is on its way before the next is heard.
        self.carry_out();
    }

    /// So many bytes of a connection are in the buffer.
    fn take(&mut self, conn: ConnId, len: usize) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let (was_unknown, limit) = (peer.stream.is_unknown(), self.server.frame_limit(conn));
        let bytes = self.buffer.get(..len).unwrap_or_default();
        let mut frames = Vec::new();
        let result = peer.stream.receive(bytes, limit, &mut frames, &mut self.tally);
        let now = self.clock.now();
        let begins_anew = peer.stream.is_unknown() && !was_unknown;
        let is_websocket = peer.stream.is_websocket();
        if begins_anew {
            self.greet_later(now, conn);
        }
        self.unsent.insert(conn);
        // Relays are not reached by WebSockets: who comes by one waits to be greeted.
        if is_websocket {
            self.server.handle_waiting(now, self.clock.wall(), conn);
        }
        if !frames.is_empty() {
            self.server.handle_bytes(now, self.clock.wall(), conn, &frames);
        }
        match result {
            Ok(()) => {}
            Err(Fault::NotEncrypted) => self.server.handle_insecure(conn),
            Err(Fault::Closed | Fault::Handshake | Fault::Broken) => {
                // What the connection still takes of why it ends.
                let _ = self.peers.get_mut(&conn).map(Peer::flush);
                self.end(conn);
            }
        }
    }

    /// A connection, or the connection within TLS, begins: it has a while to say what it speaks.
    fn greet_later(&mut self, now: Instant, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.greeted_at = now + GREETED_AFTER;
            self.ungreeted.push_back((peer.greeted_at, conn));
        }
    }

    /// Who has said nothing waits to be greeted.
    fn greet_the_silent(&mut self, now: Instant) {
        while let Some(&(until, conn)) = self.ungreeted.front()
            && until <= now
        {
            self.ungreeted.pop_front();
            let Some(peer) = self.peers.get_mut(&conn) else { continue };
            if peer.greeted_at > now {
                continue;
            }
            self.unsent.insert(conn);
            match peer.stream.assume_frames() {
                Ok(()) => self.server.handle_waiting(now, self.clock.wall(), conn),
                Err(_) => self.server.handle_insecure(conn),
            }
        }
    }

    fn end(&mut self, conn: ConnId) {
        self.server.handle_closed(conn);
        self.close(conn);
    }

    fn close(&mut self, conn: ConnId) {
        self.unsent.remove(&conn);
        if let Some(peer) = self.peers.remove(&conn) {
            peer.close(&self.shared.poller);
        }
    }

    /// Does what the state machine wants done, until it wants no more. The counters are published
    /// before anybody can have an answer.
    fn carry_out(&mut self) {
        loop {
            self.publish_stats();
            while let Some(output) = self.server.poll() {
                self.carry_out_one(output);
            }
            if self.unsent.is_empty() {
                return;
            }
            std::mem::take(&mut self.unsent).into_iter().for_each(|conn| self.flush(conn));
        }
    }

    fn carry_out_one(&mut self, output: Output) {
        match output {
            Output::Send { conn, bytes } => {
                if let Some(peer) = self.peers.get_mut(&conn) {
                    peer.stream.send(bytes);
                    self.unsent.insert(conn);
                }
            }
            Output::Close { conn } => {
                if let Some(peer) = self.peers.get_mut(&conn) {
                    peer.stream.close();
                    // Whether all of it went: the connection is given up either way.
                    let _ = peer.flush();
                }
                self.close(conn);
            }
            Output::Datagram { to, local, bytes } => self.send_datagram(local, to, &bytes),
            Output::Relay(output) => self.carry_out_relay(output),
            Output::Event(event) => self.publish(event),
        }
    }

    fn send_datagram(&self, local: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let is_its = |door: &&Door| door.datagrams.local.port() == local.port();
        if let Some(door) = self.doors.iter().find(is_its) {
            door.datagrams.send(local.ip(), to, bytes);
        }
    }

    fn carry_out_relay(&mut self, output: relaying::Output) {
        match output {
            relaying::Output::ToClient { via: Via::Datagrams(to), local, bytes } => {
                self.send_datagram(local, to, &bytes);
            }
            relaying::Output::ToClient { via: Via::Stream(stream), bytes, .. } => {
                let conn = ConnId(stream.0);
                // What comes late is of no use: better that it does not come.
                let waiting = self.peers.get(&conn).map_or(0, Peer::waiting);
                if waiting > RELAY_BACKLOG {
                    return;
                }
                self.carry_out_one(Output::Send { conn, bytes: bytes.into() });
            }
            relaying::Output::ToPeer { allocation, to, bytes } => {
                self.relayed.send(allocation, to, &bytes);
            }
            relaying::Output::Bind { allocation, local, even } => {
                let key = key(ALLOCATION, allocation.0);
                let bound = self.relayed.bind(allocation, (local, even), key, &self.shared.poller);
                if let Err(error) = &bound {
                    tracing::warn!(%error, "no socket for an allocation of the relay");
                }
                self.server.handle_bound(self.clock.now(), allocation, bound.ok());
            }
            relaying::Output::Unbind { allocation } => {
                self.relayed.unbind(allocation, &self.shared.poller);
            }
        }
    }

    /// Sends what the connection takes, and watches for when it takes more.
    fn flush(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let flushed = peer.flush().and_then(|()| peer.watch(conn, &self.shared.poller));
        match flushed {
            Ok(()) => {
                let waiting = peer.waiting();
                self.server.handle_backlog(conn, waiting);
            }
            Err(_) => self.end(conn),
        }
    }

    fn publish(&self, event: TrackerEvent) {
        let mut report = self.shared.report.lock();
        if report.events.len() >= MAX_EVENTS {
            report.events.pop_front();
            report.events_dropped += 1;
        }
        report.events.push_back(event);
        self.shared.news.notify_one();
    }

    fn publish_stats(&self) {
        let mut report = self.shared.report.lock();
        let stats = self.server.stats();
        report.stats = TrackerStats {
            accept_pauses: self.accept_pauses,
            events_dropped: report.events_dropped,
            tls: self.tally.tls,
            websockets: self.tally.websockets,
            handshakes_failed: self.tally.handshakes_failed,
            malformed: stats.malformed + self.tally.broken,
            ..stats
        };
    }
}

/// Whether an error of `accept` tells of the connection that was to be accepted.
fn is_of_one_connection(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(e.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
