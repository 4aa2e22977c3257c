//! What a peer and a tracker say to each other: version 1 of the tracker protocol.
//!
//! Each message is one JSON object in one frame. Its `type` says what it is; a request has an `id`,
//! and every request gets exactly one answer, which repeats it. Unknown fields are ignored and
//! unknown types refused politely, so that both sides may be of different ages.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::framing::frame;
use super::json;
use super::record::SealedRecord;
use super::sealed::{Bytes32, Signature};
use super::signal::SealedSignal;
use crate::id::{CallId, PeerId};
use crate::time::UnixMillis;

/// The version spoken here.
pub const PROTOCOL_VERSION: u32 = 1;
/// The most peers in one [`TrackerMessage::Peers`]: as many as fit into a frame whatever they say.
pub const MAX_PAGE: u32 = 50;

/// The number by which a peer knows the answer to its request.
pub type RequestId = u32;

/// From a peer to a tracker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PeerMessage {
    /// "I am here": the first request, and again before the record expires.
    Register {
        /// Repeated by the answer.
        id: RequestId,
        /// The version the peer speaks.
        version: u32,
        /// What others shall see.
        record: SealedRecord,
        /// By the record's key over the tracker's nonce and the record's body.
        signature: Signature,
    },
    /// "I go": the tracker forgets the peer, tells the others, answers, and closes.
    Leave {
        /// Repeated by the answer.
        id: RequestId,
    },
    /// Who is online, in order of name, one page.
    List {
        /// Repeated by the answer.
        id: RequestId,
        /// Begin after this name; none: from the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// The most peers wanted, 1 to [`MAX_PAGE`]; none: [`MAX_PAGE`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// One peer, by name or by key.
    Lookup {
        /// Repeated by the answer.
        id: RequestId,
        /// Which.
        #[serde(flatten)]
        target: Target,
    },
    /// From now on, tell me who joins and who leaves.
    Subscribe {
        /// Repeated by the answer.
        id: RequestId,
    },
    /// Hand this to that peer, unread.
    Signal {
        /// Repeated by the answer.
        id: RequestId,
        /// Who is to have it.
        to: PeerId,
        /// What.
        signal: SealedSignal,
    },
    /// Credentials for the tracker's relay, please: a TURN server (RFC 8656) at the address of this connection.
    Relay {
        /// Repeated by the answer.
        id: RequestId,
        /// For which call.
        call: CallId,
        /// With whom: nobody else will be relayed to.
        peer: PeerId,
    },
    /// Hand me to somebody who asks the same, and them to me.
    Pair {
        /// Repeated by the answer.
        id: RequestId,
    },
    /// No longer.
    Unpair {
        /// Repeated by the answer.
        id: RequestId,
    },
    /// Keeps the connection alive.
    Ping {
        /// Repeated by the answer.
        id: RequestId,
    },
    /// A type of a later version.
    #[serde(other)]
    Unknown,
}

/// Whom to look up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// By name.
    Name(String),
    /// By key.
    Peer(PeerId),
}

/// From a tracker to a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TrackerMessage {
    /// The first message, unasked.
    Hello {
        /// The version the tracker speaks.
        version: u32,
        /// The challenge that registrations on this connection sign.
        nonce: Bytes32,
        /// The tracker's clock.
        time: UnixMillis,
    },
    /// You are registered.
    Registered {
        /// The request.
        id: RequestId,
        /// The address your connection comes from.
        observed: SocketAddr,
        /// How many peers are online, you included.
        online: u32,
        /// Whether the tracker has a relay.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        relay: bool,
    },
    /// You are forgotten.
    Goodbye {
        /// The request.
        id: RequestId,
    },
    /// One page of the peers online.
    Peers {
        /// The request.
        id: RequestId,
        /// In order of name (of its bytes).
        peers: Vec<Entry>,
        /// Ask on after this name; none: that was all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// The peer looked up.
    Found {
        /// The request.
        id: RequestId,
        /// The peer.
        peer: Entry,
    },
    /// No such peer is online.
    NotFound {
        /// The request.
        id: RequestId,
    },
    /// Notices will follow.
    Subscribed {
        /// The request.
        id: RequestId,
        /// How many peers are online.
        online: u32,
    },
    /// A peer came.
    Joined {
        /// The peer.
        peer: Entry,
        /// How many peers are online now.
        online: u32,
    },
    /// A peer says something else about itself.
    Changed {
        /// The peer.
        peer: Entry,
    },
    /// A peer went.
    Left {
        /// Its key.
        peer: PeerId,
        /// Its name.
        name: String,
        /// How many peers are online now.
        online: u32,
    },
    /// The signal was handed on.
    Relayed {
        /// The request.
        id: RequestId,
    },
    /// That peer is not online here.
    Undeliverable {
        /// The request.
        id: RequestId,
        /// Who was to have it.
        to: PeerId,
    },
    /// A signal for you.
    Signal {
        /// Who registered the connection it came over; the signature inside is what counts.
        from: PeerId,
        /// What.
        signal: SealedSignal,
    },
    /// Credentials for the relay (RFC 8489 §9.2), of the realm `voip`.
    Relay {
        /// The request.
        id: RequestId,
        /// The name to give.
        username: String,
        /// The password.
        password: String,
        /// Seconds within which an allocation may be made with them.
        lifetime: u32,
    },
    /// You wait for a peer.
    Pairing {
        /// The request.
        id: RequestId,
    },
    /// Here it is: you were handed to each other, and wait no longer.
    Paired {
        /// The peer.
        peer: Entry,
    },
    /// You do not wait.
    Unpaired {
        /// The request.
        id: RequestId,
    },
    /// Answer to a ping.
    Pong {
        /// The request.
        id: RequestId,
    },
    /// A request was refused, or (without `id`) the connection is about to be closed.
    Error {
        /// The request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// A type of a later version.
    #[serde(other)]
    Unknown,
}

/// A peer as a tracker tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What the peer says, signed.
    pub record: SealedRecord,
    /// Since when it is registered, as the tracker says.
    pub since: UnixMillis,
}

