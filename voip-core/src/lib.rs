//! Peer-to-peer voice: two people talk directly from machine to machine, encrypted end to end.
//!
//! A [`Node`] has a name and a key, registers at one or more [`Tracker`]s, calls and is called. The
//! API is synchronous: what blocks takes a time limit, what happens is told by [`Event`]s that are
//! pulled. One thread, `voip-engine`, does the work; no thread of the library ever runs user code.
//!
//! ```no_run
//! use voip_core::{Audio, Duration, Error, Node, Tracker};
//!
//! fn main() -> Result<(), Error> {
//!     let limit = Duration::from_secs(5);
//!     let tracker = Tracker::builder().bind("127.0.0.1:6000").start()?;
//!     let node = |name: &str| {
//!         Node::builder(name)
//!             .tracker(tracker.address().to_string())
//!             .audio(Audio::Manual { rate: 48_000 })
//!     };
//!     let alice = node("alice").start()?;
//!     let bob = node("bob").auto_answer(true).start()?;
//!     bob.wait_registered(limit)?;
//!
//!     let call = alice.call("bob", limit)?; // returns when Bob has answered
//!     let mut heard = [0.0; 480];
//!     for _ in 0..100 {
//!         call.write(&[0.1; 480], limit)?; // 10 ms said
//!         call.read(&mut heard, limit)?; // 10 ms heard
//!     }
//!     call.hang_up();
//!     Ok(())
//! }
//! ```
//!
//! # The road of a voice frame
//!
//! ```text
//! mic → capture → condition → encode → packetize → session ══ network ══▶ session → buffer → decode → mix → playout → ear
//! ```
//!
//! Sound inside is 48 kHz mono, Opus (RFC 6716) in RTP (RFC 3550, RFC 7587), over ICE (RFC 8445) and
//! DTLS-SRTP (RFC 5764). The stations are of use alone, too: [`Encoder`], [`Decoder`],
//! [`JitterBuffer`], [`Mixer`]; and so are the messages of the tracker protocol, in [`protocol`].
//!
//! # Features
//!
//! `devices` (on by default): sound cards, through cpal. On Linux the build needs libasound; a program
//! for x86-64 with glibc loads it when it first asks for sound cards, and starts without it.
//!
//! `sim`: the module `sim`, whole calls on a virtual clock and a seeded network, for tests; and
//! `NodeBuilder::line`, a bad line inside a real node.

mod call;
mod device;
mod directory;
mod doctor;
mod engine;
mod error;
mod event;
mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod identity;
mod io;
#[cfg(feature = "sim")]
mod line;
mod node;
mod overlay;
mod rate;
mod relay;
mod session;
#[cfg(feature = "sim")]
pub mod sim;
mod stats;
mod text;
mod time;
mod tracker;
mod voice;
mod wire;

pub use call::{Call, CallPeer, Reject};
pub use device::{AudioDevice, DeviceChange, DeviceChoice, DeviceDirection, DeviceStats};
pub use directory::server::{Departure, TrackerEvent, TrackerStats, WireDirection};
pub use doctor::{Check, CheckKind, DoctorOptions, Report, Verdict, doctor};
pub use error::{Error, ErrorKind};
pub use event::{
    CallState, Contact, ContactState, EndReason, Event, Peer, Presence, SilenceReason,
};
pub use frame::{AudioFrame, BLOCK, BLOCK_TIME, FrameDuration, SAMPLE_RATE};
pub use id::{CallId, PeerId, RtpTimestamp, SequenceNumber, Ssrc};
#[cfg(feature = "devices")]
pub use node::devices;
pub use node::{Audio, Node, NodeBuilder};
pub use stats::{CallStats, JitterSecond, NodeStats, Quality, Stages};
pub use text::{Audience, Text, TextId};
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
    pub use crate::wire::signal::{
        MAX_CANDIDATES, MAX_SIGNAL, Reason, SealedSignal, Signal, SignalKind,
    };
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
