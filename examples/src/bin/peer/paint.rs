//! Colours, when there is somebody to see them, and text that leaves the terminal as it is.

use std::env;
use std::fmt::Write;
use std::io::{IsTerminal, stdout};

use clap::ValueEnum;

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless the variable NO_COLOR is set.
    Auto,
    /// Also into a file or a pipe.
    Always,
    /// Not at all.
    Never,
}

/// What a part of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Name,
    Aside,
    Good,
    Bad,
}

/// Puts colours on, or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    is_on: bool,
}

impl Paint {
    pub(crate) fn new(color: Color) -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_on = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
                stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
            }
        };
        Paint { is_on }
    }

    pub(crate) fn with(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Name => "1;36",
            Ink::Aside => "2",
            Ink::Good => "32",
            Ink::Bad => "31",
        };
        if self.is_on && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The text with all that might steer a terminal, or move other characters about, written out. Lines stay lines.
pub(crate) fn tame(text: &str) -> String {
    let mut tame = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => tame.push('\n'),
            '\u{2028}' | '\u{2029}' => tame.push('\n'),
            '\t' => tame.push_str("    "),
            _ if c.is_control() || is_direction(c) => {
                let _ = write!(tame, "<U+{:04X}>", u32::from(c));
            }
            _ => tame.push(c),
        }
    }
    tame
}

/// What somebody else wrote: no line but the first can be taken for one of this program's own.
pub(crate) fn quoted(text: &str) -> String {
    tame(text).replace('\n', "\n    | ")
}

/// Marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX #9).
fn is_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(tame("a\x1b[2Jb\u{9b}31m\x07\r"), "a<U+001B>[2Jb<U+009B>31m<U+0007><U+000D>");
        assert_eq!(tame("\u{202e}drow\u{2069}"), "<U+202E>drow<U+2069>");
        assert_eq!(
            tame("Ana María 小林 👩\u{200d}💻\tשלום"),
            "Ana María 小林 👩\u{200d}💻    שלום"
        );
        assert_eq!(quoted("one\ntwo\u{2028}bob: three"), "one\n    | two\n    | bob: three");
    }

    #[test]
    fn colours_can_be_switched_off() {
        assert_eq!(Paint::new(Color::Never).with(Ink::Bad, "no"), "no");
        assert_eq!(Paint::new(Color::Always).with(Ink::Bad, "no"), "\x1b[31mno\x1b[0m");
    }
}
