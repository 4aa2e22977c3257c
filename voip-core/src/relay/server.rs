//! A relay for peers whose routers let no packet of each other through: a TURN server (RFC 8656) for UDP.
//!
//! It serves the two peers of a call and nobody else. The tracker grants a registered peer credentials for one call
//! ([`grants`]); an allocation made with them may be written to by, and may write to, only the other peer of that call:
//! from the address at which that peer is registered, or through an allocation of its own for the same call, to which
//! packets are handed over without touching the network. Before a client's address has proved itself by a nonce nothing
//! is kept of it. It reads nothing of what it carries, and could not: the peers encrypt.
//!
//! The owner carries out [`Output`]s, and answers each [`Output::Bind`] by [`Relay::handle_bound`].

mod allocation;
mod grants;
mod nonces;
mod targets;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use rand_core::CryptoRng;

use self::allocation::{Allocation, Reach};
pub(crate) use self::grants::Granted;
use self::grants::Grants;
use self::nonces::Nonces;
use self::targets::is_of_the_internet;
use crate::id::{CallId, PeerId};
use crate::rate::{PrefixTable, Rate};
use crate::time::{Duration, Instant};
use crate::wire::turn::{Asked, FromClient, Refusal, Request, data_indication, write_channel_data};

/// What the owner of a relay may set.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Allocations at once.
    pub(crate) max_allocations: usize,
    /// Bits per second that one allocation may relay each way, of what peers send.
    pub(crate) bitrate: u32,
    /// The address by which others reach this machine, if it is not the one that it has itself (a router that maps
    /// one to one).
    pub(crate) address: Option<IpAddr>,
    /// Whether peers may have private and loopback addresses: for networks that are no part of the Internet, and tests.
    pub(crate) allow_private: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_allocations: 1_000, bitrate: 100_000, address: None, allow_private: false }
    }
}

/// Allocations of one key: those of two calls, or of one that changes its network. One more takes the place of the oldest.
const MAX_PER_KEY: usize = 2;

/// How a client talks to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Via {
    /// By datagrams from that address.
    Datagrams(SocketAddr),
    /// Over a connection.
    Stream(StreamId),
}

/// One connection of a client, numbered by the owner; numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId(pub(crate) u64);

/// One allocation; numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AllocationId(pub(crate) u64);

/// What the relay wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Send this to the client; datagrams from the local address that its own came to.
    ToClient { via: Via, local: SocketAddr, bytes: Vec<u8> },
    /// Send this datagram from the allocation's socket.
    ToPeer { allocation: AllocationId, to: SocketAddr, bytes: Vec<u8> },
    /// Bind a socket at this local address, any port, or any even one.
    Bind { allocation: AllocationId, local: IpAddr, even: bool },
    /// Close the allocation's socket.
    Unbind { allocation: AllocationId },
}

/// What came, and where.
pub(crate) struct Arrival<'a> {
    pub(crate) via: Via,
    /// The client's address.
    pub(crate) from: SocketAddr,
    /// The address of this machine that it wrote to.
    pub(crate) local: SocketAddr,
    /// One message.
    pub(crate) bytes: &'a [u8],
}

/// Counters of a relay.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    /// Allocations now.
    pub(crate) allocations: u64,
    /// Packets relayed, and their bytes.
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Packets dropped: too many, no permission, no such channel.
    pub(crate) dropped: u64,
    /// Requests refused, challenges left out.
    pub(crate) refused: u64,
}

/// See the module.
pub(crate) struct Relay {
    config: Config,
    rate: Rate,
    nonces: Nonces,
    grants: Grants,
    challenges: PrefixTable,
    allocations: BTreeMap<AllocationId, Allocation>,
    by_client: BTreeMap<Via, AllocationId>,
    by_relayed: BTreeMap<SocketAddr, AllocationId>,
    /// Oldest first.
    per_key: BTreeMap<PeerId, VecDeque<AllocationId>>,
    /// When allocations end.
    agenda: BTreeSet<(Instant, AllocationId)>,
    next: u64,
    outputs: VecDeque<Output>,
    stats: Stats,
}

