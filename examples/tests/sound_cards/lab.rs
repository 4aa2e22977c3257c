//! A sound server of the test's own, whose sinks are the sound cards.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/lab/audiolab");

/// One private PulseAudio. Gone, with all it made, when dropped.
pub(crate) struct Lab {
    folder: PathBuf,
}

impl Lab {
    /// Starts it; `None` where PulseAudio is not installed.
    pub(crate) fn up() -> Option<Lab> {
        let installed = |program: &str| {
            Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok()
        };
        if !["pulseaudio", "pactl", "parec", "pacat"].into_iter().all(installed) {
            eprintln!("skipped: PulseAudio is not installed (scripts/setup long)");
            return None;
        }
        let lab = Lab::down();
        lab.start();
        Some(lab)
    }

    /// A folder without a server: no sound card anywhere.
    pub(crate) fn down() -> Lab {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("voip-lab-{}-{number}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Lab { folder }
    }

    pub(crate) fn start(&self) {
        self.run(&["up"]);
    }

    /// The server dies as by a crash.
    pub(crate) fn crash(&self) {
        self.run(&["crash"]);
    }

    /// The server stands still until what this gives is dropped.
    pub(crate) fn hang(&self) -> Hung<'_> {
        self.run(&["hang"]);
        Hung(self)
    }

    pub(crate) fn unplug(&self, card: &str) {
        self.run(&["unplug", card]);
    }

    pub(crate) fn plug(&self, card: &str, rate: u32) {
        self.run(&["plug", card, &rate.to_string()]);
    }

    /// From now on there may be no card at all: without this the server makes a dummy one up.
    pub(crate) fn allow_none(&self) {
        let status = self.tool("pactl").args(["unload-module", "module-always-sink"]).status();
        assert!(status.unwrap().success());
    }

    /// Lets the default devices be these.
    pub(crate) fn set_defaults(&self, sink: &str, source: &str) {
        for (what, name) in [("set-default-sink", sink), ("set-default-source", source)] {
            let status = self.tool("pactl").args([what, name]).status().unwrap();
            assert!(status.success(), "pactl {what} {name}");
        }
    }

    /// A program that speaks to this server.
    pub(crate) fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("XDG_RUNTIME_DIR", &self.folder)
            .env("PULSE_RUNTIME_PATH", self.folder.join("pulse"))
            .env("PULSE_STATE_PATH", self.folder.join("state"))
            .env("PULSE_SERVER", format!("unix:{}/native", self.folder.display()))
            .env("PULSE_COOKIE", self.folder.join("cookie"))
            .env("ALSA_CONFIG_PATH", self.folder.join("asound.conf"));
        command
    }

    fn run(&self, arguments: &[&str]) {
        let status = Command::new(SCRIPT)
            .args(arguments)
            .env("AUDIOLAB_DIR", &self.folder)
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "audiolab {arguments:?}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT)
            .arg("down")
            .env("AUDIOLAB_DIR", &self.folder)
            .env_remove("XDG_RUNTIME_DIR")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A server that stands still, and goes on when this is dropped.
pub(crate) struct Hung<'a>(&'a Lab);

impl Drop for Hung<'_> {
    fn drop(&mut self) {
        self.0.run(&["wake"]);
    }
}
