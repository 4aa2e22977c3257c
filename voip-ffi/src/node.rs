//! # Node
//!
//! One participant: one name and key, one port, its trackers, its calls.

use std::ffi::{c_char, c_int};
#[cfg(unix)]
use std::os::fd::AsRawFd;
use std::str::FromStr;
use std::time::Duration;

use voip_core::{Node, PeerId};

use crate::call::voip_call;
use crate::convert::{Place, put_text, text, time_limit};
use crate::handle::{Opaque, get, put, take};
use crate::status::voip_status;
use crate::wall::guard;

/// No time limit worth the name: a year.
pub const VOIP_FOREVER: u32 = u32::MAX;
/// Room for any name: 64 bytes and a zero.
pub const VOIP_NAME_SIZE: usize = 65;
/// Room for the id of a peer: 64 hexadecimal digits and a zero.
pub const VOIP_ID_SIZE: usize = 65;
/// Room for any "ip:port" and a zero.
pub const VOIP_ADDRESS_SIZE: usize = 64;

/// A node.
pub struct voip_node {
    _opaque: [u8; 0],
}

impl Opaque for voip_node {
    type Object = Node;
    const WHAT: &'static str = "node";
}

/// The name, into `name`, which has room for `capacity` bytes: `VOIP_NAME_SIZE` is enough. Does not
/// block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_name(
    node: *const voip_node,
    name: *mut c_char,
    capacity: usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { put_text(get(node)?.name(), name, capacity) })
}

/// The key, 64 hexadecimal digits, into `id`, which has room for `capacity` bytes: `VOIP_ID_SIZE`
/// is enough. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_id(
    node: *const voip_node,
    id: *mut c_char,
    capacity: usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { put_text(&get(node)?.id().to_string(), id, capacity) })
}

/// The local UDP address "ip:port", of the IPv4 socket if there are two, into `address`, which has
/// room for `capacity` bytes: `VOIP_ADDRESS_SIZE` is enough. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_local_address(
    node: *const voip_node,
    address: *mut c_char,
    capacity: usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { put_text(&get(node)?.local_address().to_string(), address, capacity) })
}

/// Waits until one tracker has accepted this node, for at most `timeout_ms`.
///
/// When that has passed, the reason of the last refusal (`VOIP_TRACKER_UNREACHABLE` ...), or
/// `VOIP_TIMED_OUT`; the node keeps trying. `VOIP_NAME_TAKEN` is returned at once, and
/// so is `VOIP_TRACKER_UNTRUSTED` if there is no other tracker.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_wait_registered(
    node: *const voip_node,
    timeout_ms: u32,
) -> voip_status {
    guard(|| Ok(get(node)?.wait_registered(time_limit(timeout_ms))?))
}

