//! Takes the call out of README.md, so that `tests/readme.rs` can run it as printed: only the tracker's
//! address is another, which no machine has.

use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../README.md");
    let readme = fs::read_to_string("../README.md")?;
    let (_, code) = readme.split_once("\n```rust,no_run\n").ok_or("README.md has no Rust")?;
    let (code, _) = code.split_once("\n```").ok_or("README.md has Rust without an end")?;
    let there = "\"tracker.example.org:6000\"";
    if !code.contains(there) {
        return Err("README.md names another tracker".into());
    }
    let code = code.replace(there, "std::env::var(\"TRACKER\").unwrap_or_default()");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("readme.rs"), code)?;
    Ok(())
}
