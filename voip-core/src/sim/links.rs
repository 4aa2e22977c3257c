//! Links between the nodes of the simulated world: streams on which each side first says which key it has. That stands for
//! the handshake that proves it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::network::{Arrival, Network};
use super::node::SimNode;
use crate::engine::LinkKey;
use crate::id::PeerId;
use crate::time::Instant;

/// The ports from which nodes open links come after this.
const FIRST_LINK_PORT: u16 = 20_000;
const PORTS: u64 = 20_000;

#[derive(Default)]
pub(super) struct SimLinks {
    by_key: BTreeMap<LinkKey, SimLink>,
}

struct SimLink {
    local: SocketAddr,
    remote: SocketAddr,
    /// Whether the other side has said who it is.
    proved: bool,
}

impl SimLinks {
    /// Whether one of them begins at that address of this node.
    pub(super) fn has(&self, address: SocketAddr) -> bool {
        self.by_key.values().any(|link| link.local == address)
    }

    fn at(&self, local: SocketAddr, remote: SocketAddr) -> Option<LinkKey> {
        let is_it = |link: &SimLink| (link.local, link.remote) == (local, remote);
        self.by_key.iter().find(|(_, link)| is_it(link)).map(|(key, _)| *key)
    }

    pub(super) fn open(
        &mut self,
        now: Instant,
        (key, addresses): (LinkKey, &[String]),
        from: SocketAddr,
        network: &mut Network,
    ) {
        let Some(remote) = addresses.iter().find_map(|address| address.parse().ok()) else {
            return;
        };
        let port = FIRST_LINK_PORT + (key.0 % PORTS) as u16;
        let local = SocketAddr::new(from.ip(), port);
        self.by_key.insert(key, SimLink { local, remote, proved: false });
        network.open(now, local, remote);
    }

    pub(super) fn send(&self, now: Instant, key: LinkKey, bytes: Vec<u8>, network: &mut Network) {
        if let Some(link) = self.by_key.get(&key) {
            network.send_bytes(now, link.local, link.remote, bytes);
        }
    }

    pub(super) fn close(&mut self, now: Instant, key: LinkKey, network: &mut Network) {
        if let Some(link) = self.by_key.remove(&key) {
            network.close(now, link.local, link.remote);
        }
    }
}

impl SimNode {
    /// Something of a stream between this node and another.
    pub(super) fn receive_of_link(
        &mut self,
        now: Instant,
        arrival: Arrival,
        network: &mut Network,
    ) {
        match arrival {
            Arrival::Opened { source, destination } => {
                if destination == self.address {
                    let Some(key) = self.engine.accept_link(now, source) else {
                        return network.close(now, destination, source);
                    };
                    let link = SimLink { local: destination, remote: source, proved: false };
                    self.links.by_key.insert(key, link);
                }
                let id = self.engine.id().0.to_vec();
                network.send_bytes(now, destination, source, id);
            }
            Arrival::Bytes { source, destination, bytes } => {
                let Some(key) = self.links.at(destination, source) else { return };
                let Some(link) = self.links.by_key.get_mut(&key) else { return };
                if link.proved {
                    return self.engine.handle_link_bytes(now, key, &bytes);
                }
                link.proved = true;
                if let Ok(id) = bytes.try_into() {
                    self.engine.handle_link_opened(now, key, PeerId(id), source);
                }
            }
            Arrival::Closed { source, destination } => {
                if let Some(key) = self.links.at(destination, source) {
                    self.links.by_key.remove(&key);
                    self.engine.handle_link_closed(now, key);
                }
            }
            Arrival::Datagram { .. } => {}
        }
    }
}
