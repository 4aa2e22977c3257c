//! # Peers

use std::ffi::c_char;

use voip_core::{Peer, Presence};

use crate::convert::{Place, filled, inline, same_variants, time_limit};
use crate::handle::{Opaque, get, put, take};
use crate::list::{count_of, element_of};
use crate::node::{VOIP_ID_SIZE, VOIP_NAME_SIZE, voip_node};
use crate::status::voip_status;
use crate::wall::guard;

/// Whether a peer wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_presence {
    /// Call me.
    Available = 0,
    /// In a call.
    Busy = 1,
    /// Online, nobody at the device.
    Away = 2,
    /// Something that a later version says.
    Unknown = 3,
}
same_variants!(Presence, voip_presence, "voip_presence": Available, Busy, Away, Unknown);

/// A peer as a tracker lists it; signed by the peer's own key.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_peer {
    /// In: sizeof(voip_peer).
    pub size: usize,
    /// The name it registered.
    pub name: [c_char; VOIP_NAME_SIZE],
    /// Its key, 64 hexadecimal digits.
    pub id: [c_char; VOIP_ID_SIZE],
    /// Whether it can be called.
    pub presence: voip_presence,
    /// Online since, by the tracker's clock: milliseconds since 1970-01-01 UTC.
    pub since_unix_ms: u64,
}

filled!(voip_peer, since_unix_ms, since_unix_ms);

impl From<&Peer> for voip_peer {
    fn from(peer: &Peer) -> voip_peer {
        voip_peer {
            size: size_of::<voip_peer>(),
            name: inline(&peer.name),
            id: inline(&peer.id.to_string()),
            presence: peer.presence.into(),
            since_unix_ms: peer.since.0,
        }
    }
}

/// Peers as they were when they were asked for.
pub struct voip_peer_list {
    _opaque: [u8; 0],
}

impl Opaque for voip_peer_list {
    type Object = Vec<Peer>;
    const WHAT: &'static str = "list of peers";
}

/// Who is online, sorted by name: the lists of all trackers that answer and the nodes of the mesh, each
/// peer once, this node included. Waits for the trackers for at most `timeout_ms`. The list is freed with
/// `voip_peer_list_free`.
///
/// Errors: `VOIP_TRACKER_UNREACHABLE` with neither, `VOIP_TIMED_OUT`, `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_peers(
    node: *const voip_node,
    timeout_ms: u32,
    list: *mut *mut voip_peer_list,
) -> voip_status {
    guard(|| {
        let place = Place::new("list", list)?;
        let handle = put(get(node)?.peers(time_limit(timeout_ms))?)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// How many peers the list has. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_peer_list_count(
    list: *const voip_peer_list,
    count: *mut usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { count_of(list, Vec::as_slice, count) })
}

/// One of them, `index` from 0. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` beyond the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_peer_list_get(
    list: *const voip_peer_list,
    index: usize,
    peer: *mut voip_peer,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { element_of(list, Vec::as_slice, index, "peer", peer) })
}

/// Frees a list. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_peer_list_free(list: *mut voip_peer_list) -> voip_status {
    guard(|| take(list).map(drop))
}
