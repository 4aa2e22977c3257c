//! The node in the mesh: its links to other nodes, and what membership and dissemination (`overlay`) want of them.
//!
//! A link is a connection whose other end has proved its key; `io` makes it so. There is one for each peer: of two that
//! were opened at once, the one stays that the smaller key has opened.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use rand_core::Rng;

use crate::id::PeerId;
use crate::overlay::{self, Mesh};
use crate::rate::{PrefixTable, Rate, subscriber};
use crate::time::{Duration, Instant};
use crate::wire::framing::{FrameReader, frame};
use crate::wire::gossip::{Contact, MAX_ADDRESSES, MAX_MESSAGE};

use super::{Engine, Output};

/// Links at once, those that are being opened included: neighbours are five or so.
const MAX_LINKS: usize = 64;
/// So many are kept for those that this node opens.
const OWN_LINKS: usize = 16;
/// Links that one IPv4 address or IPv6 /64 may open: handshakes take the time that sound needs.
const NEWCOMERS: Rate = Rate::per_second(2, 20);
/// Those of them whose other end came to us and has not proved its key: in all, and of one IPv4 address or IPv6 /64.
const MAX_UNPROVED: usize = 24;
const MAX_UNPROVED_OF_ADDRESS: usize = 6;
/// How long one that is not used is read.
const SPARE: Duration = Duration::from_secs(2);
/// How long it may take to open one.
const OPENING: Duration = Duration::from_secs(10);
/// Between two attempts to reach an address that the user has named; doubles up to the second.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(60);
/// With fewer neighbours, addresses that were reached before are tried again.
const ENOUGH: usize = 2;
/// Addresses that the user has named.
pub(crate) const MAX_NAMED: usize = 64;

/// One link to another node; numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkKey(pub(crate) u64);

/// What a node has of the mesh.
pub(super) struct MeshNode {
    pub(super) mesh: Mesh,
    links: BTreeMap<LinkKey, Link>,
    by_peer: BTreeMap<PeerId, LinkKey>,
    named: Vec<Named>,
    next_link: u64,
    newcomers: PrefixTable,
}

/// A link, or one that is being opened.
struct Link {
    opener: Opener,
    /// Who is there, once that is proved.
    peer: Option<PeerId>,
    reader: FrameReader,
    /// Another link to the same peer is used: this one is only read, for what the peer has sent before it knew.
    is_spare: bool,
    /// When it is given up unless it is open, or closed if it is spare.
    deadline: Instant,
}

impl Link {
    /// When there is something to do about it.
    fn timeout(&self) -> Option<Instant> {
        (self.peer.is_none() || self.is_spare).then_some(self.deadline)
    }
}

/// Who has opened a link.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Opener {
    /// The other side, from there.
    They(IpAddr),
    /// This node, to reach that peer at one of these addresses.
    We(PeerId, Vec<String>),
    /// This node, to reach whoever is at an address that the user has named.
    User(String),
}

impl Opener {
    fn from(&self) -> Option<IpAddr> {
        match self {
            Opener::They(ip) => Some(*ip),
            Opener::We(..) | Opener::User(_) => None,
        }
    }
}

/// An address that the user has named. It is tried until it is reached, and again while this node has few neighbours.
struct Named {
    address: String,
    /// Who was there last.
    peer: Option<PeerId>,
    attempt: Instant,
    pause: Duration,
}

impl MeshNode {
    pub(super) fn new(me: PeerId, named: &[String], mut random: Box<dyn Rng + Send>) -> MeshNode {
        let newcomers = PrefixTable::new(random.next_u64(), NEWCOMERS, 32, 64);
        let me = Contact { id: me, addresses: Vec::new() };
        let mut node = MeshNode {
            mesh: Mesh::new(me, random),
            links: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            named: Vec::new(),
            next_link: 0,
            newcomers,
        };
        named.iter().for_each(|address| node.name(Instant::ZERO, address));
        node
    }

    fn name(&mut self, now: Instant, address: &str) {
        self.named.retain(|named| named.address != address);
        if self.named.len() < MAX_NAMED {
            let address = address.to_owned();
            self.named.push(Named { address, peer: None, attempt: now, pause: FIRST_RETRY });
        }
    }

