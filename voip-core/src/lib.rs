//! Peer-to-peer voice.

mod error;
mod frame;
mod id;
mod session;
mod time;

pub use error::{Error, ErrorKind};
pub use frame::{AudioFrame, BLOCK, BLOCK_TIME, FrameDuration, SAMPLE_RATE};
pub use id::{CallId, PeerId, RtpTimestamp, SequenceNumber, Ssrc};
pub use time::{Duration, Instant};
