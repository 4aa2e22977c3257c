//! Bytes: parse and emit, no state.
//!
//! What a peer and a tracker say to each other ([`tracker`], in frames made by [`framing`]), what
//! two peers say to each other through a tracker ([`signal`]), what a tracker tells about a peer
//! ([`record`]), and the question "what is my address?" ([`stun`]), what a
//! relay and its clients say to each other ([`turn`]), and neighbours in a gossip mesh
//! ([`gossip`], [`exchange`]) and in what they hand on ([`bulletin`]). Records and signals are signed
//! texts ([`sealed`]): what is signed is exactly what travels. Keys live one floor up, in
//! `identity`. `docs/tracker-protocol.md` describes all of it for clients in other languages.

pub(crate) mod base64;
pub(crate) mod bulletin;
pub(crate) mod channel;
pub(crate) mod exchange;
pub(crate) mod framing;
pub(crate) mod gossip;
pub(crate) mod name;
pub(crate) mod record;
pub(crate) mod sealed;
pub(crate) mod signal;
pub(crate) mod stun;
pub(crate) mod tracker;
pub(crate) mod turn;

use serde::Serialize;

/// How far the clocks of two machines may be apart before signed things of one count as stale or
/// from the future at the other.
pub(crate) const CLOCK_TOLERANCE: crate::time::Duration = crate::time::Duration::from_secs(300);

/// Writes one of our own messages as JSON.
#[expect(clippy::expect_used, reason = "messages hold strings, numbers and lists: nothing fails")]
pub(crate) fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("a message of strings and numbers")
}
