//! The rules of ARCHITECTURE.md that a compiler does not check: imports point down, files stay
//! short, and a module's root is `foo.rs`, never `foo/mod.rs`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/`, lowest first. A room may import itself and any lower row, never a neighbour
/// of its own row and never a higher one; the vocabulary is one room.
const ROOMS: &[&[&str]] = &[
    &["time", "id", "frame", "error", "config", "device", "event", "stats", "text"],
    &["rate"],
    &["wire", "line"],
    &["identity", "relay"],
    &["voice", "record", "screen"],
    &["session", "directory", "overlay"],
    &["engine"],
    &["io", "sim"],
    &["node", "call", "room", "tracker", "recording", "doctor"],
];
/// Rows of which the members belong together: the vocabulary and the facade.
const ONE_ROOM: &[usize] = &[0, 8];
/// Modules outside the order: the crate's root, which names everything, and the doors for fuzzers.
const OUTSIDE: &[&str] = &["lib", "fuzzing"];

const LONGEST_FILE: usize = 600;
/// The parts of the workspace; a packaged `voip-core` stands alone.
const PACKAGES: &[&str] = &["../voip-ffi", "../voip-py", "../examples", "../benches"];

#[test]
fn imports_point_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut problems = Vec::new();
    for path in rust_files(&src) {
        let inside = path.strip_prefix(&src).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        problems.extend(upward_imports(inside, &text));
    }
    assert!(problems.is_empty(), "imports have to point down:\n  {}\n", problems.join("\n  "));
}

#[test]
fn files_stay_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut problems = Vec::new();
    for package in PACKAGES.iter().map(|p| root.join(p)).chain([root.to_path_buf()]) {
        for path in rust_files(&package) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            if lines > LONGEST_FILE {
                problems.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(
        problems.is_empty(),
        "a file is one idea and has at most {LONGEST_FILE} lines; long tests go to x/tests.rs:\n  {}\n",
        problems.join("\n  ")
    );
}

#[test]
fn a_modules_root_is_not_called_mod_rs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found: Vec<_> =
        rust_files(&root.join("src")).into_iter().filter(|p| p.ends_with("mod.rs")).collect();
    assert!(found.is_empty(), "use foo.rs beside foo/: {found:?}");
}

#[test]
fn every_module_has_a_room() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let known = rows();
    let strangers: Vec<_> = rust_files(&src)
        .iter()
        .map(|path| room_of(path.strip_prefix(&src).unwrap()))
        .filter(|room| !known.contains_key(room.as_str()) && !OUTSIDE.contains(&room.as_str()))
        .collect();
    assert!(strangers.is_empty(), "give these a row in ROOMS: {strangers:?}");
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let found = |file: &str, text: &str| upward_imports(Path::new(file), text).len();
    assert_eq!(found("wire/stun.rs", "use crate::time::Instant;"), 0);
    assert_eq!(found("wire/stun.rs", "use crate::wire::framing;"), 0);
    assert_eq!(found("wire/stun.rs", "// not use crate::engine::Engine;"), 0);
    assert_eq!(found("wire/stun.rs", "use crate::engine::Engine;"), 1);
    assert_eq!(found("wire/stun.rs", "use crate::{id::PeerId, io::Clock};"), 1);
    assert_eq!(found("wire/stun.rs", "use crate::{\n    engine::{A, B},\n    io::C,\n};"), 2);
    assert_eq!(found("wire/stun.rs", "fn f() { crate::io::now() }"), 1);
    assert_eq!(found("wire/stun.rs", "use super::super::io::Clock;"), 1);
    assert_eq!(found("wire/stun.rs", "use super::framing;"), 0);
    assert_eq!(found("wire.rs", "use super::io::Clock;"), 1);
    assert_eq!(found("voice/opus.rs", "use crate::record::Track;"), 1);
    assert_eq!(found("error.rs", "use crate::id::PeerId;"), 0);
    assert_eq!(found("call.rs", "use crate::node::Node;"), 0);
    assert_eq!(found("engine.rs", "use crate::PeerId;"), 1);
    assert_eq!(found("lib.rs", "pub use crate::node::Node;"), 0);
}

fn rows() -> BTreeMap<&'static str, usize> {
    ROOMS.iter().enumerate().flat_map(|(row, names)| names.iter().map(move |n| (*n, row))).collect()
}

/// The room a file lies in: `voice/egress/encode.rs` lies in `voice`.
fn room_of(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_string()
}

fn upward_imports(file: &Path, text: &str) -> Vec<String> {
    let room = room_of(file);
    let rows = rows();
    let Some(&own) = rows.get(room.as_str()) else { return Vec::new() };
    let code = without_comments(text);
    let mut problems = Vec::new();
    for name in imported_rooms(file, &code) {
        let complaint = match rows.get(name.as_str()) {
            _ if name == room => continue,
            Some(&row) if row < own || (row == own && ONE_ROOM.contains(&own)) => continue,
            Some(&row) if row == own => "is its neighbour",
            Some(_) => "lies above it",
            None => "comes through the crate's root: name its room",
        };
        problems.push(format!("src/{}: `{name}` {complaint}", file.display()));
    }
    problems
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_string();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// The first name of every path that starts at the crate's root, written `crate::` or as enough
/// `super::` to get there.
fn imported_rooms(file: &Path, code: &str) -> Vec<String> {
    let mut found: Vec<String> =
        after_each(code, "crate::").into_iter().flat_map(first_names).collect();
    let to_root = "super::".repeat(file.components().count());
    let known = rows();
    let above = after_each(code, &to_root).into_iter().flat_map(first_names);
    found.extend(above.filter(|name| known.contains_key(name.as_str())));
    found
}

fn after_each<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let inside_word = |at: usize| {
        code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == ':')
    };
    let starts = code.match_indices(prefix).filter(|(at, _)| !inside_word(*at));
    starts.map(|(at, _)| &code[at + prefix.len()..]).collect()
}

/// `a::B` gives `a`; `{a::B, c::{D, E}}` gives `a` and `c`.
fn first_names(path: &str) -> Vec<String> {
    let name = |s: &str| -> String {
        s.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|n| !n.is_empty());
    names
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|e| e.unwrap().path()) {
        if path.is_dir() && !path.ends_with("target") {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
