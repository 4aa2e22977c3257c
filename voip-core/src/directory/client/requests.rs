//! The requests a client waits for answers to.

use std::collections::BTreeMap;

use crate::time::Instant;
use crate::wire::tracker::{RequestId, Target, TrackerMessage};

/// The most requests that wait for answers.
const MAX_WAITING: usize = 1024;

/// What a request is for; `request` is the owner's number.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    Register,
    Subscribe,
    Ping,
    Leave,
    Lookup { request: u64, target: Target },
    List { request: u64 },
    Signal { request: u64 },
    Relay { request: u64 },
    Pair { request: u64 },
    Unpair,
}

impl Purpose {
    /// The owner's number, if the owner asked.
    pub(super) fn request(&self) -> Option<u64> {
        match *self {
            Purpose::Lookup { request, .. }
            | Purpose::List { request }
            | Purpose::Signal { request }
            | Purpose::Relay { request }
            | Purpose::Pair { request } => Some(request),
            Purpose::Register
            | Purpose::Subscribe
            | Purpose::Ping
            | Purpose::Leave
            | Purpose::Unpair => None,
        }
    }
}

/// Requests by their number on the wire. All have the same time to live, so they are in order of
/// their deadlines too.
#[derive(Default)]
pub(super) struct Requests {
    waiting: BTreeMap<RequestId, (Purpose, Instant)>,
    last: RequestId,
}

impl Requests {
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    pub(super) fn add(&mut self, purpose: Purpose, deadline: Instant) -> RequestId {
        self.last = self.last.wrapping_add(1);
        self.waiting.insert(self.last, (purpose, deadline));
        self.last
    }

    pub(super) fn take(&mut self, id: RequestId) -> Option<Purpose> {
        self.waiting.remove(&id).map(|(purpose, _)| purpose)
    }

    pub(super) fn take_any(&mut self) -> Option<Purpose> {
        self.waiting.pop_first().map(|(_, (purpose, _))| purpose)
    }

    pub(super) fn take_expired(&mut self, now: Instant) -> Option<Purpose> {
        if now >= self.next_deadline() { self.take_any() } else { None }
    }

    pub(super) fn next_deadline(&self) -> Instant {
        self.waiting.first_key_value().map_or(Instant::FAR_FUTURE, |(_, (_, at))| *at)
    }
}

/// Which request a message answers.
pub(super) fn id_of(answer: &TrackerMessage) -> Option<RequestId> {
    match *answer {
        TrackerMessage::Registered { id, .. }
        | TrackerMessage::Goodbye { id }
        | TrackerMessage::Peers { id, .. }
        | TrackerMessage::Found { id, .. }
        | TrackerMessage::NotFound { id }
        | TrackerMessage::Subscribed { id, .. }
        | TrackerMessage::Relayed { id }
        | TrackerMessage::Undeliverable { id, .. }
        | TrackerMessage::Relay { id, .. }
        | TrackerMessage::Pairing { id }
        | TrackerMessage::Unpaired { id }
        | TrackerMessage::Pong { id } => Some(id),
        TrackerMessage::Error { id, .. } => id,
        TrackerMessage::Hello { .. }
        | TrackerMessage::Joined { .. }
        | TrackerMessage::Changed { .. }
        | TrackerMessage::Left { .. }
        | TrackerMessage::Signal { .. }
        | TrackerMessage::Paired { .. }
        | TrackerMessage::Unknown => None,
    }
}
