//! A scripted peer of any language, as something that says lines.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::cc;
use crate::scripted_peer::{self, Role, Script};

/// No line comes later.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    C,
    Python,
}

impl Language {
    /// Those that this machine can run.
    pub(crate) fn all() -> Vec<Language> {
        let mut all = vec![Language::Rust, Language::C];
        match env::var_os("VOIP_PYTHON") {
            Some(_) => all.push(Language::Python),
            None => eprintln!("without Python: VOIP_PYTHON is not set, as make test sets it"),
        }
        all
    }
}

/// One peer that plays its part.
pub(crate) struct Actor {
    lines: Receiver<String>,
    said: Vec<String>,
    end: End,
}

enum End {
    Thread(JoinHandle<()>),
    Process(Process),
}

/// It does not outlive its actor, whatever becomes of the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Actor {
    /// `options` as `tests/languages/README.md` has them.
    pub(crate) fn start(language: Language, tracker: &str, name: &str, options: &[&str]) -> Actor {
        let mut command = match language {
            Language::Rust => return Actor::thread(tracker, name, options),
            Language::C => Command::new(c_program()),
            Language::Python => {
                let mut python = Command::new(env::var_os("VOIP_PYTHON").unwrap());
                python.arg(cc::root().join("tests/languages/scripted_peer.py"));
                python
            }
        };
        command.args(["--tracker", tracker, "--name", name]).args(options);
        // cargo names its own folders there, where an older library may lie.
        command.env_remove("LD_LIBRARY_PATH").stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (say, lines) = channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        Actor { lines, said: Vec::new(), end: End::Process(Process(process)) }
    }

    fn thread(tracker: &str, name: &str, options: &[&str]) -> Actor {
        let (say, lines) = channel();
        let (tracker, name) = (tracker.to_owned(), name.to_owned());
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let thread = thread::spawn(move || {
            let value = |option: &str| {
                let at = options.iter().position(|o| o == option)?;
                options.get(at + 1).map(String::as_str)
            };
            let role = match value("--target") {
                Some(target) => {
                    let unregistered = options.iter().any(|option| option == "--unregistered");
                    Role::Caller { target, unregistered }
                }
                None => Role::Callee { how: value("--how").unwrap() },
            };
            let script = Script { tracker: &tracker, name: &name, role };
            scripted_peer::run(&script, |line| say.send(line).unwrap()).unwrap();
        });
        Actor { lines, said: Vec::new(), end: End::Thread(thread) }
    }

    /// Waits until it can be called.
    pub(crate) fn ready(mut self) -> Actor {
        let line = self.lines.recv_timeout(PATIENCE).expect("a peer that gets ready");
        assert_eq!(line, "ready");
        self.said.push(line);
        self
    }

    /// All that it said, when it has played its part.
    pub(crate) fn finish(mut self) -> Vec<String> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it hangs; it said {:?}", self.said),
            }
        }
        match self.end {
            End::Thread(thread) => thread.join().unwrap(),
            End::Process(mut process) => {
                let status = process.0.wait().unwrap();
                assert!(status.success(), "{status}; it said {:?}", self.said);
            }
        }
        self.said
    }
}

/// The program in C, compiled once.
fn c_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let source = cc::root().join("tests/languages/scripted_peer.c");
        cc::build(cc::c().arg("-std=c11").arg(source), "scripted_peer")
    })
}
