//! One call.

use std::hash::{Hash, Hasher};
use std::os::fd::AsRawFd;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use voip_core as core;
use voip_core::ErrorKind;

use crate::encoding::whole;
use crate::enums::{member, value};
use crate::errors::{OrRaise, raise};
use crate::pcm::{Format, Room, Sample, Samples, bytes};
use crate::peers::CallPeer;
use crate::stats::CallStats;
use crate::waiting::{Timeout, wait, wait_for};

/// A call: made by `Node.call` and `Node.place`, or handed over by an event.
///
/// Several of these objects can be the same call; they are equal then. When the last one is dropped the
/// call is hung up, without waiting; the end of a `with` block hangs up, too. (A call that the node
/// answered by itself, `auto_answer=True`, stays up until somebody hangs up.) What does not say that it
/// waits does not.
#[pyclass(frozen, eq, hash, module = "voip")]
pub(crate) struct Call {
    core: core::Call,
    owner: Owner,
}

/// What a call knows of its node.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) process: u32,
    /// With manual PCM.
    pub(crate) format: Option<Format>,
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.core == other.core
    }
}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.core.hash(state);
    }
}

impl Call {
    pub(crate) fn new(core: core::Call, owner: Owner) -> Self {
        Call { core, owner }
    }

    /// The library's call, unless this is a process forked from that of the node.
    pub(crate) fn core(&self, py: Python<'_>) -> PyResult<&core::Call> {
        if self.owner.process == std::process::id() {
            return Ok(&self.core);
        }
        raise(py, ErrorKind::Closed, "the call belongs to another process".to_owned())
    }

    /// Both for the functions of PCM.
    fn manual(&self, py: Python<'_>) -> PyResult<(&core::Call, Format)> {
        match self.owner.format {
            Some(format) => Ok((self.core(py)?, format)),
            None => {
                let message = "PCM is read and written only on a node with audio=voip.Manual(…)";
                raise(py, ErrorKind::InvalidState, message.to_owned())
            }
        }
    }
}

/// Samples that are converted once, however often it is tried to say them. Not a name of the module.
#[pyclass(frozen, module = "voip", name = "_Speech")]
pub(crate) struct Speech(Samples);

#[pymethods]
impl Call {
    /// Who is at the other end, a `CallPeer`.
    #[getter]
    fn peer(&self, py: Python<'_>) -> PyResult<CallPeer> {
        Ok(self.core(py)?.peer().into())
    }

    /// Where the call stands, a `CallState`.
    #[getter]
    fn state(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.core(py)?.state() {
            core::CallState::Ended(_) => member(py, "CallState", Bare("Ended")),
            state => member(py, "CallState", state),
        }
    }

    /// Why the call is over, an `EndReason`; `None` while it is not.
    #[getter]
    fn end_reason(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.core(py)?.state() {
            core::CallState::Ended(reason) => member(py, "EndReason", reason).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether the microphone of this side is muted; may be set. Muted, no voice packet leaves at
    /// all.
    #[getter]
    fn muted(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.core(py)?.is_muted())
    }

    #[setter]
    fn set_muted(&self, py: Python<'_>, muted: bool) -> PyResult<()> {
        self.core(py)?.set_muted(muted);
        Ok(())
    }

    /// Whether the peer says that its microphone is muted.
    #[getter]
    fn peer_muted(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.core(py)?.is_peer_muted())
    }

    /// Why nothing is heard of the peer at present, a `SilenceReason`; `None` while all is well, and
    /// when the call is over.
    #[getter]
    fn peer_silence(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let silence = self.core(py)?.peer_silence();
        silence.map(|reason| member(py, "SilenceReason", reason)).transpose()
    }

