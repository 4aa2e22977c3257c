//! Names of things: who, which call, which packet. Wrapping arithmetic lives only here.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// A peer *is* its Ed25519 public key (RFC 8032), 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 32]);

impl PeerId {
    /// The first eight hexadecimal digits: enough to tell two peers of one name apart on a screen,
    /// not enough to trust.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

/// One call, 16 random bytes chosen by the caller, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub [u8; 16]);

/// A message in a gossip mesh, by its hash, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageId(pub(crate) [u8; 16]);

macro_rules! hexadecimal {
    ($name:ident, $len:literal, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(self.0))
            }
        }
        impl FromStr for $name {
            type Err = Error;
            fn from_str(s: &str) -> Result<Self, Error> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(s, &mut bytes)
                    .map_err(|_| Error::new(ErrorKind::InvalidArgument, concat!("not ", $what)))?;
                Ok($name(bytes))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let s = std::borrow::Cow::<'de, str>::deserialize(d)?;
                s.parse().map_err(|_| serde::de::Error::custom(concat!("not ", $what)))
            }
        }
    };
}
hexadecimal!(PeerId, 32, "a peer id of 64 hexadecimal digits");
hexadecimal!(CallId, 16, "a call id of 32 hexadecimal digits");
hexadecimal!(MessageId, 16, "a message id of 32 hexadecimal digits");

/// RTP sequence number (RFC 3550 §5.1), which wraps at 2^16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SequenceNumber(pub u16);

impl SequenceNumber {
    /// The number `n` later.
    pub const fn plus(self, n: u16) -> Self {
        SequenceNumber(self.0.wrapping_add(n))
    }

    /// How far `self` is ahead of `other`, the short way round: −32768 to 32767.
    pub const fn distance_from(self, other: SequenceNumber) -> i32 {
        self.0.wrapping_sub(other.0) as i16 as i32
    }
}

/// RTP timestamp in samples of 48 kHz (RFC 7587 §4.1), which wraps at 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpTimestamp(pub u32);

impl RtpTimestamp {
    /// The timestamp `samples` later.
    pub const fn plus(self, samples: u32) -> Self {
        RtpTimestamp(self.0.wrapping_add(samples))
    }

    /// Samples from `other` to `self`, the short way round.
    pub const fn distance_from(self, other: RtpTimestamp) -> i64 {
        self.0.wrapping_sub(other.0) as i32 as i64
    }
}

/// Synchronisation source of an RTP stream (RFC 3550 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ssrc(pub u32);
