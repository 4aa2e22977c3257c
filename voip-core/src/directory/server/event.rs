//! What a tracker's state machine wants done, and what it tells.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::id::PeerId;
use crate::relay::server as relay;

/// One connection, numbered by the owner; numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnId(pub(crate) u64);

/// What the server wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Send these bytes.
    Send { conn: ConnId, bytes: Arc<[u8]> },
    /// Close once everything is sent.
    Close { conn: ConnId },
    /// Send this datagram from the local address that the question came to.
    Datagram { to: SocketAddr, local: SocketAddr, bytes: Vec<u8> },
    /// Something for the sockets of the relay.
    Relay(relay::Output),
    /// Something the owner may show.
    Event(TrackerEvent),
}

/// What happens at a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackerEvent {
    /// A peer came.
    Registered {
        /// Its key.
        id: PeerId,
        /// Its name.
        name: String,
        /// Where its connection comes from.
        from: SocketAddr,
        /// How many peers are online now.
        online: u32,
    },
    /// A peer went.
    Left {
        /// Its key.
        id: PeerId,
        /// Its name.
        name: String,
        /// How many peers are online now.
        online: u32,
        /// How.
        why: Departure,
    },
    /// Two peers who had asked for one were handed to each other.
    Paired {
        /// The key of the one who had waited.
        id: PeerId,
        /// Its name.
        name: String,
        /// The key of the one who came.
        other_id: PeerId,
        /// Its name.
        other_name: String,
    },
    /// A message came or went. Only with the wire log switched on.
    Wire {
        /// Which way.
        direction: WireDirection,
        /// The other end's address; none if it was turned away.
        from: Option<SocketAddr>,
        /// The other end's name, once it is registered.
        name: Option<String>,
        /// The JSON, or what came in place of it.
        text: String,
    },
}

/// How a peer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Departure {
    /// It said goodbye.
    Left,
    /// Its connection ended.
    Closed,
    /// It fell silent, or let its record expire.
    TimedOut,
    /// It did not read what was sent to it.
    SlowReader,
    /// It broke the protocol.
    Misbehaved,
    /// It goes by another name now.
    Renamed,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireDirection {
    /// To the tracker.
    In,
    /// From the tracker.
    Out,
}
