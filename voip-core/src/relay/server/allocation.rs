//! One allocation: a client's address on the relay, with permissions and channels (RFC 8656 §3).

use std::net::{IpAddr, SocketAddr};

use super::grants::Grant;
use super::{Arrival, Via};
use crate::id::{CallId, PeerId};
use crate::rate::Bucket;
use crate::time::{Duration, Instant};
use crate::wire::turn::{CHANNELS, FromClient, Key, Refusal, Request};

/// Seconds that an allocation lasts without being refreshed, at most and unless asked otherwise.
pub(super) const MAX_LIFETIME: u32 = 600;
const PERMISSION: Duration = Duration::from_secs(300);
const CHANNEL: Duration = Duration::from_secs(600);
/// More addresses than a peer has candidates.
const MAX_PEERS: usize = 32;

pub(super) struct Allocation {
    pub(super) via: Via,
    /// The local address that the client writes to.
    pub(super) local: SocketAddr,
    pub(super) username: String,
    pub(super) owner: PeerId,
    pub(super) call: CallId,
    /// Where peers write to; `None` until the socket is bound.
    pub(super) relayed: Option<SocketAddr>,
    pub(super) expires: Instant,
    pub(super) to_peer: Bucket,
    pub(super) to_client: Bucket,
    key: Key,
    client: SocketAddr,
    /// The request that made it.
    first: Vec<u8>,
    transaction: Option<u128>,
    permissions: Vec<Permission>,
    channels: Vec<Channel>,
}

struct Permission {
    ip: IpAddr,
    reach: Reach,
    expires: Instant,
}

/// Where packets to a permitted address may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To allocations of this relay: it is the relay's own address.
    Allocations,
    /// Over the network: the peer is there.
    Network,
}

struct Channel {
    number: u16,
    peer: SocketAddr,
    expires: Instant,
}

/// How many seconds an allocation is to last.
pub(super) fn lifetime(asked: Option<u32>) -> u32 {
    asked.unwrap_or(MAX_LIFETIME).min(MAX_LIFETIME)
}

impl Allocation {
    pub(super) fn new(
        now: Instant,
        arrival: &Arrival<'_>,
        seconds: Option<u32>,
        username: &str,
        grant: &Grant,
    ) -> Self {
        Allocation {
            via: arrival.via,
            local: arrival.local,
            username: username.to_owned(),
            owner: grant.owner,
            call: grant.call,
            relayed: None,
            expires: now + Duration::from_secs(lifetime(seconds).max(1).into()),
            to_peer: Bucket::default(),
            to_client: Bucket::default(),
            key: grant.key.clone(),
            client: SocketAddr::new(arrival.from.ip().to_canonical(), arrival.from.port()),
            first: arrival.bytes.to_vec(),
            transaction: None,
            permissions: Vec::new(),
            channels: Vec::new(),
        }
    }

    /// The answer to the request that made the allocation, once more if it is repeated.
    pub(super) fn reply_to_first(&mut self, now: Instant) -> Option<Vec<u8>> {
        let Some(FromClient::Request(request)) = FromClient::parse(&self.first) else {
            return None;
        };
        self.transaction = Some(request.transaction());
        match self.relayed {
            Some(relayed) => {
                let seconds = self.expires.since(now).as_secs() as u32;
                request.allocated(relayed, self.client, seconds, &self.key)
            }
            None => request.refuse(Refusal::NoCapacity, &self.key),
        }
    }

    /// Whether this is the request that made it, repeated because the answer was lost.
    pub(super) fn repeats(&self, request: &Request<'_>) -> bool {
        self.transaction == Some(request.transaction())
    }

    pub(super) fn permits(&self, now: Instant, ip: IpAddr) -> bool {
        self.reach(now, ip).is_some()
    }

    /// Where packets to that address may go, if anywhere.
    pub(super) fn reach(&self, now: Instant, ip: IpAddr) -> Option<Reach> {
        let permission = self.permissions.iter().find(|p| p.ip == ip && now < p.expires);
        permission.map(|permission| permission.reach)
    }

    /// The peer of a channel.
    pub(super) fn peer_of(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        let channel = self.channels.iter().find(|c| c.number == number && now < c.expires)?;
        self.permits(now, channel.peer.ip()).then_some(channel.peer)
    }

    /// The channel to a peer.
    pub(super) fn channel_to(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        self.channels.iter().find(|c| c.peer == peer && now < c.expires).map(|c| c.number)
    }

    /// RFC 8656 §9.
    pub(super) fn permit(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        reach: impl Fn(IpAddr) -> Option<Reach>,
    ) -> Result<(), Refusal> {
        let peers = request.peers().filter(|p| !p.is_empty()).ok_or(Refusal::BadRequest)?;
        let reaches = peers.iter().map(|peer| self.check(peer.ip(), &reach));
        let reaches = reaches.collect::<Result<Vec<_>, _>>()?;
        peers
            .iter()
            .zip(reaches)
            .try_for_each(|(peer, reach)| self.permit_one(now, peer.ip(), reach))
    }

    /// RFC 8656 §12.
    pub(super) fn bind_channel(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        reach: impl Fn(IpAddr) -> Option<Reach>,
    ) -> Result<(), Refusal> {
        let peers = request.peers().unwrap_or_default();
        let ([peer], Some(number)) = (peers.as_slice(), request.channel()) else {
            return Err(Refusal::BadRequest);
        };
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        self.channels.retain(|c| now < c.expires);
        let other = |c: &Channel| (c.number == number) != (c.peer == peer);
        if !CHANNELS.contains(&number) || self.channels.iter().any(other) {
            return Err(Refusal::BadRequest);
        }
        let reach = self.check(peer.ip(), &reach)?;
        self.permit_one(now, peer.ip(), reach)?;
        let expires = now + CHANNEL;
        let full = self.channels.len() >= MAX_PEERS;
        match self.channels.iter_mut().find(|c| c.number == number) {
            Some(channel) => channel.expires = expires,
            None if full => return Err(Refusal::NoCapacity),
            None => self.channels.push(Channel { number, peer, expires }),
        }
        Ok(())
    }

    fn check(
        &self,
        ip: IpAddr,
        reach: &impl Fn(IpAddr) -> Option<Reach>,
    ) -> Result<Reach, Refusal> {
        let ip = ip.to_canonical();
        if self.relayed.is_some_and(|relayed| relayed.is_ipv4() != ip.is_ipv4()) {
            return Err(Refusal::FamilyMismatch);
        }
        reach(ip).ok_or(Refusal::Forbidden)
    }

    fn permit_one(&mut self, now: Instant, ip: IpAddr, reach: Reach) -> Result<(), Refusal> {
        let ip = ip.to_canonical();
        self.permissions.retain(|p| now < p.expires);
        let expires = now + PERMISSION;
        let full = self.permissions.len() >= MAX_PEERS;
        match self.permissions.iter_mut().find(|p| p.ip == ip) {
            Some(old) => (old.reach, old.expires) = (reach, expires),
            None if full => return Err(Refusal::NoCapacity),
            None => self.permissions.push(Permission { ip, reach, expires }),
        }
        Ok(())
    }
}
