//! A UDP socket that knows, of every datagram, to which local address it came, and sends from that address (packet
//! info, RFC 3542 §6).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};

/// Longer than any datagram a peer may send: larger ones are cut by the kernel and then dropped as malformed.
const DATAGRAM: usize = 2048;
/// Datagrams taken from the kernel at once.
pub(crate) const BATCH: usize = 8;
/// How often datagrams are taken in one go, so that a flood on one socket cannot starve the rest of the loop.
const BUDGET: usize = 64;

pub(crate) struct Datagrams {
    pub(crate) socket: UdpSocket,
    pub(crate) local: SocketAddr,
    state: UdpSocketState,
}

impl Datagrams {
    /// `socket` is bound and does not block.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        Ok(Datagrams { socket, local, state })
    }

    /// Bytes of the buffer that [`Datagrams::receive`] wants; with a multiple of them it takes as many datagrams from the
    /// kernel at once, 8 at most.
    pub(crate) fn room(&self) -> usize {
        DATAGRAM * self.state.gro_segments()
    }

    /// Reads what has come and hands it on: source, destination, bytes. True if there may be more.
    pub(crate) fn receive(
        &self,
        buffer: &mut [u8],
        mut handle: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) -> bool {
        let slots = (buffer.len() / self.room()).clamp(1, BATCH);
        for _ in 0..BUDGET {
            let mut metas = [RecvMeta::default(); BATCH];
            let received = {
                let mut parts = buffer.chunks_mut(self.room());
                let mut slices =
                    [(); BATCH].map(|()| IoSliceMut::new(parts.next().unwrap_or_default()));
                let (slices, metas) = (&mut slices[..slots], &mut metas[..slots]);
                self.state.recv(UdpSockRef::from(&self.socket), slices, metas)
            };
            match received {
                Ok(count) => {
                    for (meta, part) in metas.iter().zip(buffer.chunks(self.room())).take(count) {
                        let ip = meta.dst_ip.unwrap_or(self.local.ip());
                        let destination = SocketAddr::new(ip, self.local.port());
                        let received = part.get(..meta.len).unwrap_or_default();
                        for datagram in received.chunks(meta.stride.max(1)) {
                            handle(meta.addr, destination, datagram);
                        }
                    }
                    if count == 0 || count < slots {
                        return false;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // An ICMP error of an earlier send: nothing is lost with it.
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Sends from `source`; unspecified leaves the choice to the kernel. A full socket buffer or an unreachable network
    /// drops it, as a network may.
    pub(crate) fn send(&self, source: IpAddr, destination: SocketAddr, contents: &[u8]) {
        let src_ip = Some(source).filter(|ip| !ip.is_unspecified());
        let transmit = Transmit { destination, ecn: None, contents, segment_size: None, src_ip };
        if let Err(error) = self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
            tracing::trace!(%error, %destination, "datagram not sent");
        }
    }
}
