//! Somebody in the middle of the network.

use std::net::SocketAddr;

use super::{NodeKey, TrackerKey, World};
use crate::time::Duration;

/// What is on its way through the network of a [`World`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// Who sent it, or is said to have sent it.
    pub source: SocketAddr,
    /// Whom it reaches.
    pub destination: SocketAddr,
    /// A datagram, or a piece of the byte stream between a node and a tracker; the streams of this world carry one
    /// whole frame of the tracker protocol in each piece.
    pub is_datagram: bool,
    /// Its bytes.
    pub contents: Vec<u8>,
}

/// See [`World::set_middle`].
pub(super) type Middle = Box<dyn FnMut(Duration, Passing) -> Vec<Passing> + Send>;

impl World {
    /// Puts somebody into the middle of the network, who sees all that is sent and when (the time since the world
    /// began), and says what goes on in its place: the same, something else, nothing, or more. It takes part in the
    /// chances of the line as if it had been sent. Opening and closing connections cannot be seen.
    pub fn set_middle(
        &mut self,
        middle: impl FnMut(Duration, Passing) -> Vec<Passing> + Send + 'static,
    ) {
        self.network.set_middle(Box::new(middle));
    }

    /// Puts something on the network that nobody has sent. It arrives after the delay of the link, and nobody in the
    /// middle sees it. A byte stream that does not exist carries nothing.
    pub fn inject(&mut self, passing: Passing) {
        self.network.inject(self.now, passing);
    }

    /// Where a node's datagrams come from, and its end of the streams to its trackers.
    pub fn address(&self, node: NodeKey) -> SocketAddr {
        self.nodes[node.0].address
    }

    /// Where a tracker is.
    pub fn tracker_address(&self, tracker: TrackerKey) -> SocketAddr {
        self.trackers[tracker.0].address
    }
}