    fn add_link(&mut self, now: Instant, opener: Opener) -> Option<LinkKey> {
        if self.links.len() >= MAX_LINKS {
            return None;
        }
        self.next_link += 1;
        let link = LinkKey(self.next_link);
        let (peer, reader) = (None, FrameReader::new(MAX_MESSAGE));
        let deadline = now + OPENING;
        self.links.insert(link, Link { opener, peer, reader, is_spare: false, deadline });
        Some(link)
    }

    pub(super) fn next_timeout(&self) -> Instant {
        let named = self.named.iter().map(|named| named.attempt);
        let links = self.links.values().filter_map(Link::timeout);
        let first = named.chain(links).min().unwrap_or(Instant::FAR_FUTURE);
        first.min(self.mesh.next_timeout())
    }
}

impl Engine {
    /// The nodes that this one is linked to in the mesh.
    #[cfg(feature = "sim")]
    pub(crate) fn neighbors(&self) -> Vec<PeerId> {
        self.mesh.iter().flat_map(|node| node.mesh.neighbors()).collect()
    }

    /// The user names an address at which a node listens.
    pub(super) fn connect(&mut self, now: Instant, address: &str) {
        if let Some(node) = &mut self.mesh {
            node.name(now, address);
            self.handle_mesh_timeout(now);
        }
    }

    /// There is a node on this network.
    pub(crate) fn handle_lan_node(&mut self, now: Instant, id: PeerId, addresses: &[SocketAddr]) {
        let addresses = addresses.iter().map(SocketAddr::to_string).collect();
        if let Some(node) = &mut self.mesh {
            node.mesh.add_contacts(now, vec![Contact { id, addresses }]);
        }
        self.drain_mesh(now);
    }

    /// Somebody has connected to this node: the number of the link, if there is room for it.
    pub(crate) fn accept_link(&mut self, now: Instant, from: SocketAddr) -> Option<LinkKey> {
        let node = self.mesh.as_mut()?;
        let from = subscriber(from.ip());
        let unproved = node.links.values().filter(|link| link.peer.is_none());
        let theirs: Vec<_> = unproved.filter_map(|link| link.opener.from()).collect();
        let of_address = theirs.iter().filter(|ip| **ip == from).count();
        let is_full = node.links.len() + OWN_LINKS >= MAX_LINKS;
        let many = theirs.len() >= MAX_UNPROVED || of_address >= MAX_UNPROVED_OF_ADDRESS;
        // This machine's own are a proxy's, or somebody's tests.
        if is_full || many || !from.is_loopback() && !node.newcomers.take(now, from) {
            return None;
        }
        node.add_link(now, Opener::They(from))
    }

    /// A link is open; who is at its other end has proved it.
    pub(crate) fn handle_link_opened(
        &mut self,
        now: Instant,
        link: LinkKey,
        peer: PeerId,
        remote: SocketAddr,
    ) {
        let me = self.id();
        let Some(node) = &mut self.mesh else { return };
        let Some(opened) = node.links.get_mut(&link) else {
            // It has taken too long, and was given up.
            return self.outputs.push_back(Output::LinkClose { link });
        };
        opened.peer = Some(peer);
        match opened.opener.clone() {
            Opener::We(expected, addresses) if expected != peer => {
                return self.try_others(now, link, expected, addresses, remote);
            }
            _ if peer == me => return self.end_link(now, link),
            Opener::User(address) => node.reached(&address, peer, remote, now),
            Opener::We(..) | Opener::They(_) => {}
        }
        let Some(node) = &mut self.mesh else { return };
        let spare = match node.prefers(me, peer, link) {
            true => node.by_peer.insert(peer, link),
            false => Some(link),
        };
        if let Some(old) = spare.and_then(|spare| node.spare(now, peer, spare)) {
            self.end_link(now, old);
        }
        if let Some(node) = &mut self.mesh {
            node.mesh.handle_link_up(now, peer);
        }
        self.drain_mesh(now);
    }

