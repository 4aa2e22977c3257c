//! One of the node's TCP connections, to a tracker, to a relay, or with another node, in TLS if its address says so:
//! resolving, connecting, reading and writing without ever blocking. What the bytes mean is the business of others.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;

use polling::{Event as Readiness, PollMode, Poller};
use socket2::{Domain, Protocol, Socket, Type};

use super::tls::client::Client;
use super::tls::peer::PeerTls;
use super::tls::{Fault, Session};
use crate::directory::address::TrackerAddress;
use crate::directory::client::Loss;
use crate::error::Error;
use crate::id::PeerId;

/// Bytes that may wait to be sent: more means that the other side has stopped reading.
const MAX_WAITING: usize = 512 * 1024;
/// Bytes read in one go.
const CHUNK: usize = 16 * 1024;
/// Addresses of one name that are tried in turn.
const MAX_ADDRESSES: usize = 8;

/// What came of a step on the socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing new.
    Waiting,
    /// This address cannot be reached; there may be others.
    Failed,
    /// The connection stands.
    Connected,
    /// It is gone.
    Gone,
    /// Whoever is there is not whom we want, or cannot be understood.
    Refused(Loss),
}

/// A tracker or a relay to connect to.
pub(crate) struct Destination {
    host_and_port: String,
    tls: Option<Client>,
}

impl Destination {
    pub(super) fn host_and_port(&self) -> &str {
        &self.host_and_port
    }

    /// Gets ready for a tracker. Reads what is trusted from files: not for the engine's thread.
    pub(crate) fn of(address: TrackerAddress) -> Result<Self, Error> {
        Ok(Destination { tls: Client::of(&address)?, host_and_port: address.host_and_port })
    }
}

/// Who watches a link's socket, and under which key.
pub(super) struct Watcher {
    pub(super) poller: Arc<Poller>,
    pub(super) key: usize,
}

/// One link. Made anew for every attempt to connect.
pub(super) struct Link {
    socket: Option<TcpStream>,
    watcher: Watcher,
    /// For what the socket is watched: to be read, to be written.
    watched: Option<(bool, bool)>,
    /// The socket is connected; with TLS there is a handshake to come.
    reached: bool,
    connected: bool,
    addresses: Vec<SocketAddr>,
    waiting: Vec<u8>,
    tls: Option<Client>,
    session: Option<Session>,
    buffer: Vec<u8>,
}

impl Link {
    /// A link to any of these addresses. Nothing happens before [`Link::try_next`].
    pub(super) fn to(
        destination: &Destination,
        addresses: Vec<SocketAddr>,
        watcher: Watcher,
    ) -> Link {
        Link::new(destination.tls.clone(), addresses, watcher)
    }

    /// The same to another node.
    pub(super) fn to_peer(tls: &PeerTls, addresses: Vec<SocketAddr>, watcher: Watcher) -> Link {
        Link::new(Some(tls.client()), addresses, watcher)
    }

