//! The line that is being typed: edited and completed by rustyline, on a thread of its own, while other lines come.
//!
//! What is shown goes through a thread, too: rustyline's printer waits for the editor, and nobody else should. It also hands
//! the next prompt on, so that all that was shown before stands above it.

use std::borrow::Cow;
use std::io::{IsTerminal, stdin, stdout};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter, Helper};
use voip_examples::command::HELP;

use crate::paint::{Ink, Paint};
use crate::people::{People, Shared};
use crate::phone::Happening;

/// How long the last lines may take to be shown.
const LAST_LINES: Duration = Duration::from_millis(500);

type LineEditor = Editor<Completion, MemHistory>;

enum Shown {
    Line(String),
    Prompt(String),
    /// Is answered when all before it was shown.
    Last(Sender<()>),
}

/// A terminal at which somebody types. It is left as it was found.
pub(crate) struct Terminal {
    shown: Sender<Shown>,
    #[cfg(unix)]
    found: Option<nix::sys::termios::Termios>,
}

/// What has been typed comes from here.
pub(crate) struct Typing {
    editor: LineEditor,
    prompts: Receiver<String>,
}

impl Terminal {
    /// `None` unless somebody types and reads here.
    pub(crate) fn new(people: Shared, paint: Paint) -> Option<(Terminal, Typing)> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return None;
        }
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .auto_add_history(true)
            .bracketed_paste(true)
            .build();
        let mut editor =
            LineEditor::with_history(config.clone(), MemHistory::with_config(&config)).ok()?;
        editor.set_helper(Some(Completion { people, paint }));
        let mut printer = editor.create_external_printer().ok()?;
        let (shown, lines) = channel();
        let (next, prompts) = channel();
        thread::spawn(move || {
            for shown in lines {
                match shown {
                    // Nobody is told of a terminal that is gone: the call goes on.
                    Shown::Line(line) => drop(printer.print(line)),
                    Shown::Prompt(prompt) => drop(next.send(prompt)),
                    Shown::Last(done) => drop(done.send(())),
                }
            }
        });
        let terminal = Terminal {
            shown,
            #[cfg(unix)]
            found: nix::sys::termios::tcgetattr(stdin()).ok(),
        };
        Some((terminal, Typing { editor, prompts }))
    }

    pub(crate) fn show(&self, text: &str) {
        let _ = self.shown.send(Shown::Line(format!("{text}\n")));
    }

    /// The next line may be typed.
    pub(crate) fn prompt(&self, prompt: String) {
        let _ = self.shown.send(Shown::Prompt(prompt));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let (done, shown) = channel();
        let _ = self.shown.send(Shown::Last(done));
        let _ = shown.recv_timeout(LAST_LINES);
        // The editor may be in the middle of a line.
        #[cfg(unix)]
        if let Some(found) = &self.found {
            use nix::sys::termios::{SetArg, tcsetattr};
            let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, found);
        }
    }
}

impl Typing {
    /// Reads a line for each prompt, until the program wants no more.
    pub(crate) fn read(mut self, sender: &Sender<Happening>) {
        for prompt in &self.prompts {
            let happening = match self.editor.readline(&prompt) {
                Ok(line) => Happening::Typed(line),
                Err(ReadlineError::Interrupted) => Happening::Stop,
                Err(_) => Happening::InputEnded,
            };
            let goes_on = matches!(happening, Happening::Typed(_));
            if sender.send(happening).is_err() || !goes_on {
                return;
            }
        }
    }
}

/// Completes commands, names and rooms.
struct Completion {
    people: Shared,
    paint: Paint,
}

impl Helper for Completion {}
impl Validator for Completion {}
impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        _default: bool,
    ) -> Cow<'b, str> {
        Cow::Owned(self.paint.with(Ink::Aside, prompt))
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete(line.get(..pos).unwrap_or(line), &self.people.lock()))
    }
}

/// Where the word begins that is being typed, and what it may become.
fn complete(typed: &str, people: &People) -> (usize, Vec<String>) {
    let rooms = |sign: &str| people.rooms().iter().map(|r| format!("{sign}{r}")).collect();
    let Some((command, rest)) = typed.split_once(' ') else {
        let words = HELP.lines().flat_map(|line| line.get(..14).unwrap_or(line).split(", "));
        let words = words.filter_map(|word| word.split_whitespace().next());
        return (0, fitting(typed, words.map(|word| format!("{word} ")).collect()));
    };
    let all: Vec<String> = match command {
        "msg" => people.labels().into_iter().map(|label| format!("{label} ")).collect(),
        "call" | "verified" | "accept" | "block" | "unblock" => people.labels(),
        "room" => rooms(""),
        "history" => {
            let others = people.labels().into_iter().chain(["all".to_owned()]);
            rooms("#").into_iter().chain(others).collect()
        }
        _ => return (typed.len(), Vec::new()),
    };
    (command.len() + 1, fitting(rest, all))
}

fn fitting(typed: &str, all: Vec<String>) -> Vec<String> {
    all.into_iter().filter(|word| word.starts_with(typed)).collect()
}

#[cfg(test)]
mod tests {
    use voip_core::PeerId;

    use super::*;

    #[test]
    fn commands_names_and_rooms_are_completed() {
        let mut people = People::default();
        people.meet(PeerId([1; 32]), "bob");
        people.meet(PeerId([2; 32]), "bert");
        people.note_room("dev");
        let of = |typed: &str| complete(typed, &people);
        assert_eq!(of("ro"), (0, vec!["room ".into(), "rooms ".into()]));
        assert_eq!(of("unm"), (0, vec!["unmute ".into()]));
        assert_eq!(of("msg bo"), (4, vec!["bob ".into()]));
        assert_eq!(of("call b"), (5, vec!["bert".into(), "bob".into()]));
        assert_eq!(of("room d"), (5, vec!["dev".into()]));
        assert_eq!(of("history "), (8, ["#dev", "bert", "bob", "all"].map(String::from).into()));
        assert_eq!(of("send bo"), (7, vec![]));
    }
}
