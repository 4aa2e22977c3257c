//! What nodes of the mesh tell all others.

use crate::id::PeerId;
use crate::overlay::{Validator, Verdict};
use crate::time::{Instant, UnixMillis};
use crate::wire::gossip::SignedMessage;

use super::Engine;

#[derive(Default)]
pub(super) struct Bulletins {}

pub(super) struct Judge;

impl Bulletins {
    pub(super) fn judge(&mut self, _wall: UnixMillis) -> Judge {
        Judge
    }
}

impl Validator for Judge {
    fn judge(&mut self, _now: Instant, _message: &SignedMessage) -> Verdict {
        Verdict::Ignore
    }
}

impl Engine {
    pub(super) fn handle_bulletin(&mut self, _now: Instant, _message: &SignedMessage) {}

    pub(super) fn neighbor_up(&mut self, _now: Instant, peer: PeerId) {
        tracing::info!(%peer, "neighbour");
    }

    pub(super) fn neighbor_down(&mut self, _now: Instant, peer: PeerId) {
        tracing::info!(%peer, "neighbour gone");
    }
}
