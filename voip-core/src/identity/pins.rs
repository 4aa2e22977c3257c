//! Names pinned to keys on first use, and what their owners are to the user.
//!
//! A tracker says which key a name belongs to; the first time it is believed, from then on it is
//! compared. The list is kept as text beside the identity file:
//!
//! ```text
//! voip-pins 2
//! <64 hexadecimal digits> seen|accepted|verified|blocked <name>
//! ```
//! Version 1 had no such word: all names in it were `seen`.

use std::collections::BTreeMap;

use super::text::{BadText, lines};
use crate::event::{Contact, ContactState};
use crate::id::PeerId;
use crate::wire::name::check_name;

/// The most names pinned.
pub(crate) const MAX_PINS: usize = 65_536;
/// The most bytes a file of pins has: every line of the greatest length, and comments.
pub(crate) const MAX_PINS_TEXT: u64 = 16 * 1024 * 1024;

const HEADING: &str = "voip-pins 2";
const HEADING_1: &str = "voip-pins 1";

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

/// What the user wants of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PinChange {
    /// It belongs to this key now.
    Key(PeerId),
    /// It belongs to this key, and this is what its owner is to the user.
    Contact(PeerId, ContactState),
    /// It is as good as new.
    Forget,
}

/// Which key each name belongs to, and what its owner is to the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins {
    by_name: BTreeMap<String, (PeerId, ContactState)>,
}

impl Pins {
    /// The key pinned for `name`.
    pub(crate) fn get(&self, name: &str) -> Option<PeerId> {
        self.by_name.get(name).map(|(id, _)| *id)
    }

    /// Compares; changes nothing.
    pub(crate) fn check(&self, name: &str, id: PeerId) -> Pin {
        match self.get(name) {
            None => Pin::New,
            Some(pinned) if pinned == id => Pin::Same,
            Some(pinned) => Pin::Changed { pinned },
        }
    }

    /// Whether the user has blocked this key, or this name.
    pub(crate) fn is_blocked(&self, name: &str, id: PeerId) -> bool {
        let blocked = |state: ContactState| state == ContactState::Blocked;
        self.by_name.get(name).is_some_and(|(_, state)| blocked(*state))
            || self.by_name.values().any(|(key, state)| *key == id && blocked(*state))
    }

    /// Whether this key is that of a contact of the user's, whatever the name.
    pub(crate) fn is_contact(&self, id: PeerId) -> bool {
        let is_contact = |s| matches!(s, ContactState::Accepted | ContactState::Verified);
        self.by_name.values().any(|(key, state)| *key == id && is_contact(*state))
    }

    /// All of them, by name.
    pub(crate) fn contacts(&self) -> Vec<Contact> {
        let contact = |(name, (id, state)): (&String, &(PeerId, ContactState))| Contact {
            name: name.clone(),
            id: *id,
            state: *state,
        };
        self.by_name.iter().map(contact).collect()
    }

    /// Pins `name` to `id`, whatever it was pinned to before. Its owner stays what they were to the
    /// user; but another key is not verified.
    pub(crate) fn accept(&mut self, name: &str, id: PeerId) -> Result<(), PinsFull> {
        let state = match self.by_name.get(name) {
            None => ContactState::Seen,
            Some((pinned, ContactState::Verified)) if *pinned != id => ContactState::Accepted,
            Some((_, state)) => *state,
        };
        self.set(name, id, state)
    }

    /// Does what the user wants of `name`.
    pub(crate) fn change(&mut self, name: &str, change: &PinChange) -> Result<(), PinsFull> {
        match change {
            PinChange::Key(id) => self.accept(name, *id),
            PinChange::Contact(id, state) => self.set(name, *id, *state),
            PinChange::Forget => {
                self.by_name.remove(name);
                Ok(())
            }
        }
    }

    fn set(&mut self, name: &str, id: PeerId, state: ContactState) -> Result<(), PinsFull> {
        if self.by_name.len() >= MAX_PINS && !self.by_name.contains_key(name) {
            return Err(PinsFull);
        }
        self.by_name.insert(name.to_owned(), (id, state));
        Ok(())
    }

    /// The text of the file, in order of name.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEADING}\n");
        for (name, (id, state)) in &self.by_name {
            text.push_str(&format!("{id} {} {name}\n", word(*state)));
        }
        text
    }

    /// Reads the text of the file, of either version. A line that makes no sense is an error, not left
    /// out: a lost pin would let the next key in unnoticed.
    pub(crate) fn from_text(text: &str) -> Result<Self, BadText> {
        let mut lines = lines(text);
        let pin_in = match lines.next().map(|(_, line)| line.trim_end()) {
            Some(HEADING) => pin_in,
            Some(HEADING_1) => pin_in_1,
            _ => return Err(BadText::NotPins),
        };
        let mut pins = Pins::default();
        for (number, line) in lines {
            let (name, id, state) = pin_in(line).ok_or(BadText::Line(number))?;
            if pins.by_name.contains_key(name) {
                return Err(BadText::Line(number));
            }
            pins.set(name, id, state).map_err(|PinsFull| BadText::TooLong(MAX_PINS))?;
        }
        Ok(pins)
    }
}

fn pin_in(line: &str) -> Option<(&str, PeerId, ContactState)> {
    let (id, rest) = line.split_once(' ')?;
    let (state, name) = rest.split_once(' ')?;
    check_name(name).ok()?;
    Some((name, id.parse().ok()?, state_of(state)?))
}

