//! # Status
//!
//! Every function that can fail returns a status. The numbers are fixed.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;

use voip_core::ErrorKind;

use crate::convert::number;
use crate::wall::last;

/// What became of a call of a function: to act on. `voip_last_error` has the words for people.
///
/// cbindgen:rename-all=None
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_status {
    /// It worked.
    VOIP_OK = 0,
    /// An argument is NULL, out of its range or not of its form; the text names it. Correct the
    /// call.
    VOIP_INVALID_ARGUMENT = 1,
    /// A file could not be read or written, or its contents make no sense; the text names it.
    VOIP_FILE = 2,
    /// The address or port is taken by another program. Choose another, or 0 for any.
    VOIP_ADDRESS_IN_USE = 3,
    /// The operating system refused a socket, a thread or a device. The text says which.
    VOIP_SYSTEM = 4,
    /// No tracker answers. Check address and network; the node keeps trying.
    VOIP_TRACKER_UNREACHABLE = 5,
    /// Another key holds this name at the tracker. Choose another name, or use the identity file
    /// that registered it.
    VOIP_NAME_TAKEN = 6,
    /// No peer of that name or key is online.
    VOIP_UNKNOWN_PEER = 7,
    /// The trackers give different keys for that name and none is pinned. Call by key.
    VOIP_AMBIGUOUS_NAME = 8,
    /// The name belongs to another key than the one pinned. Ask the person over another way, then
    /// call `voip_node_accept_key`.
    VOIP_KEY_CHANGED = 9,
    /// The peer is in another call.
    VOIP_BUSY = 10,
    /// The peer declined.
    VOIP_DECLINED = 11,
    /// Nobody answered within the ring time.
    VOIP_NO_ANSWER = 12,
    /// The peer answered but no path to it was found.
    VOIP_UNREACHABLE = 13,
    /// The path to the peer was lost.
    VOIP_NETWORK_LOST = 14,
    /// The call is over: hung up on either side, cancelled, or never existed.
    VOIP_CALL_ENDED = 15,
    /// The time limit of this function passed. Unless the function says otherwise nothing else
    /// changed: call it again.
    VOIP_TIMED_OUT = 16,
    /// The node or tracker was closed, the handle was freed, or it belongs to the process that
    /// forked this one.
    VOIP_CLOSED = 17,
    /// Not possible in this state, on this system or with this kind of audio; the text says why.
    VOIP_INVALID_STATE = 18,
    /// The peer or the tracker broke the protocol; the text says how.
    VOIP_PROTOCOL = 19,
    /// A bug of the library; the text says where. Please report it. The program may go on.
    VOIP_INTERNAL = 20,
    /// A tracker's certificate or key is not the one that its address asks for, so nothing was said
    /// to it; the text says what does not fit. Check the address, and with an authority's certificate
    /// the clock; the node keeps trying.
    VOIP_TRACKER_UNTRUSTED = 21,
}

/// All but `VOIP_OK`, with the kind of error that each is and its name.
const ALL: [(voip_status, ErrorKind, &CStr); 21] = {
    use voip_status::*;
    [
        (VOIP_INVALID_ARGUMENT, ErrorKind::InvalidArgument, c"invalid_argument"),
        (VOIP_FILE, ErrorKind::File, c"file"),
        (VOIP_ADDRESS_IN_USE, ErrorKind::AddressInUse, c"address_in_use"),
        (VOIP_SYSTEM, ErrorKind::System, c"system"),
        (VOIP_TRACKER_UNREACHABLE, ErrorKind::TrackerUnreachable, c"tracker_unreachable"),
        (VOIP_NAME_TAKEN, ErrorKind::NameTaken, c"name_taken"),
        (VOIP_UNKNOWN_PEER, ErrorKind::UnknownPeer, c"unknown_peer"),
        (VOIP_AMBIGUOUS_NAME, ErrorKind::AmbiguousName, c"ambiguous_name"),
        (VOIP_KEY_CHANGED, ErrorKind::KeyChanged, c"key_changed"),
        (VOIP_BUSY, ErrorKind::Busy, c"busy"),
        (VOIP_DECLINED, ErrorKind::Declined, c"declined"),
        (VOIP_NO_ANSWER, ErrorKind::NoAnswer, c"no_answer"),
        (VOIP_UNREACHABLE, ErrorKind::Unreachable, c"unreachable"),
        (VOIP_NETWORK_LOST, ErrorKind::NetworkLost, c"network_lost"),
        (VOIP_CALL_ENDED, ErrorKind::CallEnded, c"call_ended"),
        (VOIP_TIMED_OUT, ErrorKind::TimedOut, c"timed_out"),
        (VOIP_CLOSED, ErrorKind::Closed, c"closed"),
        (VOIP_INVALID_STATE, ErrorKind::InvalidState, c"invalid_state"),
        (VOIP_PROTOCOL, ErrorKind::Protocol, c"protocol"),
        (VOIP_INTERNAL, ErrorKind::Internal, c"internal"),
        (VOIP_TRACKER_UNTRUSTED, ErrorKind::TrackerUntrusted, c"tracker_untrusted"),
    ]
};

impl From<ErrorKind> for voip_status {
    fn from(kind: ErrorKind) -> voip_status {
        let found = ALL.iter().find(|(_, its, _)| *its == kind);
        found.map_or(voip_status::VOIP_INTERNAL, |(status, ..)| *status)
    }
}

/// The text of the last failure on this thread, for people; "" before the first. It lives until the
/// next failure on this thread, or the thread's end; do not free it. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_last_error() -> *const c_char {
    last()
}

/// The name of a status, as in "no_answer" for `VOIP_NO_ANSWER`, for logs; "unknown" for a number
/// that is none. It lives as long as the library is loaded; do not free it. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_status_name(status: MaybeUninit<voip_status>) -> *const c_char {
    let name = match number(status) {
        0 => c"ok",
        n => ALL.iter().find(|(its, ..)| *its as i32 == n).map_or(c"unknown", |(.., name)| *name),
    };
    name.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_core() {
        for (i, (status, kind, name)) in ALL.iter().enumerate() {
            assert_eq!(*status as i32, kind.code());
            assert_eq!(kind.code(), i as i32 + 1, "none is left out");
            let name = name.to_str().expect("ASCII");
            assert_eq!(format!("{status:?}"), format!("VOIP_{}", name.to_uppercase()));
            assert_eq!(format!("{kind:?}").to_lowercase(), name.replace('_', ""));
        }
    }
}
