//! Who and which rooms are known by name: for the screen, for completion, and to find whom somebody means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use voip_core::PeerId;

/// Names remembered: strangers may come and go without end.
const MAX_KNOWN: usize = 10_000;
/// Rooms remembered.
const MAX_ROOMS: usize = 1_000;
/// The longest thing that names somebody: a name, `#` and a key, in bytes.
const MAX_TYPED: usize = 64 + 1 + 64;
/// Digits of a key that tell two of one name apart, at least.
const DIGITS: usize = 4;

/// Shared with what completes words.
pub(crate) type Shared = Arc<Mutex<People>>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct People {
    names: BTreeMap<PeerId, String>,
    rooms: BTreeSet<String>,
}

impl People {
    pub(crate) fn meet(&mut self, id: PeerId, name: &str) {
        if self.names.len() < MAX_KNOWN || self.names.contains_key(&id) {
            self.names.insert(id, name.to_owned());
        }
    }

    pub(crate) fn note_room(&mut self, room: &str) {
        if self.rooms.len() < MAX_ROOMS && !self.rooms.contains(room) {
            self.rooms.insert(room.to_owned());
        }
    }

    pub(crate) fn rooms(&self) -> &BTreeSet<String> {
        &self.rooms
    }

    /// What to type for each of them.
    pub(crate) fn labels(&self) -> Vec<String> {
        let mut labels: Vec<_> = self.names.iter().map(|(id, n)| self.label(*id, n)).collect();
        labels.sort_unstable();
        labels
    }

    /// The name of a key; the first digits of it if it was never told.
    pub(crate) fn name(&self, id: PeerId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.short())
    }

    /// The name of somebody for whom `typed` stands: without the digits behind it.
    pub(crate) fn without_digits(&self, id: PeerId, typed: &str) -> String {
        let name = self.names.get(&id).filter(|name| typed.starts_with(&format!("{name}#")));
        name.cloned().unwrap_or_else(|| typed.to_owned())
    }

    /// The name, with some digits of the key behind it if others have that name, too.
    pub(crate) fn label(&self, id: PeerId, name: &str) -> String {
        let key = id.to_string();
        let namesakes = self.names.iter().filter(|(other, n)| **other != id && *n == name);
        let shared = namesakes.map(|(other, _)| {
            let other = other.to_string();
            key.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
        });
        match shared.max() {
            Some(alike) => format!("{name}#{}", &key[..(alike + 1).clamp(DIGITS, key.len())]),
            None => name.to_owned(),
        }
    }

    /// Whom somebody means who types `NAME`, `NAME#DIGITS` or a key.
    pub(crate) fn find(&self, typed: &str) -> Result<PeerId, String> {
        if let Ok(id) = typed.parse() {
            return Ok(id);
        }
        let with_digits = typed.rsplit_once('#').filter(|(name, digits)| {
            !name.is_empty() && !digits.is_empty() && !self.names.values().any(|n| n == typed)
        });
        let (name, digits) = with_digits.unwrap_or((typed, ""));
        let digits = digits.to_lowercase();
        let fits = |(id, n): &(&PeerId, &String)| *n == name && id.to_string().starts_with(&digits);
        let found: Vec<PeerId> = self.names.iter().filter(fits).map(|(id, _)| *id).collect();
        match found[..] {
            [id] => Ok(id),
            [] => Err(format!("nobody called {typed} is known here")),
            _ => {
                let labels: Vec<_> = found.iter().map(|id| self.label(*id, name)).collect();
                Err(format!("more than one is called {typed}; say which: {}", labels.join(" or ")))
            }
        }
    }

    /// Whom a text is for, and the text: names may have spaces, so that the longest one that is known counts.
    pub(crate) fn part<'a>(&self, typed: &'a str) -> Result<(PeerId, &'a str), String> {
        let spaces = typed.char_indices().filter(|(_, c)| c.is_whitespace());
        let ends: Vec<usize> = spaces.map(|(at, _)| at).take_while(|at| *at <= MAX_TYPED).collect();
        let known = ends.iter().rev().find(|at| self.is_known(&typed[..**at]));
        let at = *known.or(ends.first()).ok_or("who and what? Type: msg NAME TEXT")?;
        Ok((self.find(&typed[..at])?, typed[at..].trim_start()))
    }

    fn is_known(&self, typed: &str) -> bool {
        let (name, _) = typed.rsplit_once('#').unwrap_or((typed, ""));
        self.find(typed).is_ok() || self.names.values().any(|n| n == typed || n == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(first: u8, second: u8) -> PeerId {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&[first, second]);
        PeerId(key)
    }

    fn people() -> People {
        let mut people = People::default();
        for (key, name) in [
            (id(0x1a, 0x2b), "bob"),
            (id(0x1a, 0x2c), "bob"),
            (id(3, 0), "Jean Paul"),
            (id(4, 0), "Jean"),
            (id(5, 0), "#1"),
        ] {
            people.meet(key, name);
        }
        people
    }

    #[test]
    fn namesakes_are_told_apart_by_digits() {
        let people = people();
        assert_eq!(people.label(id(3, 0), "Jean Paul"), "Jean Paul");
        assert_eq!(people.label(id(0x1a, 0x2b), "bob"), "bob#1a2b");
        assert_eq!(people.find("bob#1A2C"), Ok(id(0x1a, 0x2c)));
        assert_eq!(people.find("#1"), Ok(id(5, 0)));
        let why = "more than one is called bob; say which: bob#1a2b or bob#1a2c";
        assert_eq!(people.find("bob"), Err(why.into()));
        assert_eq!(people.find("zoe"), Err("nobody called zoe is known here".into()));
        assert_eq!(people.find(&id(9, 9).to_string()), Ok(id(9, 9)));
    }

    #[test]
    fn the_longest_name_counts() {
        let people = people();
        assert_eq!(people.part("Jean Paul  hello there"), Ok((id(3, 0), "hello there")));
        assert_eq!(people.part("Jean hello"), Ok((id(4, 0), "hello")));
        assert_eq!(people.part("bob#1a2b hi"), Ok((id(0x1a, 0x2b), "hi")));
        assert!(people.part("bob hi").unwrap_err().starts_with("more than one is called bob"));
        assert_eq!(people.part("zoe a b"), Err("nobody called zoe is known here".into()));
    }
}
