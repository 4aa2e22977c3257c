//! Why a call would not work here.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use voip_core::DoctorOptions;

use crate::devices::choice;
use crate::enums::member;
use crate::record::record;
use crate::waiting::{Timeout, ask};

record! {
    /// One check of `doctor`.
    Check {
        /// What was looked at, a `CheckKind`.
        what: Py<PyAny>,
        /// Which one: the tracker's or the device's name; empty where there is but one.
        subject: String,
        /// What came of it, a `Verdict`.
        verdict: Py<PyAny>,
        /// What was found, in words.
        measured: String,
        /// What to change, in words; empty if there is nothing.
        advice: String,
    }
}

record! {
    /// All that `doctor` found.
    Report {
        /// `Check`s, one after the other: this machine, its devices, each tracker, the router.
        checks: Py<PyTuple>,
        /// Whether nothing is bad.
        good: bool,
        /// The same as JSON: an object with a list `checks`.
        json: String,
    }
}

/// Says why a call would not work here, and what to change.
///
/// Opens the devices, has two nodes of this program call each other on this machine, and asks each
/// tracker for all that a call needs of it. At a tracker it is registered for a moment, with a key and a
/// name (`doctor-…`) of its own. `trackers` are written as for `Node`, up to 16; two of different hosts tell the
/// kind of router, too. `input` and `output` are as in `Devices`; `"off"` leaves them out. It takes at most
/// `timeout`, 1 s to 10 min, and half a second. Raises `InvalidArgument`.
#[pyfunction]
#[pyo3(
    signature = (trackers = Vec::new(), *, input = None, output = None, timeout = Timeout::after(15)),
    text_signature = "(trackers=(), *, input=None, output=None, timeout=15.0)"
)]
fn doctor(
    py: Python<'_>,
    trackers: Vec<String>,
    input: Option<Bound<'_, PyAny>>,
    output: Option<Bound<'_, PyAny>>,
    timeout: Timeout,
) -> PyResult<Report> {
    let device = |device: Option<Bound<'_, PyAny>>| device.as_ref().map(choice).transpose();
    let (input, output) = (device(input)?.unwrap_or_default(), device(output)?.unwrap_or_default());
    let options = DoctorOptions::new(trackers).devices(input, output);
    let report = ask(py, timeout, move |limit| voip_core::doctor(&options.limit(limit)))?;
    let checks = report.checks.iter().map(|check| {
        let what = member(py, "CheckKind", check.what)?;
        let verdict = member(py, "Verdict", check.verdict)?;
        let (subject, measured) = (check.subject.clone(), check.measured.clone());
        Py::new(py, Check { what, subject, verdict, measured, advice: check.advice.clone() })
    });
    let checks = PyTuple::new(py, checks.collect::<PyResult<Vec<_>>>()?)?.unbind();
    Ok(Report { checks, good: report.is_good(), json: report.to_json() })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Check>()?;
    module.add_class::<Report>()?;
    module.add_function(wrap_pyfunction!(doctor, module)?)
}
