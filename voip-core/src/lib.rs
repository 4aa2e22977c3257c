//! Peer-to-peer voice.

mod error;
mod frame;
mod id;
mod time;

pub use error::{Error, ErrorKind};
pub use frame::{AudioFrame, BLOCK, BLOCK_TIME, FrameDuration, SAMPLE_RATE};
pub use id::{CallId, PeerId, RtpTimestamp, SequenceNumber, Ssrc};
pub use time::{Duration, Instant};

/// The version of this library, as in `"0.1.0"`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
