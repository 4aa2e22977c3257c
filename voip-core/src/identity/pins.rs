//! Names pinned to keys on first use.
//!
//! A tracker says which key a name belongs to; the first time it is believed, from then on it is
//! compared. The list is kept as text beside the identity file:
//!
//! ```text
//! voip-pins 1
//! <64 hexadecimal digits> <name>
//! ```

use std::collections::BTreeMap;

use super::text::{BadText, lines};
use crate::id::PeerId;
use crate::wire::name::check_name;

/// The most names pinned.
pub(crate) const MAX_PINS: usize = 65_536;
/// The most bytes a file of pins has: every line of the greatest length, and comments.
pub(crate) const MAX_PINS_TEXT: u64 = 16 * 1024 * 1024;

const HEADING: &str = "voip-pins 1";

/// What the list says to a name and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// A name not seen before.
    New,
    /// The key it always had.
    Same,
    /// Another key than the one pinned.
    Changed {
        /// The one pinned.
        pinned: PeerId,
    },
}

/// The list is full; the name was not pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_PINS} names are pinned already")]
pub(crate) struct PinsFull;

/// Which key each name belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins {
    by_name: BTreeMap<String, PeerId>,
}

impl Pins {
    /// The key pinned for `name`.
    pub(crate) fn get(&self, name: &str) -> Option<PeerId> {
        self.by_name.get(name).copied()
    }

    /// Compares; changes nothing.
    pub(crate) fn check(&self, name: &str, id: PeerId) -> Pin {
        match self.get(name) {
            None => Pin::New,
            Some(pinned) if pinned == id => Pin::Same,
            Some(pinned) => Pin::Changed { pinned },
        }
    }

    /// Pins `name` to `id`, whatever it was pinned to before.
    pub(crate) fn accept(&mut self, name: &str, id: PeerId) -> Result<(), PinsFull> {
        if self.by_name.len() >= MAX_PINS && !self.by_name.contains_key(name) {
            return Err(PinsFull);
        }
        self.by_name.insert(name.to_owned(), id);
        Ok(())
    }

    /// The text of the file, in order of name.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEADING}\n");
        for (name, id) in &self.by_name {
            text.push_str(&format!("{id} {name}\n"));
        }
        text
    }

    /// Reads the text of the file. A line that makes no sense is an error, not left out: a lost pin
    /// would let the next key in unnoticed.
    pub(crate) fn from_text(text: &str) -> Result<Self, BadText> {
        let mut lines = lines(text);
        if lines.next().is_none_or(|(_, line)| line.trim_end() != HEADING) {
            return Err(BadText::NotPins);
        }
        let mut pins = Pins::default();
        for (number, line) in lines {
            let (name, id) = pin_in(line).ok_or(BadText::Line(number))?;
            if pins.by_name.contains_key(name) {
                return Err(BadText::Line(number));
            }
            pins.accept(name, id).map_err(|PinsFull| BadText::TooLong(MAX_PINS))?;
        }
        Ok(pins)
    }
}

fn pin_in(line: &str) -> Option<(&str, PeerId)> {
    let (id, name) = line.split_once(' ')?;
    check_name(name).ok()?;
    Some((name, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const ALICE: PeerId = PeerId([1; 32]);
    const MALLORY: PeerId = PeerId([6; 32]);

    fn pins() -> Pins {
        let mut pins = Pins::default();
        pins.accept("alice", ALICE).unwrap();
        pins.accept("#1 Ana María", PeerId([2; 32])).unwrap();
        pins
    }

    #[test]
    fn a_name_keeps_its_key_until_another_is_accepted() {
        let mut pins = pins();
        assert_eq!(pins.check("bob", MALLORY), Pin::New);
        assert_eq!(pins.check("alice", ALICE), Pin::Same);
        assert_eq!(pins.check("alice", MALLORY), Pin::Changed { pinned: ALICE });
        assert_eq!(
            pins.check("alice", MALLORY),
            Pin::Changed { pinned: ALICE },
            "asking pins nothing"
        );
        pins.accept("alice", MALLORY).unwrap();
        assert_eq!(pins.check("alice", MALLORY), Pin::Same);
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Pins::from_text(&pins().to_text()), Ok(pins()));
        assert_eq!(Pins::from_text(HEADING), Ok(Pins::default()));
    }

    #[test]
    fn a_damaged_file_is_an_error_that_says_where() {
        let text = pins().to_text();
        assert_eq!(Pins::from_text(""), Err(BadText::NotPins));
        assert_eq!(Pins::from_text(&text.replace("0101 a", "01 a")), Err(BadText::Line(3)));
        assert_eq!(Pins::from_text(&(text.clone() + &"01".repeat(32))), Err(BadText::Line(4)));
        let twice = format!("{text}{MALLORY} alice\n");
        assert_eq!(Pins::from_text(&twice), Err(BadText::Line(4)));
    }

    #[test]
    fn the_list_is_bounded() {
        let mut pins = Pins::default();
        for i in 0..MAX_PINS {
            pins.accept(&format!("n{i}"), ALICE).unwrap();
        }
        assert_eq!(pins.accept("one more", ALICE), Err(PinsFull));
        assert_eq!(pins.accept("n7", MALLORY), Ok(()));
        assert!((pins.to_text().len() as u64) < MAX_PINS_TEXT);
        let too_long = format!("{}{ALICE} one more\n", pins.to_text());
        assert_eq!(Pins::from_text(&too_long), Err(BadText::TooLong(MAX_PINS)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = Pins::from_text(&text);
            let _ = Pins::from_text(&format!("{HEADING}\n{text}"));
        }
    }
}
