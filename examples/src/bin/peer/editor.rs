//! The line that is being typed: keys in, the line out. Nothing here knows a terminal.

use std::iter::once;

use unicode_width::UnicodeWidthChar;

/// Lines that come back with the arrow keys.
const MAX_PAST: usize = 500;
/// The longest line, in characters; more is not taken.
const MAX_LINE: usize = 16 * 1024;
/// No key says more than that.
const MAX_ESCAPE: usize = 16;

/// What becomes of a byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// Nothing to see.
    Nothing,
    /// The line looks otherwise.
    Edited,
    /// It is done.
    Line(String),
    /// There will be no more lines.
    End,
    /// The word that is being typed may become any of these.
    Choices(Vec<String>),
}

/// Where the word begins that is being typed, and what it may become.
pub(crate) type Complete<'a> = dyn Fn(&str) -> (usize, Vec<String>) + 'a;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    line: Vec<char>,
    at: usize,
    past: Vec<String>,
    /// Which of those is in the line now, and what was in it before.
    recalled: Option<usize>,
    draft: Vec<char>,
    /// Bytes of a character or of a key that is not complete.
    pending: Vec<u8>,
    /// Line breaks are part of what is being pasted.
    is_pasting: bool,
}

impl Editor {
    /// A byte was typed.
    pub(crate) fn handle(&mut self, byte: u8, complete: &Complete<'_>) -> Did {
        self.pending.push(byte);
        if self.pending[0] == 0x1b {
            return self.escape();
        }
        let c = match std::str::from_utf8(&self.pending) {
            Ok(text) => text.chars().next().unwrap_or_default(),
            Err(error) if error.error_len().is_none() => return Did::Nothing,
            Err(_) => char::REPLACEMENT_CHARACTER,
        };
        self.pending.clear();
        self.key(c, complete)
    }

    /// What a line of so many columns shows of it behind the prompt, and in which column the cursor stands.
    pub(crate) fn view(&self, prompt: &str, columns: usize) -> (String, usize) {
        let prompt_width: usize = prompt.chars().map(width).sum();
        let room = columns.saturating_sub(prompt_width + 1).max(8);
        let mut start = self.at;
        let mut before = 0;
        while start > 0 && before + width(self.line[start - 1]) < room {
            start -= 1;
            before += width(self.line[start]);
        }
        let (mut shown, mut used) = (String::from(prompt), 0);
        for c in &self.line[start..] {
            used += width(*c);
            if used > room {
                break;
            }
            shown.push(visible(*c));
        }
        (shown, prompt_width + before)
    }

    fn key(&mut self, c: char, complete: &Complete<'_>) -> Did {
        match c {
            '\r' | '\n' if self.is_pasting => self.insert('\n'),
            '\t' if self.is_pasting => self.insert('\t'),
            '\r' | '\n' => return self.enter(),
            '\t' => return self.complete(complete),
            '\x01' => self.at = 0,
            '\x05' => self.at = self.line.len(),
            '\x02' => self.at = self.at.saturating_sub(1),
            '\x06' => self.at = (self.at + 1).min(self.line.len()),
            '\x04' if self.line.is_empty() => return Did::End,
            '\x04' => self.delete(self.at, self.at + 1),
            '\x08' | '\x7f' => self.delete(self.at.saturating_sub(1), self.at),
            '\x0b' => self.line.truncate(self.at),
            '\x15' => self.delete(0, self.at),
            '\x17' => self.delete(self.word_before(), self.at),
            '\x10' => self.recall(true),
            '\x0e' => self.recall(false),
            // To draw it anew.
            '\x0c' => {}
            c if c.is_control() => return Did::Nothing,
            c => self.insert(c),
        }
        Did::Edited
    }

    /// A key that sends several bytes, of which one more has come (ECMA-48 §5.4).
    fn escape(&mut self) -> Did {
        let is_done = match self.pending[..] {
            [_] | [_, b'[' | b'O'] => false,
            [_, b'[', .., last] => (0x40..=0x7e).contains(&last),
            _ => true,
        };
        if !is_done && self.pending.len() < MAX_ESCAPE {
            return Did::Nothing;
        }
        match &std::mem::take(&mut self.pending)[1..] {
            b"[A" | b"OA" => self.recall(true),
            b"[B" | b"OB" => self.recall(false),
            b"[C" | b"OC" => self.at = (self.at + 1).min(self.line.len()),
            b"[D" | b"OD" => self.at = self.at.saturating_sub(1),
            b"[H" | b"OH" | b"[1~" | b"[7~" => self.at = 0,
            b"[F" | b"OF" | b"[4~" | b"[8~" => self.at = self.line.len(),
            b"[3~" => self.delete(self.at, self.at + 1),
            b"[1;5D" | b"b" => self.at = self.word_before(),
            b"[1;5C" | b"f" => self.at = self.word_after(),
            b"[200~" => self.is_pasting = true,
            b"[201~" => self.is_pasting = false,
            _ => return Did::Nothing,
        }
        Did::Edited
    }

    fn insert(&mut self, c: char) {
        if self.line.len() < MAX_LINE {
            self.line.insert(self.at, c);
            self.at += 1;
        }
    }

    fn delete(&mut self, from: usize, to: usize) {
        self.line.drain(from..to.min(self.line.len()));
        self.at = from;
    }

    fn word_before(&self) -> usize {
        let before = &self.line[..self.at];
        let end = before.iter().rposition(|c| !c.is_whitespace()).map_or(0, |at| at + 1);
        before[..end].iter().rposition(|c| c.is_whitespace()).map_or(0, |at| at + 1)
    }