impl Relay {
    /// `answers` is how often strangers of one IPv4 /24 or IPv6 /56 are answered where the answer is longer than the
    /// question; `rng` makes secrets.
    pub(crate) fn new(config: Config, answers: Rate, rng: &mut dyn CryptoRng) -> Self {
        let bytes = (config.bitrate / 8).max(1);
        Relay {
            rate: Rate::per_second(bytes, bytes.saturating_mul(2)),
            config,
            nonces: Nonces::new(rng),
            grants: Grants::default(),
            challenges: PrefixTable::new(rng.next_u64(), answers, 24, 56),
            allocations: BTreeMap::new(),
            by_client: BTreeMap::new(),
            by_relayed: BTreeMap::new(),
            per_key: BTreeMap::new(),
            agenda: BTreeSet::new(),
            next: 0,
            outputs: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        let first = self.agenda.first().map_or(Instant::FAR_FUTURE, |(at, _)| *at);
        first.min(self.grants.next_timeout())
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats { allocations: self.allocations.len() as u64, ..self.stats }
    }

    /// All that is kept of clients.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> usize {
        let Relay { allocations, by_client, by_relayed, per_key, agenda, .. } = self;
        let of_clients = allocations.len() + by_client.len() + by_relayed.len() + per_key.len();
        of_clients + agenda.len() + self.grants.entries()
    }

    /// Credentials for one peer of a call.
    pub(crate) fn grant(
        &mut self,
        now: Instant,
        owner: PeerId,
        peer: PeerId,
        call: CallId,
        rng: &mut dyn CryptoRng,
    ) -> Granted {
        self.grants.issue(now, owner, peer, call, rng)
    }

    /// A client's message came. `whereabouts` tells from which address a peer is registered.
    pub(crate) fn handle_client(
        &mut self,
        now: Instant,
        arrival: &Arrival<'_>,
        whereabouts: impl Fn(PeerId) -> Option<IpAddr>,
    ) {
        let known = self.by_client.get(&arrival.via).copied();
        match (FromClient::parse(arrival.bytes), known) {
            (Some(FromClient::Channel { number, data }), Some(id)) => {
                let to = self.allocations.get(&id).and_then(|a| a.peer_of(now, number));
                self.forward(now, id, to, data);
            }
            (Some(FromClient::Send { to, data }), Some(id)) => {
                let permitted = self.allocations.get(&id).is_some_and(|a| a.permits(now, to.ip()));
                self.forward(now, id, permitted.then_some(to), data);
            }
            (Some(FromClient::Request(request)), known) => {
                let reply = self.answer(now, arrival, &request, known, whereabouts);
                if let Some(bytes) = reply {
                    let Arrival { via, local, .. } = *arrival;
                    self.outputs.push_back(Output::ToClient { via, local, bytes });
                }
            }
            _ => self.stats.dropped += 1,
        }
    }

