//! What a client tells its owner, and asks it to do.

use std::net::SocketAddr;

use crate::directory::Peer;
use crate::id::PeerId;
use crate::wire::signal::SealedSignal;
use crate::wire::tracker::ErrorCode;

/// What the client wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Open a connection to the tracker.
    Connect,
    /// Send these bytes over it.
    Send(Vec<u8>),
    /// Close it.
    Disconnect,
    /// Something the owner should know.
    Event(Event),
}

/// What the owner should know. `request` is the number the owner gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Registered, for the first time or again after a loss.
    Registered { online: u32, observed: SocketAddr },
    /// The tracker does not take us, told once for each reason; the client tries on.
    RegistrationRefused(ErrorCode),
    /// The same key registered elsewhere; the client has stopped.
    Replaced,
    /// No connection any more, or none to begin with; told once until registered again, and once more
    /// when the reason becomes that the tracker is not to be trusted.
    Lost(Loss),
    /// A peer came.
    Joined { peer: Peer, online: u32 },
    /// A peer says something else about itself.
    Changed { peer: Peer },
    /// A peer went.
    Left { id: PeerId, name: String, online: u32 },
    /// The peer looked up.
    Found { request: u64, peer: Peer },
    /// No such peer, or the tracker told of another one.
    NotFound { request: u64 },
    /// One page of a list; `next` goes into the next request.
    Peers { request: u64, peers: Vec<Peer>, next: Option<String> },
    /// A signal, not yet opened.
    Signal { from: PeerId, signal: SealedSignal },
    /// The addressee of a signal is not online there.
    Undeliverable { request: u64, to: PeerId },
    /// Credentials for the tracker's relay.
    Relay { request: u64, username: String, password: String },
    /// Waits there for a peer.
    Pairing { request: u64 },
    /// Waits no longer: here is the peer, or nothing if the tracker told of one that is not to be believed.
    Paired { peer: Option<Peer> },
    /// No answer, or a refusal.
    Failed { request: u64, why: Failure },
}

/// Why a connection was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It could not be opened.
    Unreachable,
    /// The other side closed it.
    Closed,
    /// The other side fell silent.
    Silent,
    /// The other side does not speak the protocol.
    Protocol,
    /// The other side closed it, and said why.
    Refused(ErrorCode),
    /// The other side is not the tracker that we want: what does not fit.
    Untrusted(String),
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Not registered at the moment, or no longer.
    NotRegistered,
    /// Too many requests are waiting for answers.
    TooMany,
    /// The tracker did not answer in time.
    TimedOut,
    /// The tracker refused.
    Refused(ErrorCode),
}

/// What was dropped, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientStats {
    /// Frames that were no message.
    pub(crate) malformed: u64,
    /// Messages of types unknown here.
    pub(crate) unknown: u64,
    /// Answers to nothing, or of the wrong kind.
    pub(crate) unexpected: u64,
    /// Records whose signature or dates do not hold, or that are not of the peer asked for.
    pub(crate) unverified: u64,
    /// Connections opened.
    pub(crate) connections: u64,
}

impl ClientStats {
    /// All that was dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.malformed + self.unknown + self.unexpected + self.unverified
    }
}
