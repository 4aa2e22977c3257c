//! The tracker's sockets: binding them, and one connection's queue of what is to be sent.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use polling::{Event, PollMode, Poller};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::stream::{Offer, Stream};
use crate::directory::server::ConnId;
use crate::error::{Error, ErrorKind};
use crate::io::datagrams::Datagrams;
use crate::time::Instant;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;
/// What the system keeps of one connection's unsent bytes. It would go up to megabytes for a peer
/// that does not read.
const SEND_BUFFER: usize = 64 * 1024;
/// How often to let the system choose a port before one is free for TCP and UDP.
const PORTS_TRIED: usize = 16;

/// A port at which the tracker is reached, by TCP and UDP.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) datagrams: Datagrams,
}

/// A listener and a UDP socket on the same port. Bound to `[::]` they take IPv4 too.
pub(super) fn bind(address: SocketAddr) -> Result<Door, Error> {
    let tries = if address.port() == 0 { PORTS_TRIED } else { 1 };
    let mut tried = bind_both(address);
    for _ in 1..tries {
        if tried.is_ok() {
            break;
        }
        tried = bind_both(address);
    }
    tried.map_err(|e| explain(address, &e))
}

fn bind_both(address: SocketAddr) -> io::Result<Door> {
    let tcp = socket(address, Type::STREAM, Protocol::TCP)?;
    // On Unix: not to wait for the last connections of a tracker that was stopped just now.
    // Elsewhere the same option would let two programs share the port.
    #[cfg(unix)]
    tcp.set_reuse_address(true)?;
    tcp.bind(&address.into())?;
    tcp.listen(BACKLOG)?;
    let listener = TcpListener::from(tcp);
    let bound = listener.local_addr()?;
    let udp = socket(bound, Type::DGRAM, Protocol::UDP)?;
    udp.bind(&bound.into())?;
    Ok(Door { listener, datagrams: Datagrams::new(udp.into())? })
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn explain(address: SocketAddr, e: &io::Error) -> Error {
    let (kind, why) = match e.kind() {
        io::ErrorKind::AddrInUse => {
            (ErrorKind::AddressInUse, "another program uses it: choose another port".to_owned())
        }
        io::ErrorKind::AddrNotAvailable => {
            (ErrorKind::InvalidArgument, "it is not an address of this machine".to_owned())
        }
        _ => (ErrorKind::System, e.to_string()),
    };
    Error::new(kind, format!("cannot listen on {address}: {why}"))
}

/// Something that holds a descriptor for when there are no others.
pub(super) fn reserve_descriptor() -> Option<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM, None).ok()
}

/// One connection.
pub(super) struct Peer {
    pub(super) socket: TcpStream,
    /// What the bytes of the socket say.
    pub(super) stream: Stream,
    /// Until when it may say nothing without being greeted.
    pub(super) greeted_at: Instant,
    queue: VecDeque<Arc<[u8]>>,
    /// How much of the queue's first has been sent.
    sent: usize,
    /// Bytes in the queue that have not been sent.
    waiting: usize,
    /// Whether the poller tells when it can be written.
    is_watched_for_writing: bool,
}

impl Peer {
    pub(super) fn new(
        socket: TcpStream,
        conn: ConnId,
        offer: Offer,
        poller: &Poller,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER)?;
        let key = super::key(super::CONNECTION, conn.0);
        // SAFETY: a `Peer` is deleted from the poller in `close` or when the worker is dropped,
        // each before its socket is.
        unsafe { poller.add_with_mode(&socket, Event::readable(key), PollMode::Level)? };
        Ok(Peer {
            socket,
            stream: Stream::new(offer),
            greeted_at: Instant::FAR_FUTURE,
            queue: VecDeque::new(),
            sent: 0,
            waiting: 0,
            is_watched_for_writing: false,
        })
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Bytes that the peer has not taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Sends as much as the connection takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        for bytes in self.stream.drain_output() {
            self.waiting += bytes.len();
            self.queue.push_back(bytes);
        }
        while let Some(first) = self.queue.front() {
            match self.socket.write(first.get(self.sent..).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => {
                    self.sent += len;
                    self.waiting -= len;
                    if self.sent >= first.len() {
                        self.sent = 0;
                        self.queue.pop_front();
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Has the poller tell when more can be sent, exactly while there is more to send.
    pub(super) fn watch(&mut self, conn: ConnId, poller: &Poller) -> io::Result<()> {
        let wants_writing = self.waiting > 0;
        if wants_writing != self.is_watched_for_writing {
            let interest = Event::new(super::key(super::CONNECTION, conn.0), true, wants_writing);
            poller.modify_with_mode(&self.socket, interest, PollMode::Level)?;
            self.is_watched_for_writing = wants_writing;
        }
        Ok(())
    }

    pub(super) fn close(self, poller: &Poller) {
        // Both may fail when the other side was first.
        let _ = poller.delete(&self.socket);
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}