/// Why a tracker refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not JSON of that form.
    Malformed,
    /// A frame longer than allowed, after which the connection is closed, or a signal longer than
    /// allowed.
    TooLong,
    /// The tracker does not know this type.
    UnknownType,
    /// The tracker does not speak this version.
    UnsupportedVersion,
    /// Register first.
    NotRegistered,
    /// The record or the signature over the nonce is not by the record's key.
    BadSignature,
    /// The record is not valid at the tracker's time: one of the clocks is off.
    ClockSkew,
    /// Another key holds this name.
    NameTaken,
    /// The record is no newer than the one the tracker has.
    OldRecord,
    /// Too many requests, or too many signals to this peer from all others. Wait a second.
    RateLimited,
    /// The tracker has all the connections it wants, of this address or at all. Closed.
    Full,
    /// The same key registered on another connection. This one is closed: do not come back.
    Replaced,
    /// Too slow: did not register, send or read in time. Closed.
    Timeout,
    /// This tracker has no relay.
    NoRelay,
    /// The tracker takes TLS only. Closed.
    TlsRequired,
    /// Something a later version says.
    #[serde(other)]
    Unknown,
}

/// A frame's content that is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadMessage {
    /// The request's id, if that much could be read.
    pub id: Option<RequestId>,
    /// [`ErrorCode::Malformed`] or [`ErrorCode::UnknownType`].
    pub code: ErrorCode,
}

impl PeerMessage {
    /// Reads a frame's content.
    pub fn parse(content: &[u8]) -> Result<Self, BadMessage> {
        let code = match serde_json::from_slice(content) {
            Ok(PeerMessage::Unknown) => ErrorCode::UnknownType,
            Ok(message) => return Ok(message),
            Err(_) => ErrorCode::Malformed,
        };
        Err(BadMessage { id: request_id(content), code })
    }

    /// Writes a whole frame.
    pub fn to_frame(&self) -> Vec<u8> {
        frame(json(self).as_bytes())
    }
}

impl TrackerMessage {
    /// Reads a frame's content; messages of later versions are [`TrackerMessage::Unknown`].
    pub fn parse(content: &[u8]) -> Result<Self, BadMessage> {
        serde_json::from_slice(content)
            .map_err(|_| BadMessage { id: request_id(content), code: ErrorCode::Malformed })
    }

    /// Writes a whole frame.
    pub fn to_frame(&self) -> Vec<u8> {
        frame(json(self).as_bytes())
    }
}

/// Whether a frame's content says of which type it is. What does and still cannot be read is no message of another
/// version, for those are read as [`TrackerMessage::Unknown`].
pub(crate) fn has_type(content: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct OnlyType {
        r#type: String,
    }
    serde_json::from_slice::<OnlyType>(content).is_ok_and(|only| !only.r#type.is_empty())
}

fn request_id(content: &[u8]) -> Option<RequestId> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: RequestId,
    }
    serde_json::from_slice::<OnlyId>(content).ok().map(|only| only.id)
}

#[cfg(test)]
mod tests;
