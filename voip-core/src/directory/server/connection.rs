//! What a tracker knows of one connection.

use std::net::SocketAddr;

use crate::id::PeerId;
use crate::rate::{Bucket, Rate};
use crate::time::{Duration, Instant};
use crate::wire::framing::{FrameReader, FrameTooLong, MAX_FRAME};
use crate::wire::record::PresenceRecord;
use crate::wire::sealed::Bytes32;

/// How long a connection may take to register.
const REGISTER_WITHIN: Duration = Duration::from_secs(10);
/// How long one frame may take to arrive.
const FRAME_WITHIN: Duration = Duration::from_secs(10);
/// After how much silence a registered peer counts as gone. It should ping every 15 s.
const SILENCE: Duration = Duration::from_secs(40);
/// The longest frame before registering: a registration has at most 2 KiB.
const MAX_FIRST_FRAME: usize = 4000;

/// Registrations of one connection: each may be news for every subscriber.
const REGISTRATIONS: Rate = Rate::per_second(1, 5);
/// Bytes in the bodies of one connection's signals. Much less at once than may wait for a peer.
const SIGNAL_BYTES: Rate = Rate::per_second(64 * 1024, 64 * 1024);
/// Bytes of the frames that hand signals to one connection, whoever sends them: at once no more
/// than half of what may wait for it, so that others cannot make a slow reader of it.
const RELAYED_BYTES: Rate = Rate::per_second(64 * 1024, 128 * 1024);
/// Bytes that a connection may be sent for one of its own before its key is proved, beside the greeting and a farewell
/// (as QUIC has it before an address is, RFC 9000 §8.1).
const ANSWER_TO_STRANGERS: u64 = 3;
/// Frames of one registered connection that may be no messages.
const FAULTS: Rate = Rate::per_second(1, 10);

/// What the other side speaks, told by its first two bytes.
pub(super) enum Speech {
    /// It has not said enough; the tracker has not said anything.
    Unknown(Vec<u8>),
    /// The tracker protocol.
    Tracker,
    /// TURN, and the part of a message that has come.
    Relay(Vec<u8>),
}

pub(super) struct Connection {
    pub(super) from: SocketAddr,
    /// Our end of it.
    pub(super) local: SocketAddr,
    pub(super) speech: Speech,
    /// Until when an allocation of the relay keeps it, as far as is known.
    pub(super) relayed_until: Instant,
    /// The challenge for registrations.
    pub(super) nonce: Bytes32,
    pub(super) registered: Option<PeerId>,
    /// The connection's place on the agenda.
    pub(super) looked_at: Instant,
    reader: FrameReader,
    bytes_in: u64,
    /// Without the greeting.
    bytes_out: u64,
    opened: Instant,
    /// When the frame in progress began.
    frame_began: Option<Instant>,
    /// When the last whole frame came.
    heard: Instant,
    expires: Instant,
    requests: Bucket,
    registrations: Bucket,
    signal_bytes: Bucket,
    relayed_bytes: Bucket,
    faults: Bucket,
}

impl Connection {
    pub(super) fn new(now: Instant, from: SocketAddr, local: SocketAddr, nonce: Bytes32) -> Self {
        Connection {
            from,
            local,
            speech: Speech::Unknown(Vec::new()),
            relayed_until: now,
            nonce,
            registered: None,
            looked_at: now + REGISTER_WITHIN,
            reader: FrameReader::new(MAX_FIRST_FRAME),
            bytes_in: 0,
            bytes_out: 0,
            opened: now,
            frame_began: None,
            heard: now,
            expires: Instant::FAR_FUTURE,
            requests: Bucket::default(),
            registrations: Bucket::default(),
            signal_bytes: Bucket::default(),
            relayed_bytes: Bucket::default(),
            faults: Bucket::default(),
        }
    }

    pub(super) fn came(&mut self, bytes: usize) {
        self.bytes_in += bytes as u64;
    }

    pub(super) fn was_greeted(&mut self) {
        self.bytes_out = 0;
    }

    pub(super) fn was_sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Whether an answer of so many bytes is not too much for what came.
    pub(super) fn may_be_answered(&self, bytes: usize) -> bool {
        self.registered.is_some()
            || self.bytes_out + bytes as u64 <= ANSWER_TO_STRANGERS * self.bytes_in
    }

    /// The longest frame that is taken.
    pub(super) fn frame_limit(&self) -> usize {
        if self.registered.is_some() { MAX_FRAME } else { MAX_FIRST_FRAME }
    }

    /// The next whole frame in `bytes`.
    pub(super) fn next_frame(
        &mut self,
        now: Instant,
        bytes: &mut &[u8],
    ) -> Result<Option<Vec<u8>>, FrameTooLong> {
        let frame = self.reader.next(bytes)?;
        if frame.is_some() {
            self.heard = now;
            self.frame_began = None;
        } else if self.reader.is_midway() {
            self.frame_began.get_or_insert(now);
        }
        Ok(frame)
    }

    /// The record has been accepted.
    pub(super) fn register(&mut self, now: Instant, record: &PresenceRecord) {
        let life = record.expires.0.saturating_sub(record.issued.0);
        self.registered = Some(record.id);
        self.expires = now + Duration::from_millis(life);
        self.reader.set_limit(MAX_FRAME);
    }

    /// When the connection is to be ended, and what to say then.
    pub(super) fn deadline(&self) -> (Instant, &'static str) {
        match self.speech {
            Speech::Unknown(_) => return (self.opened + REGISTER_WITHIN, "nothing within 10 s"),
            Speech::Relay(_) => {
                return (self.relayed_until.max(self.opened + REGISTER_WITHIN), "no allocation");
            }
            Speech::Tracker => {}
        }
        let alive = match self.registered {
            None => (self.opened + REGISTER_WITHIN, "no registration within 10 s"),
            Some(_) if self.expires < self.heard + SILENCE => (self.expires, "the record expired"),
            Some(_) => (self.heard + SILENCE, "silent for 40 s"),
        };
        match self.frame_began {
            Some(began) if began + FRAME_WITHIN < alive.0 => {
                (began + FRAME_WITHIN, "a frame took more than 10 s")
            }
            _ => alive,
        }
    }

    pub(super) fn may_ask(&mut self, now: Instant, rate: Rate) -> bool {
        self.requests.take(now, rate, 1)
    }

    pub(super) fn may_register(&mut self, now: Instant) -> bool {
        self.registrations.take(now, REGISTRATIONS, 1)
    }

    pub(super) fn may_signal(&mut self, now: Instant, bytes: usize) -> bool {
        self.signal_bytes.take(now, SIGNAL_BYTES, u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// Whether a frame of so many bytes may be handed to this peer for another.
    pub(super) fn may_be_signalled(&mut self, now: Instant, bytes: usize) -> bool {
        self.relayed_bytes.take(now, RELAYED_BYTES, u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// Whether one more frame that is no message will be borne.
    pub(super) fn is_forgiven(&mut self, now: Instant) -> bool {
        self.registered.is_some() && self.faults.take(now, FAULTS, 1)
    }
}