    /// Four words, a tuple, that are the same at both ends of this call, unless somebody sits between them
    /// and talks to each in the other's name: the two people read them to each other, one two and the
    /// other two, and hang up if they differ. `None` until the call is connected and `VerificationReady`
    /// has come, and for good if the peer's version knows no such words: then nothing is verified.
    ///
    /// Whoever sits in the middle has one guess for each call, and one of 4,294,967,296 is right: the words
    /// depend on what both ends chose before either could know the other's choice.
    #[getter]
    fn verification_words<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let words = self.core(py)?.verification_words();
        words.map(|words| PyTuple::new(py, words)).transpose()
    }

    /// Statistics, a `CallStats`: at most 0.2 s old, and the final ones of a call that has ended.
    fn stats(&self, py: Python<'_>) -> PyResult<CallStats> {
        CallStats::new(py, self.core(py)?.stats())
    }

    /// Answers an incoming call; `Connected` follows. Keep the call: dropped, it is hung up. Raises
    /// `InvalidState` if it does not ring here, and what the call has ended with if it has.
    fn answer(&self, py: Python<'_>) -> PyResult<()> {
        self.core(py)?.answer().or_raise(py)
    }

    /// Refuses an incoming call; `how` is a `Reject`. Raises as `answer`.
    #[pyo3(
        signature = (how = None),
        text_signature = "($self, how=Reject.DECLINED)"
    )]
    fn reject(&self, py: Python<'_>, how: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let ways = [core::Reject::Declined, core::Reject::Busy];
        let how = how.map_or(Ok(core::Reject::Declined), |how| value(&how, "Reject", &ways))?;
        self.core(py)?.reject(how).or_raise(py)
    }

    /// Ends the call in whatever state it is: cancels, declines or hangs up. Twice is once.
    pub(crate) fn hang_up(&self, py: Python<'_>) -> PyResult<()> {
        self.core(py)?.hang_up();
        Ok(())
    }

    /// Waits until the call is answered. Raises what it has ended with instead: `Busy`, `Declined`,
    /// `NoAnswer` …; and `TimedOut` after `timeout` seconds, while the call goes on.
    #[pyo3(signature = (timeout = Timeout::NEVER), text_signature = "($self, timeout=None)")]
    pub(crate) fn wait_answered(&self, py: Python<'_>, timeout: Timeout) -> PyResult<()> {
        let core = self.core(py)?;
        wait_for(py, timeout, |slice| core.wait_answered(slice))
    }

    /// Waits until sound can flow. Raises as `wait_answered`.
    #[pyo3(signature = (timeout = Timeout::NEVER), text_signature = "($self, timeout=None)")]
    fn wait_connected(&self, py: Python<'_>, timeout: Timeout) -> PyResult<()> {
        let core = self.core(py)?;
        wait_for(py, timeout, |slice| core.wait_connected(slice))
    }

    /// Waits until the call is over and says why, an `EndReason`. Raises `TimedOut` after `timeout`
    /// seconds, while the call goes on.
    #[pyo3(signature = (timeout = Timeout::NEVER), text_signature = "($self, timeout=None)")]
    fn wait_ended(&self, py: Python<'_>, timeout: Timeout) -> PyResult<Py<PyAny>> {
        let core = self.core(py)?;
        let reason = wait_for(py, timeout, |slice| core.wait_ended(slice))?;
        member(py, "EndReason", reason)
    }

    /// Manual PCM: says what is in `data`, any C-contiguous buffer of `int16` or `float32` (−1.0 to 1.0)
    /// such as an `array.array` or a numpy array; bytes are `int16`, little endian. Returns the
    /// number of frames accepted: all, or fewer when `timeout` seconds passed.
    ///
    /// Each complete packet leaves at once. Whoever writes faster than real time is paced: the queue
    /// holds 200 ms, then this waits. What is written before the call is connected is spoken to nobody,
    /// in real time. Whoever writes nothing sends nothing, which the peer is told after 0.9 s; a program
    /// that only listens sets `muted` instead.
    ///
    /// Raises the end of the call (`CallEnded` …), `TimedOut` if nothing was accepted in time,
    /// `InvalidState` without `audio=voip.Manual(…)`; `TypeError` for what holds no such samples,
    /// `InvalidArgument` for a buffer of another shape. What was accepted is sent, even if Ctrl-C
    /// ends the wait.
    #[pyo3(
        signature = (data, timeout = Timeout::NEVER),
        text_signature = "($self, data, timeout=None)"
    )]
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>, timeout: Timeout) -> PyResult<usize> {
        let (core, format) = self.manual(py)?;
        match Samples::of(data, format)? {
            Samples::Int16(samples) => write(py, core, &samples, timeout),
            Samples::Float32(samples) => write(py, core, &samples, timeout),
        }
    }

    /// What is in `data`, to be said by and by: for `voip.aio`.
    fn _speech(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<Speech> {
        let (_, format) = self.manual(py)?;
        Samples::of(data, format).map(Speech)
    }

    /// Says what of it is behind the first `skip` frames and finds room; how much that was, and how much
    /// is left after it.
    fn _write_now(&self, py: Python<'_>, speech: &Speech, skip: usize) -> PyResult<(usize, usize)> {
        let (core, _) = self.manual(py)?;
        match &speech.0 {
            Samples::Int16(samples) => write_now(core, samples.get(skip..).unwrap_or_default()),
            Samples::Float32(samples) => write_now(core, samples.get(skip..).unwrap_or_default()),
        }
        .or_raise(py)
    }

    /// Manual PCM: hears exactly `frames` frames (`None`: the `blocksize` of `voip.Manual`), as bytes
    /// of `dtype` "int16" (little endian) or "float32".
    ///
    /// Reading *is* the playout clock of this call: sound is decoded on demand, and whoever reads early
    /// waits. If nobody reads for 200 ms time goes on without the reader, and `CallStats.unread_ms` counts
    /// what was not heard. Before the call is connected this hears silence.
    ///
    /// Raises the end of the call (`CallEnded` …), `TimedOut` after `timeout` seconds, when nothing is
    /// lost and a later call reads it; `InvalidState` without `audio=voip.Manual(…)`.
    #[pyo3(
        signature = (frames = None, *, dtype = "int16", timeout = Timeout::NEVER),
        text_signature = "($self, frames=None, *, dtype='int16', timeout=None)"
    )]
    fn read<'py>(
        &self,
        py: Python<'py>,
        frames: Option<Bound<'py, PyAny>>,
        dtype: &str,
        timeout: Timeout,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (core, format) = self.manual(py)?;
        let frames = frames.map_or(Ok(format.blocksize), |count| whole("frames", &count))?;
        format.check_frames(py, "frames", frames)?;
        let bytes = match dtype {
            "int16" => bytes(&read::<i16>(py, core, frames, timeout)?, format.channels),
            "float32" => bytes(&read::<f32>(py, core, frames, timeout)?, format.channels),
            _ => {
                let message = format!("dtype is {dtype:?}: \"int16\" and \"float32\" are possible");
                return raise(py, ErrorKind::InvalidArgument, message);
            }
        };
        Ok(PyBytes::new(py, &bytes))
    }

    /// Manual PCM: `read` into a writable C-contiguous buffer of `int16` or `float32`, or of bytes
    /// (`int16`, little endian), which it fills.
    #[pyo3(
        signature = (buffer, timeout = Timeout::NEVER),
        text_signature = "($self, buffer, timeout=None)"
    )]
    fn read_into(
        &self,
        py: Python<'_>,
        buffer: &Bound<'_, PyAny>,
        timeout: Timeout,
    ) -> PyResult<()> {
        let (core, format) = self.manual(py)?;
        let room = Room::of(buffer, format)?;
        if room.is_float() {
            room.fill(py, &read::<f32>(py, core, room.frames(), timeout)?)
        } else {
            room.fill(py, &read::<i16>(py, core, room.frames(), timeout)?)
        }
    }

    /// Manual PCM: the number of a descriptor for `select` and event loops, which read and write with
    /// `timeout=0`. After a read that came too early, or a write that could not do all it was asked, it
    /// becomes readable as soon as so much sound is there, or room for more; the next read or write
    /// makes it unreadable. When the call is over it is readable for good. Ask for it before the first
    /// read or write. Only to wait on; it lives as long as this object.
    #[cfg(unix)]
    fn pcm_descriptor(&self, py: Python<'_>) -> PyResult<i32> {
        let (core, _) = self.manual(py)?;
        Ok(core.pcm_descriptor().or_raise(py)?.as_raw_fd())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {
        // In another process than its own this does nothing.
        self.core.hang_up();
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let core = self.core(py)?;
        let state = match core.state() {
            core::CallState::Ended(reason) => format!("ended: {}", reason.describe()),
            state => format!("{state:?}").to_lowercase(),
        };
        Ok(format!("<voip.Call with {:?}, {state}>", core.peer().name))
    }
}

