//! Where a program keeps what belongs to its user.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The file of `name`'s key: `<data folder>/voip/<name>.key`. The pinned keys lie beside it.
/// `None` when the system does not say where the user's data lies.
pub fn identity_file(name: &str) -> Option<PathBuf> {
    Some(
        data_folder(|name| env::var_os(name))?
            .join("voip")
            .join(format!("{}.key", file_name(name))),
    )
}

/// `$XDG_DATA_HOME`, or what the operating system uses in its place.
fn data_folder(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = absolute("XDG_DATA_HOME") {
        Some(folder)
    } else if cfg!(windows) {
        absolute("APPDATA")
    } else if cfg!(target_os = "macos") {
        Some(absolute("HOME")?.join("Library/Application Support"))
    } else {
        Some(absolute("HOME")?.join(".local/share"))
    }
}

/// Any name as a file's name: what could mean something to a file system is written as %XX.
fn file_name(name: &str) -> String {
    let mut safe = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => safe.push(char::from(byte)),
            _ => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_folder() {
        assert_eq!(file_name("alice"), "alice");
        assert_eq!(file_name("../x y"), "%2E%2E%2Fx%20y");
    }

    #[test]
    fn the_users_wish_comes_first() {
        let var = |name: &str| match name {
            "XDG_DATA_HOME" => Some("/data".into()),
            _ => Some("/home/a".into()),
        };
        assert_eq!(data_folder(var), Some("/data".into()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_relative_wish_is_ignored_as_the_xdg_rules_say() {
        let var = |name: &str| match name {
            "XDG_DATA_HOME" => Some("data".into()),
            _ => Some("/home/a".into()),
        };
        assert_eq!(data_folder(var), Some("/home/a/.local/share".into()));
    }
}
