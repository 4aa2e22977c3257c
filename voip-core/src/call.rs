//! One call, as its user holds it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};

use crate::engine::{CallKey, Command};
use crate::error::{Error, ErrorKind};
use crate::event::{CallState, EndReason, Event, SilenceReason};
use crate::id::PeerId;
use crate::io::deadline_after;
use crate::io::driver::{ManualPort, Request, Requests};
use crate::stats::CallStats;
use crate::time::Duration;
use crate::wire::signal::Reason;

/// Who is at the other end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallPeer {
    /// The name it registered, or the one that is being looked up.
    pub name: String,
    /// Its key, once it is known.
    pub id: Option<PeerId>,
}

/// How to refuse an incoming call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reject {
    /// "I do not want to talk."
    Declined,
    /// "I am in another call."
    Busy,
}

/// A call. Clones are the same call; when the last is dropped, the call is hung up. (A call that
/// the node answered by itself, see [`NodeBuilder::auto_answer`](crate::NodeBuilder::auto_answer),
/// stays up until somebody hangs up.) Events that wait to be read keep no call up, except
/// [`Event::Incoming`].
///
/// All methods may be used from any thread. Those without a `timeout` do not block.
#[derive(Clone)]
pub struct Call {
    shared: Arc<CallShared>,
    /// Hangs up when the last user lets go. Handles within events of a call that nobody holds any
    /// more have none.
    hold: Option<Arc<Hold>>,
}

/// What the engine's thread and all handles of one call share.
pub(crate) struct CallShared {
    key: CallKey,
    requests: Requests,
    progress: Mutex<Progress>,
    changed: Condvar,
    muted: AtomicBool,
    manual: Option<Arc<ManualPort>>,
}

struct Progress {
    state: CallState,
    answered: bool,
    peer: CallPeer,
    peer_muted: bool,
    silence: Option<SilenceReason>,
    words: Option<[&'static str; 4]>,
    stats: CallStats,
}

impl Progress {
    fn end(&mut self, reason: EndReason) {
        self.state = CallState::Ended(reason);
        self.silence = None;
    }
}

struct Hold {
    key: CallKey,
    requests: Requests,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.requests.send(Request::Command(Command::HangUp { call: self.key }));
    }
}

impl CallShared {
    pub(crate) fn new(
        key: CallKey,
        state: CallState,
        name: String,
        requests: Requests,
        manual: Option<Arc<ManualPort>>,
    ) -> Arc<CallShared> {
        let peer = CallPeer { name, id: None };
        let progress = Progress {
            state,
            answered: false,
            peer,
            peer_muted: false,
            silence: None,
            words: None,
            stats: CallStats::default(),
        };
        Arc::new(CallShared {
            key,
            requests,
            progress: Mutex::new(progress),
            changed: Condvar::new(),
            muted: AtomicBool::new(false),
            manual,
        })
    }

    /// The engine is gone without a word: so is the call.
    pub(crate) fn abandon(&self) {
        if let Some(port) = &self.manual {
            port.pcm.end(EndReason::NodeClosed.to_error());
        }
        let mut progress = self.progress.lock();
        if !matches!(progress.state, CallState::Ended(_)) {
            progress.end(EndReason::NodeClosed);
            self.changed.notify_all();
        }
    }

    pub(crate) fn manual(&self) -> Option<Arc<ManualPort>> {
        self.manual.clone()
    }

    pub(crate) fn set_peer(&self, name: String, id: PeerId) {
        self.progress.lock().peer = CallPeer { name, id: Some(id) };
    }

    pub(crate) fn set_stats(&self, stats: CallStats) {
        self.progress.lock().stats = stats;
    }

    /// Follows the events of the call.
    pub(crate) fn follow(&self, event: &Event<CallKey>) {
        let mut progress = self.progress.lock();
        match event {
            Event::Incoming { .. } | Event::Ringing { .. } => progress.state = CallState::Ringing,
            Event::Answered { .. } => {
                progress.state = CallState::Connecting;
                progress.answered = true;
            }
            Event::Connected { .. } => progress.state = CallState::Connected,
            Event::Ended { reason, .. } => progress.end(*reason),
            Event::VerificationReady { words, .. } => progress.words = Some(*words),
            Event::PeerMuted { muted, .. } => progress.peer_muted = *muted,
            Event::MediaSilent { reason, .. } => progress.silence = Some(*reason),
            Event::MediaResumed { .. } => progress.silence = None,
            _ => return,
        }
        self.changed.notify_all();
    }
}

impl Call {
    /// A handle that keeps the call up.
    pub(crate) fn holding(shared: Arc<CallShared>) -> Call {
        let hold = Hold { key: shared.key, requests: shared.requests.clone() };
        Call { shared, hold: Some(Arc::new(hold)) }
    }

    pub(crate) fn downgrade(&self) -> WeakCall {
        let hold = self.hold.as_ref().map_or_else(Weak::new, Arc::downgrade);
        WeakCall { shared: self.shared.clone(), hold }
    }

