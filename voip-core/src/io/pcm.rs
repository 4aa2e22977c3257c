//! Manual PCM between a user's thread and the engine: two bounded queues, each with a condition.
//!
//! The user's side blocks; the engine's side never does. Samples are `f32` at the rate the user
//! asked for.
//!
//! Whoever has an event loop of its own does not block: it tries with no time to wait, and a
//! descriptor tells when to try again.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::error::{Error, ErrorKind};
#[cfg(unix)]
use crate::io::signal::Signal;

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
    /// Raised when what was tried in vain is possible now. Made when somebody asks for it.
    #[cfg(unix)]
    signal: std::sync::OnceLock<Signal>,
}

#[derive(Debug, Default)]
struct State {
    written: VecDeque<f32>,
    played: VecDeque<f32>,
    /// Samples that blocked readers wait for, all together.
    wanted: usize,
    /// Samples that a reader with a descriptor has tried to read and wants to be told of.
    asked: usize,
    /// A writer with a descriptor has found no room and wants to be told of it.
    asked_room: bool,
    ended: Option<Error>,
}

impl PcmPort {
    pub(crate) fn new(limit: usize) -> Self {
        let state = State { written: VecDeque::with_capacity(limit), ..State::default() };
        PcmPort {
            state: Mutex::new(state),
            room: Condvar::new(),
            sound: Condvar::new(),
            limit,
            #[cfg(unix)]
            signal: std::sync::OnceLock::new(),
        }
    }

