//! # Events of a node

use std::ffi::c_char;

use voip_core::{AudioDevice, Call, Duration, Event, Peer, Text, TextId};

use crate::call::{VOIP_WORDS_SIZE, voip_call, voip_end_reason, voip_silence_reason};
use crate::convert::{Form, Place, end_of, filled, inline, time_limit};
use crate::device::{VOIP_DEVICE_SIZE, voip_device_change, voip_device_direction};
use crate::handle::{Opaque, get, put, take};
use crate::mesh::{voip_text, voip_text_id};
use crate::node::{VOIP_ID_SIZE, VOIP_NAME_SIZE, voip_node};
use crate::peer::voip_presence;
use crate::status::voip_status;
use crate::wall::{Failure, Outcome, guard};

/// Room for a tracker's address and for the words of an error, and a zero; longer ones are cut
/// off.
pub const VOIP_TEXT_SIZE: usize = 264;

/// What happened. The members of `voip_event` that are told are named in brackets; those not named
/// are 0, NULL or "".
///
/// cbindgen:rename-all=None
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_event_kind {
    /// Nothing: the event has been freed, or none came.
    VOIP_EVENT_NONE = 0,
    /// A tracker has accepted this node's name and key. [tracker, online]
    VOIP_EVENT_REGISTERED = 1,
    /// A tracker refused the registration or cannot be reached. The node goes on trying, unless the
    /// same key has registered from elsewhere. [tracker, error, message]
    VOIP_EVENT_TRACKER_LOST = 2,
    /// A peer came online. [name, id, presence, since_unix_ms, online]
    VOIP_EVENT_JOINED = 3,
    /// A peer says something else about itself: its presence. [name, id, presence, since_unix_ms]
    VOIP_EVENT_CHANGED = 4,
    /// A peer went offline. [name, id, online]
    VOIP_EVENT_LEFT = 5,
    /// Somebody calls: answer or reject it, and keep the handle of one that was answered:
    /// `voip_event_free` frees the one in the event, and hangs up with the last. [call]
    VOIP_EVENT_INCOMING = 6,
    /// It rings at the peer. [call]
    VOIP_EVENT_RINGING = 7,
    /// The call was answered, here or there. [call]
    VOIP_EVENT_ANSWERED = 8,
    /// There is an encrypted path: sound can flow. [call]
    VOIP_EVENT_CONNECTED = 9,
    /// The first sound of the peer was handed to playout. [call]
    VOIP_EVENT_FIRST_AUDIO = 10,
    /// The peer muted or unmuted its microphone. Of ten changes one soon after the other each is
    /// told, of more than that not every one. [call, muted]
    VOIP_EVENT_PEER_MUTED = 11,
    /// Nothing is heard of the peer any more, or nothing was from the beginning.
    /// The call goes on. Told once: another of these means another reason, and
    /// `VOIP_EVENT_MEDIA_RESUMED` that it is over. [call, silence_reason]
    VOIP_EVENT_MEDIA_SILENT = 12,
    /// What `VOIP_EVENT_MEDIA_SILENT` told is over: sound comes again, or the peer is no
    /// longer muted. [call]
    VOIP_EVENT_MEDIA_RESUMED = 13,
    /// The call is over. [call, end_reason]
    VOIP_EVENT_ENDED = 14,
    /// A name that is pinned to one key was used by another; the call was refused. See
    /// `voip_node_accept_key`. [name, pinned, offered]
    VOIP_EVENT_KEY_CHANGED = 15,
    /// Another microphone or loudspeaker is in use than before, or none: then device_id is "".
    /// [direction, change, device_id, device_name]
    VOIP_EVENT_DEVICE_CHANGED = 16,
    /// The queue overflowed and events were dropped, first those about what can be read again: who
    /// is online, texts, devices, whether the peers of calls are muted or silent. Read these and the
    /// states of calls again.
    VOIP_EVENT_LAGGED = 17,
    /// Nothing comes of the peer any more, not even a sign of life: the path to it is lost, and
    /// another one is looked for. The call goes on; without a path for 45 s it ends. [call]
    VOIP_EVENT_RECONNECTING = 18,
    /// There is a path again: what `VOIP_EVENT_RECONNECTING` told is over. [call]
    VOIP_EVENT_RECONNECTED = 19,
    /// The words by which two people check that nobody sits between them are known: right after
    /// `VOIP_EVENT_CONNECTED`, some seconds later on a line that loses packets, never for a peer of
    /// a version without them. See `voip_call_verification_words`. [call, words]
    VOIP_EVENT_VERIFICATION_READY = 20,
    /// A peer that `voip_node_pair` waited for: both were handed to each other. [name, id, presence,
    /// since_unix_ms, calls]
    VOIP_EVENT_PAIRED = 21,
    /// No tracker can do what `voip_node_pair` asks; the node waits no longer. [error, message]
    VOIP_EVENT_PAIRING_FAILED = 22,
    /// Somebody in the mesh has written: `voip_event_text` has what. What this node's own user writes is
    /// not told. [name, id, texts]
    VOIP_EVENT_TEXT = 23,
    /// Texts of this node's have come to the peer they are for: `voip_event_text_id` has which.
    /// [id, count, texts]
    VOIP_EVENT_TEXT_DELIVERED = 24,
    /// Texts of an author are not to be had any more from anybody, `count` of them with those for others;
    /// others that came after them follow. [id, count]
    VOIP_EVENT_TEXTS_MISSING = 25,
    /// The file that keeps texts cannot be written: what comes now is lost when the node is closed. Told
    /// once, and again if it has worked in between. [error, message]
    VOIP_EVENT_HISTORY_FAILED = 26,
}

