//! What registered peers want of each other: where they are, and that a signal is handed on.

use super::{ConnId, Server};
use crate::id::PeerId;
use crate::time::Instant;
use crate::wire::signal::{MAX_SIGNAL, SealedSignal};
use crate::wire::tracker::{ErrorCode, RequestId, Target, TrackerMessage};

impl Server {
    pub(super) fn look_up(&mut self, conn: ConnId, id: RequestId, target: &Target) {
        let peer = match target {
            Target::Name(name) => self.registry.owner(name),
            Target::Peer(peer) => Some(*peer),
        };
        let found = peer.and_then(|peer| self.registry.get(peer));
        let answer = match found {
            Some(found) => TrackerMessage::Found { id, peer: found.entry() },
            None => TrackerMessage::NotFound { id },
        };
        self.send(conn, &answer);
    }

    pub(super) fn hand_on(
        &mut self,
        now: Instant,
        conn: ConnId,
        id: RequestId,
        from: PeerId,
        to: PeerId,
        signal: SealedSignal,
    ) {
        if signal.body.len() > MAX_SIGNAL {
            self.stats.too_long += 1;
            return self.refuse(conn, Some(id), ErrorCode::TooLong, "a signal of over 16 KiB");
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if !connection.may_signal(now, signal.body.len()) {
            self.stats.rate_limited += 1;
            return self.refuse(conn, Some(id), ErrorCode::RateLimited, "wait a second");
        }
        let Some(addressee) = self.registry.get(to).map(|peer| peer.conn) else {
            self.stats.undeliverable += 1;
            return self.send(conn, &TrackerMessage::Undeliverable { id, to });
        };
        let frame = TrackerMessage::Signal { from, signal }.to_frame();
        let Some(connection) = self.connections.get_mut(&addressee) else { return };
        if !connection.may_be_signalled(now, frame.len()) {
            self.stats.rate_limited += 1;
            let message = "too much for this peer: wait a second";
            return self.refuse(conn, Some(id), ErrorCode::RateLimited, message);
        }
        self.stats.relayed += 1;
        self.send_bytes(addressee, frame.into());
        self.send(conn, &TrackerMessage::Relayed { id });
    }
}
