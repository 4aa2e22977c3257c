//! The library's enums as members of those in `voip._enums`, which have the same names.

use std::fmt::Debug;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use voip_core::{CheckKind, EndReason, SilenceReason, Verdict};

/// The member of the enum `class` for a value of the library.
pub(crate) fn member(py: Python<'_>, class: &str, value: impl Debug) -> PyResult<Py<PyAny>> {
    Ok(enum_class(py, class)?.getattr(python_name(&format!("{value:?}")))?.unbind())
}

/// The one of `values` that `object`, a member of the enum `class`, stands for.
pub(crate) fn value<T: Copy + Debug>(
    object: &Bound<'_, PyAny>,
    class: &str,
    values: &[T],
) -> PyResult<T> {
    let expected = || PyTypeError::new_err(format!("expected a voip.{class}, not {object}"));
    if !object.is_instance(&enum_class(object.py(), class)?)? {
        return Err(expected());
    }
    let name: String = object.getattr("name")?.extract()?;
    let found = values.iter().find(|value| python_name(&format!("{value:?}")) == name);
    found.copied().ok_or_else(expected)
}

fn enum_class<'py>(py: Python<'py>, class: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("voip._enums").map(Bound::unbind))?;
    module.bind(py).getattr(class)
}

/// `PeerHungUp` as `PEER_HUNG_UP`.
fn python_name(variant: &str) -> String {
    let mut name = String::new();
    for letter in variant.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

const END_REASONS: [EndReason; 15] = [
    EndReason::HungUp,
    EndReason::PeerHungUp,
    EndReason::Busy,
    EndReason::Declined,
    EndReason::NoAnswer,
    EndReason::Missed,
    EndReason::UnknownPeer,
    EndReason::AmbiguousName,
    EndReason::KeyChanged,
    EndReason::TrackerUnreachable,
    EndReason::Unreachable,
    EndReason::NetworkLost,
    EndReason::Protocol,
    EndReason::NodeClosed,
    EndReason::VerificationFailed,
];

/// What `EndReason` knows of its members: words for people, and the kind of error.
#[pyfunction]
fn _end_reason(py: Python<'_>, member: &Bound<'_, PyAny>) -> PyResult<(&'static str, Py<PyAny>)> {
    let reason = value(member, "EndReason", &END_REASONS)?;
    Ok((reason.describe(), self::member(py, "ErrorKind", reason.error_kind())?))
}

/// What `SilenceReason` knows of its members: words for people.
#[pyfunction]
fn _silence_reason(member: &Bound<'_, PyAny>) -> PyResult<&'static str> {
    let reasons = [SilenceReason::NoPackets, SilenceReason::DigitalSilence, SilenceReason::Muted];
    Ok(value(member, "SilenceReason", &reasons)?.describe())
}

const CHECK_KINDS: [CheckKind; 10] = [
    CheckKind::Microphone,
    CheckKind::Loudspeaker,
    CheckKind::LoopbackCall,
    CheckKind::Tracker,
    CheckKind::Registration,
    CheckKind::Udp,
    CheckKind::Nat,
    CheckKind::RelayUdp,
    CheckKind::RelayTcp,
    CheckKind::Clock,
];

/// What `CheckKind` knows of its members: words for people.
#[pyfunction]
fn _check_kind(member: &Bound<'_, PyAny>) -> PyResult<&'static str> {
    Ok(value(member, "CheckKind", &CHECK_KINDS)?.describe())
}

/// What `Verdict` knows of its members: words for people.
#[pyfunction]
fn _verdict(member: &Bound<'_, PyAny>) -> PyResult<&'static str> {
    let verdicts = [Verdict::Good, Verdict::Warning, Verdict::Bad, Verdict::Skipped];
    Ok(value(member, "Verdict", &verdicts)?.describe())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Not `add`: that would make them public.
    module.setattr("_end_reason", wrap_pyfunction!(_end_reason, module)?)?;
    module.setattr("_check_kind", wrap_pyfunction!(_check_kind, module)?)?;
    module.setattr("_verdict", wrap_pyfunction!(_verdict, module)?)?;
    module.setattr("_silence_reason", wrap_pyfunction!(_silence_reason, module)?)
}
