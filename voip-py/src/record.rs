//! Values with named attributes: frozen, and compared, hashed, printed and matched by them.

use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::PyTuple;

/// A value with named attributes.
pub(crate) trait Record: PyClass<Frozen = True> + Sync {
    const FIELDS: &'static [&'static str];

    /// The attributes in the order of `FIELDS`.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>>;
}

pub(crate) fn match_args<T: Record>(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    PyTuple::new(py, T::FIELDS)
}

pub(crate) fn repr<T: Record>(py: Python<'_>, record: &T) -> PyResult<String> {
    let mut fields = Vec::new();
    for (name, value) in T::FIELDS.iter().zip(record.values(py)?) {
        fields.push(format!("{name}={}", value.repr()?));
    }
    Ok(format!("{}({})", T::NAME, fields.join(", ")))
}

pub(crate) fn hash<T: Record>(py: Python<'_>, record: &T) -> PyResult<isize> {
    PyTuple::new(py, record.values(py)?)?.hash()
}

pub(crate) fn eq<T: Record>(record: &T, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let py = other.py();
    let Ok(other) = other.cast::<T>() else { return Ok(py.NotImplemented()) };
    let mine = PyTuple::new(py, record.values(py)?)?;
    let theirs = PyTuple::new(py, other.get().values(py)?)?;
    Ok(mine.eq(theirs)?.into_pyobject(py)?.to_owned().into_any().unbind())
}

/// Declares a record. What follows the fields is more of the same `#[pymethods]` block.
macro_rules! record {
    (
        $(#[$doc:meta])*
        $name:ident $(extends $base:ident)? {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        }
        $($methods:tt)*
    ) => {
        $(#[$doc])*
        #[pyo3::pyclass(frozen, get_all, module = "voip" $(, extends = $base)?)]
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }

        impl $crate::record::Record for $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

            fn values<'py>(
                &self,
                #[allow(unused_variables)] py: pyo3::Python<'py>,
            ) -> pyo3::PyResult<Vec<pyo3::Bound<'py, pyo3::PyAny>>> {
                #[allow(unused_imports)]
                use pyo3::IntoPyObjectExt;
                Ok(vec![$((&self.$field).into_bound_py_any(py)?),*])
            }
        }

        #[pyo3::pymethods]
        impl $name {
            #[classattr]
            fn __match_args__(
                py: pyo3::Python<'_>,
            ) -> pyo3::PyResult<pyo3::Bound<'_, pyo3::types::PyTuple>> {
                $crate::record::match_args::<Self>(py)
            }

            fn __repr__(&self, py: pyo3::Python<'_>) -> pyo3::PyResult<String> {
                $crate::record::repr(py, self)
            }

            fn __hash__(&self, py: pyo3::Python<'_>) -> pyo3::PyResult<isize> {
                $crate::record::hash(py, self)
            }

            fn __eq__(
                &self,
                other: &pyo3::Bound<'_, pyo3::PyAny>,
            ) -> pyo3::PyResult<pyo3::Py<pyo3::PyAny>> {
                $crate::record::eq(self, other)
            }

            $($methods)*
        }
    };
}
pub(crate) use record;
