//! Programs that run side by side, each with a time limit.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Longer than anything takes that is not meant to take long.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Longer than valgrind and a thousand calls take.
const LONG: Duration = Duration::from_secs(900);

/// A program under way, and what it has said.
pub(crate) struct Person {
    child: Child,
    output: BufReader<ChildStdout>,
    said: String,
    limit: Duration,
}

impl Person {
    /// What it reads, if it was started with a pipe for it.
    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Gives it more time.
    pub(crate) fn patient(mut self) -> Person {
        self.limit = LONG;
        self
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // Of a test that has failed; otherwise it is over.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn start(mut program: Command, arguments: &[&str]) -> Person {
    let mut child =
        program.args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    Person { child, output, said: String::new(), limit: LIMIT }
}

/// Waits for a line that has this word.
pub(crate) fn say_until(person: Person, word: &'static str) -> Person {
    within_limit(person, move |person| {
        while !person.said.contains(word) {
            let count = person.output.read_line(&mut person.said).unwrap();
            assert!(count > 0, "it ended before {word:?}: {}", person.said);
        }
    })
}

/// Waits for its end; all that it said.
pub(crate) fn finish(person: Person) -> String {
    let mut person = within_limit(person, |person| {
        person.output.read_to_string(&mut person.said).unwrap();
        let status = person.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", person.said);
    });
    std::mem::take(&mut person.said)
}

#[allow(clippy::disallowed_methods, reason = "a program that hangs must not hang its test")]
fn within_limit(mut person: Person, wait: impl FnOnce(&mut Person) + Send + 'static) -> Person {
    let (process, limit) = (person.child.id(), person.limit);
    let (done, result) = channel();
    let thread = thread::spawn(move || {
        wait(&mut person);
        let _ = done.send(());
        person
    });
    if result.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        // Its output ends with it, and with that the thread.
        let _ = Command::new("kill").arg(process.to_string()).status();
        let person = thread.join();
        panic!("too slow: {:?}", person.map(|person| person.said.clone()).unwrap_or_default());
    }
    match thread.join() {
        Ok(person) => person,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
