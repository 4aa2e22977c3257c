//! One call as data: who, which phase, until when. What moves it on is in `placing`, `signalling`
//! and `media`.

use crate::id::{CallId, PeerId, Ssrc};
use crate::session::Session;
use crate::time::{Duration, Instant};
use crate::voice::{Egress, StreamKey};
use crate::wire::sealed::Bytes32;
use crate::wire::tracker::Target;

use super::path::PathWatch;
use super::relays::CallRelay;
use super::reports::Reports;
use super::silence::SilenceWatch;
use super::stages::StageMeter;
use super::verification::Verification;

/// A call within one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallKey(pub(crate) u64);

impl CallKey {
    /// Keys of outgoing calls are given by whoever places them, counted from 1; those of incoming
    /// calls by the engine, counted from here.
    pub(crate) const FIRST_INCOMING: CallKey = CallKey(1 << 63);
}

/// What carries a call's signalling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// The tracker of that number.
    Tracker(usize),
    /// The mesh of nodes.
    Mesh,
}

/// How far a call has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// Outgoing: who is it?
    Resolving,
    /// Outgoing: the offer is under way.
    Offered,
    /// Outgoing: it rings there.
    RingingThere,
    /// Incoming: it rings here. The description waits for the answer.
    RingingHere { sdp: String },
    /// Answered; ICE and DTLS at work.
    Connecting,
    /// Sound flows.
    Connected,
}

/// How long an offer may stay without any reaction of the peer's program.
pub(super) const OFFER_TIMEOUT: Duration = Duration::from_secs(8);
/// How long ICE and DTLS may take after the answer.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// What the callee allows beyond the ring time for the caller's cancel to arrive.
pub(super) const RING_GRACE: Duration = Duration::from_secs(5);

/// Every so many packets the clock of playout asks for its lag: 2 s of packets of 20 ms. Twice as
/// many after each time it has moved.
pub(super) const LAG_EVERY: u64 = 100;
/// What is added to that lag, for the few packets that come later than those known so far: one block
/// made up is worse than so much delay.
pub(super) const LAG_SLACK: Duration = Duration::from_millis(2);

/// One call.
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) phase: Phase,
    /// The peer, once it is known.
    pub(super) peer: Option<PeerId>,
    pub(super) name: String,
    /// Incoming: the name that the caller gave itself, to be verified before it is pinned.
    pub(super) claimed_name: Option<String>,
    pub(super) carrier: Carrier,
    /// What the peer's replies must name (outgoing) or ours do (incoming).
    pub(super) offer_hash: Option<Bytes32>,
    /// What the peers know of each other's words.
    pub(super) verification: Verification,
    /// The request that carried our offer to the tracker.
    pub(super) offer_request: Option<u64>,
    pub(super) session: Option<Session>,
    /// The callee's description, once it is known: it may be ahead of the answer.
    pub(super) early: Option<String>,
    /// The source (RFC 3550 §3) whose sound is taken: the first one heard.
    pub(super) ssrc: Option<Ssrc>,
    /// The peer's sound, once connected.
    pub(super) stream: Option<StreamKey>,
    pub(super) egress: Option<Egress>,
    pub(super) muted: bool,
    /// What the peer was told last of this microphone.
    pub(super) told_digital_silence: bool,
    /// Whether the peer is heard.
    pub(super) silence: SilenceWatch,
    /// Whether there is a path to it.
    pub(super) path: PathWatch,
    pub(super) relay: CallRelay,
    /// Addresses of the peer that came before its description.
    pub(super) trickled: Vec<String>,
    pub(super) reports: Reports,
    /// When the phase gives up.
    pub(super) deadline: Instant,
    /// When ringing there ends; kept while the phase has another deadline.
    pub(super) ring_deadline: Instant,
    /// How long it rings.
    pub(super) ring_timeout: Duration,
    pub(super) began: Instant,
    pub(super) answered: Option<Instant>,
    pub(super) first_audio: Option<Instant>,
    pub(super) stages: StageMeter,
    /// How many packets must have come before the clock of playout asks for its lag.
    pub(super) lag_after: u64,
    /// How often that clock has moved.
    pub(super) lag_moves: u32,
}

impl Call {
    pub(super) fn new(
        id: CallId,
        phase: Phase,
        name: String,
        now: Instant,
        ring_timeout: Duration,
    ) -> Call {
        Call {
            id,
            phase,
            peer: None,
            name,
            claimed_name: None,
            carrier: Carrier::Mesh,
            offer_hash: None,
            verification: Verification::default(),
            offer_request: None,
            session: None,
            early: None,
            ssrc: None,
            stream: None,
            egress: None,
            muted: false,
            told_digital_silence: false,
            silence: SilenceWatch::default(),
            path: PathWatch::default(),
            relay: CallRelay::default(),
            trickled: Vec::new(),
            reports: Reports::default(),
            deadline: now + ring_timeout,
            ring_deadline: now + ring_timeout,
            ring_timeout,
            began: now,
            answered: None,
            first_audio: None,
            stages: StageMeter::default(),
            lag_after: LAG_EVERY,
            lag_moves: 0,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected)
    }

    pub(super) fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Connected)
    }

    pub(super) fn rings_here(&self) -> bool {
        matches!(self.phase, Phase::RingingHere { .. })
    }

    /// Incoming: whether the caller may be the one of that name or key.
    pub(super) fn may_be(&self, target: &Target) -> bool {
        match target {
            Target::Name(name) => self.name == *name,
            Target::Peer(id) => self.peer == Some(*id),
        }
    }

    /// Outgoing: whether it is still looking for that name or key.
    pub(super) fn looks_for(&self, name: &str, id: PeerId) -> bool {
        matches!(self.phase, Phase::Resolving) && (self.name == name || self.name == id.to_string())
    }

    /// Whether this side placed it and the peer has not answered yet.
    pub(super) fn is_outgoing_unanswered(&self) -> bool {
        matches!(self.phase, Phase::Resolving | Phase::Offered | Phase::RingingThere)
    }

    pub(super) fn next_timeout(&self) -> Instant {
        let session = self.session.as_ref().map_or(Instant::FAR_FUTURE, Session::next_timeout);
        let watches = self.silence.next_timeout().min(self.path_timeout());
        session.min(self.deadline).min(watches).min(self.relay.next_timeout())
    }
}
