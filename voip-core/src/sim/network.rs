//! Datagrams through a network emulator, byte streams that are merely slow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use str0m_netem::{Input, Netem, NetemConfig, Output, Probability, RandomLoss, WithLen};

use crate::time::{Duration, Epoch, Instant};

/// What happens to packets on their way, in each direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// One way. Default 0.1 ms.
    pub delay: Duration,
    /// Added to the delay: uniformly 0 to this, each datagram on its own, so they overtake each
    /// other. Default none.
    pub jitter: Duration,
    /// Share of datagrams lost, 0.0 to 1.0. Byte streams lose
    /// nothing, except what is sent while a node is cut off. Default none.
    pub loss: f32,
    /// Share of datagrams that come twice. Default none.
    pub duplicate: f32,
}

impl Default for Link {
    fn default() -> Self {
        let delay = Duration::from_micros(100);
        Link { delay, jitter: Duration::ZERO, loss: 0.0, duplicate: 0.0 }
    }
}

/// Datagrams of one direction that share their fate: media apart from the rest, whose number the
/// session layer's own randomness may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flow {
    source: SocketAddr,
    destination: SocketAddr,
    media: bool,
}

#[derive(Clone)]
struct Datagram(Vec<u8>);

impl WithLen for Datagram {
    fn len(&self) -> usize {
        self.0.len()
    }
}

/// What reaches somebody.
pub(super) enum Arrival {
    Datagram {
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    },
    /// At a tracker: a connection was opened. At a node: it stands.
    Opened {
        source: SocketAddr,
        destination: SocketAddr,
    },
    Bytes {
        source: SocketAddr,
        destination: SocketAddr,
        bytes: Vec<u8>,
    },
    Closed {
        source: SocketAddr,
        destination: SocketAddr,
    },
}

impl Arrival {
    pub(super) fn destination(&self) -> SocketAddr {
        match self {
            Arrival::Datagram { destination, .. }
            | Arrival::Opened { destination, .. }
            | Arrival::Bytes { destination, .. }
            | Arrival::Closed { destination, .. } => *destination,
        }
    }
}

pub(super) struct Network {
    seed: u64,
    link: Link,
    flows: BTreeMap<Flow, Netem<Datagram>>,
    /// What streams carry, by arrival and order of sending.
    streams: BTreeMap<(Instant, u64), Arrival>,
    sent: u64,
    cut_off: BTreeSet<IpAddr>,
    datagrams_blocked: bool,
    next_datagram: Instant,
}

impl Network {
    pub(super) fn new(seed: u64) -> Network {
        Network {
            seed,
            link: Link::default(),
            flows: BTreeMap::new(),
            streams: BTreeMap::new(),
            sent: 0,
            cut_off: BTreeSet::new(),
            datagrams_blocked: false,
            next_datagram: Instant::FAR_FUTURE,
        }
    }

    pub(super) fn set_link(&mut self, link: Link) {
        self.link = link;
        for (flow, netem) in &mut self.flows {
            netem.set_config(config(self.seed, &link, flow));
        }
    }

    pub(super) fn set_cut_off(&mut self, ip: IpAddr, cut_off: bool) {
        if cut_off {
            self.cut_off.insert(ip);
        } else {
            self.cut_off.remove(&ip);
        }
    }

    pub(super) fn set_datagrams_blocked(&mut self, blocked: bool) {
        self.datagrams_blocked = blocked;
    }

    fn is_cut_off(&self, a: SocketAddr, b: SocketAddr) -> bool {
        self.cut_off.contains(&a.ip()) || self.cut_off.contains(&b.ip())
    }

    pub(super) fn send(
        &mut self,
        now: Instant,
        epoch: Epoch,
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    ) {
        if self.datagrams_blocked || self.is_cut_off(source, destination) {
            return;
        }
        let flow = Flow { source, destination, media: is_media(&contents) };
        let (seed, link) = (self.seed, self.link);
        let netem =
            self.flows.entry(flow).or_insert_with(|| Netem::new(config(seed, &link, &flow)));
        netem.handle_input(Input::Packet(epoch.std(now), Datagram(contents)));
        self.next_datagram = self.next_datagram.min(epoch.ours(netem.poll_timeout()));
    }

    /// A node begins a connection: the other side hears of it half a round trip after it stands.
    pub(super) fn open(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr) {
        if !self.is_cut_off(source, destination) {
            let delay = self.link.delay;
            let (back, forth) = (destination, source);
            let opened = Arrival::Opened { source: back, destination: forth };
            self.put(now + delay * 2, opened);
            self.put(now + delay * 3, Arrival::Opened { source, destination });
        }
    }

    pub(super) fn send_bytes(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: Vec<u8>,
    ) {
        if !self.is_cut_off(source, destination) {
            let arrival = Arrival::Bytes { source, destination, bytes };
            self.put(now + self.link.delay, arrival);
        }
    }

    pub(super) fn close(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr) {
        if !self.is_cut_off(source, destination) {
            self.put(now + self.link.delay, Arrival::Closed { source, destination });
        }
    }

    fn put(&mut self, at: Instant, arrival: Arrival) {
        self.sent += 1;
        self.streams.insert((at, self.sent), arrival);
    }

    pub(super) fn next_arrival(&self) -> Instant {
        let stream = self.streams.first_key_value().map_or(Instant::FAR_FUTURE, |((at, _), _)| *at);
        stream.min(self.next_datagram)
    }

    /// The next thing that has arrived by `now`.
    pub(super) fn arrived(&mut self, epoch: Epoch, now: Instant) -> Option<Arrival> {
        if let Some(first) = self.streams.first_entry()
            && first.key().0 <= now
        {
            return Some(first.remove());
        }
        if self.next_datagram > now {
            return None;
        }
        let std_now = epoch.std(now);
        let mut next = Instant::FAR_FUTURE;
        for (flow, netem) in self.flows.iter_mut().filter(|(_, netem)| !netem.is_empty()) {
            netem.handle_input(Input::Timeout(std_now));
            while let Some(output) = netem.poll_output() {
                if let Output::Packet(Datagram(contents)) = output {
                    let Flow { source, destination, .. } = *flow;
                    return Some(Arrival::Datagram { source, destination, contents });
                }
            }
            next = next.min(epoch.ours(netem.poll_timeout()));
        }
        self.next_datagram = next;
        None
    }
}

/// RTP by its first byte (RFC 7983 §7), RTCP not by its payload type (RFC 5761 §4).
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

fn config(seed: u64, link: &Link, flow: &Flow) -> NetemConfig {
    // Uniform 0 to jitter is the middle of that range plus or minus half of it.
    let half = link.jitter / 2;
    NetemConfig::new()
        .latency(link.delay + half)
        .jitter(half)
        .loss(RandomLoss::new(Probability::new(link.loss)))
        .duplicate(Probability::new(link.duplicate))
        .seed(flow_seed(seed, flow))
}

/// FNV-1a over what tells one flow from another.
fn flow_seed(seed: u64, flow: &Flow) -> u64 {
    let text = format!("{seed} {} {} {}", flow.source, flow.destination, flow.media);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
