//! Manual PCM between a user's thread and the engine: two bounded queues and a condition.
//!
//! The user's side blocks; the engine's side never does. Samples are `f32` at the rate the user
//! asked for.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, ErrorKind};

/// What both sides share.
#[derive(Debug)]
pub(crate) struct PcmPort {
    state: Mutex<State>,
    changed: Condvar,
    /// Samples that may wait for being sent before `write` blocks.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    written: VecDeque<f32>,
    played: VecDeque<f32>,
    /// Samples that a blocked reader waits for.
    wanted: usize,
    ended: Option<Error>,
}

impl PcmPort {
    pub(crate) fn new(limit: usize) -> Self {
        let state = State { written: VecDeque::with_capacity(limit), ..State::default() };
        PcmPort { state: Mutex::new(state), changed: Condvar::new(), limit }
    }

    /// User: queues samples, blocking while the queue is full. `wake` tells the engine.
    pub(crate) fn write(
        &self,
        mut samples: &[f32],
        deadline: std::time::Instant,
        wake: impl Fn(),
    ) -> Result<(), Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(error) = &state.ended {
                return Err(error.clone());
            }
            let room = self.limit.saturating_sub(state.written.len());
            let (now, later) = samples.split_at(room.min(samples.len()));
            state.written.extend(now.iter().map(|s| if s.is_finite() { *s } else { 0.0 }));
            samples = later;
            wake();
            if samples.is_empty() {
                return Ok(());
            }
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                let message = format!("{} samples were not accepted in time", samples.len());
                return Err(Error::new(ErrorKind::TimedOut, message));
            }
        }
    }

    /// User: takes exactly `out.len()` samples, blocking until their time has come.
    pub(crate) fn read(
        &self,
        out: &mut [f32],
        deadline: std::time::Instant,
        wake: impl Fn(),
    ) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.played.len() < out.len() {
            state.wanted = out.len();
            wake();
        }
        while state.played.len() < out.len() {
            if let Some(error) = &state.ended {
                return Err(error.clone());
            }
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                state.wanted = 0;
                return Err(Error::new(ErrorKind::TimedOut, "no sound within the time limit"));
            }
        }
        state.wanted = 0;
        take(&mut state.played, out);
        Ok(())
    }

    /// Engine: takes one frame's worth of samples if they are there.
    pub(crate) fn take_frame(&self, out: &mut [f32]) -> bool {
        let mut state = self.state.lock();
        if state.written.len() < out.len() {
            return false;
        }
        take(&mut state.written, out);
        self.changed.notify_all();
        true
    }

    /// Engine: samples that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().written.len()
    }

    /// Engine: whether a reader waits for more than there is.
    pub(crate) fn reader_waits(&self) -> bool {
        let state = self.state.lock();
        state.wanted > state.played.len()
    }

    /// Engine: hands over what was played.
    pub(crate) fn put_played(&self, samples: &[f32]) {
        let mut state = self.state.lock();
        state.played.extend(samples);
        if state.played.len() >= state.wanted {
            self.changed.notify_all();
        }
    }

    /// Engine: the call is over; whoever waits gets this error.
    pub(crate) fn end(&self, error: Error) {
        let mut state = self.state.lock();
        state.ended.get_or_insert(error);
        self.changed.notify_all();
    }
}

/// Fills `out` from the front of `queue`, which holds enough.
fn take(queue: &mut VecDeque<f32>, out: &mut [f32]) {
    let count = out.len().min(queue.len());
    for (to, from) in out.iter_mut().zip(queue.drain(..count)) {
        *to = from;
    }
}
