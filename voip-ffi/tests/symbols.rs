//! What the shared library exports: the functions of the header and nothing else, neither of the library's
//! own nor of the C code within it. `symbols.txt` is the list, so that a change shows.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/header.rs"]
mod header;
#[path = "support/prototypes.rs"]
mod prototypes;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::process::Command;

#[test]
fn exactly_the_functions_of_the_header_are_exported() {
    let file = cc::tests().join("../symbols.txt");
    let library = cc::libraries().join("libvoip.so");
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<&str> =
        output.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let prototypes = prototypes::all();
    let declared: BTreeSet<&str> = prototypes.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(exported, declared, "left: exported; right: declared in the header");

    let list: String = exported.iter().map(|name| format!("{name}\n")).collect();
    if env::var_os("VOIP_WRITE_HEADER").is_some() {
        fs::write(&file, &list).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap() == list,
        "voip-ffi/symbols.txt is old. Renew it: VOIP_WRITE_HEADER=1 cargo test -p voip-ffi --test symbols"
    );
}
