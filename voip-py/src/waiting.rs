//! The one way in which anything here waits.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use voip_core::{Error, ErrorKind};

use crate::errors::{OrRaise, raise};
use crate::exit;

/// How long a wait goes on before it looks whether Ctrl-C was pressed.
const SLICE: Duration = Duration::from_millis(100);

/// A time limit as Python gives it: seconds, or `None` for none.
#[derive(Clone, Copy)]
pub(crate) struct Timeout(Option<Duration>);

impl Timeout {
    pub(crate) const NEVER: Timeout = Timeout(None);

    pub(crate) const fn after(seconds: u64) -> Timeout {
        Timeout(Some(Duration::from_secs(seconds)))
    }
}

impl<'py> FromPyObject<'_, 'py> for Timeout {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Timeout::NEVER);
        }
        seconds("timeout", &object).map(|limit| Timeout(Some(limit)))
    }
}

/// A number of seconds from 0 on. What is too long for a `Duration` is as good as for ever.
pub(crate) fn seconds(field: &str, object: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let py = object.py();
    let seconds = match object.extract::<f64>() {
        Ok(seconds) => seconds,
        Err(error) if error.is_instance_of::<PyOverflowError>(py) => {
            let message = format!("{field} is a number out of the range of a float");
            return raise(py, ErrorKind::InvalidArgument, message);
        }
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            let kind = object.get_type().name()?;
            let wrong = format!("{field} has to be a number of seconds, not of type {kind}");
            let wrong = PyTypeError::new_err(wrong);
            wrong.set_cause(py, Some(error));
            return Err(wrong);
        }
        // Raised by its `__float__`.
        Err(error) => return Err(error),
    };
    if seconds.is_nan() || seconds < 0.0 {
        let message = format!("{field} is {seconds}: seconds from 0 on are possible");
        return raise(py, ErrorKind::InvalidArgument, message);
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Waits for what `attempt` gives, `None` after `timeout`. `attempt` blocks for at most as long as
/// it is told and says `None` if it has to be called again.
///
/// The interpreter is left meanwhile, so that other threads run; unless there is no time to wait.
/// Between the attempts signals are handled: a handler that raises, as that of Ctrl-C does, ends the
/// wait.
#[expect(clippy::disallowed_methods, reason = "a wait of many slices has one time limit")]
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    Timeout(timeout): Timeout,
    mut attempt: impl FnMut(Duration) -> Option<T> + Send,
) -> PyResult<Option<T>> {
    if timeout == Some(Duration::ZERO) {
        return Ok(attempt(Duration::ZERO));
    }
    let began = Instant::now();
    loop {
        let left = timeout.map(|limit| limit.saturating_sub(began.elapsed()));
        let slice = left.map_or(SLICE, |left| left.min(SLICE));
        let done = py.detach(|| attempt(slice));
        exit::leave_at_the_end()?;
        if done.is_some() {
            return Ok(done);
        }
        py.check_signals()?;
        if left == Some(slice) {
            return Ok(None);
        }
    }
}

/// [`wait`] for a function of the library: "timed out" is an error only when the whole time is over.
pub(crate) fn wait_for<T: Send>(
    py: Python<'_>,
    timeout: Timeout,
    attempt: impl FnMut(Duration) -> Result<T, Error> + Send,
) -> PyResult<T> {
    wait_while(py, timeout, |error| error.kind() == ErrorKind::TimedOut, attempt)
}

/// [`wait`] that goes on over some errors; the last of them is raised when the whole time is over.
pub(crate) fn wait_while<T: Send>(
    py: Python<'_>,
    timeout: Timeout,
    goes_on: impl Fn(&Error) -> bool + Sync,
    mut attempt: impl FnMut(Duration) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let mut last = None;
    let done = wait(py, timeout, |slice| match attempt(slice) {
        Err(error) if goes_on(&error) => {
            last = Some(error);
            None
        }
        result => Some(result),
    })?;
    match (done, last) {
        (Some(result), _) => result.or_raise(py),
        (None, Some(error)) => Err(error).or_raise(py),
        (None, None) => raise(py, ErrorKind::TimedOut, "the time limit passed".to_owned()),
    }
}

/// Waits for a question that cannot be asked in slices: it waits for its answer on a thread of its
/// own, which ends with it.
#[expect(clippy::disallowed_methods, reason = "Ctrl-C ends the wait, the question goes on")]
pub(crate) fn ask<T: Send + 'static>(
    py: Python<'_>,
    timeout: Timeout,
    question: impl FnOnce(Duration) -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    let limit = timeout.0.unwrap_or(Duration::MAX);
    let (sender, answer) = channel();
    let asking = std::thread::Builder::new().name("voip-py-ask".to_owned()).spawn(move || {
        // Whoever asked may have been interrupted.
        let _ = sender.send(question(limit));
    });
    if let Err(error) = asking {
        return raise(py, ErrorKind::System, format!("no thread to ask on: {error}"));
    }
    let answered = wait(py, Timeout::NEVER, move |slice| match answer.recv_timeout(slice) {
        Ok(result) => Some(Some(result)),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(None),
    })?;
    match answered.flatten() {
        Some(result) => result.or_raise(py),
        None => raise(py, ErrorKind::Internal, "a question ended without an answer".to_owned()),
    }
}
