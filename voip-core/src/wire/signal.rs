//! What two peers say to each other before media flows, signed, carried opaquely by a tracker.
//!
//! An offer carries a session description; every reply names the offer it replies to by its hash,
//! so that keys, call, and both descriptions are bound together whatever the tracker does.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::gossip::MAX_ADDRESSES;
use super::name::check_name;
use super::sealed::{Bytes32, Nonce, OpenError, Sealed};
use super::{CLOCK_TOLERANCE, json};
use crate::id::{CallId, PeerId};
use crate::time::UnixMillis;

/// The longest body of a signal, in bytes.
pub const MAX_SIGNAL: usize = 16 * 1024;
/// More candidates than any host has; each costs the peer connectivity checks to an address that the sender chose
/// ("voice hammer", RFC 8445 §19.5.1).
pub const MAX_CANDIDATES: usize = 20;

/// What a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// "I call you": carries an SDP offer.
    Offer,
    /// The callee's device rings.
    Ringing,
    /// It rings at somebody who knows the caller: carries the SDP answer ahead of the answer, so that the path is made
    /// meanwhile (early, as in SIP's response of that name, RFC 3261 §21.1.5). No sound is sent before the answer.
    Progress,
    /// The callee takes the call: carries an SDP answer.
    Answer,
    /// The callee does not take the call; the reason says why.
    Reject,
    /// The caller gives up before an answer.
    Cancel,
    /// Either side hangs up an answered call.
    Bye,
    /// Either side has more addresses at which it may be reached, or others since the path was lost: carries them.
    Path,
    /// No signal of a call: a node of the mesh would like to be a neighbour, and says where it listens.
    Introduce,
}

impl SignalKind {
    /// As in the body and in what is signed.
    pub const fn name(self) -> &'static str {
        match self {
            SignalKind::Offer => "offer",
            SignalKind::Ringing => "ringing",
            SignalKind::Progress => "progress",
            SignalKind::Answer => "answer",
            SignalKind::Reject => "reject",
            SignalKind::Cancel => "cancel",
            SignalKind::Bye => "bye",
            SignalKind::Path => "path",
            SignalKind::Introduce => "introduce",
        }
    }

    const fn carries_sdp(self) -> bool {
        matches!(self, SignalKind::Offer | SignalKind::Progress | SignalKind::Answer)
    }

    const fn replies_to_an_offer(self) -> bool {
        use SignalKind::{Answer, Progress, Reject, Ringing};
        matches!(self, Ringing | Progress | Answer | Reject)
    }
}

/// Why a call was not taken, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The person said no.
    Declined,
    /// In another call.
    Busy,
    /// Nobody answered within the ring time.
    NoAnswer,
    /// Somebody hung up.
    HungUp,
    /// No path between the peers was found.
    Unreachable,
    /// The path was lost.
    NetworkLost,
    /// The caller's name belongs to another key here.
    KeyChanged,
    /// The offer makes no sense to this side.
    Incompatible,
    /// Something a later version says.
    #[serde(other)]
    Other,
}

/// One message about one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// What it is for.
    pub kind: SignalKind,
    /// Which call.
    pub call: CallId,
    /// Who signs.
    pub from: PeerId,
    /// For whom.
    pub to: PeerId,
    /// When it was signed.
    pub at: UnixMillis,
    /// Random: no two signals are alike.
    pub nonce: Nonce,
    /// In an offer, the name by which the caller registered: what the callee's screen shows and
    /// pins to the key that signs. Without one the caller goes by its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The session description, RFC 8866, of offer, progress and answer; the last two have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp: Option<String>,
    /// In an offer, the commitment to the nonce that the caller reveals on the data channel: with it the
    /// call has verification words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Bytes32>,
    /// In the answer to an offer with a commitment, the callee's nonce for the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sas_nonce: Option<Bytes32>,
    /// SHA-256 of the body of the offer this replies to (ringing, progress, answer, reject).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_hash: Option<Bytes32>,
    /// Why (reject, cancel, bye).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// ICE candidates (path), each as in an SDP attribute (RFC 8839 §5.1), [`MAX_CANDIDATES`] at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Vec<String>>,
    /// Where a node listens for others (introduce): `ip:port` each, eight at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<String>>,
}

/// A signal, signed.
pub type SealedSignal = Sealed<Signal>;

impl Signal {
    /// A signal without name, SDP, what words are made of, offer hash, reason and candidates.
    pub fn new(
        kind: SignalKind,
        call: CallId,
        from: PeerId,
        to: PeerId,
        at: UnixMillis,
        nonce: Nonce,
    ) -> Self {
        Signal {
            kind,
            call,
            from,
            to,
            at,
            nonce,
            name: None,
            sdp: None,
            commit: None,
            sas_nonce: None,
            offer_hash: None,
            reason: None,
            candidates: None,
            addresses: None,
        }
    }

    /// Reads a body and checks all but signature, peers and time.
    pub(crate) fn parse(body: &str) -> Result<Self, OpenError> {
        if body.len() > MAX_SIGNAL {
            return Err(OpenError::TooLong);
        }
        let signal: Self = serde_json::from_str(body).map_err(|_| OpenError::Malformed)?;
        let is_offer = signal.kind == SignalKind::Offer;
        let named = signal.name.as_ref().is_none_or(|n| is_offer && check_name(n).is_ok());
        let is_answer = signal.kind == SignalKind::Answer;
        let complete = named
            && (is_offer || signal.commit.is_none())
            && (is_answer || signal.sas_nonce.is_none())
            && signal.sdp.is_some() == signal.kind.carries_sdp()
            && signal.offer_hash.is_some() == signal.kind.replies_to_an_offer()
            && signal.candidates.is_some() == (signal.kind == SignalKind::Path)
            && signal.candidates.as_ref().is_none_or(|all| all.len() <= MAX_CANDIDATES)
            && signal.addresses.is_some() == (signal.kind == SignalKind::Introduce)
            && signal.addresses.as_ref().is_none_or(|all| all.len() <= MAX_ADDRESSES);
        if complete { Ok(signal) } else { Err(OpenError::Malformed) }
    }

    pub(crate) fn body(&self) -> String {
        json(self)
    }

    /// Whether it was signed within five minutes of `wall`. Within that time the receiver must
    /// remember the offers it has seen, or old ones could be played again.
    pub fn is_timely(&self, wall: UnixMillis) -> bool {
        self.at.is_within(CLOCK_TOLERANCE, wall)
    }
}

impl SealedSignal {
    /// SHA-256 (FIPS 180-4) of the body: what a reply names an offer by.
    pub fn hash(&self) -> Bytes32 {
        Bytes32(Sha256::digest(self.body.as_bytes()).into())
    }
}
