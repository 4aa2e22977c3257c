//! Keeps pinned names on disk without ever holding up whoever pins.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::identity_file::save_pins;
use super::spawn;
use crate::identity::pins::Pins;
use crate::time::Duration;

/// How long a closing node waits for its pins to reach the disk.
const LAST_WRITE: Duration = Duration::from_millis(100);

/// The pins beside one identity file.
pub(crate) struct PinsFile {
    identity: PathBuf,
    state: Mutex<Pending>,
    written: Condvar,
}

#[derive(Default)]
struct Pending {
    pins: Option<Pins>,
    writing: bool,
}

impl PinsFile {
    pub(crate) fn beside(identity: &Path) -> Arc<PinsFile> {
        let (state, written) = (Mutex::default(), Condvar::new());
        Arc::new(PinsFile { identity: identity.into(), state, written })
    }

    /// Writes them on a thread of its own; later pins overtake earlier ones that wait.
    pub(crate) fn save(self: &Arc<Self>, pins: Pins) {
        let mut state = self.state.lock();
        state.pins = Some(pins);
        if state.writing {
            return;
        }
        state.writing = true;
        drop(state);
        let keeper = self.clone();
        if let Err(error) = spawn("voip-disk", move || keeper.write()) {
            tracing::error!(%error, "pinned names not kept");
            self.state.lock().writing = false;
        }
    }

    fn write(&self) {
        while let Some(pins) = self.next() {
            if let Err(error) = save_pins(&self.identity, &pins) {
                tracing::error!(%error, "pinned names not kept");
            }
        }
    }

    fn next(&self) -> Option<Pins> {
        let mut state = self.state.lock();
        let pins = state.pins.take();
        if pins.is_none() {
            state.writing = false;
            self.written.notify_all();
        }
        pins
    }

    /// Waits a moment for what is being written.
    pub(crate) fn settle(&self) {
        let mut state = self.state.lock();
        self.written.wait_while_for(&mut state, |s| s.writing, LAST_WRITE);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::identity_file::load_pins;
    use super::*;
    use crate::id::PeerId;

    #[test]
    fn the_last_pins_are_the_ones_kept() {
        let folder = std::env::temp_dir().join(format!("voip-pins-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let identity = folder.join("alice.key");
        let mut pins = Pins::default();
        pins.accept("bob", PeerId([7; 32])).unwrap();
        let file = PinsFile::beside(&identity);
        file.save(Pins::default());
        file.save(pins.clone());
        file.settle();
        assert_eq!(load_pins(&identity).unwrap(), pins);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
