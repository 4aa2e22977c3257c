//! The interpreter's end: nodes hang up and say goodbye, and threads that still wait end.

use std::sync::{Arc, OnceLock, Weak};
use std::thread::ThreadId;

use parking_lot::Mutex;
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use voip_core::Node;

static NODES: Mutex<Vec<Weak<Node>>> = Mutex::new(Vec::new());
/// The thread that ends the interpreter, once it does.
static ENDING: OnceLock<ThreadId> = OnceLock::new();

/// Remembers a node, to be closed at the interpreter's end.
pub(crate) fn remember(node: &Arc<Node>) {
    let mut nodes = NODES.lock();
    nodes.retain(|node| node.strong_count() > 0);
    nodes.push(Arc::downgrade(node));
}

/// Asked by every thread that comes back from a wait. At the interpreter's end, other threads than the
/// one that ends it leave as by `sys.exit()`: what they hold is cleaned up, a handler of `atexit` can
/// join them, and nothing is printed, as it would be of an exception that says the node was closed.
pub(crate) fn leave_at_the_end() -> PyResult<()> {
    match ENDING.get() {
        Some(thread) if *thread != std::thread::current().id() => Err(PySystemExit::new_err(())),
        _ => Ok(()),
    }
}

#[pyfunction]
fn _close_nodes(py: Python<'_>) {
    py.detach(|| {
        let _ = ENDING.set(std::thread::current().id());
        let nodes = std::mem::take(&mut *NODES.lock());
        for node in nodes.iter().filter_map(Weak::upgrade) {
            node.close();
        }
    });
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let close_nodes = wrap_pyfunction!(_close_nodes, module)?;
    module.py().import("atexit")?.call_method1("register", (close_nodes,))?;
    Ok(())
}
