//! Peer-to-peer voice.

mod call;
mod directory;
mod engine;
mod error;
mod event;
mod frame;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod identity;
mod io;
mod node;
mod session;
#[cfg(feature = "sim")]
pub mod sim;
mod stats;
mod time;
mod tracker;
mod voice;
mod wire;

pub use call::{Call, CallPeer, Reject};
pub use directory::server::{Departure, TrackerEvent, TrackerStats, WireDirection};
pub use error::{Error, ErrorKind};
pub use event::{CallState, EndReason, Event, Peer, Presence};
pub use frame::{AudioFrame, BLOCK, BLOCK_TIME, FrameDuration, SAMPLE_RATE};
pub use id::{CallId, PeerId, RtpTimestamp, SequenceNumber, Ssrc};
pub use node::{Audio, Node, NodeBuilder};
pub use stats::{CallStats, NodeStats, Quality, Stages};
pub use time::{Duration, Instant, UnixMillis};
pub use tracker::{Tracker, TrackerBuilder};
pub use voice::{
    Application, Decoder, Encoder, EncoderConfig, Gain, JitterBuffer, JitterConfig, JitterStats,
    MAX_PAYLOAD, Mixer, PacketInfo,
};

/// The tracker protocol's messages, for whoever writes a client or a tracker of their own.
///
/// `docs/tracker-protocol.md` in the repository describes the protocol in full.
pub mod protocol {
    pub use crate::identity::Identity;
    pub use crate::identity::sealing::is_registration;
    pub use crate::wire::framing::{FrameReader, FrameTooLong, MAX_FRAME, frame};
    pub use crate::wire::name::{BadName, MAX_NAME, check_name};
    pub use crate::wire::record::{MAX_RECORD, MAX_RECORD_LIFE, PresenceRecord, SealedRecord};
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

/// The version of this library, as in `"0.1.0"`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
