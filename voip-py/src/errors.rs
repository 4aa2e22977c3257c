//! Errors of the library as Python exceptions.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use voip_core::{Error, ErrorKind};

/// The exception for an error: the class of its kind, with its message.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    match class(py, error.kind()) {
        Ok(class) => PyErr::from_type(class, error.message().to_owned()),
        Err(failed) => failed,
    }
}

/// For what the binding itself finds wrong.
pub(crate) fn raise<T>(py: Python<'_>, kind: ErrorKind, message: String) -> PyResult<T> {
    Err(PyErr::from_type(class(py, kind)?, message))
}

/// Adds `?` to the library's results.
pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T, Error> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}

/// Each kind's class has its name, with "Error" behind it where the bare name is no mishap.
fn class(py: Python<'_>, kind: ErrorKind) -> PyResult<Bound<'_, PyType>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("voip._errors").map(Bound::unbind))?;
    let name = format!("{kind:?}");
    let class = match module.bind(py).getattr(&*name) {
        Ok(class) => class,
        Err(_) => module.bind(py).getattr(format!("{name}Error"))?,
    };
    Ok(class.cast_into()?)
}
