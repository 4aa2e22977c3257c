//! Runs a built program with a time limit and never leaves one behind.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{env, fs, process, thread};

/// Longer than any program here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder of a test's own, removed at its end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("voip-test-{}-{number}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a program ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// One line of error that names `what`, and this exit status.
    pub(crate) fn failed_with(&self, status: i32, what: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        assert!(self.stderr.contains(what), "{what:?} in {self:?}");
    }
}

fn program(name: &str) -> &'static str {
    match name {
        "tracker" => env!("CARGO_BIN_EXE_tracker"),
        "peer" => env!("CARGO_BIN_EXE_peer"),
        "demo" => env!("CARGO_BIN_EXE_demo"),
        "doctor" => env!("CARGO_BIN_EXE_doctor"),
        _ => panic!("no such program: {name}"),
    }
}

fn spawn(name: &str, arguments: &[impl AsRef<OsStr>], scratch: &Scratch) -> Child {
    Command::new(program(name))
        .args(arguments)
        .env("XDG_DATA_HOME", &scratch.0)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a program to its end with `typed` as its input.
pub(crate) fn run(
    name: &str,
    arguments: &[impl AsRef<OsStr>],
    typed: &str,
    scratch: &Scratch,
) -> Outcome {
    let mut child = spawn(name, arguments, scratch);
    // A program that ends early does not read its input.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
    let stdout = read_all(child.stdout.take().unwrap());
    let stderr = read_all(child.stderr.take().unwrap());
    let mut running = Running { child, lines: channel().1 };
    let stdout = stdout.recv_timeout(LIMIT).expect("the program does not end");
    let stderr = stderr.recv_timeout(LIMIT).expect("the program does not end");
    Outcome { status: running.child.wait().unwrap().code().unwrap(), stdout, stderr }
}

fn read_all(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        sender.send(text)
    });
    receiver
}

/// A program that runs until the test ends. Its input stays open.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(name: &str, arguments: &[impl AsRef<OsStr>], scratch: &Scratch) -> Running {
        let mut child = spawn(name, arguments, scratch);
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        Running { child, lines }
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// As if somebody had pressed Ctrl+C, or ended it from elsewhere (`INT`, `TERM`).
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Its exit status.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Waits until it has written its last line.
    pub(crate) fn ended(&mut self) {
        while self.lines.recv_timeout(LIMIT).is_ok() {}
        assert!(self.child.wait().unwrap().success());
    }

    /// Waits for a line with each of these, in any order.
    pub(crate) fn lines_with(&self, texts: &[&str]) {
        let mut missing = texts.to_vec();
        while !missing.is_empty() {
            let line = self.lines.recv_timeout(LIMIT);
            let line = line.unwrap_or_else(|_| panic!("no lines with {missing:?}"));
            missing.retain(|text| !line.contains(text));
        }
    }

    /// Waits for the line that contains `text`.
    pub(crate) fn line_with(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(LIMIT);
            let line = line.unwrap_or_else(|_| panic!("no line with {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