/// What an event says of texts. It belongs to the event: `voip_event_free` frees it.
pub struct voip_event_texts {
    _opaque: [u8; 0],
}

impl Opaque for voip_event_texts {
    type Object = EventTexts;
    const WHAT: &'static str = "event of texts";
}

pub(crate) enum EventTexts {
    Came(Text),
    Delivered(Vec<TextId>),
}

/// An event. Copy what is to be kept, free the rest with `voip_event_free`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_event {
    /// In: sizeof(voip_event).
    pub size: usize,
    /// What happened.
    pub kind: voip_event_kind,
    /// How many peers are online at that tracker now, this one included.
    pub online: u32,
    /// A handle of the call, which belongs to the event: `voip_event_free` frees it. To keep it,
    /// copy it and set this to NULL before; then it is freed with `voip_call_free`.
    pub call: *mut voip_call,
    /// Why the call is over.
    pub end_reason: voip_end_reason,
    /// Why nothing is heard of the peer.
    pub silence_reason: voip_silence_reason,
    /// Whether the peer has muted its microphone now.
    pub muted: bool,
    /// The name of the peer, or what the author of a text calls itself.
    pub name: [c_char; VOIP_NAME_SIZE],
    /// The key of the peer, or of the author.
    pub id: [c_char; VOIP_ID_SIZE],
    /// The key that the name is pinned to.
    pub pinned: [c_char; VOIP_ID_SIZE],
    /// The key that used the name now.
    pub offered: [c_char; VOIP_ID_SIZE],
    /// Whether the peer can be called.
    pub presence: voip_presence,
    /// The peer is online since, by the tracker's clock: milliseconds since 1970-01-01 UTC.
    pub since_unix_ms: u64,
    /// The tracker's address as it was configured.
    pub tracker: [c_char; VOIP_TEXT_SIZE],
    /// Why the tracker was lost, cannot pair, or the file of texts cannot be written.
    pub error: voip_status,
    /// The same in words.
    pub message: [c_char; VOIP_TEXT_SIZE],
    /// Microphone or loudspeaker.
    pub direction: voip_device_direction,
    /// Why another one is in use.
    pub change: voip_device_change,
    /// The id of the one in use now.
    pub device_id: [c_char; VOIP_DEVICE_SIZE],
    /// Its name.
    pub device_name: [c_char; VOIP_DEVICE_SIZE],
    /// The verification words of the call, with a space between.
    pub words: [c_char; VOIP_WORDS_SIZE],
    /// Whether it is this side's part to call: true on one of the two sides, that of the smaller
    /// key.
    pub calls: bool,
    /// How many texts.
    pub count: u32,
    /// What `voip_event_text` and `voip_event_text_id` read; it belongs to the event.
    pub texts: *mut voip_event_texts,
}

