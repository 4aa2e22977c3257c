//! Who is where: the tracker's two ends as state machines, and what to make of their answers.
//!
//! [`client`] is a peer's connection to one tracker, [`server`] a tracker, [`resolve`] the decision
//! whom a name means when several trackers and a list of pinned keys have a say, [`address`] how a user
//! writes where a tracker is.

pub(crate) mod address;
pub(crate) mod client;
pub(crate) mod resolve;
pub(crate) mod server;

pub(crate) use crate::event::Peer;
