//! Bytes → packets with media time, in a short queue of recycled buffers (RFC 7587 §4).

use std::collections::VecDeque;

use super::EncodedFrame;
use crate::id::RtpTimestamp;
use crate::time::Instant;
use crate::voice::codec::MAX_PAYLOAD;
use crate::voice::level::Level;

/// Packets held for a caller who does not fetch them; then the oldest goes.
const QUEUE: usize = 32;

#[derive(Default)]
struct Packet {
    timestamp: RtpTimestamp,
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
}

impl Packetize {
    pub(super) fn new(start: RtpTimestamp) -> Self {
        Packetize {
            timestamp: start,
            marker: true,
            queue: VecDeque::with_capacity(QUEUE),
            free: Vec::with_capacity(QUEUE + 1),
            current: Packet::default(),
        }
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
        self.free.push(done);
        let Packet { timestamp, ref payload, level, voice, marker, captured_at } = self.current;
        Some(EncodedFrame { timestamp, payload, level, voice, marker, captured_at })
    }
}
