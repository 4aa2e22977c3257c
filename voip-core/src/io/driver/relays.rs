//! The ways to relays: a socket for each, by datagrams or over a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use polling::{Event as Readiness, PollMode};

use super::{Destination, Driver, Link, Listener, Progress, Request, literal, resolve, spawn};
use crate::engine::{RelayAddress, RelayKey};
use crate::relay::client::RelayTransport;

/// Datagrams read in one go.
const BUDGET: usize = 64;
/// Longer than any datagram of a relay.
const DATAGRAM: usize = 2048;

/// One way to a relay.
pub(super) enum RelayLink {
    Udp(UdpSocket),
    Tcp(Box<Link>),
}

impl<L: Listener> Driver<L> {
    pub(super) fn open_relay(
        &mut self,
        relay: RelayKey,
        address: RelayAddress,
        transport: RelayTransport,
    ) {
        let named = match address {
            RelayAddress::Tracker(_, at) => {
                return self.open_relay_at(relay, address, transport, vec![at]);
            }
            RelayAddress::Named(i) => self.named_relays.get(i).map(Destination::host_and_port),
        };
        let Some(named) = named.map(str::to_owned) else { return };
        if let Some(at) = literal(&named) {
            return self.open_relay_at(relay, address, transport, vec![at]);
        }
        let requests = self.requests.clone();
        let looked_up = spawn("voip-resolve", move || {
            requests.send(Request::RelayResolved(relay, address, transport, resolve(&named)));
        });
        if looked_up.is_err() {
            self.engine.handle_relay_closed(self.clock.now(), relay);
        }
    }

