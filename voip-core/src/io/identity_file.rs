//! The identity file and the pinned names beside it, on disk.
//!
//! Both are written whole to a neighbour and renamed, so that a crash leaves the old or the new
//! one; the identity is readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use zeroize::Zeroizing;

use super::{os_random_32, spawn};
use crate::error::{Error, ErrorKind};
use crate::identity::Identity;
use crate::identity::pins::{MAX_PINS_TEXT, Pins};

/// An identity file takes 200 bytes.
const MAX_IDENTITY_TEXT: u64 = 4096;
/// How long a closing node waits for its pins to reach the disk.
const LAST_WRITE: Duration = Duration::from_millis(200);

/// Reads the identity at `path`, or makes one and keeps it there.
pub(crate) fn load_or_create_identity(path: &Path) -> Result<Identity, Error> {
    match read(path, MAX_IDENTITY_TEXT) {
        Ok(text) => Identity::from_text(&text).map_err(|e| bad(path, "read", &e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let secret = Zeroizing::new(os_random_32()?);
            let identity = Identity::from_secret(&secret);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(|e| bad(folder, "made", &e))?;
            }
            replace(path, identity.to_text().as_bytes()).map_err(|e| bad(path, "written", &e))?;
            Ok(identity)
        }
        Err(e) => Err(bad(path, "read", &e)),
    }
}

/// Reads the names pinned beside the identity at `path`; none if there is no such file yet.
pub(crate) fn load_pins(path: &Path) -> Result<Pins, Error> {
    let path = pins_path(path);
    match read(&path, MAX_PINS_TEXT) {
        Ok(text) => Pins::from_text(&text).map_err(|e| bad(&path, "read", &e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Pins::default()),
        Err(e) => Err(bad(&path, "read", &e)),
    }
}

fn pins_path(identity: &Path) -> PathBuf {
    let mut path = identity.as_os_str().to_owned();
    path.push(".pins");
    path.into()
}

fn bad(path: &Path, done: &str, error: &dyn std::error::Error) -> Error {
    Error::new(ErrorKind::File, format!("{} cannot be {done}: {error}", path.display()))
}

fn read(path: &Path, limit: u64) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
    }
    Ok(text)
}

fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut neighbour = path.as_os_str().to_owned();
    neighbour.push(format!(".{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&neighbour)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&neighbour, path)
}

/// Keeps pinned names on disk without ever holding up whoever pins.
pub(crate) struct PinsFile {
    path: PathBuf,
    state: Mutex<Pending>,
    written: Condvar,
}

#[derive(Default)]
struct Pending {
    text: Option<String>,
    writing: bool,
}

impl PinsFile {
    /// Beside the identity at `identity`.
    pub(crate) fn beside(identity: &Path) -> Arc<PinsFile> {
        Arc::new(PinsFile {
            path: pins_path(identity),
            state: Mutex::default(),
            written: Condvar::new(),
        })
    }

    /// Writes `text` on a thread of its own; a later text overtakes one that waits.
    pub(crate) fn save(self: &Arc<Self>, text: String) {
        let mut state = self.state.lock();
        state.text = Some(text);
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
        loop {
            let text = {
                let mut state = self.state.lock();
                let Some(text) = state.text.take() else {
                    state.writing = false;
                    self.written.notify_all();
                    return;
                };
                text
            };
            if let Err(error) = replace(&self.path, text.as_bytes()) {
                tracing::error!(%error, path = %self.path.display(), "pinned names not kept");
            }
        }
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
    use super::*;
    use crate::id::PeerId;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("voip-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn an_identity_is_made_once_and_kept_for_its_owner_alone() {
        let folder = folder("identity");
        let path = folder.join("alice.key");
        let first = load_or_create_identity(&path).unwrap().id();
        assert_eq!(load_or_create_identity(&path).unwrap().id(), first);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(&path, "voip-identity 1\nsecret 00\n").unwrap();
        assert_eq!(load_or_create_identity(&path).unwrap_err().kind(), ErrorKind::File);
        fs::write(&path, "#".repeat(5000)).unwrap();
        assert!(load_or_create_identity(&path).unwrap_err().message().contains("too long"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn pins_are_kept_and_a_damaged_file_is_said() {
        let folder = folder("pins");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("alice.key");
        assert_eq!(load_pins(&path).unwrap(), Pins::default());
        let mut pins = Pins::default();
        pins.accept("bob", PeerId([7; 32])).unwrap();
        let file = PinsFile::beside(&path);
        file.save(Pins::default().to_text());
        file.save(pins.to_text());
        file.settle();
        assert_eq!(load_pins(&path).unwrap(), pins);
        fs::write(folder.join("alice.key.pins"), "nonsense").unwrap();
        assert_eq!(load_pins(&path).unwrap_err().kind(), ErrorKind::File);
        fs::remove_dir_all(folder).unwrap();
    }
}
