//! Signing and opening what travels: presence records, registrations, signals.

use super::{Identity, is_signed};
use crate::id::PeerId;
use crate::wire::bulletin::Bulletin;
use crate::wire::gossip::SignedMessage;
use crate::wire::record::{PresenceRecord, SealedRecord};
use crate::wire::sealed::{Bytes32, OpenError, Sealed, Signature};
use crate::wire::signal::{SealedSignal, Signal};

const PRESENCE: &str = "presence";
const REGISTER: &str = "register";
const GOSSIP: &str = "gossip";

impl PresenceRecord {
    /// Signs the record with the key it is about: its `id` becomes that of `identity`.
    pub fn seal(&self, identity: &Identity) -> SealedRecord {
        let body = PresenceRecord { id: identity.id(), ..self.clone() }.body();
        let signature = identity.sign(PRESENCE, &[body.as_bytes()]);
        Sealed::from_parts(body, signature)
    }
}

impl SealedRecord {
    /// Checks form and signature. Whether it is current is for the caller to ask.
    pub fn open(&self) -> Result<PresenceRecord, OpenError> {
        let record = PresenceRecord::parse(&self.body)?;
        if is_signed(record.id, PRESENCE, &[self.body.as_bytes()], &self.signature) {
            Ok(record)
        } else {
            Err(OpenError::BadSignature)
        }
    }
}

impl Identity {
    /// Answers a tracker's challenge for one record.
    pub fn sign_registration(&self, nonce: &Bytes32, record: &SealedRecord) -> Signature {
        self.sign(REGISTER, &[&nonce.0, record.body.as_bytes()])
    }
}

/// Whether `id` answered this challenge for this record.
pub fn is_registration(
    id: PeerId,
    nonce: &Bytes32,
    record: &SealedRecord,
    signature: &Signature,
) -> bool {
    is_signed(id, REGISTER, &[&nonce.0, record.body.as_bytes()], signature)
}

impl SignedMessage {
    /// Signs a text to be disseminated; `None` if it is too long.
    pub(crate) fn sign(identity: &Identity, body: String) -> Option<SignedMessage> {
        let signature = identity.sign(GOSSIP, &[body.as_bytes()]);
        SignedMessage::from_parts(identity.id(), body, signature)
    }

    /// Whether its author has signed it.
    pub(crate) fn is_signed(&self) -> bool {
        is_signed(self.author(), GOSSIP, &[self.body().as_bytes()], self.signature())
    }

    /// Checks form and signature, the cheap thing first.
    pub(crate) fn open(&self) -> Result<Bulletin, OpenError> {
        let bulletin = Bulletin::parse(self.body()).ok_or(OpenError::Malformed)?;
        if self.is_signed() { Ok(bulletin) } else { Err(OpenError::BadSignature) }
    }
}

impl Signal {
    /// Signs the signal: its `from` becomes the id of `identity`.
    pub fn seal(&self, identity: &Identity) -> SealedSignal {
        let body = Signal { from: identity.id(), ..self.clone() }.body();
        let signature = identity.sign(self.kind.name(), &[body.as_bytes()]);
        Sealed::from_parts(body, signature)
    }
}

impl SealedSignal {
    /// Checks size, form, addressee, sender (if one is expected) and signature, the cheap things
    /// first. Whether it is timely ([`Signal::is_timely`]) or a repetition is for the caller.
    pub fn open(&self, me: PeerId, expected_from: Option<PeerId>) -> Result<Signal, OpenError> {
        let signal = Signal::parse(&self.body)?;
        if signal.to != me {
            return Err(OpenError::NotForMe);
        }
        if expected_from.is_some_and(|from| from != signal.from) {
            return Err(OpenError::WrongSender);
        }
        let kind = signal.kind.name();
        if is_signed(signal.from, kind, &[self.body.as_bytes()], &self.signature) {
            Ok(signal)
        } else {
            Err(OpenError::BadSignature)
        }
    }

    /// Whether `id` has signed it as a signal of some kind, be it one of a later version.
    pub(crate) fn is_signed_by(&self, id: PeerId) -> bool {
        #[derive(serde::Deserialize)]
        struct OnlyKind {
            kind: String,
        }
        let of_kind = |OnlyKind { kind }: OnlyKind| {
            is_signed(id, &kind, &[self.body.as_bytes()], &self.signature)
        };
        serde_json::from_str(&self.body).is_ok_and(of_kind)
    }
}

#[cfg(test)]
mod tests;
