//! The queue between the engine and whoever reads events, with a descriptor to poll on.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

#[cfg(unix)]
use crate::io::signal::Signal;
use crate::time::Duration;

/// Events that may wait before the ones that can be read again are dropped.
const LIMIT: usize = 1024;
/// Events that may wait at all: whoever calls again and again must not fill the memory of a node
/// of which nobody reads the events. From here on the oldest are dropped.
const MOST: usize = 4096;

/// A bounded queue of events.
pub(crate) struct EventQueue<E> {
    state: Mutex<State<E>>,
    arrived: Condvar,
    /// Readable while the queue is not empty, and once it is closed.
    #[cfg(unix)]
    signal: Signal,
}

struct State<E> {
    events: VecDeque<E>,
    lagged: bool,
    dropped: u64,
    closed: bool,
}

impl<E> EventQueue<E> {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(EventQueue {
            state: Mutex::new(State {
                events: VecDeque::new(),
                lagged: false,
                dropped: 0,
                closed: false,
            }),
            arrived: Condvar::new(),
            #[cfg(unix)]
            signal: Signal::new()?,
        })
    }

    /// Adds an event. With a full queue one that `can_be_read_again` is dropped, with an
    /// overflowing one the oldest is; the reader is told.
    pub(crate) fn push(&self, event: E, can_be_read_again: bool) {
        let mut state = self.state.lock();
        let full = state.events.len() >= LIMIT;
        let overflows = state.events.len() >= MOST;
        let dropped = if full && can_be_read_again {
            Some(event)
        } else {
            state.events.push_back(event);
            if overflows { state.events.pop_front() } else { None }
        };
        if dropped.is_some() {
            state.lagged = true;
            state.dropped += 1;
        }
        self.raise();
        self.arrived.notify_one();
        drop(state);
        // What an event holds may do something when it goes: not under the lock.
        drop(dropped);
    }

    /// Takes the next event, waiting for at most `timeout`. `lagged` makes the event that says
    /// that others were dropped.
    pub(crate) fn next(&self, timeout: Duration, lagged: impl FnOnce() -> E) -> Option<E> {
        let mut state = self.state.lock();
        if state.events.is_empty() && !state.closed {
            self.arrived.wait_while_for(&mut state, |s| s.events.is_empty() && !s.closed, timeout);
        }
        if state.lagged {
            state.lagged = false;
            return Some(lagged());
        }
        let event = state.events.pop_front();
        if state.events.is_empty() && !state.closed {
            self.lower();
        }
        event
    }

    /// Nothing more will come; whoever waits returns.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        self.raise();
        drop(state);
        self.arrived.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    /// Makes the descriptor unreadable until something more comes; true if it was readable.
    #[cfg(unix)]
    pub(crate) fn rest(&self) -> bool {
        let state = self.state.lock();
        !state.closed && self.signal.lower()
    }

    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> std::os::fd::BorrowedFd<'_> {
        self.signal.descriptor()
    }

    #[cfg(unix)]
    fn raise(&self) {
        self.signal.raise();
    }

    #[cfg(unix)]
    fn lower(&self) {
        self.signal.lower();
    }

    #[cfg(not(unix))]
    fn raise(&self) {}

    #[cfg(not(unix))]
    fn lower(&self) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn drain(queue: &EventQueue<usize>) -> Vec<usize> {
        std::iter::from_fn(|| queue.next(Duration::ZERO, || usize::MAX)).collect()
    }

    #[test]
    fn a_queue_that_nobody_reads_stays_bounded_and_says_so() {
        let queue = EventQueue::new().unwrap();
        for event in 0..LIMIT + 10 {
            queue.push(event, true);
        }
        assert_eq!(queue.dropped(), 10);
        for event in LIMIT..2 * MOST {
            queue.push(event, false);
        }
        let left = drain(&queue);
        assert_eq!(left[0], usize::MAX, "told first");
        assert_eq!(left[1..], (MOST..2 * MOST).collect::<Vec<_>>()[..], "the latest are kept");
    }
}