    /// A datagram came to an allocation's socket.
    pub(crate) fn handle_peer(
        &mut self,
        now: Instant,
        id: AllocationId,
        from: SocketAddr,
        data: &[u8],
    ) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let rate = self.rate;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let permitted = allocation.permits(now, from.ip())
            && allocation.to_client.take(now, rate, data.len() as u32);
        let (via, local) = (allocation.via, allocation.local);
        let bytes = match allocation.channel_to(now, from).filter(|_| permitted) {
            Some(number) => Some(write_channel_data(number, data, matches!(via, Via::Stream(_)))),
            None if permitted => data_indication(from, data),
            None => None,
        };
        let Some(bytes) = bytes else {
            self.stats.dropped += 1;
            return;
        };
        self.stats.packets += 1;
        self.stats.bytes += data.len() as u64;
        self.outputs.push_back(Output::ToClient { via, local, bytes });
    }

    /// The socket of an allocation is bound there, or could not be had.
    pub(crate) fn handle_bound(&mut self, now: Instant, id: AllocationId, bound: Option<u16>) {
        let Some(allocation) = self.allocations.get_mut(&id) else {
            self.outputs.push_back(Output::Unbind { allocation: id });
            return;
        };
        let (via, local) = (allocation.via, allocation.local);
        let ip = self.config.address.unwrap_or(local.ip().to_canonical());
        allocation.relayed = bound.map(|port| SocketAddr::new(ip, port));
        let reply = allocation.reply_to_first(now);
        match allocation.relayed {
            Some(relayed) => _ = self.by_relayed.insert(relayed, id),
            None => {
                self.stats.refused += 1;
                self.remove(id);
            }
        }
        if let Some(bytes) = reply {
            self.outputs.push_back(Output::ToClient { via, local, bytes });
        }
    }

    /// When the allocation of a client ends unless it is refreshed.
    pub(crate) fn until(&self, via: Via) -> Option<Instant> {
        let id = self.by_client.get(&via)?;
        self.allocations.get(id).map(|allocation| allocation.expires)
    }

    /// A client's connection is gone.
    pub(crate) fn handle_closed(&mut self, stream: StreamId) {
        if let Some(id) = self.by_client.get(&Via::Stream(stream)).copied() {
            self.remove(id);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.grants.expire(now);
        while let Some(&(at, id)) = self.agenda.first()
            && at <= now
        {
            self.remove(id);
        }
    }

    /// Data for a peer: over the network, or into the hands of the peer's own allocation.
    fn forward(&mut self, now: Instant, id: AllocationId, to: Option<SocketAddr>, data: &[u8]) {
        let rate = self.rate;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let to = to.filter(|_| allocation.to_peer.take(now, rate, data.len() as u32));
        let (Some(to), Some(relayed)) = (to, allocation.relayed) else {
            self.stats.dropped += 1;
            return;
        };
        let (call, reach) = (allocation.call, allocation.reach(now, to.ip()));
        let other = self.by_relayed.get(&to).copied();
        if let Some(other) = other {
            let is_of_call = self.allocations.get(&other).is_some_and(|a| a.call == call);
            return match is_of_call {
                true => self.handle_peer(now, other, relayed, data),
                false => self.stats.dropped += 1,
            };
        }
        if reach != Some(Reach::Network) {
            self.stats.dropped += 1;
            return;
        }
        self.stats.packets += 1;
        self.stats.bytes += data.len() as u64;
        let bytes = data.to_vec();
        self.outputs.push_back(Output::ToPeer { allocation: id, to, bytes });
    }

    /// The answer to a request; none if it comes later, or there is to be none.
    fn answer(
        &mut self,
        now: Instant,
        arrival: &Arrival<'_>,
        request: &Request<'_>,
        known: Option<AllocationId>,
        whereabouts: impl Fn(PeerId) -> Option<IpAddr>,
    ) -> Option<Vec<u8>> {
        let username = request.username().filter(|_| request.is_signed());
        let Some(username) = username else {
            return self.challenge(now, arrival, request, Refusal::Unauthorized);
        };
        if !request.nonce().is_some_and(|nonce| self.nonces.is_current(now, arrival.from, &nonce)) {
            return self.challenge(now, arrival, request, Refusal::StaleNonce);
        }
        let grant = self.grants.get(&username).filter(|grant| request.is_signed_with(&grant.key));
        let Some(grant) = grant.cloned() else {
            return self.challenge(now, arrival, request, Refusal::Unauthorized);
        };
        let known = known.and_then(|id| self.allocations.get_mut(&id).map(|a| (id, a)));
        let refusal = match (request.asked, known) {
            _ if request.has_unknown() => Refusal::UnknownAttribute,
            (_, Some((_, allocation))) if allocation.username != username => {
                Refusal::WrongCredentials
            }
            (Asked::Allocate, Some((_, allocation))) => match allocation.repeats(request) {
                true => return allocation.reply_to_first(now),
                false => Refusal::AllocationMismatch,
            },
            (Asked::Allocate, None) => {
                match self.allocate(now, arrival, request, &username, &grant) {
                    Ok(()) => return None,
                    Err(refusal) => refusal,
                }
            }
            (_, None) => Refusal::AllocationMismatch,
            (Asked::Refresh, Some((id, allocation))) => {
                let seconds = allocation::lifetime(request.lifetime());
                let until = now + Duration::from_secs(seconds.into());
                let old = std::mem::replace(&mut allocation.expires, until);
                self.agenda.remove(&(old, id));
                self.agenda.insert((until, id));
                if seconds == 0 {
                    self.remove(id);
                }
                return request.refreshed(seconds, &grant.key);
            }
            (asked, Some((_, allocation))) => {
                let relayed = allocation.relayed.map(|relayed| relayed.ip());
                let allow_private = self.config.allow_private;
                let is_peers = |ip: IpAddr| {
                    whereabouts(grant.peer) == Some(ip) && (allow_private || is_of_the_internet(ip))
                };
                let reach = |ip: IpAddr| match ip {
                    ip if is_peers(ip) => Some(Reach::Network),
                    ip => (Some(ip) == relayed).then_some(Reach::Allocations),
                };
                let done = match asked {
                    Asked::ChannelBind => allocation.bind_channel(now, request, reach),
                    _ => allocation.permit(now, request, reach),
                };
                match done {
                    Ok(()) => return request.done(&grant.key),
                    Err(refusal) => refusal,
                }
            }
        };
        self.stats.refused += 1;
        request.refuse(refusal, &grant.key)
    }

    /// Asks who it is. Over datagrams, whose sender may be forged, only a few of one network.
    fn challenge(
        &mut self,
        now: Instant,
        arrival: &Arrival<'_>,
        request: &Request<'_>,
        why: Refusal,
    ) -> Option<Vec<u8>> {
        let nonce = self.nonces.make(now, arrival.from);
        let reply = request.challenge(why, &nonce)?;
        let proved = matches!(arrival.via, Via::Stream(_))
            || arrival.from.ip().to_canonical().is_loopback()
            || reply.len() <= arrival.bytes.len();
        if proved || self.challenges.take(now, arrival.from.ip()) {
            return Some(reply);
        }
        self.stats.refused += 1;
        None
    }

    fn allocate(
        &mut self,
        now: Instant,
        arrival: &Arrival<'_>,
        request: &Request<'_>,
        username: &str,
        grant: &grants::Grant,
    ) -> Result<(), Refusal> {
        match request.wants_udp() {
            None => return Err(Refusal::BadRequest),
            Some(false) => return Err(Refusal::TransportNotSupported),
            Some(true) => {}
        }
        let local = arrival.local.ip().to_canonical();
        if request.wants_ipv6() != self.config.address.unwrap_or(local).is_ipv6() {
            return Err(Refusal::FamilyNotSupported);
        }
        let even = request.even_port();
        if even == Some(true) {
            return Err(Refusal::NoCapacity);
        }
        if now >= grant.expires {
            return Err(Refusal::Unauthorized);
        }
        // Whoever changes networks cannot give back what it had there.
        let of_key = self.per_key.get(&grant.owner);
        if let Some(oldest) =
            of_key.filter(|all| all.len() >= MAX_PER_KEY).and_then(|all| all.front())
        {
            self.remove(*oldest);
        }
        if self.allocations.len() >= self.config.max_allocations {
            return Err(Refusal::NoCapacity);
        }
        self.next += 1;
        let id = AllocationId(self.next);
        let allocation = Allocation::new(now, arrival, request.lifetime(), username, grant);
        self.agenda.insert((allocation.expires, id));
        self.by_client.insert(arrival.via, id);
        self.per_key.entry(grant.owner).or_default().push_back(id);
        self.grants.hold(username);
        self.allocations.insert(id, allocation);
        self.outputs.push_back(Output::Bind { allocation: id, local, even: even.is_some() });
        Ok(())
    }

    fn remove(&mut self, id: AllocationId) {
        let Some(gone) = self.allocations.remove(&id) else { return };
        self.agenda.remove(&(gone.expires, id));
        self.by_client.remove(&gone.via);
        if let Some(relayed) = gone.relayed {
            self.by_relayed.remove(&relayed);
            self.outputs.push_back(Output::Unbind { allocation: id });
        }
        if let Some(of_key) = self.per_key.get_mut(&gone.owner) {
            of_key.retain(|other| *other != id);
            if of_key.is_empty() {
                self.per_key.remove(&gone.owner);
            }
        }
        self.grants.release(&gone.username);
    }
}

#[cfg(test)]
mod tests;