    /// User: what becomes readable when a read or a write that ran out of time can go on.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Result<std::os::fd::BorrowedFd<'_>, Error> {
        if let Some(signal) = self.signal.get() {
            return Ok(signal.descriptor());
        }
        let made = Signal::new().map_err(|e| {
            Error::new(ErrorKind::System, format!("a descriptor to wait on for sound: {e}"))
        })?;
        let state = self.state.lock();
        let signal = self.signal.get_or_init(|| made);
        if state.ended.is_some() {
            signal.raise();
        }
        Ok(signal.descriptor())
    }

    /// User: queues samples, blocking while the queue is full; says how many it took, fewer only
    /// when the time was up. `wake` tells the engine; no lock is held meanwhile, so that the engine
    /// never waits for a thread of lower priority.
    pub(crate) fn write<T: Copy>(
        &self,
        mut samples: &[T],
        to_float: impl Fn(T) -> f32,
        deadline: std::time::Instant,
        wake: impl Fn(),
    ) -> Result<usize, Error> {
        let count = samples.len();
        let mut state = self.state.lock();
        state.asked_room = false;
        self.signal(&state);
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
                return Ok(count);
            }
            let is_full =
                |state: &mut State| state.ended.is_none() && state.written.len() >= self.limit;
            if self.room.wait_while_until(&mut state, is_full, deadline).timed_out() {
                state.asked_room = self.has_signal();
                // There may be room just now: the time was up while the lock was waited for.
                self.signal(&state);
                return match count - samples.len() {
                    0 => Err(Error::new(ErrorKind::TimedOut, "no room within the time limit")),
                    accepted => Ok(accepted),
                };
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
        state.asked = 0;
        self.signal(&state);
        if state.played.len() < out.len() {
            state.wanted += out.len();
            MutexGuard::unlocked(&mut state, wake);
            let too_early =
                |state: &mut State| state.ended.is_none() && state.played.len() < out.len();
            self.sound.wait_while_until(&mut state, too_early, deadline);
            state.wanted -= out.len();
        }
        if state.played.len() < out.len() {
            if self.has_signal() {
                state.asked = out.len();
            }
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
        self.signal(&state);
        true
    }

    /// Engine: samples that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().written.len()
    }

    /// Engine: samples that readers wait for and that are not there yet.
    pub(crate) fn missing(&self) -> usize {
        let state = self.state.lock();
        (state.wanted + state.asked).saturating_sub(state.played.len())
    }

    /// Engine: hands over what was played.
    pub(crate) fn put_played(&self, samples: &[f32]) {
        let mut state = self.state.lock();
        state.played.extend(samples);
        if state.played.len() >= state.wanted {
            self.sound.notify_all();
        }
        self.signal(&state);
    }

    /// Engine: the call is over; whoever waits gets this error.
    pub(crate) fn end(&self, error: Error) {
        let mut state = self.state.lock();
        state.ended.get_or_insert(error);
        // Handles may outlive their call by far.
        state.written = VecDeque::new();
        state.asked = 0;
        self.room.notify_all();
        self.sound.notify_all();
        self.signal(&state);
    }

    #[cfg(unix)]
    fn has_signal(&self) -> bool {
        self.signal.get().is_some()
    }

    /// Raises the descriptor while what was tried in vain is possible, and for good once the call is
    /// over. Reading leaves a writer's answer as it is, and the other way round.
    #[cfg(unix)]
    fn signal(&self, state: &State) {
        let Some(signal) = self.signal.get() else { return };
        let sound = state.asked > 0 && state.played.len() >= state.asked;
        let room = state.asked_room && state.written.len() < self.limit;
        if sound || room || state.ended.is_some() {
            signal.raise();
        } else {
            signal.lower();
        }
    }

    #[cfg(not(unix))]
    fn has_signal(&self) -> bool {
        false
    }

    #[cfg(not(unix))]
    fn signal(&self, _state: &State) {}
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
        let written = port.write(&[1i16; 9], f32::from, deadline_after(Duration::ZERO), take);
        assert_eq!(written.unwrap(), 9);
        assert_eq!((taken.get(), port.waiting()), (4, 1));
        assert!(!port.take_frame(&mut frame));
    }

    /// Whether somebody who polls would be told.
    #[cfg(unix)]
    fn is_readable(descriptor: std::os::fd::BorrowedFd<'_>) -> bool {
        use std::os::fd::AsRawFd;
        let mut poll =
            libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor, which is open, and no time to wait.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    }

    #[cfg(unix)]
    #[test]
    fn the_descriptor_tells_of_sound_of_room_and_of_the_end() {
        let port = PcmPort::new(4);
        let descriptor = port.descriptor().unwrap();
        let write = || port.write(&[0.5; 6], |s| s, deadline_after(Duration::ZERO), || {});
        assert_eq!(write().unwrap(), 4, "as many as there is room for");
        assert_eq!(write().unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(!is_readable(descriptor));
        assert!(port.take_frame(&mut [0.0; 2]));
        assert!(is_readable(descriptor), "there is room");
        assert_eq!(write().unwrap(), 2);
        assert!(!is_readable(descriptor));

        read(&port, 3, Duration::ZERO).unwrap_err();
        assert_eq!(port.missing(), 3, "the engine knows though nobody waits");
        port.put_played(&[1.0, 2.0]);
        assert!(!is_readable(descriptor), "too little");
        port.put_played(&[3.0]);
        assert!(is_readable(descriptor));
        assert_eq!(read(&port, 3, Duration::ZERO).unwrap(), [1.0, 2.0, 3.0]);
        assert!(!is_readable(descriptor));
        assert_eq!(port.missing(), 0);

        port.end(Error::new(ErrorKind::CallEnded, "over"));
        assert_eq!(read(&port, 1, Duration::ZERO).unwrap_err().kind(), ErrorKind::CallEnded);
        assert!(is_readable(descriptor), "for good");
    }

    #[cfg(unix)]
    #[test]
    fn who_reads_does_not_take_the_writers_answer_nor_the_other_way_round() {
        let port = PcmPort::new(4);
        let descriptor = port.descriptor().unwrap();
        let write =
            |count| port.write(&[0.5; 6][..count], |s| s, deadline_after(Duration::ZERO), || {});
        assert_eq!(write(6).unwrap(), 4);
        read(&port, 3, Duration::ZERO).unwrap_err();
        assert!(port.take_frame(&mut [0.0; 2]));
        read(&port, 3, Duration::ZERO).unwrap_err();
        assert!(is_readable(descriptor), "there is still room");
        port.put_played(&[1.0; 3]);
        assert_eq!(write(2).unwrap(), 2);
        assert!(is_readable(descriptor), "there is still sound");
        read(&port, 0, Duration::ZERO).unwrap();
        assert!(!is_readable(descriptor), "it is not wanted any more");
    }

    #[cfg(unix)]
    #[test]
    fn a_descriptor_of_a_call_that_is_over_is_readable() {
        let port = PcmPort::new(4);
        port.end(Error::new(ErrorKind::CallEnded, "over"));
        assert!(is_readable(port.descriptor().unwrap()));
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
