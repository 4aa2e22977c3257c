//! A bad line between the node and its socket, for trials: everything the node sends goes through
//! it, and waits here until it is sent indeed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::line::{Arrivals, Line, LineStats, Link};
use crate::time::Instant;

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
        *self.counts.lock() = self.line.stats();
        for at in original.into_iter().chain(copy) {
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
