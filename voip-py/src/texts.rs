//! Texts between nodes of the mesh, and for whom they are.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use voip_core as core;

use crate::encoding::whole;
use crate::peers::PeerId;
use crate::record::record;

record! {
    /// Everybody in the mesh, as the audience of a text.
    All {
    }

    #[new]
    fn new() -> Self {
        All {}
    }
}

record! {
    /// Everybody who reads the room of this name, as the audience of a text. Its texts are not secret:
    /// everybody in the mesh hands them on, and can read them.
    Room {
        /// The name: 1 to 64 bytes of UTF-8 without control characters.
        name: String,
    }

    #[new]
    fn new(name: String) -> Self {
        Room { name }
    }
}

/// An audience as arguments give it: `All`, `Room`, or a `PeerId`.
pub(crate) struct Audience(pub(crate) core::Audience);

impl<'py> FromPyObject<'_, 'py> for Audience {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<All>() {
            return Ok(Audience(core::Audience::All));
        }
        if let Ok(room) = object.cast::<Room>() {
            return Ok(Audience(core::Audience::Room(room.get().name.clone())));
        }
        if let Ok(id) = object.cast::<PeerId>() {
            return Ok(Audience(core::Audience::Peer(id.get().0)));
        }
        // A text could be meant as a room or as the name of a peer.
        let expected = "expected a voip.All(), a voip.Room or a voip.PeerId";
        Err(PyTypeError::new_err(format!("{expected}, not {}", &*object)))
    }
}

record! {
    /// Which text: each has another one. Those of one author are in order within a log.
    TextId {
        /// Who has written it, a `PeerId`.
        author: PeerId,
        /// When the author's program began to write, in milliseconds since 1970: each run of it is
        /// another log.
        log: u64,
        /// Its place in the log, from 1 on.
        seq: u32,
    }

    #[new]
    fn new(
        author: &Bound<'_, PeerId>,
        log: &Bound<'_, PyAny>,
        seq: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let (log, seq) = (whole("log", log)?, whole("seq", seq)?);
        Ok(TextId { author: *author.get(), log, seq })
    }
}

impl From<core::TextId> for TextId {
    fn from(id: core::TextId) -> Self {
        TextId { author: PeerId(id.author), log: id.log, seq: id.seq }
    }
}

impl TextId {
    pub(crate) fn to_core(&self) -> core::TextId {
        core::TextId { author: self.author.0, log: self.log, seq: self.seq }
    }
}

record! {
    /// A text in the mesh.
    Text {
        /// Which, a `TextId`.
        id: Py<TextId>,
        /// What the author calls itself.
        name: String,
        /// For whom: `All()`, a `Room`, or the `PeerId` of one peer.
        to: Py<PyAny>,
        /// What it says: up to 8 KiB of UTF-8 without control characters, but for line breaks and tabs.
        text: String,
        /// When it was written, by the author's clock: seconds since 1970-01-01 UTC.
        at: f64,
        /// It was written more than half a minute ago, while this node was away or did not get it. Only
        /// a late text may come out of order.
        late: bool,
    }
}

impl Text {
    pub(crate) fn new(py: Python<'_>, text: core::Text) -> PyResult<Self> {
        let to = match text.to {
            core::Audience::All => Py::new(py, All {})?.into_any(),
            core::Audience::Room(name) => Py::new(py, Room { name })?.into_any(),
            core::Audience::Peer(id) => Py::new(py, PeerId(id))?.into_any(),
        };
        Ok(Text {
            id: Py::new(py, TextId::from(text.id))?,
            name: text.name,
            to,
            text: text.text,
            at: text.at.0 as f64 / 1e3,
            late: text.late,
        })
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<All>()?;
    module.add_class::<Room>()?;
    module.add_class::<TextId>()?;
    module.add_class::<Text>()
}
