//! The Python module's native half: convert, call `voip-core`, convert back. No logic lives here.
//! What users import is `python/voip/`, which re-exports these names.

mod audio;
mod call;
mod devices;
mod doctor;
mod encoding;
mod enums;
mod errors;
mod events;
mod exit;
mod node;
mod pcm;
mod peers;
mod record;
mod stats;
mod texts;
mod tracker;
mod waiting;

use pyo3::prelude::*;

/// Peer-to-peer voice calls: the native half of the package `voip`.
#[pymodule]
fn _voip(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", voip_core::VERSION)?;
    module.add_class::<node::Node>()?;
    module.add_class::<call::Call>()?;
    audio::register(module)?;
    devices::register(module)?;
    doctor::register(module)?;
    encoding::register(module)?;
    events::register(module)?;
    peers::register(module)?;
    stats::register(module)?;
    texts::register(module)?;
    tracker::register(module)?;
    enums::register(module)?;
    exit::register(module)
}
