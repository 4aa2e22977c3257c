//! `include/voip.h` is what the source gives, and C and C++ compilers take it without a warning.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/header.rs"]
mod header;

use std::env;
use std::fs;

#[test]
fn the_committed_header_is_the_generated_one() {
    let generated = header::generated();
    if env::var_os("VOIP_WRITE_HEADER").is_some() {
        fs::write(header::path(), &generated).unwrap();
    }
    let committed = fs::read_to_string(header::path()).unwrap();
    assert!(
        committed == generated,
        "include/voip.h is old. Renew it: VOIP_WRITE_HEADER=1 cargo test -p voip-ffi --test header"
    );
}

/// Twice, and before anything else: it brings along what it needs.
const ALONE: &str =
    "#include \"voip.h\"\n#include \"voip.h\"\nint main(void) { return VOIP_OK; }\n";

#[test]
fn it_is_clean_c11_and_c99() {
    for standard in ["-std=c99", "-std=c11"] {
        let source = cc::write("alone.c", ALONE);
        cc::build(cc::c().arg(standard).arg("-Wstrict-prototypes").arg(source), "alone-c");
    }
}

#[test]
fn it_is_clean_cxx17() {
    let source = cc::write("alone.cpp", ALONE);
    cc::build(cc::cxx().args(["-std=c++17", "-xc++"]).arg(source), "alone-cxx");
}

#[test]
fn the_versions_of_header_and_library_agree() {
    let program = cc::build(cc::c().arg(cc::tests().join("version.c")), "version");
    let output = cc::run(&program, &[]);
    assert_eq!(output.trim(), env!("CARGO_PKG_VERSION"));
}
