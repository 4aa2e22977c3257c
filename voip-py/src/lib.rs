//! The Python module's native half: convert, call `voip-core`, convert back. No logic lives here.
//! What users import is `python/voip/`, which re-exports these names.

use pyo3::prelude::*;

/// The version of the library, as in "0.1.0".
#[pyfunction]
fn version() -> &'static str {
    voip_core::VERSION
}

#[pymodule]
fn _voip(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(version, module)?)
}
