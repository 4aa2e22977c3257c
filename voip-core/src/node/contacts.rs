//! Who is who to the user of a node: names pinned to keys, contacts, the blocked; and the number by
//! which two people compare their keys.

use super::{Node, builder};
use crate::engine::Command;
use crate::error::{Error, ErrorKind};
use crate::event::{Contact, ContactState};
use crate::id::PeerId;
use crate::identity::pins::{PinChange, Pins};
use crate::identity::verification::safety_number;

/// The names that the engine has pinned, as the user sees them: with all that the user has changed,
/// though the engine may not have come to it yet.
pub(super) struct Contacts {
    pins: Pins,
    /// How many changes were sent to the engine.
    changes: u64,
}

impl Contacts {
    pub(super) fn new(pins: Pins) -> Contacts {
        Contacts { pins, changes: 0 }
    }

    /// The engine has these now, after so many changes: if it has come to all of them, they count.
    pub(super) fn follow(&mut self, pins: &Pins, changes: u64) {
        if changes == self.changes {
            self.pins.clone_from(pins);
        }
    }
}

impl Node {
    /// All whose names are pinned to keys, by name: with an identity file whoever was in a call under a
    /// name, and in any case whom [`Node::set_contact`] was told of.
    pub fn contacts(&self) -> Vec<Contact> {
        self.inner.contacts.lock().pins.contacts()
    }

    /// Says what the owner of `name`, whose key is `id`, is to the user, and pins the name to the key
    /// whatever it was pinned to before. It is kept where the pinned names are.
    ///
    /// [`ContactState::Blocked`]: a call with that key ends, and later ones are refused unheard, under any
    /// name, as are those of other keys under this name. No event tells of them;
    /// [`NodeStats::signals_dropped`](crate::NodeStats::signals_dropped) counts. The caller
    /// is told what all are told whose calls nobody answers: that it rings, or that this node is in another call
    /// if it is, and in the end that nobody came. The user may still call whom they have blocked.
    /// [`ContactState::Seen`] takes that, or that they were a contact, back.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no name, [`ErrorKind::InvalidState`] when 65,536
    /// names are pinned, [`ErrorKind::Closed`].
    pub fn set_contact(&self, name: &str, id: PeerId, state: ContactState) -> Result<(), Error> {
        self.change_pins(name, PinChange::Contact(id, state))
    }

    /// Forgets `name` and what its owner was: the next key that uses it is taken for theirs. Nothing
    /// happens if it is not pinned.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no name, [`ErrorKind::Closed`].
    pub fn forget_contact(&self, name: &str) -> Result<(), Error> {
        self.change_pins(name, PinChange::Forget)
    }

    /// Accepts that `name` now belongs to another key, as
    /// [`Event::KeyChanged`](crate::Event::KeyChanged) offered it. Ask the person over another way
    /// first. Its owner stays a contact, or blocked; but is not verified any more.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no name, [`ErrorKind::InvalidState`] when 65,536
    /// names are pinned, [`ErrorKind::Closed`].
    pub fn accept_key(&self, name: &str, id: PeerId) -> Result<(), Error> {
        self.change_pins(name, PinChange::Key(id))
    }

    /// The number that this node's key and the key `id` have in common: 60 digits, twelve groups of five
    /// with a space between. Two people who read it out to each other, or compare it in any other way that
    /// nobody can forge, know that each has the other's key; it is the same for every call. It
    /// takes some milliseconds to compute.
    pub fn safety_number(&self, id: PeerId) -> String {
        safety_number(self.id, id)
    }

    fn change_pins(&self, name: &str, change: PinChange) -> Result<(), Error> {
        builder::check("name", name)?;
        self.check_process()?;
        let mut contacts = self.inner.contacts.lock();
        contacts
            .pins
            .change(name, &change)
            .map_err(|full| Error::new(ErrorKind::InvalidState, full.to_string()))?;
        contacts.changes += 1;
        // Under the lock, so that the changes arrive in the order of their numbers.
        let number = contacts.changes;
        self.send(Command::ChangePins { name: name.to_owned(), change, number })
    }
}
