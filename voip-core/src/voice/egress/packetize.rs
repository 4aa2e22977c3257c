//! Bytes → packets with media time, in a short queue of recycled buffers (RFC 7587 §4).

use std::collections::VecDeque;

use super::EncodedFrame;
use crate::frame::FrameDuration;
use crate::id::RtpTimestamp;
use crate::time::Instant;
use crate::voice::codec::{LONGEST_REPEATED, MAX_PAYLOAD, OLDEST_REPEATED, REPEATED_HEADERS};
use crate::voice::level::Level;

/// Packets held for a caller who does not fetch them; then the oldest goes.
const QUEUE: usize = 32;
/// Packets after which one is repeated, at most.
pub(super) const FARTHEST: u8 = 5;
const _: () = assert!(FARTHEST as u32 * FrameDuration::Ms60.samples() as u32 <= OLDEST_REPEATED);

#[derive(Default)]
struct Packet {
    timestamp: RtpTimestamp,
    samples: u32,
    payload: Vec<u8>,
    level: u8,
    voice: bool,
    marker: bool,
    captured_at: Instant,
}

pub(super) struct Packetize {
    timestamp: RtpTimestamp,
    marker: bool,
    queue: VecDeque<Packet>,
    free: Vec<Packet>,
    /// The packet handed out last, whose bytes the caller may still look at.
    current: Packet,
    /// Those before it, newest first.
    past: VecDeque<Packet>,
    /// How many packets later each is repeated; 0: not at all.
    distance: u8,
}

impl Packetize {
    pub(super) fn new(start: RtpTimestamp) -> Self {
        Packetize {
            timestamp: start,
            marker: true,
            queue: VecDeque::with_capacity(QUEUE),
            free: Vec::with_capacity(QUEUE + 1),
            current: Packet::default(),
            past: VecDeque::with_capacity(usize::from(FARTHEST) + 1),
            distance: 0,
        }
    }

    /// From now on each packet goes out once more with the one so many after it; 0: it does not.
    pub(super) fn repeat(&mut self, distance: u8) {
        self.distance = distance.min(FARTHEST);
    }

    /// Time passes and nothing is sent: the next packet starts a talkspurt.
    pub(super) fn skip(&mut self, samples: u32) {
        self.timestamp = self.timestamp.plus(samples);
        self.marker = true;
    }

    /// Queues a packet of so many samples. False if an older one had to go.
    pub(super) fn packet(
        &mut self,
        payload: &[u8],
        samples: u32,
        level: Level,
        voice: bool,
        captured_at: Instant,
    ) -> bool {
        let room = self.queue.len() < QUEUE;
        let recycled = if room { self.free.pop() } else { self.queue.pop_front() };
        let mut bytes = recycled.unwrap_or_default().payload;
        bytes.clear();
        bytes.reserve(MAX_PAYLOAD);
        bytes.extend_from_slice(payload);
        self.queue.push_back(Packet {
            timestamp: self.timestamp,
            samples,
            payload: bytes,
            level: level.minus_dbov(),
            voice,
            marker: std::mem::take(&mut self.marker),
            captured_at,
        });
        self.timestamp = self.timestamp.plus(samples);
        room
    }

    pub(super) fn next(&mut self) -> Option<EncodedFrame<'_>> {
        let next = self.queue.pop_front()?;
        let done = std::mem::replace(&mut self.current, next);
        self.past.push_front(done);
        if self.past.len() > usize::from(FARTHEST) {
            self.free.extend(self.past.pop_back());
        }
        let Packet { timestamp, ref payload, level, voice, marker, captured_at, .. } = self.current;
        let repeated = self.repeated();
        Some(EncodedFrame { timestamp, payload, repeated, level, voice, marker, captured_at })
    }

    /// What goes out once more with the current packet, and how much older it is. Only what was sent without a
    /// pause since: then its number follows from its age.
    fn repeated(&self) -> Option<(u32, &[u8])> {
        let earlier = self.past.get(usize::from(self.distance).checked_sub(1)?)?;
        let age = u32::from(self.distance) * self.current.samples;
        let fits = earlier.payload.len() <= LONGEST_REPEATED
            && earlier.payload.len() + self.current.payload.len() + REPEATED_HEADERS <= MAX_PAYLOAD;
        let follows = earlier.timestamp.plus(age) == self.current.timestamp
            && earlier.samples == self.current.samples;
        (fits && follows).then_some((age, &earlier.payload))
    }
}
