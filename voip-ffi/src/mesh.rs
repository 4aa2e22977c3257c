//! # Mesh
//!
//! Nodes that need no tracker: each is linked to some others, and reaches all that they know. Calls find
//! their way through them, and so do texts.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::str::FromStr;

use voip_core::{Audience, PeerId, Text, TextId};

use crate::convert::{
    Place, filled, inline, number, optional_text, optional_value, text, time_limit,
};
use crate::handle::{Opaque, get, put, take};
use crate::list::{count_of, element_of};
use crate::node::{VOIP_ID_SIZE, VOIP_NAME_SIZE, voip_node};
use crate::status::voip_status;
use crate::wall::{Failure, Outcome, guard};

/// Room for what a text of the mesh says: 8 KiB and a zero.
pub const VOIP_LONG_TEXT_SIZE: usize = 8193;

/// For whom a text is. A text beside it, `whom`, says which room or peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_audience {
    /// Everybody in the mesh; `whom` is NULL or "".
    All = 0,
    /// Everybody who reads the room `whom`: 1 to 64 bytes of UTF-8 without control characters. Its texts
    /// are not secret: everybody in the mesh hands them on, and can read them.
    Room = 1,
    /// One peer, whose id is `whom`; nobody else can read it.
    Peer = 2,
}

impl voip_audience {
    /// # Safety
    /// `whom` is NULL or ends in a zero byte.
    unsafe fn read(to: MaybeUninit<voip_audience>, whom: *const c_char) -> Outcome<Audience> {
        const ALL: i32 = voip_audience::All as i32;
        const ROOM: i32 = voip_audience::Room as i32;
        const PEER: i32 = voip_audience::Peer as i32;
        // SAFETY: The caller vouches for it.
        let named = || unsafe { text("whom", whom) };
        match number(to) {
            // SAFETY: The same.
            ALL => match unsafe { optional_text("whom", whom) }? {
                None | Some("") => Ok(Audience::All),
                Some(_) => Err(Failure::argument("whom: a text for all is for nobody else")),
            },
            ROOM => Ok(Audience::Room(named()?.to_owned())),
            PEER => Ok(Audience::Peer(PeerId::from_str(named()?)?)),
            other => Err(Failure::argument(format!("{other} is no voip_audience"))),
        }
    }
}

/// Which text: each has another one. Those of one author are in order within a log. It never grows, and
/// may be kept, copied and compared member by member.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_text_id {
    /// Who has written it, 64 hexadecimal digits.
    pub author: [c_char; VOIP_ID_SIZE],
    /// When the author's program began to write, in milliseconds since 1970-01-01 UTC: each run of it is
    /// another log.
    pub log: u64,
    /// Its place in the log, from 1 on.
    pub seq: u32,
}

impl From<&TextId> for voip_text_id {
    fn from(id: &TextId) -> voip_text_id {
        voip_text_id { author: inline(&id.author.to_string()), log: id.log, seq: id.seq }
    }
}

impl voip_text_id {
    fn read(&self, what: &str) -> Outcome<TextId> {
        let author = self.author.map(|byte| byte as u8);
        let digits = CStr::from_bytes_until_nul(&author).ok().and_then(|text| text.to_str().ok());
        let author = digits.and_then(|digits| digits.parse().ok());
        let author =
            author.ok_or_else(|| Failure::argument(format!("{what}: its author is no peer id")))?;
        Ok(TextId { author, log: self.log, seq: self.seq })
    }
}

/// A text.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_text {
    /// In: sizeof(voip_text).
    pub size: usize,
    /// Which.
    pub id: voip_text_id,
    /// What the author calls itself.
    pub name: [c_char; VOIP_NAME_SIZE],
    /// For whom.
    pub to: voip_audience,
    /// Which room, or which peer by its id; "" if it is for all. (A text from a peer to this node has
    /// this node's own.)
    pub whom: [c_char; VOIP_ID_SIZE],
    /// When it was written, by the author's clock: milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: u64,
    /// It was written more than half a minute ago, while this node was away or did not get it. Only a
    /// late text may come out of order.
    pub late: bool,
    /// What it says: up to 8 KiB of UTF-8 without control characters, but for line breaks and tabs.
    pub text: [c_char; VOIP_LONG_TEXT_SIZE],
}

filled!(voip_text, text, text);

