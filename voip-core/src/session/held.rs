//! Datagrams of DTLS that come before their address is proved. The peer may send its first as soon as its own check of the
//! path is answered, and ours, under way at the same time, as well after as before. One with a tag that holds is the
//! peer's, and is kept until then: it would not be sent again so soon.

use std::net::SocketAddr;

use super::Session;
use crate::time::Instant;

/// More than the first flight of a handshake.
const MOST_HELD: usize = 8;

/// From where, to where, what.
type Datagram = (SocketAddr, SocketAddr, Vec<u8>);

#[derive(Default)]
pub(super) struct Held {
    datagrams: Vec<Datagram>,
}

impl Session {
    /// Whether a datagram from an address that is not proved yet may be kept.
    pub(super) fn may_hold(&self, datagram: &[u8]) -> bool {
        !self.connected && !self.closed && self.guard.is_tagged(datagram)
    }

    /// Keeps a datagram, or drops and counts it.
    pub(super) fn hold(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        if self.may_hold(datagram) && self.held.datagrams.len() < MOST_HELD {
            self.held.datagrams.push((source, destination, datagram.to_vec()));
        } else {
            self.stats.dropped += 1;
        }
    }

    /// A check was answered: what was kept may be for us now.
    pub(super) fn release_held(&mut self, now: Instant) {
        for (source, destination, datagram) in std::mem::take(&mut self.held.datagrams) {
            self.handle_datagram(now, source, destination, &datagram);
        }
    }
}