    /// The peer at the other end.
    pub fn peer(&self) -> CallPeer {
        self.shared.progress.lock().peer.clone()
    }

    /// Where the call stands.
    pub fn state(&self) -> CallState {
        self.shared.progress.lock().state
    }

    /// Answers an incoming call. Returns at once; [`Event::Connected`] follows.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it does not ring here.
    pub fn answer(&self) -> Result<(), Error> {
        self.check_rings()?;
        self.command(Command::Answer { call: self.shared.key })
    }

    /// Refuses an incoming call.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it does not ring here.
    pub fn reject(&self, how: Reject) -> Result<(), Error> {
        self.check_rings()?;
        let reason = match how {
            Reject::Declined => Reason::Declined,
            Reject::Busy => Reason::Busy,
        };
        self.command(Command::Reject { call: self.shared.key, reason })
    }

    /// Ends the call in whatever state it is: cancels, declines or hangs up. Twice is once.
    pub fn hang_up(&self) {
        // With the engine gone the call has ended already.
        let _ = self.command(Command::HangUp { call: self.shared.key });
    }

    /// Stops or resumes sending the microphone. Muted, no voice packet leaves at all.
    pub fn set_muted(&self, muted: bool) {
        self.shared.muted.store(muted, Ordering::Relaxed);
        let _ = self.command(Command::SetMuted { call: self.shared.key, muted });
    }

    /// Whether the microphone is muted.
    pub fn is_muted(&self) -> bool {
        self.shared.muted.load(Ordering::Relaxed)
    }

    /// Whether the peer says that its microphone is muted.
    pub fn is_peer_muted(&self) -> bool {
        self.shared.progress.lock().peer_muted
    }

    /// Why nothing is heard of the peer at present, as the last [`Event::MediaSilent`] said; `None`
    /// while all is well, and when the call is over.
    pub fn peer_silence(&self) -> Option<SilenceReason> {
        self.shared.progress.lock().silence
    }

    /// Four words that are the same at both ends of this call, unless somebody sits between them and
    /// talks to each in the other's name: the two people read them to each other, one two and the other
    /// two, and hang up if they differ. `None` until the call is connected and
    /// [`Event::VerificationReady`] has come, and for good if the peer's version knows no such words:
    /// then nothing is verified.
    ///
    /// Whoever sits in the middle has one guess for each call, and one of 4,294,967,296 is right: the words
    /// depend on what both ends chose before either could know the other's choice.
    pub fn verification_words(&self) -> Option<[&'static str; 4]> {
        self.shared.progress.lock().words
    }

    /// Statistics: at most 0.2 s old, and the final ones of a call that has ended.
    pub fn stats(&self) -> CallStats {
        self.shared.progress.lock().stats.clone()
    }

    /// Blocks until the call is answered.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] after `timeout`; the call goes on. Otherwise the kind that its end
    /// has: busy, declined, no answer … (see [`EndReason`]).
    pub fn wait_answered(&self, timeout: Duration) -> Result<(), Error> {
        self.wait(timeout, |progress| match progress.state {
            CallState::Ended(reason) if !progress.answered => Some(Err(reason.to_error())),
            _ => progress.answered.then_some(Ok(())),
        })?
    }

    /// Blocks until sound can flow.
    ///
    /// # Errors
    /// As [`Call::wait_answered`].
    pub fn wait_connected(&self, timeout: Duration) -> Result<(), Error> {
        self.wait(timeout, |progress| match progress.state {
            CallState::Ended(reason) => Some(Err(reason.to_error())),
            CallState::Connected => Some(Ok(())),
            _ => None,
        })?
    }

    /// Blocks until the call is over, and says why it is.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] after `timeout`; the call goes on.
    pub fn wait_ended(&self, timeout: Duration) -> Result<EndReason, Error> {
        self.wait(timeout, |progress| match progress.state {
            CallState::Ended(reason) => Some(reason),
            _ => None,
        })
    }

    /// Manual PCM: says `samples`, mono, −1.0 ..= 1.0, at the rate of `Audio::Manual`; any count.
    /// Returns how many were accepted: all of them, or fewer when `timeout` passed.
    ///
    /// Each complete frame leaves at once. Whoever writes faster than real time is paced: the
    /// queue holds 200 ms, then this blocks. What is written before the call is connected is
    /// spoken to nobody, in real time.
    ///
    /// Whoever writes nothing sends nothing, which the peer's program reports after 0.9 s as
    /// [`SilenceReason::NoPackets`]; whoever writes nothing but zeros is reported after a second as
    /// [`SilenceReason::DigitalSilence`]. A program that only listens mutes the call instead.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] after `timeout` if not one sample was accepted; the end of the
    /// call; [`ErrorKind::InvalidState`] if the node has another kind of audio.
    pub fn write(&self, samples: &[f32], timeout: Duration) -> Result<usize, Error> {
        self.write_as(samples, |sample| sample, timeout)
    }

