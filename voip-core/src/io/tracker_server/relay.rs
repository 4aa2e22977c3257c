//! The sockets of the relay: one for each allocation.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use polling::{Event, PollMode, Poller};

use crate::io::datagrams::Datagrams;
use crate::relay::server::AllocationId;

/// How often to let the system choose a port before it is an even one.
const PORTS_TRIED: usize = 32;

#[derive(Default)]
pub(super) struct RelaySockets {
    sockets: BTreeMap<AllocationId, Datagrams>,
}

impl RelaySockets {
    #[expect(clippy::disallowed_methods, reason = "the place where the relay's sockets are made")]
    /// The port at which the socket of an allocation is bound now.
    pub(super) fn bind(
        &mut self,
        allocation: AllocationId,
        (local, even): (IpAddr, bool),
        key: usize,
        poller: &Poller,
    ) -> io::Result<u16> {
        let mut tries = if even { PORTS_TRIED } else { 1 };
        let (socket, port) = loop {
            let socket = UdpSocket::bind(SocketAddr::new(local, 0))?;
            let port = socket.local_addr()?.port();
            tries -= 1;
            if !even || port % 2 == 0 {
                break (socket, port);
            } else if tries == 0 {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
        };
        socket.set_nonblocking(true)?;
        let socket = Datagrams::new(socket)?;
        // SAFETY: a socket is deleted from the poller in `unbind` and `clear`, each before it is dropped.
        unsafe { poller.add_with_mode(&socket.socket, Event::readable(key), PollMode::Level)? };
        self.sockets.insert(allocation, socket);
        Ok(port)
    }

    pub(super) fn unbind(&mut self, allocation: AllocationId, poller: &Poller) {
        if let Some(socket) = self.sockets.remove(&allocation) {
            let _ = poller.delete(&socket.socket);
        }
    }

    pub(super) fn clear(&mut self, poller: &Poller) {
        for socket in std::mem::take(&mut self.sockets).into_values() {
            let _ = poller.delete(&socket.socket);
        }
    }

    /// A datagram that the system does not take is lost, as datagrams are.
    pub(super) fn send(&self, allocation: AllocationId, to: SocketAddr, bytes: &[u8]) {
        if let Some(socket) = self.sockets.get(&allocation) {
            socket.send(socket.local.ip(), to, bytes);
        }
    }

    pub(super) fn receive(
        &self,
        allocation: AllocationId,
        buffer: &mut [u8],
        mut handle: impl FnMut(SocketAddr, &[u8]),
    ) {
        if let Some(socket) = self.sockets.get(&allocation) {
            socket.receive(buffer, |from, _, bytes| handle(from, bytes));
        }
    }
}
