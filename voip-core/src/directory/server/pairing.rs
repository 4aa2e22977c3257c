//! Peers who want to be handed to one another without knowing each other's name.

use super::{ConnId, Server, TrackerEvent};
use crate::id::PeerId;
use crate::wire::tracker::{RequestId, TrackerMessage};

impl Server {
    /// Hands `me` and whoever waits to each other; else `me` waits. The answer comes before the notice, so that a peer
    /// can tell to which of its requests that belongs.
    pub(super) fn pair(&mut self, conn: ConnId, id: RequestId, me: PeerId) {
        self.send(conn, &TrackerMessage::Pairing { id });
        let other = self.unpaired.replace(conn).filter(|other| *other != conn);
        let other = other.and_then(|other| self.connections.get(&other)?.registered);
        let registrations = other.and_then(|other| self.registry.get(other));
        let Some((other, me)) = registrations.zip(self.registry.get(me)) else { return };
        self.unpaired = None;
        let event = TrackerEvent::Paired {
            id: other.id,
            name: other.name.clone(),
            other_id: me.id,
            other_name: me.name.clone(),
        };
        let notices = [(other.conn, me.entry()), (me.conn, other.entry())];
        for (conn, peer) in notices {
            self.send(conn, &TrackerMessage::Paired { peer });
        }
        self.event(event);
    }

    pub(super) fn unpair(&mut self, conn: ConnId, id: RequestId) {
        self.no_longer_waits(conn);
        self.send(conn, &TrackerMessage::Unpaired { id });
    }

    pub(super) fn no_longer_waits(&mut self, conn: ConnId) {
        self.unpaired.take_if(|waiting| *waiting == conn);
    }
}