fn pin_in_1(line: &str) -> Option<(&str, PeerId, ContactState)> {
    let (id, name) = line.split_once(' ')?;
    check_name(name).ok()?;
    Some((name, id.parse().ok()?, ContactState::Seen))
}

const STATES: [ContactState; 4] =
    [ContactState::Seen, ContactState::Accepted, ContactState::Verified, ContactState::Blocked];

fn state_of(of: &str) -> Option<ContactState> {
    STATES.into_iter().find(|state| word(*state) == of)
}

fn word(state: ContactState) -> &'static str {
    match state {
        ContactState::Seen => "seen",
        ContactState::Accepted => "accepted",
        ContactState::Verified => "verified",
        ContactState::Blocked => "blocked",
    }
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
    fn a_file_of_the_first_version_is_read() {
        let old = format!("voip-pins 1\n{} #1 Ana María\n{ALICE} alice\n", PeerId([2; 32]));
        assert_eq!(Pins::from_text(&old), Ok(pins()));
        let blocked = format!("voip-pins 1\n{ALICE} blocked alice\n");
        let read = Pins::from_text(&blocked).unwrap();
        assert_eq!(read.get("blocked alice"), Some(ALICE), "a name is a name");
    }

    #[test]
    fn a_key_is_blocked_under_every_name_and_a_name_under_every_key() {
        let mut pins = pins();
        let block = PinChange::Contact(ALICE, ContactState::Blocked);
        pins.change("alice", &block).unwrap();
        assert!(pins.is_blocked("alice", ALICE) && pins.is_blocked("al", ALICE));
        assert!(pins.is_blocked("alice", MALLORY) && !pins.is_blocked("bob", MALLORY));
        pins.change("al", &PinChange::Contact(ALICE, ContactState::Verified)).unwrap();
        assert!(pins.is_blocked("al", ALICE), "who is blocked is blocked");
        pins.change("alice", &PinChange::Forget).unwrap();
        assert!(!pins.is_blocked("al", ALICE) && pins.is_contact(ALICE));
        assert_eq!(pins.check("alice", MALLORY), Pin::New);
    }

    #[test]
    fn another_key_is_not_verified_and_still_a_contact_or_blocked() {
        let state_after = |state| {
            let mut pins = Pins::default();
            pins.change("bob", &PinChange::Contact(ALICE, state)).unwrap();
            pins.change("bob", &PinChange::Key(ALICE)).unwrap();
            assert_eq!(pins.contacts()[0].state, state, "the same key changes nothing");
            pins.change("bob", &PinChange::Key(MALLORY)).unwrap();
            assert_eq!(pins.get("bob"), Some(MALLORY));
            pins.contacts()[0].state
        };
        assert_eq!(state_after(ContactState::Seen), ContactState::Seen);
        assert_eq!(state_after(ContactState::Accepted), ContactState::Accepted);
        assert_eq!(state_after(ContactState::Verified), ContactState::Accepted);
        assert_eq!(state_after(ContactState::Blocked), ContactState::Blocked);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_says_where() {
        let text = pins().to_text();
        assert_eq!(Pins::from_text(""), Err(BadText::NotPins));
        assert_eq!(
            Pins::from_text(&text.replace("0101 seen a", "01 seen a")),
            Err(BadText::Line(3))
        );
        assert_eq!(Pins::from_text(&(text.clone() + &"01".repeat(32))), Err(BadText::Line(4)));
        assert_eq!(Pins::from_text(&text.replace("seen a", "heard a")), Err(BadText::Line(3)));
        let twice = format!("{text}{MALLORY} blocked alice\n");
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
        let too_long = format!("{}{ALICE} seen one more\n", pins.to_text());
        assert_eq!(Pins::from_text(&too_long), Err(BadText::TooLong(MAX_PINS)));
    }

    fn any_pins() -> impl Strategy<Value = Pins> {
        let name = "[^ \\p{C}\\p{Z}]{1,12}( [^ \\p{C}\\p{Z}]{1,4})?"
            .prop_filter("a name", |name| check_name(name).is_ok());
        let pin = (any::<[u8; 32]>().prop_map(PeerId), proptest::sample::select(&STATES[..]));
        proptest::collection::btree_map(name, pin, 0..20).prop_map(|by_name| Pins { by_name })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(pins in any_pins()) {
            prop_assert_eq!(Pins::from_text(&pins.to_text()), Ok(pins));
        }

        #[test]
        fn a_damaged_line_is_never_read_as_another_state_of_the_same_name(
            pins in any_pins(), at in any::<proptest::sample::Index>(), byte in 0x20_u8..0x7f
        ) {
            let text = pins.to_text();
            let at = at.index(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                let damaged = format!("{}{}{}", &text[..at], char::from(byte), &text[at + 1..]);
                let read = Pins::from_text(&damaged).unwrap_or_else(|_| pins.clone());
                for Contact { name, state, .. } in read.contacts() {
                    let before = pins.by_name.get(&name).map(|(_, state)| *state);
                    prop_assert!(before.is_none_or(|before| before == state), "{}", damaged);
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = Pins::from_text(&text);
            for heading in [HEADING, HEADING_1] {
                if let Ok(pins) = Pins::from_text(&format!("{heading}\n{text}")) {
                    prop_assert_eq!(Pins::from_text(&pins.to_text()), Ok(pins));
                }
            }
        }
    }
}
