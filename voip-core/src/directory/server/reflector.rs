//! Tells whoever asks over UDP which address the question came from (STUN).
//!
//! The sender of a datagram may be forged, so an answer can hit somebody who never asked. It is
//! hardly longer than the question, and a network gets only a few a second.

use std::net::SocketAddr;

use crate::rate::{PrefixTable, Rate};
use crate::time::Instant;
use crate::wire::stun::binding_response;

pub(super) struct Reflector {
    networks: PrefixTable,
}

impl Reflector {
    /// `answers` to one IPv4 /24 or IPv6 /56.
    pub(super) fn new(secret: u64, answers: Rate) -> Self {
        Reflector { networks: PrefixTable::new(secret, answers, 24, 56) }
    }

    /// The answer, if there is to be one. This machine's own questions are not limited: nobody
    /// else can send from a loopback address.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<Vec<u8>> {
        let answer = binding_response(datagram, from)?;
        let is_local = from.ip().to_canonical().is_loopback();
        (is_local || self.networks.take(now, from.ip())).then_some(answer)
    }
}