    /// Somebody else is at the address of a peer: it may be at another one.
    fn try_others(
        &mut self,
        now: Instant,
        link: LinkKey,
        wanted: PeerId,
        mut addresses: Vec<String>,
        tried: SocketAddr,
    ) {
        addresses.retain(|address| *address != tried.to_string());
        let Some(node) = &mut self.mesh else { return };
        node.links.remove(&link);
        self.outputs.push_back(Output::LinkClose { link });
        self.open_link(now, Contact { id: wanted, addresses });
        self.drain_mesh(now);
    }

    /// Bytes came over a link.
    pub(crate) fn handle_link_bytes(&mut self, now: Instant, link: LinkKey, mut bytes: &[u8]) {
        while let Some(node) = &mut self.mesh
            && let Some(Link { peer: Some(peer), reader, .. }) = node.links.get_mut(&link)
        {
            let peer = *peer;
            match reader.next(&mut bytes) {
                Ok(Some(content)) => self.hear(now, peer, &content),
                Ok(None) => break,
                Err(_) => {
                    self.stats.signals_dropped += 1;
                    return self.lose_link(now, link);
                }
            }
        }
        self.drain(now);
    }

    /// A link is gone, or was not to be had.
    pub(crate) fn handle_link_closed(&mut self, now: Instant, link: LinkKey) {
        let Some(node) = &mut self.mesh else { return };
        let Some(closed) = node.links.remove(&link) else { return };
        match (closed.peer, closed.opener) {
            (Some(peer), _) if node.by_peer.get(&peer) == Some(&link) => {
                node.by_peer.remove(&peer);
                node.mesh.handle_link_down(now, peer);
            }
            (None, Opener::We(peer, _)) if !node.by_peer.contains_key(&peer) => {
                node.mesh.handle_link_failed(now, peer);
            }
            _ => {}
        }
        self.drain_mesh(now);
    }

    /// The addresses of this host are known, or others than before.
    pub(super) fn tell_mesh_addresses(&mut self, now: Instant) {
        let addresses = self.mesh_addresses();
        if let Some(node) = &mut self.mesh {
            node.mesh.set_addresses(addresses);
        }
        self.drain_mesh(now);
    }

    /// Where other nodes reach this one: its own addresses, unless nobody is to know them.
    pub(super) fn mesh_addresses(&self) -> Vec<String> {
        let is_loopback = |address: &&SocketAddr| address.ip().to_canonical().is_loopback();
        let only_loopback = self.host_addresses.iter().all(|address| is_loopback(&address));
        let shown = self.host_addresses.iter().filter(|a| only_loopback || !is_loopback(a));
        let shown = shown.map(SocketAddr::to_string).take(MAX_ADDRESSES);
        if self.config.relay_only { Vec::new() } else { shown.collect() }
    }

    pub(super) fn handle_mesh_timeout(&mut self, now: Instant) {
        let Some(node) = &mut self.mesh else { return };
        let late = |(key, link): (&LinkKey, &Link)| {
            link.timeout().is_some_and(|at| at <= now).then_some(*key)
        };
        for link in node.links.iter().filter_map(late).collect::<Vec<_>>() {
            self.lose_link(now, link);
        }
        self.open_named(now);
        if let Some(node) = &mut self.mesh {
            node.mesh.handle_timeout(now);
        }
        self.drain_mesh(now);
        self.handle_bulletin_timeout(now);
    }

    fn open_named(&mut self, now: Instant) {
        let Some(node) = &mut self.mesh else { return };
        let neighbors = node.mesh.neighbors().count();
        let mut due = Vec::new();
        for named in node.named.iter_mut().filter(|named| named.attempt <= now) {
            named.attempt = now + named.pause;
            named.pause = (named.pause * 2).min(LAST_RETRY);
            let is_needed = neighbors < ENOUGH
                && named.peer.is_none_or(|peer| !node.by_peer.contains_key(&peer));
            if named.peer.is_none() || is_needed {
                due.push(named.address.clone());
            }
        }
        for address in due {
            let opener = Opener::User(address.clone());
            if node.links.values().any(|link| link.opener == opener) {
                continue;
            }
            if let Some(link) = node.add_link(now, opener) {
                self.outputs.push_back(Output::LinkOpen { link, addresses: vec![address] });
            }
        }
    }

