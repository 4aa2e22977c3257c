//! # What a tracker tells

use std::cell::RefCell;
use std::ffi::{CString, c_char};

use voip_core::{Departure, TrackerEvent, TrackerStats, WireDirection};

use crate::convert::{Form, filled, inline, same_variants};
use crate::event::next;
use crate::handle::get;
use crate::node::{VOIP_ADDRESS_SIZE, VOIP_ID_SIZE, VOIP_NAME_SIZE};
use crate::status::voip_status;
use crate::tracker::voip_tracker;
use crate::wall::guard;

/// How a peer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_departure {
    /// It said goodbye.
    Left = 0,
    /// Its connection ended.
    Closed = 1,
    /// It fell silent, or let its record expire.
    TimedOut = 2,
    /// It did not read what was sent to it.
    SlowReader = 3,
    /// It broke the protocol.
    Misbehaved = 4,
    /// It goes by another name now.
    Renamed = 5,
}
same_variants!(
    Departure, voip_departure, "voip_departure":
    Left, Closed, TimedOut, SlowReader, Misbehaved, Renamed
);

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_wire_direction {
    /// To the tracker.
    In = 0,
    /// From the tracker.
    Out = 1,
}
same_variants!(WireDirection, voip_wire_direction, "voip_wire_direction": In, Out);

/// What happened. The members of `voip_tracker_event` that are told are named in brackets; those
/// not named are 0 or "".
///
/// cbindgen:rename-all=None
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_tracker_event_kind {
    /// A peer came. [name, id, from, online]
    VOIP_TRACKER_EVENT_REGISTERED = 1,
    /// A peer went. [name, id, online, why]
    VOIP_TRACKER_EVENT_LEFT = 2,
    /// A message came or went. Only with the wire log switched on. [direction, name: "" before it
    /// is registered, from: "" if it was turned away, text]
    VOIP_TRACKER_EVENT_WIRE = 3,
    /// Two peers who had asked for one were handed to each other: the one who had waited, and the
    /// other, who came. [name, id, other_name, other_id]
    VOIP_TRACKER_EVENT_PAIRED = 4,
}

/// An event of a tracker. There is nothing to free.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_tracker_event {
    /// In: sizeof(voip_tracker_event).
    pub size: usize,
    /// What happened.
    pub kind: voip_tracker_event_kind,
    /// How many peers are online now.
    pub online: u32,
    /// The peer's name.
    pub name: [c_char; VOIP_NAME_SIZE],
    /// The peer's key.
    pub id: [c_char; VOIP_ID_SIZE],
    /// Where its connection comes from, "ip:port".
    pub from: [c_char; VOIP_ADDRESS_SIZE],
    /// How the peer went.
    pub why: voip_departure,
    /// Which way the message went.
    pub direction: voip_wire_direction,
    /// The message, JSON, or what came in place of it. It lives until this thread asks for the next
    /// event of a tracker, or the thread's end; do not free it.
    pub text: *const c_char,
    /// The name of the other of two peers.
    pub other_name: [c_char; VOIP_NAME_SIZE],
    /// Its key.
    pub other_id: [c_char; VOIP_ID_SIZE],
}

filled!(voip_tracker_event, text, other_id);

thread_local! {
    /// Messages are too long for an array in each event.
    static TEXT: RefCell<CString> = RefCell::default();
}

fn keep(text: String) -> *const c_char {
    let mut bytes = text.into_bytes();
    bytes.retain(|byte| *byte != 0);
    TEXT.with_borrow_mut(|kept| {
        *kept = CString::new(bytes).unwrap_or_default();
        kept.as_ptr()
    })
}

impl From<TrackerEvent> for voip_tracker_event {
    fn from(event: TrackerEvent) -> voip_tracker_event {
        use voip_tracker_event_kind::*;
        let new = |kind, text| voip_tracker_event {
            size: size_of::<voip_tracker_event>(),
            kind,
            online: 0,
            name: inline(""),
            id: inline(""),
            from: inline(""),
            why: voip_departure::Left,
            direction: voip_wire_direction::In,
            text: keep(text),
            other_name: inline(""),
            other_id: inline(""),
        };
        match event {
            TrackerEvent::Registered { id, name, from, online } => voip_tracker_event {
                id: inline(&id.to_string()),
                name: inline(&name),
                from: inline(&from.to_string()),
                online,
                ..new(VOIP_TRACKER_EVENT_REGISTERED, String::new())
            },
            TrackerEvent::Left { id, name, online, why } => voip_tracker_event {
                id: inline(&id.to_string()),
                name: inline(&name),
                online,
                why: why.into(),
                ..new(VOIP_TRACKER_EVENT_LEFT, String::new())
            },
            TrackerEvent::Wire { direction, from, name, text } => voip_tracker_event {
                direction: direction.into(),
                from: inline(&from.map(|from| from.to_string()).unwrap_or_default()),
                name: inline(&name.unwrap_or_default()),
                ..new(VOIP_TRACKER_EVENT_WIRE, text)
            },
            TrackerEvent::Paired { id, name, other_id, other_name } => voip_tracker_event {
                id: inline(&id.to_string()),
                name: inline(&name),
                other_id: inline(&other_id.to_string()),
                other_name: inline(&other_name),
                ..new(VOIP_TRACKER_EVENT_PAIRED, String::new())
            },
            other => unreachable!("{other:?} has no number yet"),
        }
    }
}

