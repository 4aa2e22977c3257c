//! # Call
//!
//! Several handles may stand for one call: those of its events, and clones. When the last is freed
//! the call is hung up. (One that the node answered by itself stays up until somebody hangs up.)
//! Events that wait to be read keep no call up, except `VOIP_EVENT_INCOMING`.

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::sync::LazyLock;

use voip_core::{Call, CallState, EndReason, Reject, SilenceReason};

use crate::convert::{Form, Place, filled, inline, number, put_text, same_variants, time_limit};
use crate::handle::{Opaque, get, put, take};
use crate::node::{VOIP_ID_SIZE, VOIP_NAME_SIZE};
use crate::status::voip_status;
use crate::wall::{Failure, guard};

/// Room for the verification words of any call, the spaces between, and a zero.
pub const VOIP_WORDS_SIZE: usize = 48;

/// A call.
pub struct voip_call {
    _opaque: [u8; 0],
}

impl Opaque for voip_call {
    type Object = Call;
    const WHAT: &'static str = "call";
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_call_state {
    /// Outgoing: the peer is being looked up, or has not reacted to the offer yet.
    Placing = 0,
    /// It rings, here or at the peer.
    Ringing = 1,
    /// Answered; the path is being made.
    Connecting = 2,
    /// Sound goes both ways.
    Connected = 3,
    /// Over.
    Ended = 4,
}

/// Why a call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_end_reason {
    /// It is not over, or that is not what the event is about.
    None = 0,
    /// This side hung up, or cancelled before the answer.
    HungUp = 1,
    /// The peer hung up.
    PeerHungUp = 2,
    /// The peer is in another call, or this node has as many as it takes, or one with that peer.
    Busy = 3,
    /// The peer declined.
    Declined = 4,
    /// Nobody answered within the ring time.
    NoAnswer = 5,
    /// An incoming call that was not answered in time, or that the caller gave up.
    Missed = 6,
    /// No peer of that name or key is online.
    UnknownPeer = 7,
    /// Trackers disagree on whose name it is, and none is pinned.
    AmbiguousName = 8,
    /// The name belongs to another key than the one pinned.
    KeyChanged = 9,
    /// No tracker could be asked.
    TrackerUnreachable = 10,
    /// The peer did not react, or no path to it was found.
    Unreachable = 11,
    /// The path to the peer was lost.
    NetworkLost = 12,
    /// The peer sent what makes no sense.
    Protocol = 13,
    /// The node was closed.
    NodeClosed = 14,
    /// The caller broke its word on which the verification words rest: what it revealed is not what
    /// it had committed itself to. Its program is broken, or somebody tries to choose the words.
    VerificationFailed = 15,
}
same_variants!(
    EndReason, voip_end_reason, "voip_end_reason":
    HungUp, PeerHungUp, Busy, Declined, NoAnswer, Missed, UnknownPeer, AmbiguousName, KeyChanged,
    TrackerUnreachable, Unreachable, NetworkLost, Protocol, NodeClosed, VerificationFailed
);

/// Why nothing is heard of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_silence_reason {
    /// All is well, or that is not what the event is about.
    None = 0,
    /// No packet of sound has come for 0.9 s: the path is broken or blocked in this direction, or
    /// the peer's program has stopped or has nothing to send.
    NoPackets = 1,
    /// Packets come, and the peer says that there is no sound in them: its microphone has given
    /// digital silence for a second. It is unplugged, switched off, muted outside the program, or
    /// forbidden to the program; or there is none.
    DigitalSilence = 2,
    /// The peer says that it has muted its microphone: it sends nothing, by design.
    Muted = 3,
}
same_variants!(
    SilenceReason, voip_silence_reason, "voip_silence_reason":
    NoPackets, DigitalSilence, Muted
);

/// How to refuse an incoming call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_reject {
    /// "I do not want to talk."
    Declined = 0,
    /// "I am in another call."
    Busy = 1,
}
same_variants!(Reject, voip_reject, "voip_reject": Declined, Busy);

/// Who is at the other end of a call.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_call_peer {
    /// In: sizeof(voip_call_peer).
    pub size: usize,
    /// The name it registered, or the one that is being looked up.
    pub name: [c_char; VOIP_NAME_SIZE],
    /// Its key, 64 hexadecimal digits; "" until it is known.
    pub id: [c_char; VOIP_ID_SIZE],
}

filled!(voip_call_peer, id, id);

/// The peer at the other end. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_get_peer(
    call: *const voip_call,
    peer: *mut voip_call_peer,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let form = unsafe { Form::new("peer", peer) }?;
        let peer = get(call)?.peer();
        let value = voip_call_peer {
            size: size_of::<voip_call_peer>(),
            name: inline(&peer.name),
            id: inline(&peer.id.map(|id| id.to_string()).unwrap_or_default()),
        };
        // SAFETY: The caller vouches for it.
        unsafe { form.fill(value) };
        Ok(())
    })
}

