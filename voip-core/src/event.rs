//! What a node tells its user, in the order in which it happened.

use crate::device::{AudioDevice, DeviceChange, DeviceDirection};
use crate::error::{Error, ErrorKind};
use crate::id::PeerId;
use crate::text::{Text, TextId};
use crate::time::UnixMillis;

/// Whether a peer wants to be called.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Presence {
    /// Call me.
    #[default]
    Available,
    /// In a call.
    Busy,
    /// Online, nobody at the device.
    Away,
    /// Something a later version says.
    #[serde(other)]
    Unknown,
}

/// A peer as a tracker lists it; the record was signed by the peer's own key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The name it registered.
    pub name: String,
    /// Its key.
    pub id: PeerId,
    /// Whether it can be called.
    pub presence: Presence,
    /// Online since, by the tracker's clock.
    pub since: UnixMillis,
}

/// What somebody whose name is known is to this node's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContactState {
    /// The name was used in a call, and is pinned to its key since.
    Seen,
    /// The user's contact: may call though there is [`NodeBuilder::contacts_only`](crate::NodeBuilder::contacts_only),
    /// and learns this node's addresses while it rings, so that the answer is heard at once.
    Accepted,
    /// A contact of whom the user knows that the key is theirs: words or safety numbers were compared.
    Verified,
    /// Calls from this key, and from whoever goes by this name, are refused unheard.
    Blocked,
}

/// Somebody whose name is pinned to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contact {
    /// The name.
    pub name: String,
    /// The key it is pinned to.
    pub id: PeerId,
    /// What they are to the user.
    pub state: ContactState,
}

/// Why a call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// This side hung up, or cancelled before the answer.
    HungUp,
    /// The peer hung up.
    PeerHungUp,
    /// The peer is in another call, or this node has as many as it takes, or one with that peer.
    Busy,
    /// The peer declined.
    Declined,
    /// Nobody answered within the ring time.
    NoAnswer,
    /// An incoming call that was not answered in time, or that the caller gave up.
    Missed,
    /// No peer of that name or key is online.
    UnknownPeer,
    /// Trackers disagree on whose name it is, and none is pinned.
    AmbiguousName,
    /// The name belongs to another key than the one pinned.
    KeyChanged,
    /// No tracker could be asked.
    TrackerUnreachable,
    /// The peer did not react, or no path to it was found.
    Unreachable,
    /// The path to the peer was lost.
    NetworkLost,
    /// The peer sent what makes no sense.
    Protocol,
    /// The node was closed.
    NodeClosed,
    /// The caller broke its word on which the [verification words](crate::Call::verification_words)
    /// rest: what it revealed is not what it had committed itself to. Its program is broken, or
    /// somebody tries to choose the words.
    VerificationFailed,
}

impl EndReason {
    /// The kind of error that a blocking call returns for this end.
    pub fn error_kind(self) -> ErrorKind {
        match self {
            Self::HungUp | Self::PeerHungUp | Self::Missed => ErrorKind::CallEnded,
            Self::Busy => ErrorKind::Busy,
            Self::Declined => ErrorKind::Declined,
            Self::NoAnswer => ErrorKind::NoAnswer,
            Self::UnknownPeer => ErrorKind::UnknownPeer,
            Self::AmbiguousName => ErrorKind::AmbiguousName,
            Self::KeyChanged => ErrorKind::KeyChanged,
            Self::TrackerUnreachable => ErrorKind::TrackerUnreachable,
            Self::Unreachable => ErrorKind::Unreachable,
            Self::NetworkLost => ErrorKind::NetworkLost,
            Self::Protocol | Self::VerificationFailed => ErrorKind::Protocol,
            Self::NodeClosed => ErrorKind::Closed,
        }
    }

