//! Peer-to-peer voice.

mod error;
mod frame;
mod id;
mod time;
// The engine that uses all of it is not there yet.
#[allow(dead_code, unused_imports)]
mod voice;

pub use error::{Error, ErrorKind};
pub use frame::{AudioFrame, BLOCK, BLOCK_TIME, FrameDuration, SAMPLE_RATE};
pub use id::{CallId, PeerId, RtpTimestamp, SequenceNumber, Ssrc};
pub use time::{Duration, Instant};
pub use voice::{
    Application, Decoder, Encoder, EncoderConfig, Gain, JitterBuffer, JitterConfig, JitterStats,
    MAX_PAYLOAD, Mixer, PacketInfo,
};
