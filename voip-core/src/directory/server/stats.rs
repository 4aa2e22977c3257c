//! A tracker's counters.

/// What a tracker has seen. All but `connections`, `online` and `relay_allocations` count from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackerStats {
    /// Connections now.
    pub connections: u64,
    /// Peers registered now.
    pub online: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Of them: turned away at once, because there were too many.
    pub turned_away: u64,
    /// Times that accepting paused because the system had no descriptor left.
    pub accept_pauses: u64,
    /// Registrations refused: version, form, dates, name, signature.
    pub registrations_refused: u64,
    /// Connections ended because their key registered on another.
    pub replaced: u64,
    /// Connections ended because nothing, or too little, came in time.
    pub timeouts: u64,
    /// Connections ended because the peer did not read.
    pub slow_readers: u64,
    /// Frames that were no message, and WebSockets that broke their protocol.
    pub malformed: u64,
    /// Frames or signals longer than allowed.
    pub too_long: u64,
    /// Messages of a type unknown to this version.
    pub unknown_type: u64,
    /// Requests of peers that were not registered.
    pub not_registered: u64,
    /// Requests refused because there were too many, of the sender or for the addressee.
    pub rate_limited: u64,
    /// Signals handed on.
    pub relayed: u64,
    /// Signals to peers that were not online.
    pub undeliverable: u64,
    /// Datagrams answered with the address they came from.
    pub stun_answered: u64,
    /// Datagrams dropped: no plain binding request, or too many of one network.
    pub stun_dropped: u64,
    /// Allocations at the relay now.
    pub relay_allocations: u64,
    /// Packets that the relay passed on.
    pub relay_packets: u64,
    /// Bytes in them, as the peers sent them.
    pub relay_bytes: u64,
    /// Packets that the relay dropped: too many, not permitted, of no call.
    pub relay_dropped: u64,
    /// Requests that the relay refused or left without an answer.
    pub relay_refused: u64,
    /// Events dropped because nobody fetched them.
    pub events_dropped: u64,
    /// Connections in TLS, counted when the handshake is done.
    pub tls: u64,
    /// Connections by WebSocket, plain or in TLS, counted when the handshake is done.
    pub websockets: u64,
    /// Connections ended because a handshake of TLS or of a WebSocket failed.
    pub handshakes_failed: u64,
    /// Connections turned away because they were not in TLS.
    pub tls_required: u64,
}
