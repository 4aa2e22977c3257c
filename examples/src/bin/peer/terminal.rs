//! A terminal at which somebody types while other lines come: what is being typed stands below them, whole.

use std::io::{IsTerminal, Read, Write, stdin, stdout};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use parking_lot::Mutex;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use voip_examples::command::HELP;

use crate::editor::{Did, Editor};
use crate::paint::{Ink, Paint};
use crate::people::{People, Shared};
use crate::phone::Happening;

/// Columns of a terminal that does not say how many it has.
const USUAL_COLUMNS: usize = 80;
/// Pastes are marked, so that their line breaks can be told from Enter; and not marked.
const MARK_PASTES: &str = "\x1b[?2004h";
const LEAVE_PASTES: &str = "\x1b[?2004l";

/// The terminal. It is left as it was found.
pub(crate) struct Terminal {
    below: Arc<Mutex<Below>>,
    found: Termios,
}

/// The line at the bottom.
struct Below {
    prompt: String,
    editor: Editor,
    paint: Paint,
    /// Nothing is typed any more.
    is_over: bool,
}

/// What has been typed comes from here.
pub(crate) struct Typing {
    below: Arc<Mutex<Below>>,
    people: Shared,
}

impl Terminal {
    /// `None` unless somebody types and reads here.
    pub(crate) fn new(people: Shared, paint: Paint) -> Option<(Terminal, Typing)> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return None;
        }
        let found = tcgetattr(stdin()).ok()?;
        let mut wanted = found.clone();
        // Each key at once and none shown; Ctrl+C and Ctrl+Z stay what they are.
        wanted.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
        wanted.special_codes[SpecialCodeIndex::VMIN] = 1;
        wanted.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Drain, &wanted).ok()?;
        write(MARK_PASTES);
        let (prompt, editor) = (String::new(), Editor::default());
        let below = Arc::new(Mutex::new(Below { prompt, editor, paint, is_over: false }));
        let typing = Typing { below: below.clone(), people };
        Some((Terminal { below, found }, typing))
    }

    pub(crate) fn show(&self, text: &str) {
        self.below.lock().show(text);
    }

    pub(crate) fn prompt(&self, prompt: String) {
        let mut below = self.below.lock();
        if below.prompt != prompt {
            below.prompt = prompt;
            below.draw();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut below = self.below.lock();
        below.is_over = true;
        write(&format!("\r\x1b[K{LEAVE_PASTES}"));
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &self.found);
    }
}

impl Below {
    /// Puts a text, of a line or more, above the one that is being typed.
    fn show(&self, text: &str) {
        write(&format!("\r\x1b[K{text}\n"));
        self.draw();
    }

    fn draw(&self) {
        if self.is_over || self.prompt.is_empty() {
            return;
        }
        let columns = tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { USUAL_COLUMNS } else { columns };
        let (line, column) = self.editor.view(&self.prompt, columns);
        let typed = line.strip_prefix(&self.prompt).unwrap_or_default();
        let prompt = self.paint.with(Ink::Aside, &self.prompt);
        let right = if column > 0 { format!("\x1b[{column}C") } else { String::new() };
        write(&format!("\r\x1b[K{prompt}{typed}\r{right}"));
    }
}

impl Typing {
    /// Reads lines until the program or the terminal is gone.
    pub(crate) fn read(self, sender: &Sender<Happening>) {
        let mut bytes = [0; 256];
        let mut stdin = stdin().lock();
        while let Ok(count @ 1..) = stdin.read(&mut bytes) {
            for byte in &bytes[..count] {
                let happening = match self.key(*byte) {
                    Did::Line(line) => Happening::Typed(line),
                    Did::End => Happening::InputEnded,
                    _ => continue,
                };
                let is_end = matches!(happening, Happening::InputEnded);
                if sender.send(happening).is_err() || is_end {
                    return;
                }
            }
        }
        let _ = sender.send(Happening::InputEnded);
    }

    fn key(&self, byte: u8) -> Did {
        let mut below = self.below.lock();
        let complete = |typed: &str| complete(typed, &self.people.lock());
        let did = below.editor.handle(byte, &complete);
        match &did {
            Did::Nothing => {}
            Did::Edited => below.draw(),
            Did::Line(line) => {
                let prompt = below.paint.with(Ink::Aside, &below.prompt);
                below.show(&format!("{prompt}{}", line.replace('\n', "⏎")));
            }
            Did::Choices(choices) => {
                let choices: Vec<_> = choices.iter().map(|choice| choice.trim_end()).collect();
                below.show(&choices.join("   "));
            }
            Did::End => below.is_over = true,
        }
        did
    }
}

/// A terminal that is gone ends nothing: the call goes on.
fn write(text: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
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
