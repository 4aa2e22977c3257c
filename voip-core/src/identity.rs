//! Keys: who is who.
//!
//! A peer *is* its Ed25519 key ([`Identity`]). It signs its presence records, its registrations and
//! its signals ([`sealing`]); a name is only what a key calls itself, remembered on first use
//! ([`pins`]). [`envelope`] seals for one reader. [`verification`] is what two people compare. Nothing here touches a file or a source of randomness: [`text`] has the form of the
//! identity file, `io/identity_file.rs` reads and writes it.

pub(crate) mod envelope;
pub(crate) mod pins;
pub(crate) mod sealing;
pub(crate) mod text;
pub(crate) mod verification;
mod words;

use std::fmt;

use ed25519_dalek::{Signature as DalekSignature, Signer, SigningKey, VerifyingKey};

use crate::id::PeerId;
use crate::wire::sealed::{Signature, signed_bytes};

/// A long-term key pair. The secret is erased when dropped and never shown.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
}

impl Identity {
    /// From 32 secret random bytes (RFC 8032 §5.1.5).
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Identity { key: SigningKey::from_bytes(secret) }
    }

    /// The public key.
    pub fn id(&self) -> PeerId {
        PeerId(self.key.verifying_key().to_bytes())
    }

    /// Signs `"voip/1/" ‖ kind ‖ 0x00 ‖` the parts.
    pub(crate) fn sign(&self, kind: &str, parts: &[&[u8]]) -> Signature {
        Signature(self.key.sign(&signed_bytes(kind, parts)).to_bytes())
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Whether `signature` is `id`'s over `"voip/1/" ‖ kind ‖ 0x00 ‖` the parts.
///
/// Strictly: keys of small order and signatures in another than the one canonical form fail.
pub(crate) fn is_signed(id: PeerId, kind: &str, parts: &[&[u8]], signature: &Signature) -> bool {
    let signature = DalekSignature::from_bytes(&signature.0);
    VerifyingKey::from_bytes(&id.0)
        .is_ok_and(|key| key.verify_strict(&signed_bytes(kind, parts), &signature).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_key_of_rfc_8032_test_1() {
        let secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let mut bytes = [0; 32];
        hex::decode_to_slice(secret, &mut bytes).unwrap();
        assert_eq!(Identity::from_secret(&bytes).id().to_string(), public);
    }

    #[test]
    fn a_signature_holds_for_its_key_kind_and_bytes_only() {
        let (alice, bob) = (Identity::from_secret(&[1; 32]), Identity::from_secret(&[2; 32]));
        let signature = alice.sign("offer", &[b"body"]);
        assert!(is_signed(alice.id(), "offer", &[b"body"], &signature));
        assert!(is_signed(alice.id(), "offer", &[b"bo", b"dy"], &signature));
        assert!(!is_signed(bob.id(), "offer", &[b"body"], &signature));
        assert!(!is_signed(alice.id(), "answer", &[b"body"], &signature));
        assert!(!is_signed(alice.id(), "offer", &[b"bodY"], &signature));
        let mut bent = signature;
        bent.0[10] ^= 1;
        assert!(!is_signed(alice.id(), "offer", &[b"body"], &bent));
    }

    /// With the neutral element as key and as R, plain verification takes s = 0 for any message.
    #[test]
    fn a_key_of_small_order_signs_nothing() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = Signature([0; 64]);
        signature.0[0] = 1;
        assert!(!is_signed(PeerId(neutral), "offer", &[b"anything"], &signature));
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", Identity::from_secret(&[0xab; 32]));
        assert!(!shown.contains("abab") && !shown.contains("171, 171"), "{shown}");
    }
}
