//! The tracker's relay: credentials for registered peers, and what its clients and their peers send.

use std::net::SocketAddr;

use super::connection::Speech;
use super::{ConnId, Departure, Output, Server};
use crate::id::{CallId, PeerId};
use crate::relay::server::{AllocationId, Arrival, Granted, StreamId, Via};
use crate::time::{Duration, Instant, UnixMillis};
use crate::wire::stun::is_binding;
use crate::wire::tracker::{ErrorCode, RequestId, TrackerMessage};
use crate::wire::turn::{Framed, framed};

/// The shortest pause until a connection that is kept is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Server {
    /// A datagram came to the address `local` of this machine: a STUN request is
    /// answered, the rest is the relay's.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        local: SocketAddr,
        datagram: &[u8],
    ) {
        if let Some(bytes) = self.reflector.answer(now, from, datagram) {
            self.stats.stun_answered += 1;
            self.outputs.push_back(Output::Datagram { to: from, local, bytes });
        } else if self.relay.is_some() && !is_binding(datagram) {
            let arrival = Arrival { via: Via::Datagrams(from), from, local, bytes: datagram };
            self.relay_for(now, &arrival);
        } else {
            self.stats.stun_dropped += 1;
        }
    }

    /// A datagram came to the socket of an allocation of the relay.
    pub(crate) fn handle_relayed(
        &mut self,
        now: Instant,
        allocation: AllocationId,
        from: SocketAddr,
        datagram: &[u8],
    ) {
        if let Some(relay) = &mut self.relay {
            relay.handle_peer(now, allocation, from, datagram);
        }
    }

    /// The socket of an allocation is bound to that port, or could not be had.
    pub(crate) fn handle_bound(
        &mut self,
        now: Instant,
        allocation: AllocationId,
        port: Option<u16>,
    ) {
        if let Some(relay) = &mut self.relay {
            relay.handle_bound(now, allocation, port);
        }
    }

    /// What a connection said until it was known what it speaks, if it is known now. One that speaks the tracker protocol
    /// begins with a length below 64 KiB, whose first two bytes are zero; no message of TURN does.
    pub(super) fn first_bytes(
        &mut self,
        wall: UnixMillis,
        conn: ConnId,
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        let connection = self.connections.get_mut(&conn)?;
        let Speech::Unknown(said) = &mut connection.speech else { return None };
        said.extend_from_slice(bytes);
        let said = match said.as_slice() {
            [_, _, ..] => std::mem::take(said),
            _ => return Some(Vec::new()),
        };
        if said.starts_with(&[0, 0]) {
            self.greet(wall, conn);
        } else {
            connection.speech = Speech::Relay(Vec::new());
        }
        Some(said)
    }

    pub(super) fn speaks_relay(&self, conn: ConnId) -> bool {
        let speech = self.connections.get(&conn).map(|connection| &connection.speech);
        matches!(speech, Some(Speech::Relay(_)))
    }

    /// Bytes came over a connection that speaks TURN.
    pub(super) fn handle_stream(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let Speech::Relay(said) = &mut connection.speech else { return };
        said.extend_from_slice(bytes);
        let (said, from, local) = (std::mem::take(said), connection.from, connection.local);
        let mut rest = said.as_slice();
        loop {
            match framed(rest) {
                Framed::Whole(length) => {
                    let (bytes, after) = rest.split_at(length);
                    rest = after;
                    let arrival =
                        Arrival { via: Via::Stream(StreamId(conn.0)), from, local, bytes };
                    self.relay_for(now, &arrival);
                }
                Framed::Part => break,
                Framed::Foreign => {
                    self.stats.malformed += 1;
                    self.forget(conn, Departure::Misbehaved);
                    self.outputs.push_back(Output::Close { conn });
                    return;
                }
            }
        }
        let rest = rest.to_vec();
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.speech = Speech::Relay(rest);
        }
        self.put_on_agenda(conn);
    }

    /// Whether an allocation of the relay keeps a connection whose time is up, and if not, closes it. False for one that
    /// speaks the tracker protocol.
    pub(super) fn keeps_for_relay(&mut self, now: Instant, conn: ConnId) -> bool {
        if !self.speaks_relay(conn) {
            return false;
        }
        let until =
            self.relay.as_ref().and_then(|relay| relay.until(Via::Stream(StreamId(conn.0))));
        match (until, self.connections.get_mut(&conn)) {
            (Some(until), Some(connection)) => {
                connection.relayed_until = until.max(now + LOOK_AGAIN);
                connection.looked_at = connection.relayed_until;
                self.agenda.insert((connection.looked_at, conn));
            }
            _ => {
                self.stats.timeouts += 1;
                self.forget(conn, Departure::TimedOut);
                self.outputs.push_back(Output::Close { conn });
            }
        }
        true
    }

    /// A client of the relay wrote.
    fn relay_for(&mut self, now: Instant, arrival: &Arrival<'_>) {
        let Some(relay) = &mut self.relay else { return };
        let (registry, connections) = (&self.registry, &self.connections);
        relay.handle_client(now, arrival, |peer| {
            let conn = registry.get(peer)?.conn;
            Some(connections.get(&conn)?.from.ip().to_canonical())
        });
    }

    /// Credentials for the relay, for `owner`'s side of a call with `peer`.
    pub(super) fn grant_relay(
        &mut self,
        now: Instant,
        conn: ConnId,
        id: RequestId,
        (owner, peer): (PeerId, PeerId),
        call: CallId,
    ) {
        let Some(relay) = &mut self.relay else {
            return self.refuse(conn, Some(id), ErrorCode::NoRelay, "this tracker has no relay");
        };
        let Granted { username, password, lifetime } =
            relay.grant(now, owner, peer, call, &mut *self.rng);
        let lifetime = lifetime.as_secs() as u32;
        self.send(conn, &TrackerMessage::Relay { id, username, password, lifetime });
    }
}
