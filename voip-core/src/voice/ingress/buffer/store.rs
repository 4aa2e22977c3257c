//! Packets that wait: sorted, bounded in number and in bytes, in recycled memory.

use super::order::Place;
use crate::time::Instant;
use crate::voice::codec::{Deep, PacketInfo};

/// Packets held at most. At the shortest packets worth sending (10 ms) this is 1.28 s.
const MOST: usize = 128;
/// Bytes of payload taken at most: more than fits an Ethernet frame is no voice packet.
pub(super) const LONGEST: usize = 1_500;
/// Room for a payload without growing: 20 ms at 200 kbit/s.
const USUAL: usize = 512;

/// What is known of a packet without decoding it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) place: Place,
    pub(super) info: PacketInfo,
    /// Which samples before it its deep redundancy describes.
    pub(super) deep: Deep,
    /// It did not come itself but in a later one.
    pub(super) repeated: bool,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) packet: Packet,
    pub(super) arrival: Instant,
    pub(super) payload: Vec<u8>,
}

impl Slot {
    /// Media time after the last sample.
    pub(super) fn end(&self) -> i64 {
        self.packet.place.start + self.packet.info.samples as i64
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

    pub(super) fn is_full(&self) -> bool {
        self.slots.len() >= MOST
    }

    pub(super) fn contains(&self, sequence: i64) -> bool {
        self.slots.iter().any(|slot| slot.packet.place.sequence == sequence)
    }

    /// Puts a packet in its place; whoever fills the store has made room.
    pub(super) fn insert(&mut self, packet: Packet, arrival: Instant, payload: &[u8]) {
        let mut bytes = self.free.pop().unwrap_or_default();
        bytes.clear();
        bytes.reserve_exact(if payload.len() > USUAL { LONGEST } else { USUAL });
        bytes.extend_from_slice(payload);
        let start = packet.place.start;
        let later = self.slots.partition_point(|s| s.packet.place.start > start);
        self.slots.insert(later, Slot { packet, arrival, payload: bytes });
    }

    /// The packet with the earliest sound.
    pub(super) fn first(&self) -> Option<&Slot> {
        self.slots.last()
    }

    /// The packet after that.
    pub(super) fn second(&self) -> Option<&Slot> {
        self.slots.len().checked_sub(2).and_then(|i| self.slots.get(i))
    }

    /// Drops the packet with the earliest sound; returns which.
    pub(super) fn drop_first(&mut self) -> Option<Packet> {
        let Slot { packet, payload, .. } = self.slots.pop()?;
        self.free.push(payload);
        Some(packet)
    }

    pub(super) fn clear(&mut self) {
        while self.drop_first().is_some() {}
    }

    /// Media time after the latest sample held.
    pub(super) fn end(&self) -> Option<i64> {
        self.slots.first().map(Slot::end)
    }
}
