//! Builds programs with the system's C compiler against this build's library, and runs them.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Seconds; no program that [`run`] runs takes so long.
const LIMIT: &str = "120";

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn tests() -> PathBuf {
    root().join("voip-ffi/tests")
}

/// A folder of this build for what tests make.
pub(crate) fn scratch() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c");
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn write(name: &str, text: &str) -> PathBuf {
    // Tests run side by side, and may write the same.
    let (file, new) = (scratch().join(name), scratch().join(format!("{name}.{}", unique())));
    fs::write(&new, text).unwrap();
    fs::rename(new, &file).unwrap();
    file
}

fn unique() -> String {
    let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
    format!("{}-{thread}", std::process::id())
}

/// The library as it is named when it is installed: what is built has no version in its name.
pub(crate) fn libraries() -> PathBuf {
    let built = env::current_exe().unwrap().parent().unwrap().join("libvoip.so");
    let folder = scratch().join("lib");
    fs::create_dir_all(&folder).unwrap();
    for name in ["libvoip.so", "libvoip.so.0"] {
        let new = folder.join(format!("{name}.{}", unique()));
        let _ = fs::remove_file(&new);
        std::os::unix::fs::symlink(&built, &new).unwrap();
        fs::rename(new, folder.join(name)).unwrap();
    }
    folder
}

fn compiler(variable: &str, default: &str) -> Command {
    let mut command = Command::new(env::var_os(variable).unwrap_or_else(|| default.into()));
    command.args(WARNINGS).arg("-I").arg(root().join("include"));
    command
}

/// A C compiler with all warnings as errors.
pub(crate) fn c() -> Command {
    compiler("CC", "cc")
}

/// A C++ compiler with all warnings as errors.
pub(crate) fn cxx() -> Command {
    compiler("CXX", "c++")
}

/// Lets a compiler build a program, linked with the library. Another test may build the same one, or
/// run it, meanwhile.
pub(crate) fn build(compiler: &mut Command, name: &str) -> PathBuf {
    let (program, libraries) = (scratch().join(name), libraries());
    let new = scratch().join(format!("{name}.{}", unique()));
    compiler.arg("-L").arg(&libraries).args(["-lvoip", "-lm", "-lpthread"]);
    compiler.arg(format!("-Wl,-rpath,{}", libraries.display())).arg("-o").arg(&new);
    let output = compiler.output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    fs::rename(new, &program).unwrap();
    program
}

/// A program, ready to start.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    // cargo names its own folders there, where an older library may lie.
    command.env_remove("LD_LIBRARY_PATH").current_dir(scratch()).stdin(Stdio::null());
    command
}

/// Runs a program to its end; its output, if it succeeded. One that hangs is killed with all that it
/// has started.
pub(crate) fn run(program: &Path, arguments: &[&str]) -> String {
    let mut limited = command(Path::new("timeout"));
    succeeded(program, &limited.arg(LIMIT).arg(program).args(arguments).output().unwrap())
}

pub(crate) fn succeeded(program: &Path, output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name = program.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    assert!(
        output.status.success(),
        "{name}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