    /// Carries out what the mesh wants.
    pub(super) fn drain_mesh(&mut self, now: Instant) {
        while let Some(output) = self.mesh.as_mut().and_then(|node| node.mesh.poll()) {
            match output {
                overlay::Output::Open(contact) => self.open_link(now, contact),
                overlay::Output::Close(peer) => {
                    let node = self.mesh.as_mut();
                    if let Some(link) = node.and_then(|node| node.by_peer.remove(&peer)) {
                        self.end_link(now, link);
                    }
                }
                overlay::Output::Send(peer, message) => {
                    let link = self.mesh.as_ref().and_then(|node| node.by_peer.get(&peer));
                    if let Some(&link) = link {
                        let bytes = frame(&message.to_bytes());
                        self.outputs.push_back(Output::LinkSend { link, bytes });
                    }
                }
                overlay::Output::Deliver(message, _) => self.handle_bulletin(now, &message),
                overlay::Output::Exchange(peer, exchange) => {
                    self.handle_exchange(now, peer, &exchange);
                }
                overlay::Output::NeighborUp(peer) => self.neighbor_up(now, peer),
                overlay::Output::NeighborDown(peer) => self.neighbor_down(peer),
                overlay::Output::NeighborLost(peer) => self.neighbor_lost(now, peer),
            }
        }
    }

    fn open_link(&mut self, now: Instant, contact: Contact) {
        let Some(node) = &mut self.mesh else { return };
        if node.by_peer.contains_key(&contact.id) {
            return node.mesh.handle_link_up(now, contact.id);
        }
        let reachable = |a: &String| a.parse().is_ok_and(|a: SocketAddr| is_of_a_node(a));
        let addresses: Vec<String> = contact.addresses.into_iter().filter(reachable).collect();
        let link = match addresses.is_empty() {
            true => None,
            false => node.add_link(now, Opener::We(contact.id, addresses.clone())),
        };
        match link {
            Some(link) => self.outputs.push_back(Output::LinkOpen { link, addresses }),
            None => node.mesh.handle_link_failed(now, contact.id),
        }
    }

    /// A link that is over from this side, of which the mesh knows or need not know.
    fn end_link(&mut self, now: Instant, link: LinkKey) {
        let Some(node) = &mut self.mesh else { return };
        if let Some(Link { opener: Opener::We(wanted, _), .. }) = node.links.remove(&link)
            && !node.by_peer.contains_key(&wanted)
        {
            node.mesh.handle_link_failed(now, wanted);
        }
        self.outputs.push_back(Output::LinkClose { link });
    }

    fn lose_link(&mut self, now: Instant, link: LinkKey) {
        self.outputs.push_back(Output::LinkClose { link });
        self.handle_link_closed(now, link);
    }
}

impl MeshNode {
    /// Another link to the same peer is used from now on. A peer has one spare link: an older one is to be closed.
    fn spare(&mut self, now: Instant, peer: PeerId, link: LinkKey) -> Option<LinkKey> {
        let is_spare = |(key, other): (&LinkKey, &Link)| {
            (other.is_spare && other.peer == Some(peer) && *key != link).then_some(*key)
        };
        let older = self.links.iter().find_map(is_spare);
        if let Some(link) = self.links.get_mut(&link) {
            (link.is_spare, link.deadline) = (true, now + SPARE);
        }
        older
    }

    /// Who is at an address that the user has named.
    fn reached(&mut self, address: &str, peer: PeerId, remote: SocketAddr, now: Instant) {
        for named in self.named.iter_mut().filter(|named| named.address == address) {
            (named.peer, named.attempt, named.pause) = (Some(peer), now + LAST_RETRY, LAST_RETRY);
        }
        self.mesh.join(now, Contact { id: peer, addresses: vec![remote.to_string()] });
    }

    /// Whether this link to the peer is to stay beside one that there is already.
    fn prefers(&self, me: PeerId, peer: PeerId, link: LinkKey) -> bool {
        let opened_by_us =
            |key: &LinkKey| self.links.get(key).is_some_and(|link| link.opener.from().is_none());
        let Some(old) = self.by_peer.get(&peer) else { return true };
        let (ours_before, ours) = (opened_by_us(old), opened_by_us(&link));
        // Opened anew by the same side, the old one is dead.
        ours_before == ours || ours == (me < peer)
    }
}

/// Addresses that may belong to a node.
fn is_of_a_node(address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
}
