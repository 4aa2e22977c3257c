//! Peer-to-peer voice.

#[cfg_attr(not(test), expect(dead_code, reason = "the engine comes next"))]
mod directory;
mod error;
mod frame;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod id;
#[cfg_attr(not(test), expect(dead_code, reason = "the engine comes next"))]
mod identity;
#[cfg_attr(not(test), expect(dead_code, reason = "the engine comes next"))]
mod io;
mod time;
mod tracker;
mod wire;

pub use directory::Peer;
pub use directory::server::{Departure, TrackerEvent, TrackerStats, WireDirection};
pub use error::{Error, ErrorKind};
pub use frame::{AudioFrame, BLOCK, BLOCK_TIME, FrameDuration, SAMPLE_RATE};
pub use id::{CallId, PeerId, RtpTimestamp, SequenceNumber, Ssrc};
pub use time::{Duration, Instant, UnixMillis};
pub use tracker::{Tracker, TrackerBuilder};
pub use wire::record::Presence;

/// The tracker protocol's messages, for whoever writes a client or a tracker of their own.
///
/// `docs/tracker-protocol.md` in the repository describes the protocol in full.
pub mod protocol {
    pub use crate::identity::Identity;
    pub use crate::wire::framing::{FrameReader, FrameTooLong, MAX_FRAME, frame};
    pub use crate::wire::name::{BadName, MAX_NAME, check_name};
    pub use crate::wire::record::{
        MAX_RECORD, MAX_RECORD_LIFE, Presence, PresenceRecord, SealedRecord,
    };
    pub use crate::wire::sealed::{Bytes32, Nonce, OpenError, Sealed, Signature};
    pub use crate::wire::signal::{MAX_SIGNAL, Reason, SealedSignal, Signal, SignalKind};
    pub use crate::wire::stun::{
        TransactionId, binding_request, binding_response, is_stun, parse_response,
    };
    pub use crate::wire::tracker::{
        BadMessage, Entry, ErrorCode, MAX_PAGE, PROTOCOL_VERSION, PeerMessage, RequestId, Target,
        TrackerMessage,
    };
}