    /// [`Call::write`] for 16-bit samples.
    ///
    /// # Errors
    /// As [`Call::write`].
    pub fn write_i16(&self, samples: &[i16], timeout: Duration) -> Result<usize, Error> {
        self.write_as(samples, |sample| f32::from(sample) / 32768.0, timeout)
    }

    /// Manual PCM: hears exactly `out.len()` samples, mono, at the rate of `Audio::Manual`.
    ///
    /// Reading *is* the playout clock of this call: sound is decoded on demand, and whoever reads
    /// early waits. If nobody reads for 200 ms time goes on without the reader, and
    /// [`CallStats::unread_ms`] counts what was not heard. Before the call is connected this
    /// hears silence.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] after `timeout`; nothing is lost, read again. The end of the call;
    /// [`ErrorKind::InvalidState`] if the node has another kind of audio.
    pub fn read(&self, out: &mut [f32], timeout: Duration) -> Result<(), Error> {
        self.read_as(out, |sample| sample, timeout)
    }

    /// [`Call::read`] for 16-bit samples.
    ///
    /// # Errors
    /// As [`Call::read`].
    pub fn read_i16(&self, out: &mut [i16], timeout: Duration) -> Result<(), Error> {
        // The cast saturates.
        self.read_as(out, |sample| (sample * 32768.0).round() as i16, timeout)
    }

    /// Manual PCM: a descriptor for poll, epoll and event loops, which read and write with a
    /// `timeout` of zero. After a read that came too early, or a write that could not do all it was
    /// asked, it becomes readable as soon as so much sound is there, or room for more. The next read
    /// makes it unreadable for sound, the next write for room; one of nothing will do for whoever has
    /// given up. When the call is over it is readable for good. Only to wait on.
    ///
    /// It is made by the first use of this: call it before the first read or write.
    ///
    /// # Errors
    /// [`ErrorKind::System`] without a descriptor left; [`ErrorKind::InvalidState`] if the node has
    /// another kind of audio.
    #[cfg(unix)]
    pub fn pcm_descriptor(&self) -> Result<std::os::fd::BorrowedFd<'_>, Error> {
        self.port()?.pcm.descriptor()
    }

    fn write_as<T: Copy>(
        &self,
        samples: &[T],
        to_float: impl Fn(T) -> f32,
        timeout: Duration,
    ) -> Result<usize, Error> {
        let wake = || self.shared.requests.wake();
        self.port()?.pcm.write(samples, to_float, deadline_after(timeout), wake)
    }

    fn read_as<T>(
        &self,
        out: &mut [T],
        from_float: impl Fn(f32) -> T,
        timeout: Duration,
    ) -> Result<(), Error> {
        let wake = || self.shared.requests.wake();
        self.port()?.pcm.read(out, from_float, deadline_after(timeout), wake)
    }

    fn port(&self) -> Result<&ManualPort, Error> {
        if !self.shared.requests.is_in_this_process() {
            return Err(Error::closed());
        }
        self.shared.manual.as_deref().ok_or_else(|| {
            let message = "PCM is read and written only on a node with Audio::Manual";
            Error::new(ErrorKind::InvalidState, message)
        })
    }

    fn check_rings(&self) -> Result<(), Error> {
        match self.state() {
            CallState::Ringing if self.shared.key >= CallKey::FIRST_INCOMING => Ok(()),
            CallState::Ended(reason) => Err(reason.to_error()),
            _ => Err(Error::new(ErrorKind::InvalidState, "this call does not ring here")),
        }
    }

    fn command(&self, command: Command) -> Result<(), Error> {
        if self.shared.requests.send(Request::Command(command)) {
            Ok(())
        } else {
            Err(Error::closed())
        }
    }

    fn wait<T>(
        &self,
        timeout: Duration,
        mut done: impl FnMut(&Progress) -> Option<T>,
    ) -> Result<T, Error> {
        if !self.shared.requests.is_in_this_process() {
            return Err(Error::closed());
        }
        let mut result = None;
        let mut progress = self.shared.progress.lock();
        let undecided = |progress: &mut Progress| {
            result = done(progress);
            result.is_none()
        };
        self.shared.changed.wait_while_until(&mut progress, undecided, deadline_after(timeout));
        result.ok_or_else(|| {
            Error::new(ErrorKind::TimedOut, "nothing happened within the time limit")
        })
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.shared).hash(state);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let progress = self.shared.progress.lock();
        f.debug_struct("Call")
            .field("peer", &progress.peer)
            .field("state", &progress.state)
            .finish_non_exhaustive()
    }
}

/// A call without any say in how long it lasts.
#[derive(Clone)]
pub(crate) struct WeakCall {
    pub(crate) shared: Arc<CallShared>,
    hold: Weak<Hold>,
}

impl WeakCall {
    /// A handle that shares the hold of the others, if there is any left.
    pub(crate) fn upgrade(&self) -> Call {
        Call { shared: self.shared.clone(), hold: self.hold.upgrade() }
    }
}