    pub(super) fn open_relay_at(
        &mut self,
        relay: RelayKey,
        address: RelayAddress,
        transport: RelayTransport,
        addresses: Vec<SocketAddr>,
    ) {
        match transport {
            RelayTransport::Udp => self.open_udp(relay, &addresses),
            RelayTransport::Tcp => {
                let destination = match address {
                    RelayAddress::Tracker(tracker, _) => self.trackers.get(tracker),
                    RelayAddress::Named(i) => self.named_relays.get(i),
                };
                let Some(destination) = destination else { return };
                let link = Box::new(Link::to(destination, addresses, self.watcher(key_of(relay))));
                self.relays.insert(relay, RelayLink::Tcp(link));
                self.after_relay(relay, Progress::Failed);
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a socket of its own for each way to a relay")]
    fn open_udp(&mut self, relay: RelayKey, addresses: &[SocketAddr]) {
        let opened = addresses.iter().find_map(|address| {
            let socket = UdpSocket::bind((self.source_for(*address), 0)).ok()?;
            socket.connect(address).ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket.local_addr().ok()?, *address, socket))
        });
        let now = self.clock.now();
        let Some((local, remote, socket)) = opened else {
            return self.engine.handle_relay_closed(now, relay);
        };
        // SAFETY: `close_relay` deletes the socket from the poller before it is dropped.
        let watched = unsafe {
            let interest = Readiness::readable(key_of(relay));
            self.requests.poller.add_with_mode(&socket, interest, PollMode::Level)
        };
        if let Err(error) = watched {
            tracing::error!(%error, "a relay's socket cannot be watched");
            return self.engine.handle_relay_closed(now, relay);
        }
        self.relays.insert(relay, RelayLink::Udp(socket));
        self.engine.handle_relay_opened(now, relay, local, remote);
    }

    /// The node's own address, if it is bound to one.
    fn source_for(&self, destination: SocketAddr) -> IpAddr {
        let is_of_family = |ip: &IpAddr| ip.is_ipv4() == destination.is_ipv4();
        let mut bound = self.udp.families().iter().map(|family| family.local.ip());
        bound.find(is_of_family).unwrap_or(match destination {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        })
    }

    pub(super) fn send_relay(&mut self, relay: RelayKey, bytes: &[u8]) {
        match self.relays.get_mut(&relay) {
            Some(RelayLink::Udp(socket)) => {
                if let Err(error) = socket.send(bytes) {
                    tracing::trace!(%error, "datagram to a relay not sent");
                }
            }
            Some(RelayLink::Tcp(link)) => {
                let progress = link.send(bytes);
                self.after_relay(relay, progress);
            }
            None => {}
        }
    }

    pub(super) fn close_relay(&mut self, relay: RelayKey) {
        match self.relays.remove(&relay) {
            Some(RelayLink::Udp(socket)) => {
                if let Err(error) = self.requests.poller.delete(&socket) {
                    tracing::debug!(%error, "a relay's socket was not watched");
                }
            }
            // It is closed when it goes.
            Some(RelayLink::Tcp(_)) | None => {}
        }
    }

    pub(super) fn serve_relay(&mut self, event: Readiness) {
        let relay = RelayKey(super::RELAYS.number(event.key) as u64);
        match self.relays.get_mut(&relay) {
            Some(RelayLink::Udp(_)) => self.receive_relayed(relay),
            Some(RelayLink::Tcp(link)) => {
                let was_connected = link.is_connected();
                let progress = match (was_connected, event.writable) {
                    (false, _) => link.finish_connecting(),
                    (true, true) => link.flush(),
                    (true, false) => Progress::Waiting,
                };
                let goes_on = was_connected || progress == Progress::Connected;
                self.after_relay(relay, progress);
                // The end of a handshake may have brought more than itself.
                if goes_on && (event.readable || !was_connected) {
                    self.read_relay(relay);
                }
            }
            None => {}
        }
    }

    fn receive_relayed(&mut self, relay: RelayKey) {
        self.buffer.resize(DATAGRAM, 0);
        for _ in 0..BUDGET {
            let Some(RelayLink::Udp(socket)) = self.relays.get(&relay) else { return };
            match socket.recv(&mut self.buffer) {
                Ok(len) => {
                    let datagram = self.buffer.get(..len).unwrap_or_default();
                    self.engine.handle_relay_bytes(self.clock.now(), relay, datagram);
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
                // An ICMP error of an earlier packet: the relay does not listen, which its silence tells, too.
                Err(_) => {}
            }
        }
    }

    fn read_relay(&mut self, relay: RelayKey) {
        if let Some(RelayLink::Tcp(link)) = self.relays.get_mut(&relay) {
            let progress = link.read(&mut self.buffer);
            if !self.buffer.is_empty() {
                self.engine.handle_relay_bytes(self.clock.now(), relay, &self.buffer);
            }
            self.after_relay(relay, progress);
        }
    }

    fn after_relay(&mut self, relay: RelayKey, progress: Progress) {
        let now = self.clock.now();
        match progress {
            Progress::Failed => return self.try_next_relay_address(relay),
            Progress::Gone | Progress::Refused(_) => {
                self.close_relay(relay);
                return self.engine.handle_relay_closed(now, relay);
            }
            Progress::Connected => {
                if let Some(RelayLink::Tcp(link)) = self.relays.get(&relay)
                    && let Some((local, remote)) = link.addresses()
                {
                    self.engine.handle_relay_opened(now, relay, local, remote);
                }
            }
            Progress::Waiting => {}
        }
        if let Some(RelayLink::Tcp(link)) = self.relays.get_mut(&relay) {
            link.watch();
        }
    }

    fn try_next_relay_address(&mut self, relay: RelayKey) {
        let goes_on = match self.relays.get_mut(&relay) {
            Some(RelayLink::Tcp(link)) => link.try_next(),
            _ => return,
        };
        if !goes_on {
            self.relays.remove(&relay);
            self.engine.handle_relay_closed(self.clock.now(), relay);
        }
    }
}

fn key_of(relay: RelayKey) -> usize {
    super::RELAYS.key(relay.0 as usize)
}
