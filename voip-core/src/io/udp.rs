//! The node's UDP port: one port number, one socket per address family, and for every datagram
//! the local address it came to, so that ICE can tell its paths apart.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::Clock;
use super::datagrams::Datagrams;
use crate::error::{Error, ErrorKind};
#[cfg(feature = "sim")]
use crate::io::bad_line::BadLine;
use crate::time::Instant;

/// Tries to find one port number that is free in both families.
const PORT_TRIES: usize = 32;

/// The node's port.
pub(crate) struct UdpPort {
    families: Vec<Datagrams>,
    buffer: Box<[u8]>,
    #[cfg(feature = "sim")]
    line: Option<BadLine>,
}

impl UdpPort {
    /// Binds. `[::]` means both families on one port number; any other address means itself.
    pub(crate) fn bind(address: SocketAddr) -> Result<UdpPort, Error> {
        let families = if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            bind_both(address.port())
        } else {
            bind_one(address).map(|f| vec![f])
        };
        let families = families.map_err(|e| {
            let kind = match e.kind() {
                io::ErrorKind::AddrInUse => ErrorKind::AddressInUse,
                io::ErrorKind::AddrNotAvailable => ErrorKind::InvalidArgument,
                _ => ErrorKind::System,
            };
            Error::new(kind, format!("bind: UDP {address} is not to be had: {e}"))
        })?;
        let room = families.iter().map(Datagrams::room).max().unwrap_or(0);
        Ok(UdpPort {
            families,
            buffer: vec![0; room].into(),
            #[cfg(feature = "sim")]
            line: None,
        })
    }

    /// From now on what is sent goes through this line.
    #[cfg(feature = "sim")]
    pub(crate) fn set_line(&mut self, line: BadLine) {
        self.line = Some(line);
    }

    pub(crate) fn families(&self) -> &[Datagrams] {
        &self.families
    }

    /// The bound address; of the first family if there are two.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.families[0].local
    }

    /// Every address of this host at which the port can be reached, loopback included.
    pub(crate) fn host_addresses(&self) -> Vec<SocketAddr> {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let mut found = Vec::new();
        for family in &self.families {
            if !family.local.ip().is_unspecified() {
                found.push(family.local);
                continue;
            }
            let fits = |ip: &IpAddr| ip.is_ipv4() == family.local.is_ipv4() && !is_link_local(ip);
            let ips = interfaces.iter().map(if_addrs::Interface::ip).filter(fits);
            found.extend(ips.map(|ip| SocketAddr::new(ip, family.local.port())));
        }
        found
    }

    /// Reads what has come to one socket and hands it on: source, destination, bytes. True if
    /// there may be more.
    pub(crate) fn receive(
        &mut self,
        family: usize,
        handle: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) -> bool {
        let family = self.families.get(family);
        family.is_some_and(|family| family.receive(&mut self.buffer, handle))
    }

    /// Sends one datagram; `source` picks the local address, unspecified leaves it to the kernel.
    /// A full socket buffer or an unreachable network drops it, as a network may.
    #[cfg_attr(
        not(feature = "sim"),
        expect(unused_variables, reason = "only a line needs a clock")
    )]
    pub(crate) fn send(
        &mut self,
        clock: &Clock,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) {
        #[cfg(feature = "sim")]
        if let Some(line) = &mut self.line {
            return line.take(clock.now(), source, destination, contents);
        }
        self.put(source, destination, contents);
    }

    /// When something that was sent before has to be put on the wire: only with a bad line. Far in
    /// the future if there is nothing.
    pub(crate) fn next_wake(&self) -> Instant {
        #[cfg(feature = "sim")]
        if let Some(line) = &self.line {
            return line.next_wake();
        }
        Instant::FAR_FUTURE
    }

    /// Puts on the wire what has been in the bad line for long enough.
    #[cfg(feature = "sim")]
    pub(crate) fn serve_line(&mut self, now: Instant) {
        while let Some(due) = self.line.as_mut().and_then(|line| line.give(now)) {
            self.put(due.source, due.destination, &due.contents);
        }
    }

    fn put(&self, source: SocketAddr, destination: SocketAddr, contents: &[u8]) {
        let family = self.families.iter().find(|f| f.local.is_ipv4() == destination.is_ipv4());
        if let Some(family) = family {
            family.send(source.ip(), destination, contents);
        }
    }
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn bind_both(port: u16) -> io::Result<Vec<Datagrams>> {
    let tries = if port == 0 { PORT_TRIES } else { 1 };
    let mut last = None;
    for _ in 0..tries {
        let v6 = match bind_one((Ipv6Addr::UNSPECIFIED, port).into()) {
            Ok(v6) => v6,
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Err(e),
            // A host without IPv6.
            Err(_) => return bind_one((Ipv4Addr::UNSPECIFIED, port).into()).map(|f| vec![f]),
        };
        match bind_one((Ipv4Addr::UNSPECIFIED, v6.local.port()).into()) {
            Ok(v4) => return Ok(vec![v4, v6]),
            Err(e) => last = Some(e),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

fn bind_one(address: SocketAddr) -> io::Result<Datagrams> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Datagrams::new(socket.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn exchange(a: &mut UdpPort, source: SocketAddr, destination: SocketAddr) -> SocketAddr {
        a.send(&Clock::new(), source, destination, b"ping");
        let mut seen = None;
        let family = a.families.iter().position(|f| f.local.is_ipv4() == destination.is_ipv4());
        // Loopback delivers before send returns.
        a.receive(family.unwrap(), |_, to, bytes| {
            assert_eq!(bytes, b"ping");
            seen = Some(to);
        });
        seen.unwrap()
    }

    #[test]
    fn the_local_address_of_each_datagram_is_known() {
        let mut port = UdpPort::bind("[::]:0".parse().unwrap()).unwrap();
        let number = port.local_address().port();
        let v4 = |last| SocketAddr::from(([127, 0, 0, last], number));
        assert_eq!(exchange(&mut port, v4(1), v4(7)), v4(7));
        if port.families().len() == 2 {
            let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, number));
            assert_eq!(exchange(&mut port, v6, v6), v6);
        }
        assert!(port.host_addresses().contains(&v4(1)));
    }

    #[test]
    fn a_taken_port_is_said_to_be_taken() {
        let first = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = UdpPort::bind(first.local_address()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AddressInUse);
    }
}
