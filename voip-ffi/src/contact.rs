//! # Contacts
//!
//! Who is who to the user of a node: names pinned to keys, contacts, the blocked; and the number by
//! which two people compare their keys. The words by which they check a call are in
//! `voip_call_verification_words`.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::str::FromStr;

use voip_core::{Contact, ContactState, PeerId};

use crate::convert::{Place, filled, inline, put_text, same_variants, text};
use crate::handle::{Opaque, get, put, take};
use crate::list::{count_of, element_of};
use crate::node::{VOIP_ID_SIZE, VOIP_NAME_SIZE, voip_node};
use crate::status::voip_status;
use crate::wall::guard;

/// Room for a safety number: twelve groups of five digits, the spaces between, and a zero.
pub const VOIP_SAFETY_NUMBER_SIZE: usize = 72;

/// What somebody whose name is known is to this node's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_contact_state {
    /// The name was used in a call, and is pinned to its key since.
    Seen = 0,
    /// The user's contact: may call though there is `voip_node_builder_contacts_only`, and learns this
    /// node's addresses while it rings, so that the answer is heard at once.
    Accepted = 1,
    /// A contact of whom the user knows that the key is theirs: words or safety numbers were
    /// compared.
    Verified = 2,
    /// Calls from this key, and from whoever goes by this name, are refused unheard.
    Blocked = 3,
}
same_variants!(
    ContactState, voip_contact_state, "voip_contact_state":
    Seen, Accepted, Verified, Blocked
);

/// Somebody whose name is pinned to a key.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_contact {
    /// In: sizeof(voip_contact).
    pub size: usize,
    /// The name.
    pub name: [c_char; VOIP_NAME_SIZE],
    /// The key it is pinned to, 64 hexadecimal digits.
    pub id: [c_char; VOIP_ID_SIZE],
    /// What they are to the user.
    pub state: voip_contact_state,
}

filled!(voip_contact, state, state);

impl From<&Contact> for voip_contact {
    fn from(contact: &Contact) -> voip_contact {
        voip_contact {
            size: size_of::<voip_contact>(),
            name: inline(&contact.name),
            id: inline(&contact.id.to_string()),
            state: contact.state.into(),
        }
    }
}

/// Contacts as they were when they were asked for.
pub struct voip_contact_list {
    _opaque: [u8; 0],
}

impl Opaque for voip_contact_list {
    type Object = Vec<Contact>;
    const WHAT: &'static str = "list of contacts";
}

/// All whose names are pinned to keys, by name: with an identity file whoever was in a call under a
/// name, and in any case whom `voip_node_set_contact` was told of. The list is freed with
/// `voip_contact_list_free`. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_contacts(
    node: *const voip_node,
    list: *mut *mut voip_contact_list,
) -> voip_status {
    guard(|| {
        let place = Place::new("list", list)?;
        let handle = put(get(node)?.contacts())?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// How many contacts the list has. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_contact_list_count(
    list: *const voip_contact_list,
    count: *mut usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { count_of(list, Vec::as_slice, count) })
}

/// One of them, `index` from 0. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` beyond the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_contact_list_get(
    list: *const voip_contact_list,
    index: usize,
    contact: *mut voip_contact,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { element_of(list, Vec::as_slice, index, "contact", contact) })
}

/// Frees a list. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_contact_list_free(list: *mut voip_contact_list) -> voip_status {
    guard(|| take(list).map(drop))
}

/// Says what the owner of `name`, whose key is `id`, is to the user, and pins the name to the key
/// whatever it was pinned to before. It is kept where the pinned names are. Does not block.
///
/// `VOIP_CONTACT_STATE_BLOCKED`: a call with that key ends, and later ones are refused unheard,
/// under any name, as are those of other keys under this name. No event tells of them;
/// `signals_dropped` of `voip_node_stats` counts. The caller is told what all are told whose
/// calls nobody answers: that it rings, or that this node is in another call if it is, and in the
/// end that nobody came. The user may still call whom they have blocked.
/// `VOIP_CONTACT_STATE_SEEN` takes that, or that they were a contact, back.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for what is no name or no key; `VOIP_INVALID_STATE` when 65,536
/// names are pinned; `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_set_contact(
    node: *const voip_node,
    name: *const c_char,
    id: *const c_char,
    state: MaybeUninit<voip_contact_state>,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let (name, id) = unsafe { (text("name", name)?, text("id", id)?) };
        let state = voip_contact_state::read(state)?;
        Ok(get(node)?.set_contact(name, PeerId::from_str(id)?, state)?)
    })
}

/// Forgets `name` and what its owner was: the next key that uses it is taken for theirs. Nothing
/// happens if it is not pinned. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for what is no name; `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_forget_contact(
    node: *const voip_node,
    name: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let name = unsafe { text("name", name) }?;
        Ok(get(node)?.forget_contact(name)?)
    })
}

/// The number that this node's key and the key `id` have in common, into `number`, which has room
/// for `capacity` bytes: `VOIP_SAFETY_NUMBER_SIZE` is enough. 60 digits, twelve groups of five with
/// a space between. Two people who read it out to each other, or compare it in any other way that
/// nobody can forge, know that each has the other's key; it is the same for every call. It takes
/// some milliseconds to compute. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for what is no key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_safety_number(
    node: *const voip_node,
    id: *const c_char,
    number: *mut c_char,
    capacity: usize,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let id = unsafe { text("id", id) }?;
        let safety_number = get(node)?.safety_number(PeerId::from_str(id)?);
        // SAFETY: The caller vouches for it.
        unsafe { put_text(&safety_number, number, capacity) }
    })
}