/// What happened next at a tracker, waiting for it for at most `timeout_ms`. The last 4096 events
/// are kept for whoever asks late; `events_dropped` of `voip_tracker_stats` counts the rest.
///
/// Errors: `VOIP_TIMED_OUT`; `VOIP_CLOSED` once the tracker is closed and its events have been
/// read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_next_event(
    tracker: *const voip_tracker,
    event: *mut voip_tracker_event,
    timeout_ms: u32,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let form = unsafe { Form::new("event", event) }?;
        let tracker = get(tracker)?;
        let event = next(|limit| tracker.next_event(limit), || tracker.is_closed(), timeout_ms)?;
        // SAFETY: The caller vouches for it.
        unsafe { form.fill(event.into()) };
        Ok(())
    })
}

/// What a tracker has seen. All but the first two members count from its start.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_tracker_stats {
    /// In: sizeof(voip_tracker_stats).
    pub size: usize,
    /// Connections now.
    pub connections: u64,
    /// Peers registered now.
    pub online: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Of them: turned away at once, because there were too many.
    pub turned_away: u64,
    /// Times that accepting paused because the system had no descriptor left.
    pub accept_pauses: u64,
    /// Registrations refused: version, form, dates, name, signature.
    pub registrations_refused: u64,
    /// Connections ended because their key registered on another.
    pub replaced: u64,
    /// Connections ended because nothing, or too little, came in time.
    pub timeouts: u64,
    /// Connections ended because the peer did not read.
    pub slow_readers: u64,
    /// Frames that were no message, and WebSockets that broke their protocol.
    pub malformed: u64,
    /// Frames or signals longer than allowed.
    pub too_long: u64,
    /// Messages of a type unknown to this version.
    pub unknown_type: u64,
    /// Requests of peers that were not registered.
    pub not_registered: u64,
    /// Requests refused because there were too many, of the sender or for the addressee.
    pub rate_limited: u64,
    /// Signals handed on.
    pub relayed: u64,
    /// Signals to peers that were not online.
    pub undeliverable: u64,
    /// Datagrams answered with the address they came from.
    pub stun_answered: u64,
    /// Datagrams dropped: no plain binding request, or too many of one network.
    pub stun_dropped: u64,
    /// Events dropped because nobody fetched them.
    pub events_dropped: u64,
    /// Allocations at the relay now.
    pub relay_allocations: u64,
    /// Packets that the relay passed on.
    pub relay_packets: u64,
    /// Bytes in them, as the peers sent them.
    pub relay_bytes: u64,
    /// Packets that the relay dropped: too many, not permitted, of no call.
    pub relay_dropped: u64,
    /// Requests that the relay refused or left without an answer.
    pub relay_refused: u64,
    /// Connections in TLS, counted when the handshake is done.
    pub tls: u64,
    /// Connections by WebSocket, plain or in TLS, counted when the handshake is done.
    pub websockets: u64,
    /// Connections ended because a handshake of TLS or of a WebSocket failed.
    pub handshakes_failed: u64,
    /// Connections turned away because they were not in TLS.
    pub tls_required: u64,
}

filled!(voip_tracker_stats, tls_required, tls_required);

impl From<TrackerStats> for voip_tracker_stats {
    fn from(stats: TrackerStats) -> voip_tracker_stats {
        voip_tracker_stats {
            size: size_of::<voip_tracker_stats>(),
            connections: stats.connections,
            online: stats.online,
            accepted: stats.accepted,
            turned_away: stats.turned_away,
            accept_pauses: stats.accept_pauses,
            registrations_refused: stats.registrations_refused,
            replaced: stats.replaced,
            timeouts: stats.timeouts,
            slow_readers: stats.slow_readers,
            malformed: stats.malformed,
            too_long: stats.too_long,
            unknown_type: stats.unknown_type,
            not_registered: stats.not_registered,
            rate_limited: stats.rate_limited,
            relayed: stats.relayed,
            undeliverable: stats.undeliverable,
            stun_answered: stats.stun_answered,
            stun_dropped: stats.stun_dropped,
            events_dropped: stats.events_dropped,
            relay_allocations: stats.relay_allocations,
            relay_packets: stats.relay_packets,
            relay_bytes: stats.relay_bytes,
            relay_dropped: stats.relay_dropped,
            relay_refused: stats.relay_refused,
            tls: stats.tls,
            websockets: stats.websockets,
            handshakes_failed: stats.handshakes_failed,
            tls_required: stats.tls_required,
        }
    }
}

/// Counters, a moment old. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_get_stats(
    tracker: *const voip_tracker,
    stats: *mut voip_tracker_stats,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let form = unsafe { Form::new("stats", stats) }?;
        let stats = get(tracker)?.stats();
        // SAFETY: The caller vouches for it.
        unsafe { form.fill(stats.into()) };
        Ok(())
    })
}
