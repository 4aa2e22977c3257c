//! The engine's contract with its owner: what it is made of, what it is asked for, what it wants done.

use std::net::SocketAddr;

use super::{CallKey, LinkKey, NamedRelay, RelayAddress, RelayKey};
use crate::error::Error;
use crate::event::{Event, Peer};
use crate::id::PeerId;
use crate::identity::pins::{PinChange, Pins};
use crate::relay::client::RelayTransport;
use crate::stats::CallStats;
use crate::text::{Audience, Text, TextId};
use crate::time::{Duration, Epoch, UnixMillis};
use crate::voice::{Codec, EncoderConfig, JitterConfig};
use crate::wire::gossip::SignedMessage;
use crate::wire::signal::Reason;
use crate::wire::tracker::Target;

/// What a node is made of, validated.
pub(crate) struct EngineConfig {
    pub(crate) name: String,
    /// As configured, `host:port`.
    pub(crate) trackers: Vec<String>,
    pub(crate) encoder: EncoderConfig,
    pub(crate) jitter: JitterConfig,
    pub(crate) codec: Codec,
    pub(crate) auto_answer: bool,
    /// Whether names are pinned to keys on first use.
    pub(crate) pins_names: bool,
    /// Whether strangers are refused unheard.
    pub(crate) contacts_only: bool,
    pub(crate) ring_timeout: Duration,
    /// Calls at one time; one more is answered "busy".
    pub(crate) max_calls: usize,
    /// Relays beside those of the trackers.
    pub(crate) relays: Vec<NamedRelay>,
    /// Whether to take part in the mesh; and the addresses of nodes to begin with.
    pub(crate) mesh: Option<Vec<String>>,
    /// Texts that were kept before.
    pub(crate) history: Vec<SignedMessage>,
    /// Whether peers shall know no address of this host, only those on relays.
    pub(crate) relay_only: bool,
    pub(crate) epoch: Epoch,
    /// Wall-clock time at [`Instant::ZERO`].
    pub(crate) wall_at_zero: UnixMillis,
}

/// What the user asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Place {
        call: CallKey,
        target: Target,
        /// Unless it is the node's.
        ring_timeout: Option<Duration>,
    },
    Answer {
        call: CallKey,
    },
    Reject {
        call: CallKey,
        reason: Reason,
    },
    HangUp {
        call: CallKey,
    },
    SetMuted {
        call: CallKey,
        muted: bool,
    },
    /// List the peers online; the answer is an [`Output::Peers`] of the same number.
    Peers {
        request: u64,
    },
    /// Change what is pinned to a name. The user's changes are numbered from 1 on.
    ChangePins {
        name: String,
        change: PinChange,
        number: u64,
    },
    /// Open a link to the node at this address, `host:port`.
    Connect {
        address: String,
    },
    /// Write a text; the answer is an [`Output::TextSent`] of the same number.
    SendText {
        request: u64,
        to: Audience,
        text: String,
    },
    /// Read earlier texts; the answer is an [`Output::Texts`] of the same number.
    ReadTexts {
        request: u64,
        of: Audience,
        before: Option<TextId>,
        limit: usize,
    },
    /// Say goodbye to everybody.
    Close,
}

/// What has to be done, or told, outside.
#[derive(Debug)]
pub(crate) enum Output {
    /// Connect to this tracker; tell the outcome by `handle_tracker_*`.
    TrackerConnect {
        tracker: usize,
    },
    TrackerSend {
        tracker: usize,
        bytes: Vec<u8>,
    },
    TrackerDisconnect {
        tracker: usize,
    },
    /// Send a datagram from `source` (unspecified: any).
    Transmit {
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    },
    /// Open a way to a relay; tell the outcome by `handle_relay_*`.
    RelayOpen {
        relay: RelayKey,
        address: RelayAddress,
        transport: RelayTransport,
    },
    RelaySend {
        relay: RelayKey,
        bytes: Vec<u8>,
    },
    RelayClose {
        relay: RelayKey,
    },
    /// Open a link to a node at any of these addresses; tell the outcome by `handle_link_*`.
    LinkOpen {
        link: LinkKey,
        addresses: Vec<String>,
    },
    LinkSend {
        link: LinkKey,
        bytes: Vec<u8>,
    },
    LinkClose {
        link: LinkKey,
    },
    /// Look which addresses this host has now, and tell them by `handle_host_addresses`.
    FindAddresses,
    /// Who is at the other end of a call.
    CallPeer {
        call: CallKey,
        name: String,
        id: PeerId,
    },
    /// Final statistics of a call, just before its [`Event::Ended`].
    CallStats {
        call: CallKey,
        stats: Box<CallStats>,
    },
    Event(Event<CallKey>),
    Peers {
        request: u64,
        result: Result<Vec<Peer>, Error>,
    },
    TextSent {
        request: u64,
        result: Result<TextId, Error>,
    },
    Texts {
        request: u64,
        result: Result<Vec<Text>, Error>,
    },
    /// A text, of whomever, to keep for the next start.
    KeepText(SignedMessage),
    /// The pinned names changed: keep them. And the number of the user's last change among them.
    SavePins(Pins, u64),
}
