//! Packets that wait: sorted, bounded in number and in bytes, in recycled memory.

use super::order::Place;
use crate::time::Instant;
use crate::voice::codec::PacketInfo;

/// Packets held at most. At the shortest packets worth sending (10 ms) this is 1.28 s.
const MOST: usize = 128;
/// Bytes of payload taken at most: more than fits an Ethernet frame is no voice packet.
pub(super) const LONGEST: usize = 1_500;
/// Room for a payload without growing: 20 ms at 200 kbit/s.
const USUAL: usize = 512;

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) place: Place,
    pub(super) info: PacketInfo,
    pub(super) arrival: Instant,
    pub(super) payload: Vec<u8>,
}

impl Slot {
    /// Media time after the last sample.
    pub(super) fn end(&self) -> i64 {
        self.place.start + self.info.samples as i64
    }
}

pub(super) struct Store {
    /// By media time, earliest last, so that the next to play is cheap to take.
    slots: Vec<Slot>,
    free: Vec<Vec<u8>>,
}

impl Store {
    pub(super) fn new() -> Self {
        Store { slots: Vec::with_capacity(MOST), free: Vec::with_capacity(MOST) }
    }

    /// Puts a packet in its place. False if the store was full and the earliest packet had to go.
    pub(super) fn insert(
        &mut self,
        place: Place,
        info: PacketInfo,
        arrival: Instant,
        payload: &[u8],
    ) -> bool {
        let room = self.slots.len() < MOST;
        if !room {
            self.drop_first();
        }
        let mut bytes = self.free.pop().unwrap_or_default();
        bytes.clear();
        bytes.reserve_exact(if payload.len() > USUAL { LONGEST } else { USUAL });
        bytes.extend_from_slice(payload);
        let later = self.slots.partition_point(|s| s.place.start > place.start);
        self.slots.insert(later, Slot { place, info, arrival, payload: bytes });
        room
    }

    /// The packet with the earliest sound.
    pub(super) fn first(&self) -> Option<&Slot> {
        self.slots.last()
    }

    /// The packet after that.
    pub(super) fn second(&self) -> Option<&Slot> {
        self.slots.len().checked_sub(2).and_then(|i| self.slots.get(i))
    }

    pub(super) fn drop_first(&mut self) {
        if let Some(slot) = self.slots.pop() {
            self.free.push(slot.payload);
        }
    }

    /// Drops packets whose sound is all before `position`; returns how many.
    pub(super) fn drop_before(&mut self, position: i64) -> u64 {
        let mut dropped = 0;
        while self.first().is_some_and(|s| s.end() <= position) {
            self.drop_first();
            dropped += 1;
        }
        dropped
    }

    pub(super) fn clear(&mut self) {
        while !self.slots.is_empty() {
            self.drop_first();
        }
    }

    /// Media time after the latest sample held.
    pub(super) fn end(&self) -> Option<i64> {
        self.slots.first().map(Slot::end)
    }
}
