//! The node's TCP connection to one tracker: resolving, connecting, reading and writing without
//! ever blocking. What the bytes mean is the business of `directory`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// Bytes that may wait to be sent: more means that the tracker has stopped reading.
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
}

/// One link. Made anew for every attempt to connect.
pub(super) struct TrackerLink {
    socket: Option<TcpStream>,
    connected: bool,
    addresses: Vec<SocketAddr>,
    waiting: Vec<u8>,
}

impl TrackerLink {
    /// A link to any of these addresses. Nothing happens before [`TrackerLink::try_next`].
    pub(super) fn to(addresses: Vec<SocketAddr>) -> TrackerLink {
        TrackerLink { socket: None, connected: false, addresses, waiting: Vec::new() }
    }

    /// The socket to poll: for writing until connected, and while bytes wait.
    pub(super) fn socket(&self) -> Option<&TcpStream> {
        self.socket.as_ref()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    pub(super) fn wants_write(&self) -> bool {
        !self.connected || !self.waiting.is_empty()
    }

    /// Local and remote address once connected.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let socket = self.socket.as_ref().filter(|_| self.connected)?;
        Some((socket.local_addr().ok()?, socket.peer_addr().ok()?))
    }

    /// Begins to connect to the next address that lets us, over a new socket; the one before is
    /// closed. False if there is none left.
    pub(super) fn try_next(&mut self) -> bool {
        self.socket = None;
        while self.socket.is_none() && !self.addresses.is_empty() {
            let address = self.addresses.remove(0);
            match begin(address) {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => tracing::debug!(%error, %address, "tracker not reached"),
            }
        }
        self.socket.is_some()
    }

    /// The socket has something to tell while connecting: connected, or refused.
    pub(super) fn finish_connecting(&mut self) -> Progress {
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
        self.connected = true;
        Progress::Connected
    }

    /// Queues bytes and sends what the socket takes.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Progress {
        if self.waiting.len() + bytes.len() > MAX_WAITING {
            return Progress::Gone;
        }
        self.waiting.extend_from_slice(bytes);
        if self.connected { self.flush() } else { Progress::Waiting }
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
        let Some(socket) = &mut self.socket else { return Progress::Gone };
        into.resize(CHUNK, 0);
        let result = socket.read(into);
        into.truncate(*result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => Progress::Gone,
            Ok(_) => Progress::Waiting,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Progress::Waiting,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Progress::Waiting,
            Err(_) => Progress::Gone,
        }
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