filled!(voip_event, device_name, texts);

/// A program of an earlier release has no room for them.
const END_OF_TEXTS: usize = end_of!(voip_event, texts);

impl voip_event {
    fn new(kind: voip_event_kind) -> voip_event {
        voip_event {
            size: size_of::<voip_event>(),
            kind,
            online: 0,
            call: std::ptr::null_mut(),
            end_reason: voip_end_reason::None,
            silence_reason: voip_silence_reason::None,
            muted: false,
            name: inline(""),
            id: inline(""),
            pinned: inline(""),
            offered: inline(""),
            presence: voip_presence::Available,
            since_unix_ms: 0,
            tracker: inline(""),
            error: voip_status::VOIP_OK,
            message: inline(""),
            direction: voip_device_direction::Input,
            change: voip_device_change::Opened,
            device_id: inline(""),
            device_name: inline(""),
            words: inline(""),
            calls: false,
            count: 0,
            texts: std::ptr::null_mut(),
        }
    }

    fn of_call(kind: voip_event_kind, call: Call) -> Outcome<voip_event> {
        Ok(voip_event { call: put(call)?, ..voip_event::new(kind) })
    }

    fn of_peer(kind: voip_event_kind, peer: &Peer, online: u32) -> voip_event {
        voip_event {
            online,
            name: inline(&peer.name),
            id: inline(&peer.id.to_string()),
            presence: peer.presence.into(),
            since_unix_ms: peer.since.0,
            ..voip_event::new(kind)
        }
    }

    fn of_device(device: Option<&AudioDevice>) -> voip_event {
        let mut event = voip_event::new(voip_event_kind::VOIP_EVENT_DEVICE_CHANGED);
        if let Some(device) = device {
            event.device_id = inline(&device.id);
            event.device_name = inline(&device.name);
        }
        event
    }

    fn of_text(text: Text) -> Outcome<voip_event> {
        Ok(voip_event {
            name: inline(&text.name),
            id: inline(&text.id.author.to_string()),
            texts: put(EventTexts::Came(text))?,
            ..voip_event::new(voip_event_kind::VOIP_EVENT_TEXT)
        })
    }