/// Where the call stands, and why it is over if it is: `reason` is `VOIP_END_REASON_NONE` before;
/// it may be NULL. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_get_state(
    call: *const voip_call,
    state: *mut voip_call_state,
    reason: *mut voip_end_reason,
) -> voip_status {
    guard(|| {
        let place = Place::new("state", state)?;
        let second = Place::optional("reason", reason)?;
        let (state, reason) = match get(call)?.state() {
            CallState::Placing => (voip_call_state::Placing, None),
            CallState::Ringing => (voip_call_state::Ringing, None),
            CallState::Connecting => (voip_call_state::Connecting, None),
            CallState::Connected => (voip_call_state::Connected, None),
            CallState::Ended(reason) => (voip_call_state::Ended, Some(reason)),
            other => unreachable!("{other:?} has no number yet"),
        };
        // SAFETY: The caller vouches for it.
        unsafe {
            place.set(state);
            if let Some(second) = second {
                second.set(reason.map_or(voip_end_reason::None, Into::into));
            }
        }
        Ok(())
    })
}

/// Answers an incoming call. Does not block; `VOIP_EVENT_CONNECTED` follows. Keep the handle for as
/// long as the call is to last: freeing the last one hangs up, and so does `voip_event_free` right
/// after this with the event that brought it.
///
/// Errors: `VOIP_INVALID_STATE` if it does not ring here; if it is over, what its end was.
#[unsafe(no_mangle)]
pub extern "C" fn voip_call_answer(call: *const voip_call) -> voip_status {
    guard(|| Ok(get(call)?.answer()?))
}

/// Refuses an incoming call. Does not block.
///
/// Errors: `VOIP_INVALID_STATE` if it does not ring here; if it is over, what its end was.
#[unsafe(no_mangle)]
pub extern "C" fn voip_call_reject(
    call: *const voip_call,
    how: MaybeUninit<voip_reject>,
) -> voip_status {
    guard(|| Ok(get(call)?.reject(voip_reject::read(how)?)?))
}

/// Ends the call in whatever state it is: cancels, declines or hangs up. Twice is once. Does not
/// block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_call_hang_up(call: *const voip_call) -> voip_status {
    guard(|| {
        get(call)?.hang_up();
        Ok(())
    })
}

/// Stops or resumes sending the microphone. Muted, no voice packet leaves at all. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_call_set_muted(call: *const voip_call, muted: bool) -> voip_status {
    guard(|| {
        get(call)?.set_muted(muted);
        Ok(())
    })
}

/// Whether the microphone is muted. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_is_muted(
    call: *const voip_call,
    muted: *mut bool,
) -> voip_status {
    guard(|| {
        let place = Place::new("muted", muted)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(get(call)?.is_muted()) };
        Ok(())
    })
}

/// Whether the peer says that its microphone is muted. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_is_peer_muted(
    call: *const voip_call,
    muted: *mut bool,
) -> voip_status {
    guard(|| {
        let place = Place::new("muted", muted)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(get(call)?.is_peer_muted()) };
        Ok(())
    })
}

/// Why nothing is heard of the peer at present, as the last `VOIP_EVENT_MEDIA_SILENT` said;
/// `VOIP_SILENCE_REASON_NONE` while all is well, and when the call is over. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_peer_silence(
    call: *const voip_call,
    reason: *mut voip_silence_reason,
) -> voip_status {
    guard(|| {
        let place = Place::new("reason", reason)?;
        let silence = get(call)?.peer_silence();
        // SAFETY: The caller vouches for it.
        unsafe { place.set(silence.map_or(voip_silence_reason::None, Into::into)) };
        Ok(())
    })
}

/// Four words, with a space between, that are the same at both ends of this call, unless somebody
/// sits between them and talks to each in the other's name: the two people read them to each other,
/// one two and the other two, and hang up if they differ. `words` has room for `capacity` bytes,
/// `VOIP_WORDS_SIZE` at least. "" until the call is connected and `VOIP_EVENT_VERIFICATION_READY`
/// has come, and for good if the peer's version knows no such words: then nothing is verified. Does
/// not block.
///
/// Whoever sits in the middle has one guess for each call, and one of 4,294,967,296 is right: the
/// words depend on what both ends chose before either could know the other's choice.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_verification_words(
    call: *const voip_call,
    words: *mut c_char,
    capacity: usize,
) -> voip_status {
    guard(|| {
        let known = get(call)?.verification_words().map(|words| words.join(" "));
        if capacity < VOIP_WORDS_SIZE {
            let message = format!("the text needs an array of {VOIP_WORDS_SIZE} bytes");
            return Err(Failure::argument(message));
        }
        // SAFETY: The caller vouches for it.
        unsafe { put_text(&known.unwrap_or_default(), words, capacity) }
    })
}

