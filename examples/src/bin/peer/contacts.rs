//! Who is who: the commands `verify`, `verified`, `contacts`, `accept`, `block` and `unblock`.

use voip_core::{Contact, ContactState, PeerId};
use voip_examples::line::{Known, What};

use crate::phone::Phone;

impl Phone<'_, '_> {
    /// What the two of a call compare.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let peer = self.call.as_ref().ok_or("there is no call")?;
        let words = peer.verification_words().map(|words| words.join(" "));
        let peer = peer.peer();
        let id = peer.id.ok_or("it is not known yet whose call this is")?;
        let safety_number = self.node.safety_number(id);
        self.screen.show(&What::Verification { name: peer.name, words, safety_number });
        Ok(())
    }

    pub(crate) fn list_contacts(&self) {
        let contacts = self.node.contacts().iter().map(Known::from).collect();
        self.screen.show(&What::Contacts { contacts });
    }

    /// Takes somebody as a contact, with the key that the name came with last.
    pub(crate) fn accept(&mut self, name: &str) -> Result<(), String> {
        let key = match self.offered.remove(name) {
            Some(offered) => offered,
            None => self.key_of(name)?,
        };
        let verified = |c: Contact| c.id == key && c.state == ContactState::Verified;
        if self.known(name).is_some_and(verified) {
            return Err(format!("{name} is a contact already, and verified"));
        }
        self.set_contact(name, key, ContactState::Accepted)
    }

    pub(crate) fn verified(&self, name: &str) -> Result<(), String> {
        self.set_contact(name, self.key_of(name)?, ContactState::Verified)
    }

    pub(crate) fn block(&self, name: &str) -> Result<(), String> {
        self.set_contact(name, self.key_of(name)?, ContactState::Blocked)
    }

    pub(crate) fn unblock(&self, name: &str) -> Result<(), String> {
        let blocked = self.known(name).filter(|c| c.state == ContactState::Blocked);
        let blocked = blocked.ok_or_else(|| format!("{name} is not blocked"))?;
        self.set_contact(name, blocked.id, ContactState::Seen)
    }

    fn set_contact(&self, name: &str, id: PeerId, state: ContactState) -> Result<(), String> {
        let name = &self.people.lock().without_digits(id, name);
        self.node.set_contact(name, id, state).map_err(|e| e.to_string())?;
        let word = Known::word(state);
        self.screen.say(&format!("{name} ({}) is {word}", id.short()));
        Ok(())
    }

    fn known(&self, name: &str) -> Option<Contact> {
        self.node.contacts().into_iter().find(|c| c.name == name)
    }

    /// The key of a name that is pinned, or was in the last call.
    fn key_of(&self, name: &str) -> Result<PeerId, String> {
        let of_last = || self.last.as_ref().filter(|(last, _)| last == name).map(|(_, id)| *id);
        let key = self.known(name).map(|c| c.id).or_else(of_last);
        // Whoever wrote and never called, too.
        let met = || self.people.lock().find(name).ok().filter(|_| self.is_in_mesh);
        let key = key.or_else(met);
        key.ok_or_else(|| format!("nobody called {name} has been in a call with you"))
    }
}
