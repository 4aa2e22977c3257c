//! The road of a voice frame, without clock, thread or socket.
//!
//! [`egress`] takes the microphone's samples to encoded packets, [`ingress`] takes packets to the
//! ear. Each is one page that calls its hops in order; the folder of the same name holds the hops.
//! Sound inside is 48 kHz, mono, `f32`.

mod codec;
#[cfg(feature = "devices")]
mod drift;
mod egress;
mod ingress;
mod level;
mod opus;
mod report;
mod resample;
#[cfg(any(test, fuzzing, feature = "sim"))]
mod standin;

pub use codec::{Application, EncoderConfig, MAX_PAYLOAD, PacketInfo};
pub(crate) use codec::{Decode, Encode};

#[cfg(feature = "devices")]
pub(crate) use drift::{Drift, DriftResampler};
pub(crate) use egress::Egress;
pub use ingress::{Gain, JitterBuffer, JitterConfig, JitterStats, Mixer};
pub(crate) use ingress::{Ingress, StreamKey};
pub use opus::{Decoder, Encoder};
pub(crate) use report::Report;
pub(crate) use resample::Resampler;
#[cfg(any(test, fuzzing, feature = "sim"))]
pub(crate) use standin::{StandInDecoder, StandInEncoder};

use crate::error::Error;

/// Which codec a node's calls use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Opus (RFC 6716).
    #[default]
    Opus,
    /// The simulated world's codec that costs nothing.
    #[cfg(any(test, fuzzing, feature = "sim"))]
    StandIn,
}

impl Codec {
    pub(crate) fn encoder(self, config: &EncoderConfig) -> Result<Box<dyn Encode>, Error> {
        match self {
            Codec::Opus => Ok(Box::new(Encoder::new(config)?)),
            #[cfg(any(test, fuzzing, feature = "sim"))]
            Codec::StandIn => Ok(Box::new(StandInEncoder::new(config))),
        }
    }

    pub(crate) fn decoder(self) -> Result<Box<dyn Decode>, Error> {
        match self {
            Codec::Opus => Ok(Box::new(Decoder::new()?)),
            #[cfg(any(test, fuzzing, feature = "sim"))]
            Codec::StandIn => Ok(Box::new(StandInDecoder::new())),
        }
    }
}
