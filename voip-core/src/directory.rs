//! Who is where: the tracker's two ends as state machines, and what to make of their answers.
//!
//! [`client`] is a peer's connection to one tracker, [`server`] a tracker, [`resolve`] the decision
//! whom a name means when several trackers and a list of pinned keys have a say.

pub(crate) mod client;
pub(crate) mod resolve;
pub(crate) mod server;

use crate::id::PeerId;
use crate::time::UnixMillis;
use crate::wire::record::Presence;

/// A peer that is online, as its own signed record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its key.
    pub id: PeerId,
    /// What it calls itself.
    pub name: String,
    /// Whether it wants to be called.
    pub presence: Presence,
    /// Since when it is registered, as the tracker says.
    pub since: UnixMillis,
}