    fn of(event: Event<Call>) -> Outcome<voip_event> {
        use voip_event_kind::*;
        Ok(match event {
            Event::Registered { tracker, online } => voip_event {
                tracker: inline(&tracker),
                online,
                ..voip_event::new(VOIP_EVENT_REGISTERED)
            },
            Event::TrackerLost { tracker, error } => voip_event {
                tracker: inline(&tracker),
                error: error.kind().into(),
                message: inline(error.message()),
                ..voip_event::new(VOIP_EVENT_TRACKER_LOST)
            },
            Event::Joined { peer, online } => voip_event::of_peer(VOIP_EVENT_JOINED, &peer, online),
            Event::Changed { peer } => voip_event::of_peer(VOIP_EVENT_CHANGED, &peer, 0),
            Event::Left { name, id, online } => voip_event {
                name: inline(&name),
                id: inline(&id.to_string()),
                online,
                ..voip_event::new(VOIP_EVENT_LEFT)
            },
            Event::Paired { peer, calls } => {
                voip_event { calls, ..voip_event::of_peer(VOIP_EVENT_PAIRED, &peer, 0) }
            }
            Event::PairingFailed { error } => voip_event {
                error: error.kind().into(),
                message: inline(error.message()),
                ..voip_event::new(VOIP_EVENT_PAIRING_FAILED)
            },
            Event::Incoming { call } => voip_event::of_call(VOIP_EVENT_INCOMING, call)?,
            Event::Ringing { call } => voip_event::of_call(VOIP_EVENT_RINGING, call)?,
            Event::Answered { call } => voip_event::of_call(VOIP_EVENT_ANSWERED, call)?,
            Event::Connected { call } => voip_event::of_call(VOIP_EVENT_CONNECTED, call)?,
            Event::VerificationReady { call, words } => voip_event {
                words: inline(&words.join(" ")),
                ..voip_event::of_call(VOIP_EVENT_VERIFICATION_READY, call)?
            },
            Event::FirstAudio { call } => voip_event::of_call(VOIP_EVENT_FIRST_AUDIO, call)?,
            Event::PeerMuted { call, muted } => {
                voip_event { muted, ..voip_event::of_call(VOIP_EVENT_PEER_MUTED, call)? }
            }
            Event::MediaSilent { call, reason } => voip_event {
                silence_reason: reason.into(),
                ..voip_event::of_call(VOIP_EVENT_MEDIA_SILENT, call)?
            },
            Event::MediaResumed { call } => voip_event::of_call(VOIP_EVENT_MEDIA_RESUMED, call)?,
            Event::Reconnecting { call } => voip_event::of_call(VOIP_EVENT_RECONNECTING, call)?,
            Event::Reconnected { call } => voip_event::of_call(VOIP_EVENT_RECONNECTED, call)?,
            Event::Ended { call, reason } => voip_event {
                end_reason: reason.into(),
                ..voip_event::of_call(VOIP_EVENT_ENDED, call)?
            },
            Event::KeyChanged { name, pinned, offered } => voip_event {
                name: inline(&name),
                pinned: inline(&pinned.to_string()),
                offered: inline(&offered.to_string()),
                ..voip_event::new(VOIP_EVENT_KEY_CHANGED)
            },
            Event::Text { text } => voip_event::of_text(text)?,
            Event::TextDelivered { to, ids } => voip_event {
                id: inline(&to.to_string()),
                count: ids.len() as u32,
                texts: put(EventTexts::Delivered(ids))?,
                ..voip_event::new(VOIP_EVENT_TEXT_DELIVERED)
            },
            Event::TextsMissing { author, count } => voip_event {
                id: inline(&author.to_string()),
                count,
                ..voip_event::new(VOIP_EVENT_TEXTS_MISSING)
            },
            Event::HistoryFailed { error } => voip_event {
                error: error.kind().into(),
                message: inline(error.message()),
                ..voip_event::new(VOIP_EVENT_HISTORY_FAILED)
            },
            Event::DeviceChanged { direction, device, change } => voip_event {
                direction: direction.into(),
                change: change.into(),
                ..voip_event::of_device(device.as_ref())
            },
            Event::Lagged => voip_event::new(VOIP_EVENT_LAGGED),
            other => unreachable!("{other:?} has no number yet"),
        })
    }
}

/// The next event, waiting for it for at most `timeout_ms`. Free it with `voip_event_free` before
/// the struct is used again. After a failure it is `VOIP_EVENT_NONE` and holds nothing, which may
/// be freed as well.
///
/// Errors: `VOIP_TIMED_OUT`; `VOIP_CLOSED` once the node is closed and its events have been read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_next_event(
    node: *const voip_node,
    event: *mut voip_event,
    timeout_ms: u32,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let form = unsafe { Form::new("event", event) }?;
        // SAFETY: It is there.
        unsafe { hold_nothing(&form, event) };
        let node = get(node)?;
        let event = next(|limit| node.next_event(limit), || node.is_closed(), timeout_ms)?;
        let event = voip_event::of(event)?;
        if !form.knows(END_OF_TEXTS) && !event.texts.is_null() {
            take(event.texts)?;
        }
        // SAFETY: The caller vouches for it.
        unsafe { form.fill(event) };
        Ok(())
    })
}

/// The next event of a node or a tracker, or why there is none.
pub(crate) fn next<E>(
    next: impl Fn(Duration) -> Option<E>,
    is_closed: impl FnOnce() -> bool,
    timeout_ms: u32,
) -> Outcome<E> {
    if let Some(event) = next(time_limit(timeout_ms)) {
        return Ok(event);
    }
    if !is_closed() {
        return Err(Failure::new(voip_status::VOIP_TIMED_OUT, "no event within the time limit"));
    }
    // Another thread may have closed it just now, which has left events of its own.
    let over = || Failure::new(voip_status::VOIP_CLOSED, "closed: there will be no more events");
    next(Duration::ZERO).ok_or_else(over)
}

/// # Safety
/// The event is the one that the form was made of.
unsafe fn hold_nothing(form: &Form<voip_event>, event: *mut voip_event) {
    // SAFETY: The caller vouches for it.
    unsafe {
        (&raw mut (*event).kind).write(voip_event_kind::VOIP_EVENT_NONE);
        (&raw mut (*event).call).write(std::ptr::null_mut());
        if form.knows(END_OF_TEXTS) {
            (&raw mut (*event).texts).write(std::ptr::null_mut());
        }
    }
}

