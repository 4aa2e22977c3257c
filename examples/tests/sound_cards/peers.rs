//! A tracker and terminal peers with their devices in a lab.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use voip_examples::line::{CallReport, CardReport, Line, What};

use crate::lab::Lab;

/// How long anything may take to be told.
const LIMIT: Duration = Duration::from_secs(10);

/// A program whose lines are read as they come; ended with the test.
struct Program {
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    fn start(mut command: std::process::Command) -> (Program, ChildStdin) {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        (Program { child, lines }, stdin)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running tracker.
pub(crate) struct Tracker {
    _program: Program,
    _stdin: ChildStdin,
    address: String,
}

impl Tracker {
    pub(crate) fn start(lab: &Lab) -> Tracker {
        let mut command = lab.tool(env!("CARGO_BIN_EXE_tracker"));
        command.args(["--host", "127.0.0.1", "--port", "0"]);
        let (program, stdin) = Program::start(command);
        let line = program.lines.recv_timeout(LIMIT).unwrap();
        let address = line.trim_start_matches("tracker on ").split(',').next().unwrap();
        Tracker { address: address.to_string(), _program: program, _stdin: stdin }
    }
}

/// A running peer.
pub(crate) struct Peer {
    program: Program,
    stdin: ChildStdin,
}

impl Peer {
    /// Starts it and waits until it is registered. Its default devices are the loudspeaker `spk_X`
    /// and the microphone `mic_X` of the lab for the side `X`, if there is one.
    pub(crate) fn start(
        lab: &Lab,
        tracker: &Tracker,
        name: &str,
        side: Option<&str>,
        more: &[&str],
    ) -> Peer {
        let mut command = lab.tool(env!("CARGO_BIN_EXE_peer"));
        command.args(["--host", "127.0.0.1", "--ephemeral", "--json", "--username", name]);
        command.args(["--tracker", &tracker.address]).args(more);
        if let Some(side) = side {
            command.env("PULSE_SINK", format!("spk_{side}"));
            command.env("PULSE_SOURCE", format!("mic_{side}.monitor"));
        }
        let (program, stdin) = Program::start(command);
        let mut peer = Peer { program, stdin };
        peer.wait_for(|what| matches!(what, What::Registered { .. }).then_some(()));
        peer
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// Waits for something of interest among what the peer tells; the rest is passed over.
    pub(crate) fn wait_for<T>(&mut self, pick: impl Fn(&What) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        let mut passed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(text) = self.program.lines.recv_timeout(left) else {
                panic!("not told within {LIMIT:?}; told instead: {passed:#?}");
            };
            let line: Line = serde_json::from_str(&text).unwrap();
            if let Some(found) = pick(&line.what) {
                return found;
            }
            passed.push(text);
        }
    }

    /// Waits for a change of the device of a direction; the name of the device now in use.
    pub(crate) fn wait_for_change(&mut self, wanted: &str, why: &str) -> Option<String> {
        self.wait_for(|what| match what {
            What::DeviceChanged { direction, device, change }
                if direction == wanted && change == why =>
            {
                Some(device.as_ref().map(|device| device.id.clone()))
            }
            _ => None,
        })
    }

    pub(crate) fn stats(&mut self) -> CallReport {
        self.type_line("stats");
        self.wait_for(|what| match what {
            What::Stats(stats) => Some(stats.clone()),
            What::Error { message } => panic!("{message}"),
            _ => None,
        })
    }

    /// The microphone and the loudspeaker in use.
    pub(crate) fn cards(&mut self) -> [Option<CardReport>; 2] {
        self.type_line("devices");
        self.wait_for(|what| match what {
            What::Devices { microphone, loudspeaker, .. } => {
                Some([microphone.clone(), loudspeaker.clone()])
            }
            _ => None,
        })
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.program.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.program.child.id()
    }
}

/// Two peers in a call.
pub(crate) struct CallInLab {
    pub(crate) alice: Peer,
    pub(crate) bob: Peer,
    _tracker: Tracker,
}

impl CallInLab {
    /// Alice has the cards of side a, Bob those of side b; `more` goes to both command lines.
    pub(crate) fn start(lab: &Lab, more: &[&str]) -> CallInLab {
        CallInLab::between(lab, ("a", "b"), more)
    }

    pub(crate) fn between(lab: &Lab, sides: (&str, &str), more: &[&str]) -> CallInLab {
        let side = |side| Some(side).filter(|side: &&str| !side.is_empty());
        let tracker = Tracker::start(lab);
        let answers = [more, &["--auto-answer"]].concat();
        let bob = Peer::start(lab, &tracker, "bob", side(sides.1), &answers);
        let mut alice = Peer::start(lab, &tracker, "alice", side(sides.0), more);
        alice.type_line("call bob");
        alice.wait_for(|what| matches!(what, What::Connected { .. }).then_some(()));
        CallInLab { alice, bob, _tracker: tracker }
    }
}
