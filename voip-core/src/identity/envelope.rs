//! A text that one peer alone can read: HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//!
//! The reader's X25519 key is its Ed25519 key on the other form of the same curve (RFC 7748 §4.1), so that a peer id is all
//! that an author needs. Who wrote the text is bound in, but not proven: the signature around it does that.

use ed25519_dalek::VerifyingKey;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use zeroize::Zeroizing;

use super::Identity;
use crate::id::PeerId;
use crate::wire::bulletin::{Enclosed, Envelope};
use crate::wire::json;
use crate::wire::sealed::{Bytes32, signed_bytes};
use crate::wire::signal::SealedSignal;

const ENVELOPE: &str = "envelope";

impl Identity {
    /// Seals bytes for `reader`; `what` they are has to be the same when they are opened. `None` if the
    /// reader's id is no key that anything can be sealed for.
    pub(crate) fn seal_for(
        &self,
        reader: PeerId,
        what: Enclosed,
        bytes: &[u8],
    ) -> Option<Envelope> {
        let info = signed_bytes(ENVELOPE, &[&self.id().0, &reader.0]);
        let (enc, ciphertext) =
            SUITE.seal(&info, &what.bytes(), bytes, &agreement_key(reader)?).ok()?;
        Some(Envelope { enc: Bytes32(enc.0.try_into().ok()?), ciphertext })
    }

    /// Opens what `author` has sealed for this identity.
    pub(crate) fn open_from(
        &self,
        author: PeerId,
        what: Enclosed,
        envelope: &Envelope,
    ) -> Option<Vec<u8>> {
        let info = signed_bytes(ENVELOPE, &[&author.0, &self.id().0]);
        let enc = EncapsulatedSecret(envelope.enc.0.to_vec());
        let scalar = Zeroizing::new(self.key.to_scalar_bytes());
        let secret = HpkePrivateKey::from(scalar.to_vec());
        // An agreement of zeros, from a point of small order, is an error here (RFC 9180 §7.1.4).
        SUITE.open(&enc, &info, &what.bytes(), &envelope.ciphertext, &secret).ok()
    }
}

/// A signal of a call, for its addressee alone. `None` if the id is no key.
pub(crate) fn seal_signal(
    identity: &Identity,
    to: PeerId,
    signal: &SealedSignal,
) -> Option<Envelope> {
    identity.seal_for(to, Enclosed::Signal, json(signal).as_bytes())
}

/// The signal in an envelope. Who signed it is for [`SealedSignal::open`] to check.
pub(crate) fn open_signal(
    identity: &Identity,
    author: PeerId,
    envelope: &Envelope,
) -> Option<SealedSignal> {
    let bytes = identity.open_from(author, Enclosed::Signal, envelope)?;
    serde_json::from_slice(&bytes).ok()
}

/// `None` if the id is no point of the curve, or one of small order: anybody could read what is sealed for it.
fn agreement_key(reader: PeerId) -> Option<HpkePublicKey> {
    let key = VerifyingKey::from_bytes(&reader.0).ok()?;
    (!key.is_weak()).then(|| HpkePublicKey(key.to_montgomery().0.to_vec()))
}

#[cfg(test)]
mod tests;
