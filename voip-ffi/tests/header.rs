//! `include/voip.h` is what cbindgen makes of the source, and a C program compiled with it runs.

#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn header() -> PathBuf {
    package().join("../include/voip.h")
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(package().join("cbindgen.toml")).unwrap();
    let source =
        cbindgen::Builder::new().with_config(config).with_src(package().join("src/lib.rs"));
    let mut text = Vec::new();
    source.generate().unwrap().write(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn the_committed_header_is_the_generated_one() {
    if env::var_os("VOIP_WRITE_HEADER").is_some() {
        fs::write(header(), generated()).unwrap();
    }
    let committed = fs::read_to_string(header()).unwrap();
    assert!(
        committed == generated(),
        "include/voip.h is old. Renew it: VOIP_WRITE_HEADER=1 cargo test -p voip-ffi --test header"
    );
}

#[test]
fn a_c_program_sees_the_version() {
    let libraries = env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("version");
    let compiled = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c99", "-Wall", "-Wextra", "-Wstrict-prototypes", "-pedantic", "-Werror"])
        .arg(package().join("tests/version.c"))
        .arg("-I")
        .arg(header().parent().unwrap())
        .arg("-L")
        .arg(&libraries)
        .arg("-lvoip")
        .arg(format!("-Wl,-rpath,{}", libraries.display()))
        .arg("-o")
        .arg(&program)
        .status()
        .unwrap();
    assert!(compiled.success(), "the C compiler refused tests/version.c");

    // cargo names its own folders there, where an older library may lie.
    let output = Command::new(program).env_remove("LD_LIBRARY_PATH").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), voip_core::VERSION);
}