    /// In words, for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::HungUp => "hung up",
            Self::PeerHungUp => "the peer hung up",
            Self::Busy => "the peer is in another call",
            Self::Declined => "the peer declined",
            Self::NoAnswer => "nobody answered",
            Self::Missed => "missed",
            Self::UnknownPeer => "no such peer is online",
            Self::AmbiguousName => "the trackers disagree on whose name that is",
            Self::KeyChanged => "the name belongs to another key than before",
            Self::TrackerUnreachable => "no tracker can be reached",
            Self::Unreachable => "no path to the peer was found",
            Self::NetworkLost => "the path to the peer was lost",
            Self::Protocol => "the peer sent what makes no sense",
            Self::NodeClosed => "the node was closed",
            Self::VerificationFailed => "the peer broke the rules of verification",
        }
    }

    /// As the error of a blocking call.
    pub fn to_error(self) -> Error {
        Error::new(self.error_kind(), self.describe())
    }
}

/// Why nothing is heard of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SilenceReason {
    /// No packet of sound has come for 0.9 s: the path is broken or blocked in this direction, or
    /// the peer's program has stopped or has nothing to send. (Discontinuous transmission is no
    /// such silence: Opus then sends at least every 0.42 s. From a peer that says it does so, over a
    /// line that loses packets, nothing for 4 s is silence.)
    NoPackets,
    /// Packets come, and the peer says that there is no sound in them: its microphone has given
    /// digital silence, the same value over and over, for a second. It is unplugged, switched off,
    /// muted outside the program, or forbidden to the program; or there is none.
    DigitalSilence,
    /// The peer says that it has muted its microphone: it sends nothing, by design.
    Muted,
}

impl SilenceReason {
    /// In words, for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::NoPackets => "no sound arrives",
            Self::DigitalSilence => "the microphone there gives nothing but digital silence",
            Self::Muted => "the microphone there is muted",
        }
    }
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallState {
    /// Outgoing: the peer is being looked up, or has not reacted to the offer yet.
    Placing,
    /// It rings, here or at the peer.
    Ringing,
    /// Answered; the path is being made.
    Connecting,
    /// Sound goes both ways.
    Connected,
    /// Over.
    Ended(EndReason),
}

