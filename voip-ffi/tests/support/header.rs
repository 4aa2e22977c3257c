//! `include/voip.h` as the source gives it: the contract from the documentation of the crate, then for
//! each file of `src/` what cbindgen makes of it, under the file's own documentation.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The files with exported functions, in the order of the header.
const PARTS: [&str; 16] = [
    "version",
    "status",
    "node",
    "node_builder",
    "peer",
    "contact",
    "mesh",
    "device",
    "doctor",
    "call",
    "pcm",
    "call_stats",
    "event",
    "node_stats",
    "tracker",
    "tracker_event",
];

pub(crate) fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn path() -> PathBuf {
    package().join("../include/voip.h")
}

pub(crate) fn generated() -> String {
    let src = package().join("src");
    let mut text = format!(
        "/* voip {}: peer-to-peer voice calls.\n *\n{} *\n * Generated from voip-ffi/src; do not edit. To renew it:\n \
         *     VOIP_WRITE_HEADER=1 cargo test -p voip-ffi --test header\n */\n\n\
         #ifndef VOIP_H\n#define VOIP_H\n\n\
         #include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n",
        env!("CARGO_PKG_VERSION"),
        comment(&documentation(&src.join("lib.rs"))),
    );
    let parts = PARTS.map(|part| part_of(&src.join(part).with_extension("rs")));
    text += "\n/* ---- Handles */\n\n";
    text.extend(parts.iter().flat_map(|part| &part.handles).map(String::as_str));
    for (part, code) in PARTS.iter().zip(&parts) {
        let file = src.join(part).with_extension("rs");
        let documentation = documentation(&file);
        let title = documentation.strip_prefix("# ").unwrap_or(&documentation);
        text += &format!("\n/* ---- {}", comment(title).trim_start_matches(" * "));
        text.truncate(text.trim_end().len());
        text += " */\n\n";
        if *part == "version" {
            text += &version();
        }
        text += &code.rest;
    }
    text + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* VOIP_H */\n"
}

fn version() -> String {
    let define = |name: &str, value: &str| format!("#define VOIP_VERSION{name} {value}\n");
    [
        "/** The version of this header, as a text and in numbers. */\n".to_owned(),
        define("", concat!("\"", env!("CARGO_PKG_VERSION"), "\"")),
        define("_MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        define("_MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        define("_PATCH", env!("CARGO_PKG_VERSION_PATCH")),
        "\n".to_owned(),
    ]
    .concat()
}

/// The lines of a file that begin with `//!`.
fn documentation(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn comment(text: &str) -> String {
    // Code is indented within its fences as well.
    let lines = text.lines().filter(|line| !line.starts_with("```")).map(|l| l.replace('`', ""));
    lines.map(|l| format!("{}\n", format!(" * {l}").trim_end())).collect()
}

/// What one file gives.
struct Part {
    /// The opaque types, which others may use before their turn has come.
    handles: Vec<String>,
    rest: String,
}

fn part_of(file: &Path) -> Part {
    let config = cbindgen::Config::from_file(package().join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_config(config).with_src(file).generate().unwrap();
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).unwrap().replace('`', "");
    let (mut handles, mut rest) = (Vec::new(), Vec::new());
    for item in text.trim().split("\n\n") {
        let item = named(&without_air(item)) + "\n";
        let is_handle = item.contains("\ntypedef struct") && !item.contains('{');
        if is_handle { &mut handles } else { &mut rest }.push(item);
    }
    Part { handles, rest: rest.join("\n") }
}

/// `typedef struct {` with the name that the end of the definition gives.
fn named(item: &str) -> String {
    let name = item.rsplit_once("\n} ").map_or("", |(_, end)| end.trim_end_matches(';'));
    let open = |what: &str| (format!("typedef {what} {{"), format!("typedef {what} {name} {{"));
    let [(a, a_named), (b, b_named)] = ["struct", "enum"].map(open);
    item.replacen(&a, &a_named, 1).replacen(&b, &b_named, 1)
}

/// Documentation of one line on one line, and nothing empty at its end.
fn without_air(item: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in item.lines() {
        let text = line.trim_start();
        let indent = &line[..line.len() - text.len()];
        if text == "*/" {
            if lines.last().is_some_and(|last| last.trim() == "*") {
                lines.pop();
            }
            let is_short = lines.len() >= 2 && lines[lines.len() - 2].trim() == "/**";
            if let Some(only) = lines.pop_if(|_| is_short) {
                lines.pop();
                let only = only.trim_start().trim_start_matches("* ");
                lines.push(format!("{}/** {only} */", &indent[1..]));
                continue;
            }
        }
        lines.push(line.to_owned());
    }
    lines.join("\n")
}