impl From<&Text> for voip_text {
    fn from(text: &Text) -> voip_text {
        let (to, whom) = match &text.to {
            Audience::All => (voip_audience::All, inline("")),
            Audience::Room(room) => (voip_audience::Room, inline(room)),
            Audience::Peer(peer) => (voip_audience::Peer, inline(&peer.to_string())),
        };
        voip_text {
            size: size_of::<voip_text>(),
            id: (&text.id).into(),
            name: inline(&text.name),
            to,
            whom,
            at_unix_ms: text.at.0,
            late: text.late,
            text: inline(&text.text),
        }
    }
}

/// Links this node to the one that listens at this address, "host:port", and so to all that it knows. An
/// address that cannot be reached is tried again, ever more seldom, up to once a minute. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for what is no address; `VOIP_INVALID_STATE` unless the node takes part
/// in the mesh (`voip_node_builder_mesh`); `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_connect(
    node: *const voip_node,
    address: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let address = unsafe { text("address", address) }?;
        Ok(get(node)?.connect(address)?)
    })
}

/// Writes `message` to a peer, a room or everybody in the mesh; `id`, which may be NULL, is which text it
/// is. It is kept by everybody there, within bounds, so that who is away gets it when it is back: the last
/// 1,000 texts or 1 MiB of an author at least. One for a peer only that peer can read, and
/// `VOIP_EVENT_TEXT_DELIVERED` tells when it has arrived. Waits for the node's own thread only, for at most
/// `timeout_ms`.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for a message that is empty, longer than 8 KiB or with control
/// characters other than line breaks and tabs, a room's name that is none, a key that is none, oneself;
/// `VOIP_BUSY` for more than 50 texts at once and 5 a second; `VOIP_INVALID_STATE` unless the node takes
/// part in the mesh; `VOIP_TIMED_OUT`, after which it may be written all the same; `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_send_text(
    node: *const voip_node,
    to: MaybeUninit<voip_audience>,
    whom: *const c_char,
    message: *const c_char,
    timeout_ms: u32,
    id: *mut voip_text_id,
) -> voip_status {
    guard(|| {
        let place = Place::optional("id", id)?;
        // SAFETY: The caller vouches for it.
        let message = unsafe { text("message", message) }?;
        // SAFETY: The same.
        let to = unsafe { voip_audience::read(to, whom) }?;
        let id = get(node)?.send_text(&to, message, time_limit(timeout_ms))?;
        if let Some(place) = place {
            // SAFETY: The same.
            unsafe { place.set((&id).into()) };
        }
        Ok(())
    })
}

/// Texts as they were when they were asked for.
pub struct voip_text_list {
    _opaque: [u8; 0],
}

impl Opaque for voip_text_list {
    type Object = Vec<Text>;
    const WHAT: &'static str = "list of texts";
}

/// Earlier texts of a room, of all, or with a peer, this node's own included: the last `limit` (1,000 at
/// most), or the last of those that came before the text `before`, unless that is NULL. The oldest comes
/// first. A text that is not kept any more has none before it. The list is freed with
/// `voip_text_list_free`. Waits for the node's own thread only, for at most `timeout_ms`.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for a key that is none; `VOIP_INVALID_STATE` unless the node takes part
/// in the mesh; `VOIP_TIMED_OUT`; `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_history(
    node: *const voip_node,
    of: MaybeUninit<voip_audience>,
    whom: *const c_char,
    before: *const voip_text_id,
    limit: u32,
    timeout_ms: u32,
    list: *mut *mut voip_text_list,
) -> voip_status {
    guard(|| {
        let place = Place::new("list", list)?;
        // SAFETY: The caller vouches for it.
        let of = unsafe { voip_audience::read(of, whom) }?;
        // SAFETY: The same.
        let before = unsafe { optional_value("before", before) }?;
        let before = before.map(|id| id.read("before")).transpose()?;
        let texts = get(node)?.history(&of, before, limit as usize, time_limit(timeout_ms))?;
        let handle = put(texts)?;
        // SAFETY: The same.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// How many texts the list has. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_text_list_count(
    list: *const voip_text_list,
    count: *mut usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { count_of(list, Vec::as_slice, count) })
}

/// One of them, `index` from 0. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` beyond the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_text_list_get(
    list: *const voip_text_list,
    index: usize,
    text: *mut voip_text,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { element_of(list, Vec::as_slice, index, "text", text) })
}

/// Frees a list. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_text_list_free(list: *mut voip_text_list) -> voip_status {
    guard(|| take(list).map(drop))
}