/// An event. `C` is the handle of a call: [`Call`](crate::Call) for a real node.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<C> {
    /// A tracker has accepted this node's name and key.
    Registered {
        /// The tracker's address as it was configured.
        tracker: String,
        /// Peers online there, this one included.
        online: u32,
    },
    /// A tracker refused the registration or cannot be reached. The node goes on trying, unless the
    /// same key has registered from elsewhere.
    TrackerLost {
        /// The tracker's address as it was configured.
        tracker: String,
        /// Why.
        error: Error,
    },
    /// A peer came online.
    Joined {
        /// Who.
        peer: Peer,
        /// Peers online now.
        online: u32,
    },
    /// A peer says something else about itself: its presence.
    Changed {
        /// Who, as it is now.
        peer: Peer,
    },
    /// A peer went offline.
    Left {
        /// Whose name.
        name: String,
        /// Whose key.
        id: PeerId,
        /// Peers online now.
        online: u32,
    },
    /// A peer that [`Node::pair`](crate::Node::pair) waited for: both were handed to each other.
    Paired {
        /// Who.
        peer: Peer,
        /// Whether it is this side's part to call: true on one of the two sides, that of the smaller key.
        calls: bool,
    },
    /// No tracker can do what [`Node::pair`](crate::Node::pair) asks; this node waits no longer.
    PairingFailed {
        /// Why.
        error: Error,
    },
    /// Somebody calls: answer or reject it.
    Incoming {
        /// The call.
        call: C,
    },
    /// It rings at the peer.
    Ringing {
        /// The call.
        call: C,
    },
    /// The call was answered, here or there.
    Answered {
        /// The call.
        call: C,
    },
    /// There is an encrypted path: sound can flow.
    Connected {
        /// The call.
        call: C,
    },
    /// The words by which two people check that nobody sits between them are known: right after
    /// [`Event::Connected`], some seconds later on a line that loses packets, never for a peer of a
    /// version without them. See
    /// [`Call::verification_words`](crate::Call::verification_words).
    VerificationReady {
        /// The call.
        call: C,
        /// The words, the same at both ends.
        words: [&'static str; 4],
    },
    /// The first sound of the peer was handed to playout.
    FirstAudio {
        /// The call.
        call: C,
    },
    /// The peer muted or unmuted its microphone. Of ten changes one soon after the other each is told,
    /// of more than that not every one.
    PeerMuted {
        /// The call.
        call: C,
        /// Muted now.
        muted: bool,
    },
    /// Nothing is heard of the peer any more, or nothing was from the beginning. The call goes on.
    /// Told once: another of these means another reason, and [`Event::MediaResumed`] that it is over.
    ///
    /// These two come at most once in 0.9 s, whatever the peer does. Where the line loses the peer's
    /// word that it is muted, [`SilenceReason::NoPackets`] may come first, until it has been said again.
    MediaSilent {
        /// The call.
        call: C,
        /// Why.
        reason: SilenceReason,
    },
    /// What [`Event::MediaSilent`] told is over: sound comes again, or the peer is no longer muted.
    MediaResumed {
        /// The call.
        call: C,
    },
    /// Nothing comes of the peer any more, not even a sign of life: the path to it is lost, and another one is
    /// looked for. The call goes on; without a path for 45 s it ends.
    Reconnecting {
        /// The call.
        call: C,
    },
    /// There is a path again: what [`Event::Reconnecting`] told is over.
    Reconnected {
        /// The call.
        call: C,
    },
    /// The call is over.
    Ended {
        /// The call.
        call: C,
        /// Why.
        reason: EndReason,
    },
    /// A name that is pinned to one key was used by another; the call was refused. See
    /// `Node::accept_key`.
    KeyChanged {
        /// The name.
        name: String,
        /// The key it is pinned to.
        pinned: PeerId,
        /// The key that used it now.
        offered: PeerId,
    },
    /// Somebody in the mesh has written. What this node's own user writes is not told, nor what blocked keys do.
    Text {
        /// What.
        text: Text,
    },
    /// Texts of this node's have come to the peer they are for.
    TextDelivered {
        /// To whom.
        to: PeerId,
        /// Which.
        ids: Vec<TextId>,
    },
    /// Texts of an author are not to be had any more from anybody; others that came after them follow.
    TextsMissing {
        /// Whose.
        author: PeerId,
        /// How many, those for others included.
        count: u32,
    },
    /// The file that keeps texts cannot be written: what comes now is lost when the node is closed. Told once, and again if it
    /// has worked in between.
    HistoryFailed {
        /// Why.
        error: Error,
    },
    /// Another microphone or loudspeaker is in use than before, or none.
    DeviceChanged {
        /// Which of the two.
        direction: DeviceDirection,
        /// The one in use now; `None` while there is none.
        device: Option<AudioDevice>,
        /// Why.
        change: DeviceChange,
    },
    /// The queue overflowed and events were dropped, first those about what can be read again: who is
    /// online ([`Node::peers`](crate::Node::peers)), texts ([`Node::history`](crate::Node::history)), devices (with [`Event::DeviceChanged`]; those in
    /// use are in [`Node::stats`](crate::Node::stats)), and whether the peers of calls are muted
    /// or silent ([`Call::is_peer_muted`](crate::Call::is_peer_muted),
    /// [`Call::peer_silence`](crate::Call::peer_silence)). Read these and the states of calls again.
    Lagged,
}