    /// With a node that came to us.
    pub(super) fn from_peer(
        tls: &PeerTls,
        socket: TcpStream,
        watcher: Watcher,
    ) -> io::Result<Link> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let session = tls.server().map_err(io::Error::other)?;
        let mut link = Link::new(None, Vec::new(), watcher);
        (link.socket, link.session, link.reached) = (Some(socket), Some(session), true);
        Ok(link)
    }

    fn new(tls: Option<Client>, addresses: Vec<SocketAddr>, watcher: Watcher) -> Link {
        Link {
            socket: None,
            watcher,
            watched: None,
            reached: false,
            connected: false,
            addresses,
            waiting: Vec::new(),
            tls,
            session: None,
            buffer: Vec::new(),
        }
    }

    /// Has the socket watched for what the link waits for now.
    pub(super) fn watch(&mut self) {
        let wanted = (self.reached, !self.reached || !self.waiting.is_empty());
        let Some(socket) = self.socket.as_ref().filter(|_| self.watched != Some(wanted)) else {
            return;
        };
        let Watcher { poller, key } = &self.watcher;
        let interest = Readiness::new(*key, wanted.0, wanted.1);
        let watched = match self.watched {
            // SAFETY: `let_go` deletes the socket from the poller before it is dropped.
            None => unsafe { poller.add_with_mode(socket, interest, PollMode::Level) },
            Some(_) => poller.modify_with_mode(socket, interest, PollMode::Level),
        };
        match watched {
            Ok(()) => self.watched = Some(wanted),
            Err(error) => tracing::error!(%error, "a connection's socket cannot be watched"),
        }
    }

    /// Closes the socket.
    fn let_go(&mut self) {
        if let Some(socket) = self.socket.take()
            && self.watched.take().is_some()
            && let Err(error) = self.watcher.poller.delete(&socket)
        {
            tracing::error!(%error, "a connection's socket was not watched");
        }
    }

    /// Whether messages can be exchanged.
    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// The key of the node at the other end, once connected.
    pub(super) fn peer(&self) -> Option<PeerId> {
        self.session.as_ref().filter(|_| self.connected).and_then(Session::peer)
    }

    /// Local and remote address once connected.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let socket = self.socket.as_ref().filter(|_| self.connected)?;
        Some((socket.local_addr().ok()?, socket.peer_addr().ok()?))
    }

    /// Begins to connect to the next address that lets us, over a new socket; the one before is
    /// closed. False if there is none left.
    pub(super) fn try_next(&mut self) -> bool {
        self.let_go();
        while self.socket.is_none() && !self.addresses.is_empty() {
            let address = self.addresses.remove(0);
            match begin(address) {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => tracing::debug!(%error, %address, "tracker not reached"),
            }
        }
        self.watch();
        self.socket.is_some()
    }

    /// The socket has something to tell while connecting: connected, a step further, or refused.
    pub(super) fn finish_connecting(&mut self) -> Progress {
        if self.reached {
            return self.shake_hands();
        }
        let Some(socket) = &self.socket else { return Progress::Gone };
        let failed = match socket.take_error() {
            Ok(None) => match socket.peer_addr() {
                Ok(_) => None,
                Err(e) if e.kind() == io::ErrorKind::NotConnected => return Progress::Waiting,
                Err(e) => Some(e),
            },
            Ok(Some(e)) | Err(e) => Some(e),
        };
        if let Some(error) = failed {
            tracing::debug!(%error, "tracker not reached");
            return Progress::Failed;
        }
        self.reached = true;
        let Some(Client { config, name }) = self.tls.take() else { return self.open() };
        match Session::client(config, name) {
            Ok(mut session) => {
                session.take_output(&mut self.waiting);
                self.session = Some(session);
                self.flush()
            }
            Err(error) => {
                tracing::error!(%error, "TLS cannot begin");
                Progress::Gone
            }
        }
    }

    fn shake_hands(&mut self) -> Progress {
        // What it may already say after the handshake comes with the first reading.
        let mut clear = std::mem::take(&mut self.buffer);
        let progress = match self.read_more(&mut clear) {
            Progress::Waiting => self.flush(),
            over => over,
        };
        self.buffer = clear;
        match progress {
            Progress::Waiting if !self.session.as_ref().is_some_and(Session::is_handshaking) => {
                self.open()
            }
            progress => progress,
        }
    }

    /// Messages can be exchanged.
    fn open(&mut self) -> Progress {
        self.connected = true;
        match self.flush() {
            Progress::Waiting => Progress::Connected,
            over => over,
        }
    }

    /// Queues bytes and sends what the socket takes.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Progress {
        if self.waiting.len() + bytes.len() > MAX_WAITING {
            return Progress::Gone;
        }
        if !self.connected {
            return Progress::Gone;
        }
        self.put(bytes);
        self.flush()
    }

    fn put(&mut self, bytes: &[u8]) {
        match &mut self.session {
            Some(session) => session.send(bytes, &mut self.waiting),
            None => self.waiting.extend_from_slice(bytes),
        }
    }

    /// Says that nothing more will come, and sends what the socket still takes.
    pub(super) fn close(&mut self) {
        if let Some(session) = &mut self.session {
            session.close();
            session.take_output(&mut self.waiting);
        }
        // Whether it goes out does not matter any more.
        let _ = self.flush();
    }

    /// Sends what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> Progress {
        let Some(socket) = &mut self.socket else { return Progress::Gone };
        let mut sent = 0;
        while sent < self.waiting.len() {
            match socket.write(&self.waiting[sent..]) {
                Ok(0) => return Progress::Gone,
                Ok(n) => sent += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Progress::Gone,
            }
        }
        self.waiting.drain(..sent);
        Progress::Waiting
    }

    /// Reads what is there, at most one chunk a call.
    pub(super) fn read(&mut self, into: &mut Vec<u8>) -> Progress {
        into.clear();
        into.append(&mut self.buffer);
        self.read_more(into)
    }

    /// The same, behind what is there.
    fn read_more(&mut self, into: &mut Vec<u8>) -> Progress {
        let Some(socket) = &mut self.socket else { return Progress::Gone };
        let begin = into.len();
        into.resize(begin + CHUNK, 0);
        let result = socket.read(into.get_mut(begin..).unwrap_or_default());
        into.truncate(begin + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => Progress::Gone,
            Ok(_) => self.decrypt(begin, into),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Progress::Waiting,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Progress::Waiting,
            Err(_) => Progress::Gone,
        }
    }

    /// What has been read from `begin` on becomes what it says.
    fn decrypt(&mut self, begin: usize, into: &mut Vec<u8>) -> Progress {
        let Some(session) = &mut self.session else { return Progress::Waiting };
        let encrypted = into.split_off(begin);
        let result = session.receive(&encrypted, into);
        session.take_output(&mut self.waiting);
        match result {
            Ok(()) => Progress::Waiting,
            Err(fault) => {
                // So that the tracker knows why; whether it goes out does not matter any more.
                let _ = self.flush();
                match fault {
                    Fault::Closed => Progress::Gone,
                    Fault::Untrusted(why) => Progress::Refused(Loss::Untrusted(why)),
                    Fault::Broken(why) => {
                        tracing::debug!(why, "TLS with a tracker failed");
                        Progress::Refused(Loss::Protocol)
                    }
                }
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
        #[cfg(unix)]
        Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(e) => return Err(e),
    }
    Ok(socket.into())
}

/// Looks a `host:port` up. Blocks: call it on a thread of its own unless [`literal`] knows it.
pub(super) fn resolve(address: &str) -> Vec<SocketAddr> {
    match address.to_socket_addrs() {
        Ok(found) => found.take(MAX_ADDRESSES).collect(),
        Err(error) => {
            tracing::debug!(%error, address, "tracker's name not resolved");
            Vec::new()
        }
    }
}

/// The address if it is one already.
pub(super) fn literal(address: &str) -> Option<SocketAddr> {
    address.parse().ok()
}