/// Waits until the call is answered, for at most `timeout_ms`.
///
/// Errors: `VOIP_TIMED_OUT`; the call goes on. Otherwise what its end was: `VOIP_BUSY`,
/// `VOIP_DECLINED`, `VOIP_NO_ANSWER`, `VOIP_UNKNOWN_PEER`, `VOIP_TRACKER_UNREACHABLE`,
/// `VOIP_UNREACHABLE`, `VOIP_CALL_ENDED` ...
#[unsafe(no_mangle)]
pub extern "C" fn voip_call_wait_answered(call: *const voip_call, timeout_ms: u32) -> voip_status {
    guard(|| Ok(get(call)?.wait_answered(time_limit(timeout_ms))?))
}

/// Waits until sound can flow, for at most `timeout_ms`.
///
/// Errors: as `voip_call_wait_answered`.
#[unsafe(no_mangle)]
pub extern "C" fn voip_call_wait_connected(call: *const voip_call, timeout_ms: u32) -> voip_status {
    guard(|| Ok(get(call)?.wait_connected(time_limit(timeout_ms))?))
}

/// Waits until the call is over, for at most `timeout_ms`, and tells why it is; `reason` may be
/// NULL.
///
/// Errors: `VOIP_TIMED_OUT`; the call goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_wait_ended(
    call: *const voip_call,
    timeout_ms: u32,
    reason: *mut voip_end_reason,
) -> voip_status {
    guard(|| {
        let place = Place::optional("reason", reason)?;
        let ended = get(call)?.wait_ended(time_limit(timeout_ms))?;
        if let Some(place) = place {
            // SAFETY: The caller vouches for it.
            unsafe { place.set(ended.into()) };
        }
        Ok(())
    })
}

/// Another handle of the same call, freed with `voip_call_free` as well. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_clone(
    call: *const voip_call,
    clone: *mut *mut voip_call,
) -> voip_status {
    guard(|| {
        let place = Place::new("clone", clone)?;
        let handle = put((*get(call)?).clone())?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// Whether two handles stand for the same call: pointers differ though it is the same. Does not
/// block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_equal(
    call: *const voip_call,
    other: *const voip_call,
    equal: *mut bool,
) -> voip_status {
    guard(|| {
        let place = Place::new("equal", equal)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(get(call)? == get(other)?) };
        Ok(())
    })
}

/// Frees a handle; with the last one of a call that is not over, hangs up. Does not block. A thread
/// inside a function with the handle keeps the call up until it has left.
#[unsafe(no_mangle)]
pub extern "C" fn voip_call_free(call: *mut voip_call) -> voip_status {
    guard(|| take(call).map(drop))
}

/// What `voip_call_wait_answered` returns for this end of a call, and its words in
/// `voip_last_error`; `VOIP_INVALID_ARGUMENT` for what is no reason. Never `VOIP_OK`. Does not
/// block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_end_reason_error_kind(reason: MaybeUninit<voip_end_reason>) -> voip_status {
    guard(|| Err(voip_end_reason::read(reason)?.to_error().into()))
}

/// In words, for people, as in "the peer hung up"; "unknown" for what is no reason. It lives as
/// long as the library is loaded; do not free it. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_end_reason_describe(reason: MaybeUninit<voip_end_reason>) -> *const c_char {
    /// By number.
    static WORDS: LazyLock<Vec<CString>> = LazyLock::new(|| {
        let words = |n| voip_end_reason::read_number(n).map_or("unknown", EndReason::describe);
        (0..=voip_end_reason::VerificationFailed as i32).map(|n| owned(words(n))).collect()
    });
    find(&WORDS, number(reason))
}

/// In words, for people, as in "no sound arrives"; "unknown" for what is no reason. It lives as
/// long as the library is loaded; do not free it. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_silence_reason_describe(
    reason: MaybeUninit<voip_silence_reason>,
) -> *const c_char {
    /// By number.
    static WORDS: LazyLock<Vec<CString>> = LazyLock::new(|| {
        let words =
            |n| voip_silence_reason::read_number(n).map_or("unknown", SilenceReason::describe);
        (0..=voip_silence_reason::Muted as i32).map(|n| owned(words(n))).collect()
    });
    find(&WORDS, number(reason))
}

pub(crate) fn owned(words: &str) -> CString {
    CString::new(words).unwrap_or_default()
}

pub(crate) fn find(words: &'static [CString], number: i32) -> *const c_char {
    let found = usize::try_from(number).ok().and_then(|n| words.get(n));
    found.map_or(c"unknown", |words| words.as_c_str()).as_ptr()
}