/// Calls somebody: a name, or a key of 64 hexadecimal digits. Does not block: what becomes of the
/// call is told by events and by `voip_call_wait_answered`. The handle is freed with
/// `voip_call_free`.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for what is no name, or this node's own; `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_place(
    node: *const voip_node,
    target: *const c_char,
    call: *mut *mut voip_call,
) -> voip_status {
    guard(|| {
        let place = Place::new("call", call)?;
        // SAFETY: The caller vouches for it.
        let target = unsafe { text("target", target) }?;
        let handle = put(get(node)?.place(target)?)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// Calls somebody, as `voip_node_place`; the call rings for `ring_timeout_ms`, 1,000 to 600,000, and
/// not for as long as the node's others. (The peer's program has a limit of its own.) Does not
/// block.
///
/// Errors: as `voip_node_place`; `VOIP_INVALID_ARGUMENT` for a time out of this range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_place_for(
    node: *const voip_node,
    target: *const c_char,
    ring_timeout_ms: u32,
    call: *mut *mut voip_call,
) -> voip_status {
    guard(|| {
        let place = Place::new("call", call)?;
        // SAFETY: The caller vouches for it.
        let target = unsafe { text("target", target) }?;
        let ring_timeout = Duration::from_millis(ring_timeout_ms.into());
        let handle = put(get(node)?.place_for(target, ring_timeout)?)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// Calls somebody, as `voip_node_place`, and waits for the answer for at most `timeout_ms`. The
/// handle is freed with `voip_call_free`.
///
/// Errors: as `voip_node_place` and `voip_call_wait_answered`; after each the call is over, and
/// there is no handle. `VOIP_TIMED_OUT`: it was hung up. For `VOIP_NO_ANSWER` wait longer than it
/// rings, which is 45 s unless `voip_node_builder_ring_timeout` says otherwise: `VOIP_FOREVER` will
/// do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_call(
    node: *const voip_node,
    target: *const c_char,
    timeout_ms: u32,
    call: *mut *mut voip_call,
) -> voip_status {
    guard(|| {
        let place = Place::new("call", call)?;
        // SAFETY: The caller vouches for it.
        let target = unsafe { text("target", target) }?;
        let handle = put(get(node)?.call(target, time_limit(timeout_ms))?)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// Waits for somebody who waits for somebody, too, at any of the trackers: they are handed to each
/// other, first come, first served, and `VOIP_EVENT_PAIRED` tells both. Does not block; does
/// nothing if the node waits already. It waits until somebody comes or `voip_node_unpair`, and
/// again at a tracker that was lost and is back.
///
/// Nothing else happens by itself: the side whose event says `calls` calls the other's key with
/// `voip_node_place`, and the other lets itself be called. Whoever is not called within ten seconds
/// should ask again: the other may have met somebody at another tracker, given up, or blocked this
/// node. Whom this node has blocked, strangers with `voip_node_builder_contacts_only` and names
/// pinned to other keys are passed over: it asks again by itself after one to three seconds.
///
/// `VOIP_EVENT_PAIRING_FAILED` tells that the node has no tracker (`VOIP_TRACKER_UNREACHABLE`), or
/// that all are of older versions, which cannot pair (`VOIP_INVALID_STATE`).
///
/// Errors: `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_pair(node: *const voip_node) -> voip_status {
    guard(|| Ok(get(node)?.pair()?))
}

/// Waits for nobody any more. Nothing happens if it did not. A `VOIP_EVENT_PAIRED` may be among the
/// events already. Does not block.
///
/// Errors: `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_unpair(node: *const voip_node) -> voip_status {
    guard(|| Ok(get(node)?.unpair()?))
}

/// Accepts that `name` now belongs to the key `id`, as `VOIP_EVENT_KEY_CHANGED` offered it. Ask the
/// person over another way first. Its owner stays a contact, or blocked; but is not verified any
/// more. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for what is no name or no key; `VOIP_INVALID_STATE` when 65,536
/// names are pinned; `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_accept_key(
    node: *const voip_node,
    name: *const c_char,
    id: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let (name, id) = unsafe { (text("name", name)?, text("id", id)?) };
        Ok(get(node)?.accept_key(name, PeerId::from_str(id)?)?)
    })
}

/// A descriptor that is readable while events wait, for poll, epoll and event loops, and when the
/// node has been closed. Only to wait on: read the events with `voip_node_next_event` until it
/// returns `VOIP_TIMED_OUT`. It belongs to the node and is gone when that is freed. Does not block.
///
/// Errors: `VOIP_INVALID_STATE` on systems that are no Unix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_event_descriptor(
    node: *const voip_node,
    descriptor: *mut c_int,
) -> voip_status {
    guard(|| {
        let place = Place::new("descriptor", descriptor)?;
        let node = get(node)?;
        #[cfg(unix)]
        let number = node.event_descriptor().as_raw_fd();
        #[cfg(not(unix))]
        let number = crate::convert::no_descriptor(&node)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(number) };
        Ok(())
    })
}

/// Makes the event descriptor unreadable until one more event comes, though some wait: for event
/// loops that wait for what an event changes, such as the state of a call, and leave the events to
/// others. `was_readable`: whether it was, so that the loop has to tell whoever else waits for it.
/// Does not block.
///
/// Errors: `VOIP_INVALID_STATE` on systems that are no Unix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_rest_event_descriptor(
    node: *const voip_node,
    was_readable: *mut bool,
) -> voip_status {
    guard(|| {
        let place = Place::new("was_readable", was_readable)?;
        let node = get(node)?;
        #[cfg(unix)]
        let readable = node.rest_event_descriptor();
        #[cfg(not(unix))]
        let readable = crate::convert::no_descriptor(&node)? >= 0;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(readable) };
        Ok(())
    })
}

/// Ends all calls, leaves the trackers and stops; the handle stays. Threads that wait in functions
/// with it return. Twice is once. Blocks for at most 500 ms.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_close(node: *const voip_node) -> voip_status {
    guard(|| {
        get(node)?.close();
        Ok(())
    })
}

/// Whether the node was closed. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_is_closed(
    node: *const voip_node,
    closed: *mut bool,
) -> voip_status {
    guard(|| {
        let place = Place::new("closed", closed)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(get(node)?.is_closed()) };
        Ok(())
    })
}

/// Closes the node, as `voip_node_close`, and frees its handle. Handles of its calls, which are
/// over now, stay valid: free each with `voip_call_free`. Blocks for at most 500 ms.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_free(node: *mut voip_node) -> voip_status {
    guard(|| {
        // Other threads may be inside functions with it: it goes when the last of them has left.
        take(node)?.close();
        Ok(())
    })
}
