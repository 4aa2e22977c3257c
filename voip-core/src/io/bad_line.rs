//! A bad line between the node and its socket, for trials: everything the node sends goes through
//! it, and waits here until it is sent indeed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::line::{Arrivals, Line, LineStats, Link};
use crate::time::Instant;

/// The most that wait: their time alone does not bound them, as a program can send ever more in it.
const MOST: usize = 8192;

/// What a node's bad line has done so far, for any thread to look at.
pub(crate) type LineCounts = Arc<Mutex<LineStats>>;

/// A datagram that waits to be sent.
pub(crate) struct Waiting {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: Vec<u8>,
}

pub(crate) struct BadLine {
    line: Line,
    counts: LineCounts,
    /// By the time to send them, and the order in which they came.
    waiting: BTreeMap<(Instant, u64), Waiting>,
    entered: u64,
}

impl BadLine {
    pub(crate) fn new(link: Link, seed: u64) -> BadLine {
        BadLine {
            line: Line::new(link, seed),
            counts: LineCounts::default(),
            waiting: BTreeMap::new(),
            entered: 0,
        }
    }

    pub(crate) fn counts(&self) -> LineCounts {
        self.counts.clone()
    }

    /// Takes what would have been sent.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) {
        let Arrivals { original, copy } = self.line.send(now, contents);
        let room = MOST - self.waiting.len();
        if original.is_some() && room == 0 {
            self.line.overflow(contents);
        }
        *self.counts.lock() = self.line.stats();
        for at in original.into_iter().chain(copy).take(room) {
            self.entered += 1;
            let waiting = Waiting { source, destination, contents: contents.to_vec() };
            self.waiting.insert((at, self.entered), waiting);
        }
    }

    /// When the next one is to be sent.
    pub(crate) fn next_wake(&self) -> Instant {
        self.waiting.first_key_value().map_or(Instant::FAR_FUTURE, |((at, _), _)| *at)
    }

    /// What is to be sent by now.
    pub(crate) fn give(&mut self, now: Instant) -> Option<Waiting> {
        self.waiting.first_entry().filter(|first| first.key().0 <= now).map(|first| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    const RTP: [u8; 172] = [0x80; 172];
    const STUN: [u8; 172] = [0; 172];

    fn line(link: Link) -> BadLine {
        BadLine::new(link, 1)
    }

    fn take(line: &mut BadLine, now: Instant, datagram: &[u8]) {
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        line.take(now, address, address, datagram);
    }

    #[test]
    fn what_waits_is_given_when_its_time_has_come() {
        let mut line = line(Link { delay: Duration::from_millis(10), ..Link::default() });
        take(&mut line, Instant::ZERO, &RTP);
        let due = Instant::from_micros(10_000);
        assert_eq!(line.next_wake(), due);
        assert!(line.give(Instant::from_micros(9_999)).is_none());
        assert!(line.give(due).is_some_and(|waiting| waiting.contents == RTP));
        assert_eq!(line.next_wake(), Instant::FAR_FUTURE);
    }

    #[test]
    fn no_more_wait_than_there_is_room_for_and_the_rest_is_counted() {
        let link = Link { delay: Duration::from_secs(10), duplicate: 1.0, ..Link::default() };
        let mut line = line(link);
        // One waits, to which two come at a time: in the end there is room for one of the two.
        take(&mut line, Instant::ZERO, &STUN);
        assert!(line.give(Instant::FAR_FUTURE).is_some());
        for _ in 0..MOST {
            take(&mut line, Instant::ZERO, &RTP);
        }
        take(&mut line, Instant::ZERO, &STUN);
        assert_eq!(line.waiting.len(), MOST);
        let counts = *line.counts().lock();
        assert_eq!((counts.sent, counts.lost), (MOST as u64, 0));
        assert_eq!(counts.overflowed, (MOST / 2) as u64, "of sound, each once");
        while line.give(Instant::FAR_FUTURE).is_some() {}
        take(&mut line, Instant::ZERO, &RTP);
        assert_eq!(line.waiting.len(), 2, "there is room again");
    }
}
