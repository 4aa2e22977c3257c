//! A tracker of the simulated world: the real state machine on simulated streams.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;

use super::WALL_AT_ZERO;
use super::network::{Arrival, Network};
use crate::directory::server::{Config, ConnId, Output, Server, TrackerStats};
use crate::relay::server::{self as relay, AllocationId, Via};
use crate::time::{Instant, UnixMillis};

/// The ports of allocations come after this.
const FIRST_RELAYED: u16 = 50_000;

pub(super) struct SimTracker {
    pub(super) address: SocketAddr,
    server: Server,
    running: bool,
    config: Config,
    connections: BTreeMap<ConnId, SocketAddr>,
    next_connection: u64,
}

/// The address of the tracker of that number.
pub(super) fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, index as u8 + 1], 6000))
}

impl SimTracker {
    pub(super) fn new(index: usize, random: ChaCha20Rng) -> SimTracker {
        SimTracker {
            address: address(index),
            server: Server::new(Config::default(), Box::new(random)),
            config: Config::default(),
            running: true,
            connections: BTreeMap::new(),
            next_connection: 0,
        }
    }

    pub(super) fn stats(&self) -> TrackerStats {
        self.server.stats()
    }

    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// From the next start on.
    pub(super) fn add_relay(&mut self) {
        let relay = relay::Config { allow_private: true, ..relay::Config::default() };
        self.config.relay = Some(relay);
    }

    fn carry_out_relay(&mut self, now: Instant, output: relay::Output, network: &mut Network) {
        let ip = self.address.ip();
        let relayed = |allocation: AllocationId| FIRST_RELAYED + allocation.0 as u16;
        match output {
            relay::Output::ToClient { via: Via::Datagrams(to), bytes, .. } => {
                network.send(now, self.address, to, bytes);
            }
            relay::Output::ToClient { via: Via::Stream(stream), bytes, .. } => {
                if let Some(peer) = self.connections.get(&ConnId(stream.0)) {
                    network.send_bytes(now, self.address, *peer, bytes);
                }
            }
            relay::Output::ToPeer { allocation, to, bytes } => {
                network.send(now, SocketAddr::new(ip, relayed(allocation)), to, bytes);
            }
            relay::Output::Bind { allocation, .. } => {
                self.server.handle_bound(now, allocation, Some(relayed(allocation)));
            }
            relay::Output::Unbind { .. } => {}
        }
    }

    /// Starts with nobody known, or stops and breaks every connection.
    pub(super) fn set_running(
        &mut self,
        now: Instant,
        running: bool,
        random: ChaCha20Rng,
        network: &mut Network,
    ) {
        self.running = running;
        for peer in std::mem::take(&mut self.connections).into_values() {
            network.close(now, self.address, peer);
        }
        self.server = Server::new(self.config.clone(), Box::new(random));
    }

    pub(super) fn next_wake(&self) -> Instant {
        self.server.next_timeout()
    }

    pub(super) fn wake(&mut self, now: Instant) {
        if self.server.next_timeout() <= now {
            self.server.handle_timeout(now);
        }
    }

    pub(super) fn receive(&mut self, now: Instant, arrival: Arrival, network: &mut Network) {
        if !self.running {
            if let Arrival::Opened { source, .. } = arrival {
                network.close(now, self.address, source);
            }
            return;
        }
        match arrival {
            Arrival::Datagram { source, destination, contents } if destination == self.address => {
                self.server.handle_datagram(now, source, destination, &contents);
            }
            Arrival::Datagram { source, destination, contents } => {
                let allocation = AllocationId(u64::from(destination.port() - FIRST_RELAYED));
                self.server.handle_relayed(now, allocation, source, &contents);
            }
            Arrival::Opened { source, .. } => {
                self.forget(source);
                let conn = ConnId(self.next_connection);
                self.next_connection += 1;
                self.connections.insert(conn, source);
                self.server.handle_connected(now, wall(now), conn, source, self.address);
            }
            Arrival::Bytes { source, bytes, .. } => {
                if let Some(conn) = self.connection_of(source) {
                    self.server.handle_bytes(now, wall(now), conn, &bytes);
                }
            }
            Arrival::Closed { source, .. } => self.forget(source),
        }
        self.drain(now, network);
    }

    fn connection_of(&self, source: SocketAddr) -> Option<ConnId> {
        self.connections.iter().find(|(_, s)| **s == source).map(|(conn, _)| *conn)
    }

    fn forget(&mut self, source: SocketAddr) {
        if let Some(conn) = self.connection_of(source) {
            self.connections.remove(&conn);
            self.server.handle_closed(conn);
        }
    }

    pub(super) fn drain(&mut self, now: Instant, network: &mut Network) {
        while let Some(output) = self.server.poll() {
            match output {
                Output::Send { conn, bytes } => {
                    if let Some(peer) = self.connections.get(&conn) {
                        network.send_bytes(now, self.address, *peer, bytes.to_vec());
                    }
                }
                Output::Close { conn } => {
                    if let Some(peer) = self.connections.remove(&conn) {
                        network.close(now, self.address, peer);
                    }
                }
                Output::Relay(output) => self.carry_out_relay(now, output, network),
                Output::Datagram { to, bytes, .. } => {
                    network.send(now, self.address, to, bytes);
                }
                Output::Event(_) => {}
            }
        }
    }
}

fn wall(now: Instant) -> UnixMillis {
    WALL_AT_ZERO.plus(now.since(Instant::ZERO))
}
