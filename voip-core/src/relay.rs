//! Relaying, for peers whose routers let no packet of each other through: TURN (RFC 8656).
//!
//! [`server`] is the relay of a tracker, [`client`] what a node makes of one, or of any other TURN server.

pub(crate) mod client;
pub(crate) mod server;
