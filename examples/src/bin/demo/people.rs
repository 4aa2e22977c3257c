//! The processes of the demo: one tracker, two peers, all ended with the demo.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use voip_examples::console::Failure;
use voip_examples::line::{Line, What};

use crate::report::Person;

/// How often somebody who waits looks whether Ctrl+C was pressed.
pub(crate) const GLANCE: Duration = Duration::from_millis(100);

static STOPPED: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl+C lets the demo end its processes before it ends itself.
pub(crate) fn watch_ctrl_c() -> Result<(), Failure> {
    ctrlc::set_handler(|| STOPPED.store(true, Ordering::Relaxed)).map_err(Failure::new)
}

/// Whether Ctrl+C was pressed.
pub(crate) fn stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// A program that was built beside this one.
pub(crate) fn program(name: &str) -> PathBuf {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::current_exe().unwrap_or_default().with_file_name(file)
}

/// A process that ends with its owner, and the lines it writes.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(name: &str, command: &mut Command) -> Result<(Process, Option<ChildStdin>), Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Failure::new(format_args!("{name} does not start: {e}")))?;
        let input = child.stdin.take();
        let lines = child.stdout.take().map(read_lines);
        let lines = lines.ok_or_else(|| Failure::new(format_args!("{name} has no output")))?;
        Ok((Process { child, lines }, input))
    }

    /// The next line, or `None` when the time is over, the process ended, or Ctrl+C was pressed.
    fn line(&self, deadline: Instant) -> Option<String> {
        while !stopped() && Instant::now() < deadline {
            match self.lines.recv_timeout(GLANCE) {
                Ok(line) => return Some(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(output: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// The tracker's process.
pub(crate) struct Tracker {
    pub(crate) address: String,
    _process: Process,
}

impl Tracker {
    pub(crate) fn start(patience: Duration) -> Result<Tracker, Failure> {
        let mut command = Command::new(program("tracker"));
        command.args(["--host", "127.0.0.1", "--port", "0"]);
        let (process, _) = Process::start("the tracker", &mut command)?;
        let line = process.line(Instant::now() + patience).unwrap_or_default();
        let address = line
            .strip_prefix("tracker on ")
            .and_then(|rest| rest.split(',').next())
            .ok_or_else(|| Failure::new("the tracker did not say where it listens"))?;
        Ok(Tracker { address: address.into(), _process: process })
    }
}

/// A peer's process.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    process: Process,
    input: Option<ChildStdin>,
    seen: Vec<Line>,
    /// Lines that [`Peer::expect`] has passed.
    passed: usize,
    said: PathBuf,
    recording: PathBuf,
    /// Key and pins, in a folder of their own, so that a run does not know the one before.
    keys: PathBuf,
}

impl Peer {
    pub(crate) fn start(
        name: &'static str,
        said: PathBuf,
        options: &[String],
        tracker: &Tracker,
        folder: &Path,
    ) -> Result<Peer, Failure> {
        let recording = folder.join(format!("{name}_heard.wav"));
        let keys = env::temp_dir().join(format!("voip-demo-{}-{name}", std::process::id()));
        let mut command = Command::new(program("peer"));
        command
            .args(["--host", "127.0.0.1", "--json", "--username", name])
            .args(["--tracker", &tracker.address])
            .arg("--wav")
            .arg(&said)
            .arg("--record")
            .arg(&recording)
            .args(options)
            .env("XDG_DATA_HOME", &keys);
        let (process, input) = Process::start(name, &mut command)?;
        Ok(Peer { name, process, input, seen: Vec::new(), passed: 0, said, recording, keys })
    }

    /// Types a command.
    pub(crate) fn command(&mut self, command: &str) -> Result<(), Failure> {
        let written = self.input.as_mut().map(|input| writeln!(input, "{command}"));
        match written {
            Some(Ok(())) => Ok(()),
            _ => Err(Failure::new(format_args!("{} is gone", self.name))),
        }
    }

    /// When the next event of this kind happened, microseconds since 1970-01-01 UTC.
    pub(crate) fn expect(
        &mut self,
        patience: Duration,
        wanted: impl Fn(&What) -> bool,
    ) -> Result<u64, Failure> {
        let deadline = Instant::now() + patience;
        loop {
            while let Some(line) = self.seen.get(self.passed) {
                self.passed += 1;
                if wanted(&line.what) {
                    return Ok(line.t_us);
                }
            }
            let text = self.process.line(deadline).ok_or_else(|| self.stuck())?;
            let line = serde_json::from_str(&text)
                .map_err(|e| Failure::new(format_args!("{}: {e}: {text}", self.name)))?;
            self.seen.push(line);
        }
    }

    fn stuck(&self) -> Failure {
        if stopped() {
            return Failure::new("stopped");
        }
        let last = self.seen.last().map(|line| format!("{:?}", line.what));
        let last = last.unwrap_or_else(|| "nothing".into());
        Failure::new(format_args!("{} does not go on; the last it said was {last}", self.name))
    }

    /// Ends the peer and gives what it knows of the call.
    pub(crate) fn finish(mut self, patience: Duration) -> Result<Person, Failure> {
        self.command("quit")?;
        self.expect(patience, |what| matches!(what, What::Report(_)))?;
        // The recording is complete when the process has ended.
        let ended = self.process.child.wait();
        ended.map_err(|e| Failure::new(format_args!("{}: {e}", self.name)))?;
        Ok(Person {
            name: self.name,
            lines: std::mem::take(&mut self.seen),
            said: self.said.clone(),
            recording: self.recording.clone(),
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.keys);
    }
}
