//! Manual PCM between a user's thread and the engine: two bounded queues, each with a condition.
//!
//! The user's side blocks; the engine's side never does. Samples are `f32` at the rate the user
//! asked for.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::error::{Error, ErrorKind};

/// What both sides share.
#[derive(Debug)]
pub(crate) struct PcmPort {
    state: Mutex<State>,
    /// There is room to write, or nothing to wait for any more.
    room: Condvar,
    /// There is sound to read, or nothing to wait for any more.
    sound: Condvar,
    /// Samples that may wait for being sent before `write` blocks.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    written: VecDeque<f32>,
    played: VecDeque<f32>,
    /// Samples that blocked readers wait for, all together.
    wanted: usize,
    ended: Option<Error>,
}

impl PcmPort {
    pub(crate) fn new(limit: usize) -> Self {
        let state = State { written: VecDeque::with_capacity(limit), ..State::default() };
        PcmPort { state: Mutex::new(state), room: Condvar::new(), sound: Condvar::new(), limit }
    }

    /// User: queues samples, blocking while the queue is full. `wake` tells the engine; no lock is
    /// held meanwhile, so that the engine never waits for a thread of lower priority.
    pub(crate) fn write<T: Copy>(
        &self,
        mut samples: &[T],
        to_float: impl Fn(T) -> f32,
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
            state.written.extend(now.iter().map(|s| finite(to_float(*s))));
            samples = later;
            if !now.is_empty() {
                MutexGuard::unlocked(&mut state, &wake);
            }
            if samples.is_empty() {
                return Ok(());
            }
            let is_full =
                |state: &mut State| state.ended.is_none() && state.written.len() >= self.limit;
            if self.room.wait_while_until(&mut state, is_full, deadline).timed_out() {
                let message = format!("{} samples were not accepted in time", samples.len());
                return Err(Error::new(ErrorKind::TimedOut, message));
            }
        }
    }

    /// User: takes exactly `out.len()` samples, or none, blocking until their time has come.
    pub(crate) fn read<T>(
        &self,
        out: &mut [T],
        from_float: impl Fn(f32) -> T,
        deadline: std::time::Instant,
        wake: impl Fn(),
    ) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.played.len() < out.len() {
            state.wanted += out.len();
            MutexGuard::unlocked(&mut state, wake);
            let too_early =
                |state: &mut State| state.ended.is_none() && state.played.len() < out.len();
            self.sound.wait_while_until(&mut state, too_early, deadline);
            state.wanted -= out.len();
        }
        if state.played.len() < out.len() {
            let timed_out = || Error::new(ErrorKind::TimedOut, "no sound within the time limit");
            return Err(state.ended.clone().unwrap_or_else(timed_out));
        }
        let count = out.len();
        for (to, from) in out.iter_mut().zip(state.played.drain(..count)) {
            *to = from_float(from);
        }
        Ok(())
    }

    /// Engine: takes one frame's worth of samples if they are there.
    pub(crate) fn take_frame(&self, out: &mut [f32]) -> bool {
        let mut state = self.state.lock();
        if state.written.len() < out.len() {
            return false;
        }
        let count = out.len();
        for (to, from) in out.iter_mut().zip(state.written.drain(..count)) {
            *to = from;
        }
        self.room.notify_all();
        true
    }

    /// Engine: samples that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().written.len()
    }

    /// Engine: samples that readers wait for and that are not there yet.
    pub(crate) fn missing(&self) -> usize {
        let state = self.state.lock();
        state.wanted.saturating_sub(state.played.len())
    }

    /// Engine: hands over what was played.
    pub(crate) fn put_played(&self, samples: &[f32]) {
        let mut state = self.state.lock();
        state.played.extend(samples);
        if state.played.len() >= state.wanted {
            self.sound.notify_all();
        }
    }

    /// Engine: the call is over; whoever waits gets this error.
    pub(crate) fn end(&self, error: Error) {
        let mut state = self.state.lock();
        state.ended.get_or_insert(error);
        // Handles may outlive their call by far.
        state.written = VecDeque::new();
        self.room.notify_all();
        self.sound.notify_all();
    }
}

/// What is no number must not get into a codec, which would never be rid of it.
fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::io::{deadline_after, spawn};
    use crate::time::Duration;
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    const LIMIT: Duration = Duration::from_secs(10);

    fn read(port: &PcmPort, count: usize, limit: Duration) -> Result<Vec<f32>, Error> {
        let mut out = vec![0.0; count];
        port.read(&mut out, |s| s, deadline_after(limit), || {}).map(|()| out)
    }

    #[test]
    fn a_read_that_times_out_takes_nothing() {
        let port = PcmPort::new(10);
        port.put_played(&[1.0, 2.0]);
        assert_eq!(read(&port, 3, Duration::ZERO).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(port.missing(), 0);
        port.put_played(&[3.0]);
        assert_eq!(read(&port, 3, Duration::ZERO).unwrap(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn two_readers_both_get_what_they_wait_for() {
        let port = Arc::new(PcmPort::new(10));
        let (woken, wakes) = channel();
        let readers: Vec<_> = [4, 2]
            .map(|count| {
                let (port, woken) = (port.clone(), woken.clone());
                spawn("test-reader", move || {
                    let mut out = vec![0.0; count];
                    let wake = || woken.send(()).unwrap();
                    port.read(&mut out, |s| s, deadline_after(LIMIT), wake).unwrap();
                })
                .unwrap()
            })
            .into();
        // Both have said what they want.
        wakes.recv().unwrap();
        wakes.recv().unwrap();
        let mut blocks = 0;
        while port.missing() > 0 {
            port.put_played(&[0.5; 2]);
            blocks += 1;
            assert!(blocks <= 3, "no more than was wanted");
        }
        for reader in readers {
            reader.join().unwrap();
        }
    }

    #[test]
    fn the_engine_can_be_woken_while_it_takes_what_was_written() {
        let port = PcmPort::new(4);
        let mut frame = [0.0; 2];
        let taken = std::cell::Cell::new(0);
        let take = || {
            // Would wait for ever for a lock held by the writer.
            while port.take_frame(&mut frame.clone()) {
                taken.set(taken.get() + 1);
            }
        };
        port.write(&[1i16; 9], f32::from, deadline_after(Duration::ZERO), take).unwrap();
        assert_eq!((taken.get(), port.waiting()), (4, 1));
        assert!(!port.take_frame(&mut frame));
    }

    #[test]
    fn what_is_no_number_is_silence() {
        let port = PcmPort::new(4);
        let strange = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5];
        port.write(&strange, |s| s, deadline_after(LIMIT), || {}).unwrap();
        let mut frame = [1.0; 4];
        assert!(port.take_frame(&mut frame));
        assert_eq!(frame, [0.0, 0.0, 0.0, 0.5]);
    }
}
