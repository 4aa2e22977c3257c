//! Identity and pins on disk, and other secrets.
//!
//! Files are replaced whole: written beside, synchronised, renamed. The secret is readable by its
//! owner only, and not used if others can read it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::random;
use crate::error::{Error, ErrorKind};
use crate::identity::Identity;
use crate::identity::pins::{MAX_PINS_TEXT, Pins};

/// An identity file is five lines.
const MAX_IDENTITY_TEXT: u64 = 4096;

/// Reads the identity, or makes a new one where there is none (with its folder).
pub(crate) fn load_or_create(path: &Path) -> Result<Identity, Error> {
    match load(path)? {
        Some(identity) => Ok(identity),
        None => create(path),
    }
}

/// Reads the pins kept beside an identity file; none if there are none yet.
pub(crate) fn load_pins(identity_path: &Path) -> Result<Pins, Error> {
    let path = pins_path(identity_path);
    match read(&path, MAX_PINS_TEXT)? {
        Some(text) => Pins::from_text(&text).map_err(|e| bad(&path, e)),
        None => Ok(Pins::default()),
    }
}

/// Writes the pins beside an identity file.
pub(crate) fn save_pins(identity_path: &Path, pins: &Pins) -> Result<(), Error> {
    let path = pins_path(identity_path);
    let beside = write_beside(&path, pins.to_text().as_bytes())?;
    fs::rename(&beside, &path).map_err(|e| {
        let _ = fs::remove_file(&beside);
        bad(&path, e)
    })
}

/// `<identity file>.pins`.
pub(crate) fn pins_path(identity_path: &Path) -> PathBuf {
    let mut name = identity_path.as_os_str().to_owned();
    name.push(".pins");
    name.into()
}

fn load(path: &Path) -> Result<Option<Identity>, Error> {
    let Some(text) = read_secret(path, MAX_IDENTITY_TEXT)? else { return Ok(None) };
    Identity::from_text(&text).map(Some).map_err(|e| bad(path, e))
}

fn create(path: &Path) -> Result<Identity, Error> {
    let identity = Identity::from_secret(&*random::secret()?);
    let is_ours = place(path, identity.to_text().as_bytes())?;
    if is_ours { Ok(identity) } else { load(path)?.ok_or_else(|| bad(path, COMES_AND_GOES)) }
}

const COMES_AND_GOES: &str = "it comes and goes";

/// The text of a file with a secret in it, of `limit` bytes at most; where there is none, what `make`
/// makes, kept from then on.
pub(crate) fn secret_file(
    path: &Path,
    limit: u64,
    make: impl FnOnce() -> Result<Zeroizing<String>, Error>,
) -> Result<Zeroizing<String>, Error> {
    if let Some(text) = read_secret(path, limit)? {
        return Ok(text);
    }
    let made = make()?;
    let is_ours = place(path, made.as_bytes())?;
    if is_ours {
        Ok(made)
    } else {
        read_secret(path, limit)?.ok_or_else(|| bad(path, COMES_AND_GOES))
    }
}

fn read_secret(path: &Path, limit: u64) -> Result<Option<Zeroizing<String>>, Error> {
    let Some(text) = read(path, limit)? else { return Ok(None) };
    check_private(path)?;
    Ok(Some(text))
}

/// Makes a file with its folder; false if another process has made it meanwhile.
fn place(path: &Path, content: &[u8]) -> Result<bool, Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| bad(folder, e))?;
    }
    let beside = write_beside(path, content)?;
    // A link, unlike a renaming, does not replace what another process made meanwhile.
    let linked = fs::hard_link(&beside, path);
    let placed = match &linked {
        Err(e) if e.kind() != IoErrorKind::AlreadyExists => fs::rename(&beside, path),
        _ => fs::remove_file(&beside),
    };
    placed.map_err(|e| bad(path, e))?;
    Ok(!linked.is_err_and(|e| e.kind() == IoErrorKind::AlreadyExists))
}

/// The text of a file; `None` if there is none.
fn read(path: &Path, limit: u64) -> Result<Option<Zeroizing<String>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == IoErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(bad(path, e)),
    };
    let mut text = Zeroizing::new(String::new());
    file.take(limit + 1).read_to_string(&mut text).map_err(|e| bad(path, e))?;
    if text.len() as u64 > limit {
        return Err(bad(path, format!("it is longer than {limit} bytes")));
    }
    Ok(Some(text))
}

/// Writes a file of its own beside `path`, down to the disk, readable by its owner only.
fn write_beside(path: &Path, content: &[u8]) -> Result<PathBuf, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(beside),
        Err(e) => {
            let _ = fs::remove_file(&beside);
            Err(bad(path, e))
        }
    }
}

#[cfg(unix)]
fn check_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(|e| bad(path, e))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(bad(path, format!("others may read the secret key in it: run chmod 600 '{shown}'")))
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<(), Error> {
    Ok(())
}

fn bad(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::File, format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::id::PeerId;
    use crate::identity::pins::Pin;

    /// A folder of its own, gone when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("voip-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Folder(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("deep/er/alice.key")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_identity_is_made_once_and_kept() {
        let folder = Folder::new("kept");
        let made = load_or_create(&folder.file()).unwrap().id();
        assert_eq!(load_or_create(&folder.file()).unwrap().id(), made);
        let files = fs::read_dir(folder.file().parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "nothing is left beside it");
    }

    #[test]
    fn processes_that_start_together_get_the_same_identity() {
        let folder = Folder::new("race");
        let first = create(&folder.file()).unwrap().id();
        assert_eq!(create(&folder.file()).unwrap().id(), first);
    }

    #[cfg(unix)]
    #[test]
    fn the_secret_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("private");
        load_or_create(&folder.file()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.file()), 0o600);
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o640)).unwrap();
        let error = load_or_create(&folder.file()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert!(error.message().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_damaged_identity_is_an_error_and_not_replaced() {
        let folder = Folder::new("damaged");
        load_or_create(&folder.file()).unwrap();
        fs::write(folder.file(), "voip-identity 1\n").unwrap();
        let error = load_or_create(&folder.file()).unwrap_err();
        assert!(error.message().contains("the secret key is missing"), "{error}");
        fs::write(folder.file(), [0xff, 0xfe]).unwrap();
        assert_eq!(load_or_create(&folder.file()).unwrap_err().kind(), ErrorKind::File);
        fs::write(folder.file(), "#".repeat(5000)).unwrap();
        let error = load_or_create(&folder.file()).unwrap_err();
        assert!(error.message().contains("longer than"), "{error}");
    }

    #[test]
    fn pins_are_kept_beside_the_identity() {
        let folder = Folder::new("pins");
        load_or_create(&folder.file()).unwrap();
        let mut pins = load_pins(&folder.file()).unwrap();
        pins.accept("bob", PeerId([2; 32])).unwrap();
        save_pins(&folder.file(), &pins).unwrap();
        let read = load_pins(&folder.file()).unwrap();
        assert_eq!(read.check("bob", PeerId([2; 32])), Pin::Same);
        fs::write(pins_path(&folder.file()), "voip-pins 1\nrubbish\n").unwrap();
        let error = load_pins(&folder.file()).unwrap_err();
        assert!(error.message().ends_with("alice.key.pins: line 2 makes no sense"), "{error}");
    }
}