/// What an event says of texts.
///
/// # Safety
/// The event is the one that the form was made of.
unsafe fn texts_in(
    form: &Form<voip_event>,
    event: *const voip_event,
) -> Option<*mut voip_event_texts> {
    // SAFETY: It is there. What it says may be anything, and is checked.
    let texts = form.knows(END_OF_TEXTS).then(|| unsafe { (&raw const (*event).texts).read() })?;
    (!texts.is_null()).then_some(texts)
}

/// The text of `VOIP_EVENT_TEXT`. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for another event; `VOIP_CLOSED` for one that was freed in a copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_event_text(
    event: *const voip_event,
    text: *mut voip_text,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let (of, form) =
            unsafe { (Form::new("event", event.cast_mut())?, Form::new("text", text)?) };
        // SAFETY: The same.
        let texts = unsafe { texts_in(&of, event) }.map(|texts| get(texts)).transpose()?;
        let Some(EventTexts::Came(text)) = texts.as_deref() else {
            return Err(Failure::argument("event: it is not that of a text"));
        };
        // SAFETY: The same.
        unsafe { form.fill(text.into()) };
        Ok(())
    })
}

/// One of the texts of `VOIP_EVENT_TEXT_DELIVERED`, `index` from 0 to `count` - 1. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` beyond the end, and for another event; `VOIP_CLOSED` for one that was
/// freed in a copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_event_text_id(
    event: *const voip_event,
    index: usize,
    id: *mut voip_text_id,
) -> voip_status {
    guard(|| {
        let place = Place::new("id", id)?;
        // SAFETY: The caller vouches for it.
        let of = unsafe { Form::new("event", event.cast_mut()) }?;
        // SAFETY: The same.
        let texts = unsafe { texts_in(&of, event) }.map(|texts| get(texts)).transpose()?;
        let Some(EventTexts::Delivered(ids)) = texts.as_deref() else {
            return Err(Failure::argument("event: it is not that of texts that were delivered"));
        };
        let id = ids.get(index).ok_or_else(|| Failure::argument("index: beyond the end"))?;
        // SAFETY: The same.
        unsafe { place.set(id.into()) };
        Ok(())
    })
}

/// Frees what an event holds: the handle of its call, if it still has one, and what it says of texts. The
/// event is `VOIP_EVENT_NONE` then; twice is once. Does not block. If it was the last handle of a call that
/// is not over, the call is hung up: so does an incoming one end that nobody cares for.
///
/// Errors: `VOIP_INVALID_ARGUMENT` for what is no event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_event_free(event: *mut voip_event) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let form = unsafe { Form::new("event", event) }?;
        // SAFETY: It is there. What it says of a call may be anything, and is checked.
        let (call, texts) = unsafe { ((*event).call, texts_in(&form, event)) };
        // SAFETY: It is there.
        unsafe { hold_nothing(&form, event) };
        let call = if call.is_null() { Ok(()) } else { take(call).map(drop) };
        let texts = texts.map_or(Ok(()), |texts| take(texts).map(drop));
        call.and(texts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use voip_status::*;

    /// What is told when the queue gives this, one after the other.
    fn told(queue: &[Option<u8>], closed: bool) -> Result<u8, voip_status> {
        let queue = RefCell::new(queue.iter().copied());
        let mut event = Err(VOIP_OK);
        let status = crate::wall::guard(|| {
            event = Ok(next(|_| queue.borrow_mut().next()?, || closed, 0)?);
            Ok(())
        });
        event.map_err(|_| status)
    }

    #[test]
    fn an_event_that_a_close_leaves_at_the_last_moment_is_not_lost() {
        assert_eq!(told(&[Some(1)], true), Ok(1));
        assert_eq!(told(&[None, Some(2)], true), Ok(2));
        assert_eq!(told(&[None, None], true), Err(VOIP_CLOSED));
        assert_eq!(told(&[None, Some(3)], false), Err(VOIP_TIMED_OUT));
    }
}