impl<C> Event<C> {
    /// The call that the event is about.
    pub fn call(&self) -> Option<&C> {
        match self {
            Event::Incoming { call }
            | Event::Ringing { call }
            | Event::Answered { call }
            | Event::Connected { call }
            | Event::VerificationReady { call, .. }
            | Event::FirstAudio { call }
            | Event::PeerMuted { call, .. }
            | Event::MediaSilent { call, .. }
            | Event::MediaResumed { call }
            | Event::Reconnecting { call }
            | Event::Reconnected { call }
            | Event::Ended { call, .. } => Some(call),
            Event::Registered { .. }
            | Event::TrackerLost { .. }
            | Event::Joined { .. }
            | Event::Changed { .. }
            | Event::Left { .. }
            | Event::Paired { .. }
            | Event::PairingFailed { .. }
            | Event::KeyChanged { .. }
            | Event::Text { .. }
            | Event::TextDelivered { .. }
            | Event::TextsMissing { .. }
            | Event::HistoryFailed { .. }
            | Event::DeviceChanged { .. }
            | Event::Lagged => None,
        }
    }

    /// Whether what it tells can be asked for at any time, so that a full queue may do without it.
    pub(crate) fn can_be_read_again(&self) -> bool {
        matches!(
            self,
            Event::Joined { .. }
                | Event::Changed { .. }
                | Event::Left { .. }
                | Event::Text { .. }
                | Event::PeerMuted { .. }
                | Event::MediaSilent { .. }
                | Event::MediaResumed { .. }
                | Event::DeviceChanged { .. }
        )
    }

    /// The same event with another kind of handle, if there is one for its call.
    pub(crate) fn try_map<D>(self, mut f: impl FnMut(C) -> Option<D>) -> Option<Event<D>> {
        Some(match self {
            Event::Registered { tracker, online } => Event::Registered { tracker, online },
            Event::TrackerLost { tracker, error } => Event::TrackerLost { tracker, error },
            Event::Joined { peer, online } => Event::Joined { peer, online },
            Event::Changed { peer } => Event::Changed { peer },
            Event::Left { name, id, online } => Event::Left { name, id, online },
            Event::Paired { peer, calls } => Event::Paired { peer, calls },
            Event::PairingFailed { error } => Event::PairingFailed { error },
            Event::Incoming { call } => Event::Incoming { call: f(call)? },
            Event::Ringing { call } => Event::Ringing { call: f(call)? },
            Event::Answered { call } => Event::Answered { call: f(call)? },
            Event::Connected { call } => Event::Connected { call: f(call)? },
            Event::VerificationReady { call, words } => {
                Event::VerificationReady { call: f(call)?, words }
            }
            Event::FirstAudio { call } => Event::FirstAudio { call: f(call)? },
            Event::PeerMuted { call, muted } => Event::PeerMuted { call: f(call)?, muted },
            Event::MediaSilent { call, reason } => Event::MediaSilent { call: f(call)?, reason },
            Event::MediaResumed { call } => Event::MediaResumed { call: f(call)? },
            Event::Reconnecting { call } => Event::Reconnecting { call: f(call)? },
            Event::Reconnected { call } => Event::Reconnected { call: f(call)? },
            Event::Ended { call, reason } => Event::Ended { call: f(call)?, reason },
            Event::KeyChanged { name, pinned, offered } => {
                Event::KeyChanged { name, pinned, offered }
            }
            Event::Text { text } => Event::Text { text },
            Event::TextDelivered { to, ids } => Event::TextDelivered { to, ids },
            Event::TextsMissing { author, count } => Event::TextsMissing { author, count },
            Event::HistoryFailed { error } => Event::HistoryFailed { error },
            Event::DeviceChanged { direction, device, change } => {
                Event::DeviceChanged { direction, device, change }
            }
            Event::Lagged => Event::Lagged,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_does_without_devices_but_not_without_the_end_of_a_call() {
        let lost = Event::<()>::DeviceChanged {
            direction: DeviceDirection::Input,
            device: None,
            change: DeviceChange::Lost,
        };
        assert!(lost.can_be_read_again());
        let ended = Event::Ended { call: (), reason: EndReason::PeerHungUp };
        assert!(!ended.can_be_read_again());
    }
}
