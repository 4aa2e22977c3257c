//! Who is who: keys, peers as trackers list them, the other end of a call.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::enums;
use crate::errors::OrRaise;
use crate::record::record;

/// A peer *is* its Ed25519 public key (RFC 8032): 32 bytes, written as 64 hexadecimal digits.
#[pyclass(frozen, eq, ord, hash, module = "voip")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PeerId(pub(crate) voip_core::PeerId);

#[pymethods]
impl PeerId {
    /// From 64 hexadecimal digits.
    #[new]
    fn new(py: Python<'_>, digits: &str) -> PyResult<Self> {
        digits.parse().map(PeerId).or_raise(py)
    }

    /// The first eight hexadecimal digits: enough to tell two peers of one name apart on a screen,
    /// not enough to trust.
    fn short(&self) -> String {
        self.0.short()
    }

    fn __bytes__(&self) -> [u8; 32] {
        self.0.0
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("PeerId('{}')", self.0)
    }
}

impl<'py> IntoPyObject<'py> for &PeerId {
    type Target = PeerId;
    type Output = Bound<'py, PeerId>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PeerId>> {
        Bound::new(py, *self)
    }
}

/// A name or key as arguments give it: text, or a `PeerId`.
pub(crate) struct Target(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for Target {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(id) = object.cast::<PeerId>() {
            return Ok(Target(id.get().0.to_string()));
        }
        let expected =
            |_| PyTypeError::new_err(format!("expected a name or a PeerId, not {}", &*object));
        object.extract().map(Target).map_err(expected)
    }
}

record! {
    /// A peer as a tracker lists it; its record was signed by the peer's own key.
    Peer {
        /// The name it registered.
        name: String,
        /// Its key, a `PeerId`.
        id: PeerId,
        /// Whether it can be called, a `Presence`.
        presence: Py<PyAny>,
        /// Online since, by the tracker's clock: seconds since 1970-01-01 UTC.
        since: f64,
    }
}

impl Peer {
    pub(crate) fn new(py: Python<'_>, peer: voip_core::Peer) -> PyResult<Self> {
        let presence = enums::member(py, "Presence", peer.presence)?;
        let since = peer.since.0 as f64 / 1e3;
        Ok(Peer { name: peer.name, id: PeerId(peer.id), presence, since })
    }
}

record! {
    /// Somebody whose name is pinned to a key.
    Contact {
        /// The name.
        name: String,
        /// The key it is pinned to, a `PeerId`.
        id: PeerId,
        /// What they are to the user, a `ContactState`.
        state: Py<PyAny>,
    }
}

impl Contact {
    pub(crate) fn new(py: Python<'_>, contact: voip_core::Contact) -> PyResult<Self> {
        let state = enums::member(py, "ContactState", contact.state)?;
        Ok(Contact { name: contact.name, id: PeerId(contact.id), state })
    }
}

record! {
    /// Who is at the other end of a call.
    CallPeer {
        /// The name it registered, or the one that is being looked up.
        name: String,
        /// Its key, a `PeerId`; `None` until it is known.
        id: Option<PeerId>,
    }
}

impl From<voip_core::CallPeer> for CallPeer {
    fn from(peer: voip_core::CallPeer) -> Self {
        CallPeer { name: peer.name, id: peer.id.map(PeerId) }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PeerId>()?;
    module.add_class::<Peer>()?;
    module.add_class::<Contact>()?;
    module.add_class::<CallPeer>()
}