    fn word_after(&self) -> usize {
        let after = &self.line[self.at..];
        let start = after.iter().position(|c| !c.is_whitespace()).unwrap_or(after.len());
        let end = after[start..].iter().position(|c| c.is_whitespace());
        self.at + end.map_or(after.len(), |end| start + end)
    }

    fn enter(&mut self) -> Did {
        let line: String = self.line.drain(..).collect();
        (self.at, self.recalled) = (0, None);
        if !line.is_empty() && self.past.last() != Some(&line) {
            self.past.push(line.clone());
            let surplus = self.past.len().saturating_sub(MAX_PAST);
            self.past.drain(..surplus);
        }
        Did::Line(line)
    }

    /// Goes to an earlier line, or to a later one.
    fn recall(&mut self, earlier: bool) {
        let place = self.recalled.unwrap_or(self.past.len());
        let wanted = if earlier { place.checked_sub(1) } else { Some(place + 1) };
        let Some(wanted) = wanted.filter(|wanted| *wanted <= self.past.len()) else { return };
        if self.recalled.is_none() {
            self.draft = std::mem::take(&mut self.line);
        }
        (self.line, self.recalled) = match self.past.get(wanted) {
            Some(line) => (line.chars().collect(), Some(wanted)),
            None => (std::mem::take(&mut self.draft), None),
        };
        self.at = self.line.len();
    }

    fn complete(&mut self, complete: &Complete<'_>) -> Did {
        let typed: String = self.line[..self.at].iter().collect();
        let (start, choices) = complete(&typed);
        let word = typed.get(start..).unwrap_or_default();
        let Some(first) = choices.first() else { return Did::Nothing };
        let alike = choices.iter().fold(first.as_str(), |alike, choice| common(alike, choice));
        let more = alike.strip_prefix(word).unwrap_or_default().to_owned();
        if more.is_empty() && choices.len() > 1 {
            return Did::Choices(choices);
        }
        more.chars().for_each(|c| self.insert(c));
        Did::Edited
    }
}

/// The beginning that both have.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let ends = a.char_indices().map(|(at, _)| at).chain(once(a.len()));
    &a[..ends.take_while(|end| b.starts_with(&a[..*end])).last().unwrap_or(0)]
}

/// What stands for it on the screen.
fn visible(c: char) -> char {
    match c {
        '\n' => '⏎',
        c if c.is_control() => ' ',
        c => c,
    }
}

fn width(c: char) -> usize {
    visible(c).width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> (usize, Vec<String>) {
        (0, Vec::new())
    }

    fn typed(editor: &mut Editor, bytes: &str) -> Did {
        bytes.bytes().map(|byte| editor.handle(byte, &none)).last().unwrap_or(Did::Nothing)
    }

    fn line_of(bytes: &str) -> String {
        match typed(&mut Editor::default(), &format!("{bytes}\r")) {
            Did::Line(line) => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keys_edit_the_line() {
        for (keys, line) in [
            ("hello", "hello"),
            ("helo\x1b[Dl", "hello"),
            ("ello\x01h\x05!", "hello!"),
            ("hellx\x7fo", "hello"),
            ("one two  \x17three", "one three"),
            ("one two\x1bb\x0bthree", "one three"),
            ("one two\x01\x1b[3~\x1b[1;5CX", "neX two"),
            ("one\x15two", "two"),
            ("小é👩\x7f林\x1bOH\x1b[C!", "小!é林"),
            ("a\x1b[99;99Zb\x1b\x1bc\x07", "abc"),
        ] {
            assert_eq!(line_of(keys), line, "{keys:?}");
        }
    }

    #[test]
    fn a_paste_keeps_its_lines_and_does_nothing() {
        assert_eq!(line_of("send \x1b[200~one\r\ttwo\x1b[201~"), "send one\n\ttwo");
    }

    #[test]
    fn earlier_lines_come_back() {
        let mut editor = Editor::default();
        typed(&mut editor, "one\rtwo\rtwo\rthree");
        typed(&mut editor, "\x1b[A\x1b[A\x1b[A\x1b[A");
        assert_eq!(editor.view("", 80).0, "one");
        typed(&mut editor, "\x1b[B\x1b[B\x1b[B");
        assert_eq!(editor.view("", 80).0, "three");
        assert_eq!(typed(&mut editor, "\x0b\x15\x04"), Did::End);
    }

    #[test]
    fn what_is_shown_fits_and_has_the_cursor() {
        let mut editor = Editor::default();
        typed(&mut editor, "abcdefghijklmnop");
        assert_eq!(editor.view("> ", 13), ("> hijklmnop".into(), 11));
        typed(&mut editor, "\x01");
        assert_eq!(editor.view("> ", 13), ("> abcdefghij".into(), 2));
        typed(&mut editor, "小\x1b[D");
        assert_eq!(editor.view("> ", 13), ("> 小abcdefgh".into(), 2));
    }

    #[test]
    fn words_are_completed_as_far_as_they_are_alike() {
        let words = ["general", "gentle"].map(String::from);
        let complete = |typed: &str| {
            let start = typed.find(' ').map_or(0, |at| at + 1);
            let fit = words.iter().filter(|word| word.starts_with(&typed[start..]));
            (start, fit.cloned().collect())
        };
        let mut editor = Editor::default();
        typed(&mut editor, "room g");
        assert_eq!(editor.handle(b'\t', &complete), Did::Edited);
        assert_eq!(editor.view("", 80).0, "room gen");
        assert_eq!(editor.handle(b'\t', &complete), Did::Choices(words.to_vec()));
        typed(&mut editor, "t");
        editor.handle(b'\t', &complete);
        assert_eq!(editor.view("", 80).0, "room gentle");
    }
}
