//! Builds what is written in C and runs programs under the shim.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use voip_benches::speech::speech;

/// The programs in `benches/peers`, built beside this one.
pub(crate) struct Tools {
    pub(crate) toxbench: PathBuf,
    shim: PathBuf,
    speech: PathBuf,
}

/// Peak of the speech: toxbench's LOUD is 3000, and the codec may overshoot.
const PEAK: f32 = 2_000.0;
/// Of speech.
const SECONDS: usize = 10;

/// Whether toxcore can be built against.
pub(crate) fn is_here() -> bool {
    let asked = Command::new("pkg-config").args(["--exists", "toxcore"]).status();
    asked.is_ok_and(|status| status.success())
}

/// The shim alone.
pub(crate) fn build_shim() -> Tools {
    let tools = Tools {
        toxbench: output("toxbench"),
        shim: output("impair.so"),
        speech: output("speech.raw"),
    };
    write_speech(&tools.speech);
    compile(&["-shared", "-fPIC"], "impair.c", &tools.shim, &[]);
    tools
}

/// The shim and the measurement of toxav.
pub(crate) fn build() -> Tools {
    let tools = build_shim();
    let flags = pkg_config(&["--cflags", "--libs"]);
    let libraries: Vec<&str> = flags.split_whitespace().chain(["-lm"]).collect();
    compile(&[], "toxbench.c", &tools.toxbench, &libraries);
    tools
}

fn output(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.set_file_name(name);
    path
}

/// The repository's speech as soft as toxbench wants it, 16 bit little-endian.
fn write_speech(path: &Path) {
    let speech = speech(SECONDS);
    let peak = speech.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
    let bytes = speech.iter().flat_map(|s| ((s / peak * PEAK) as i16).to_le_bytes());
    std::fs::write(path, bytes.collect::<Vec<u8>>()).expect("a place for the speech");
}

/// Reads what [`build_shim`] left for the runs.
pub(crate) fn read_speech(path: &str) -> Vec<i16> {
    let bytes = std::fs::read(path).expect("the speech");
    bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

fn pkg_config(what: &[&str]) -> String {
    let out = Command::new("pkg-config").args(what).arg("toxcore").output().expect("pkg-config");
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn compile(flags: &[&str], source: &str, to: &Path, libraries: &[&str]) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(source);
    let mut cc = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    cc.arg("-O2").args(flags).arg(&source).arg("-o").arg(to);
    cc.args(["-ldl", "-lpthread"]).args(libraries);
    let status = cc.status().expect("a C compiler");
    assert!(status.success(), "{} was not compiled", source.display());
}

impl Tools {
    /// Runs a program, the speech for its last argument, on a line of `loss` per cent and `jitter`
    /// milliseconds; what it printed. Nothing if one of its calls failed.
    pub(crate) fn run(
        &self,
        mut program: Command,
        (loss, jitter): (u32, u32),
        seed: u64,
    ) -> Option<Value> {
        let out = program
            .arg(&self.speech)
            .env("LD_PRELOAD", &self.shim)
            .env("LOSS", loss.to_string())
            .env("JITTER", jitter.to_string())
            .env("SEED", seed.to_string())
            .stderr(Stdio::inherit())
            .output()
            .expect("a program that runs");
        let succeeded = out.status.success();
        succeeded.then(|| serde_json::from_slice(&out.stdout).expect("JSON"))
    }

    /// As installed.
    pub(crate) fn version(&self) -> String {
        pkg_config(&["--modversion"])
    }
}
