//! Datagrams over bad lines, byte streams that are merely slow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::BEGINNING;
use super::middle::{Middle, Passing};
use crate::line::{Arrivals, Line, Link};
use crate::time::Instant;

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
    /// By source and destination.
    lines: BTreeMap<(SocketAddr, SocketAddr), Line>,
    /// What is under way, by arrival and order of sending.
    under_way: BTreeMap<(Instant, u64), Arrival>,
    sent: u64,
    /// Connections begun from there.
    opened: BTreeMap<IpAddr, u64>,
    cut_off: BTreeSet<IpAddr>,
    datagrams_blocked: bool,
    /// Datagrams pass only to and from these.
    passing: Option<BTreeSet<IpAddr>>,
    middle: Option<Middle>,
}

impl Network {
    pub(super) fn new(seed: u64) -> Network {
        Network {
            seed,
            link: Link::default(),
            lines: BTreeMap::new(),
            under_way: BTreeMap::new(),
            sent: 0,
            opened: BTreeMap::new(),
            cut_off: BTreeSet::new(),
            datagrams_blocked: false,
            passing: None,
            middle: None,
        }
    }

    pub(super) fn set_link(&mut self, link: Link) {
        self.link = link;
        self.lines.values_mut().for_each(|line| line.set_link(link));
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

    pub(super) fn set_direct_blocked(&mut self, blocked: bool, passing: BTreeSet<IpAddr>) {
        self.passing = blocked.then_some(passing);
    }

    fn passes(&self, a: SocketAddr, b: SocketAddr) -> bool {
        let passing = self.passing.as_ref();
        passing.is_none_or(|passing| passing.contains(&a.ip()) || passing.contains(&b.ip()))
    }

    fn is_cut_off(&self, a: SocketAddr, b: SocketAddr) -> bool {
        self.cut_off.contains(&a.ip()) || self.cut_off.contains(&b.ip())
    }

    pub(super) fn set_middle(&mut self, middle: Middle) {
        self.middle = Some(middle);
    }

    /// What goes on in place of what is sent.
    fn pass(&mut self, now: Instant, passing: Passing) -> Vec<Passing> {
        match &mut self.middle {
            Some(middle) => middle(now.since(BEGINNING), passing),
            None => vec![passing],
        }
    }

    pub(super) fn inject(&mut self, now: Instant, passing: Passing) {
        let at = now + self.link.delay;
        let Passing { source, destination, is_datagram, contents } = passing;
        let arrival = if is_datagram {
            Arrival::Datagram { source, destination, contents }
        } else {
            Arrival::Bytes { source, destination, bytes: contents }
        };
        self.put(at, arrival);
    }

    pub(super) fn send(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    ) {
        for passing in self.pass(now, Passing { source, destination, is_datagram: true, contents })
        {
            self.send_on(now, passing.source, passing.destination, passing.contents);
        }
    }

    fn send_on(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    ) {
        if self.datagrams_blocked
            || self.is_cut_off(source, destination)
            || !self.passes(source, destination)
        {
            return;
        }
        let line = self
            .lines
            .entry((source, destination))
            .or_insert_with(|| Line::new(self.link, line_seed(self.seed, source, destination)));
        let Arrivals { original, copy } = line.send(now, &contents);
        if let Some(at) = copy {
            let contents = contents.clone();
            self.put(at, Arrival::Datagram { source, destination, contents });
        }
        if let Some(at) = original {
            self.put(at, Arrival::Datagram { source, destination, contents });
        }
    }

    /// A node begins a connection: the other side hears of it half a round trip after it stands.
    pub(super) fn open(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr) {
        *self.opened.entry(source.ip()).or_default() += 1;
        if !self.is_cut_off(source, destination) {
            let delay = self.link.delay;
            let (back, forth) = (destination, source);
            let opened = Arrival::Opened { source: back, destination: forth };
            self.put(now + delay * 2, opened);
            self.put(now + delay * 3, Arrival::Opened { source, destination });
        }
    }

    pub(super) fn opened(&self, source: IpAddr) -> u64 {
        self.opened.get(&source).copied().unwrap_or_default()
    }

    pub(super) fn send_bytes(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: Vec<u8>,
    ) {
        let sent = Passing { source, destination, is_datagram: false, contents: bytes };
        for passing in self.pass(now, sent) {
            if !self.is_cut_off(passing.source, passing.destination) {
                self.inject(now, passing);
            }
        }
    }

    pub(super) fn close(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr) {
        if !self.is_cut_off(source, destination) {
            self.put(now + self.link.delay, Arrival::Closed { source, destination });
        }
    }

    fn put(&mut self, at: Instant, arrival: Arrival) {
        self.sent += 1;
        self.under_way.insert((at, self.sent), arrival);
    }

    pub(super) fn next_arrival(&self) -> Instant {
        self.under_way.first_key_value().map_or(Instant::FAR_FUTURE, |((at, _), _)| *at)
    }

    /// The next thing that has arrived by `now`.
    pub(super) fn arrived(&mut self, now: Instant) -> Option<Arrival> {
        self.under_way
            .first_entry()
            .filter(|first| first.key().0 <= now)
            .map(|first| first.remove())
    }
}

/// FNV-1a over what tells one line from another.
fn line_seed(seed: u64, source: SocketAddr, destination: SocketAddr) -> u64 {
    let text = format!("{seed} {source} {destination}");
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