/// Prints as it is: the name of a variant without its contents.
struct Bare(&'static str);

impl std::fmt::Debug for Bare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

fn write<T: Sample>(
    py: Python<'_>,
    call: &core::Call,
    samples: &[T],
    timeout: Timeout,
) -> PyResult<usize> {
    let mut accepted = 0;
    let mut go_on = |limit: Duration| match T::write(call, &samples[accepted..], limit) {
        Ok(count) => {
            accepted += count;
            (accepted == samples.len()).then_some(Ok(()))
        }
        Err(error) if error.kind() == ErrorKind::TimedOut => None,
        Err(error) => Some(Err(error)),
    };
    // Mostly there is room. Then the interpreter is not left at all: to enter it again takes 5 ms when
    // another thread computes.
    let done = match go_on(Duration::ZERO) {
        None => wait(py, timeout, go_on)?,
        done => done,
    };
    match done {
        Some(result) => result.or_raise(py)?,
        None if accepted == 0 => {
            let message = "no room for a single frame within the time limit";
            return raise(py, ErrorKind::TimedOut, message.to_owned());
        }
        None => {}
    }
    Ok(accepted)
}

/// How many samples found room, and how many are left.
fn write_now<T: Sample>(call: &core::Call, samples: &[T]) -> Result<(usize, usize), core::Error> {
    let taken = match T::write(call, samples, Duration::ZERO) {
        Err(error) if error.kind() == ErrorKind::TimedOut => 0,
        result => result?,
    };
    Ok((taken, samples.len() - taken))
}

fn read<T: Sample>(
    py: Python<'_>,
    call: &core::Call,
    frames: usize,
    timeout: Timeout,
) -> PyResult<Vec<T>> {
    let mut samples = vec![T::default(); frames];
    wait_for(py, timeout, |slice| T::read(call, &mut samples, slice))?;
    Ok(samples)
}
