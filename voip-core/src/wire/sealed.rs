//! A signed text, as it travels.
//!
//! The body is JSON *in a string*: the signature is over exactly these bytes, so nobody ever has
//! to write JSON again the same way to check it. Signing and opening need keys and are in
//! `identity`.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An Ed25519 signature (RFC 8032), written as 128 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// 32 bytes written as 64 hexadecimal digits: a tracker's challenge, a SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bytes32(pub [u8; 32]);

/// 16 random bytes written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; 16]);

macro_rules! hexadecimal {
    ($name:ident, $len:literal, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
        impl FromStr for $name {
            type Err = hex::FromHexError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(s, &mut bytes).map(|()| $name(bytes))
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let s = std::borrow::Cow::<'de, str>::deserialize(d)?;
                s.parse().map_err(|_| serde::de::Error::custom(concat!("not ", $what)))
            }
        }
    };
}
hexadecimal!(Signature, 64, "a signature of 128 hexadecimal digits");
hexadecimal!(Bytes32, 32, "32 bytes in hexadecimal digits");
hexadecimal!(Nonce, 16, "16 bytes in hexadecimal digits");

/// A signed text that holds a `T`; nothing in it counts before it is opened.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Sealed<T> {
    /// JSON, exactly as it was signed.
    pub body: String,
    /// Over the domain separation string and the body.
    pub signature: Signature,
    #[serde(skip)]
    holds: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// Puts together what came from elsewhere.
    pub fn from_parts(body: String, signature: Signature) -> Self {
        Sealed { body, signature, holds: PhantomData }
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Sealed::from_parts(self.body.clone(), self.signature)
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body && self.signature == other.signature
    }
}

impl<T> Eq for Sealed<T> {}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("body", &self.body).finish_non_exhaustive()
    }
}

/// Why a sealed text was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum OpenError {
    /// Longer than its kind allows.
    #[error("too long")]
    TooLong,
    /// Not the JSON it should be, or a field is missing or out of range.
    #[error("malformed")]
    Malformed,
    /// The signature is not the sender's over this body.
    #[error("bad signature")]
    BadSignature,
    /// Meant for somebody else.
    #[error("addressed to another peer")]
    NotForMe,
    /// From somebody else than expected.
    #[error("from another peer than expected")]
    WrongSender,
    /// Too old, expired, or from the future.
    #[error("stale")]
    Stale,
}

/// What is signed: `"voip/1/" ‖ kind ‖ 0x00 ‖` the parts.
pub(crate) fn signed_bytes(kind: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.extend_from_slice(b"voip/1/");
    bytes.extend_from_slice(kind.as_bytes());
    bytes.push(0);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}
