//! How long packets take, and what offset of playout suits them best.
//!
//! The last ten seconds of packets are kept with their transit (arrival minus media time; only
//! differences of it mean anything). Any offset can then be priced: delay costs its own length,
//! sound that would have come too late costs [`LATE_PACKET`] or [`LATE_COPY`]. Being a trade, this
//! follows a spreading line within a few packets, forgets after ten seconds, and does not run after
//! one outlier: one lost packet is not worth a delay.

use crate::frame::BLOCK;
use crate::time::{Duration, Instant};
use crate::voice::ingress::playout::media_micros;

/// The past that counts, in microseconds.
const WINDOW: i64 = 10_000_000;
/// Packets remembered at most; 10 s of 20 ms packets are 500.
const PACKETS: usize = 512;
/// Delay that is worth taking to have all sound in time, in microseconds: 1 % of sound is worth
/// 40 ms.
const LATE_PACKET: i64 = 4_000_000;
/// The same for the copies of lost packets, which always come a packet later: 1 % is worth 6 ms.
/// So on a line without jitter, waiting for copies begins at some 4 % of loss.
const LATE_COPY: i64 = 600_000;
/// A packet this close to its time counts as late, in microseconds: clocks drift 300 ppm, so this
/// warns more than a second ahead.
const MARGIN: i64 = 500;
/// A change must save this much to be worth a splice, in microseconds.
const HYSTERESIS: i64 = 2_000;
/// One step of the offset, in microseconds.
const STEP: i64 = 10_000;
/// Steps looked at each way.
const REACH: usize = 64;

#[derive(Clone, Copy)]
struct Packet {
    arrival: i64,
    transit: i64,
    blocks: usize,
    /// What it costs if a block of this is late, in microseconds.
    price: i64,
}

/// The transit of recent packets.
pub(in crate::voice::ingress) struct Transit {
    packets: Vec<Packet>,
    next: usize,
    newest: i64,
    fastest: i64,
    last: Option<i64>,
    jitter: i64,
    delay: std::ops::RangeInclusive<i64>,
}

impl Transit {
    /// `delay` limits what may be asked for, over the fastest packet.
    pub(super) fn new(delay: std::ops::RangeInclusive<Duration>) -> Self {
        let micros = |d: &Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX / 4);
        Transit {
            packets: Vec::with_capacity(PACKETS),
            next: 0,
            newest: 0,
            fastest: 0,
            last: None,
            jitter: 0,
            delay: micros(delay.start())..=micros(delay.end()),
        }
    }

    /// Takes note of a packet of `samples` that starts at media time `start`.
    pub(super) fn observe(&mut self, arrival: Instant, start: i64, samples: usize) {
        let arrival = arrival.as_micros() as i64;
        let transit = arrival - media_micros(start);
        if let Some(last) = self.last.replace(transit) {
            // RFC 3550 §6.4.1, scaled by 16 to keep the fraction.
            self.jitter += (transit - last).abs() - self.jitter / 16;
        }
        self.remember(arrival, transit, samples, LATE_PACKET);
        self.newest = arrival;
        self.fastest = self.recent().map(|p| p.transit).min().unwrap_or(transit);
    }

    fn recent(&self) -> impl Iterator<Item = &Packet> {
        self.packets.iter().filter(|p| self.newest - p.arrival < WINDOW)
    }

    /// Takes note that the packet of `samples` that starts at media time `start` is lost, and that
    /// a copy of it came with the next packet.
    pub(super) fn observe_copy(&mut self, arrival: Instant, start: i64, samples: usize) {
        let arrival = arrival.as_micros() as i64;
        self.remember(arrival, arrival - media_micros(start), samples, LATE_COPY);
    }

    fn remember(&mut self, arrival: i64, transit: i64, samples: usize, late: i64) {
        let blocks = samples.div_ceil(BLOCK);
        let packet = Packet { arrival, transit, blocks, price: late * STEP / WINDOW };
        if self.packets.len() < PACKETS {
            self.packets.push(packet);
        } else if let Some(oldest) = self.packets.get_mut(self.next) {
            *oldest = packet;
        }
        self.next = (self.next + 1) % PACKETS;
    }

    /// The sender's clock jumped: media times so far mean nothing now.
    pub(super) fn restart(&mut self) {
        self.packets.clear();
        self.next = 0;
        self.last = None;
    }

    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_micros(self.jitter.unsigned_abs() / 16)
    }

    /// The delay over the fastest of the recent packets that is aimed at from `offset`.
    pub(super) fn best_delay(&self, offset: i64) -> Duration {
        let best = offset + i64::from(self.best_shift(offset)) * STEP;
        Duration::from_micros(u64::try_from(best - self.fastest).unwrap_or(0))
    }

    /// By how many blocks `offset`, in microseconds, should change.
    pub(in crate::voice::ingress) fn best_shift(&self, offset: i64) -> i32 {
        self.cheapest(offset, HYSTERESIS)
    }

    /// True if a stream should rather start later than at `offset`.
    pub(super) fn should_wait(&self, offset: i64) -> bool {
        self.cheapest(offset, 0) > 0
    }

    /// How much of `offset` is more than suits best, in microseconds.
    pub(super) fn excess_at(&self, offset: i64) -> i64 {
        i64::from(-self.cheapest(offset, 0)).max(0) * STEP
    }

    fn cheapest(&self, offset: i64, hysteresis: i64) -> i32 {
        let base = offset - REACH as i64 * STEP;
        let late = self.price_of_lateness(base);
        let price = |step: usize| {
            let delay = base + step as i64 * STEP - self.fastest;
            let forbidden = (delay - self.delay.end()).max(self.delay.start() - delay).max(0);
            delay + late[step] + 1_000 * forbidden
        };
        let (mut best, mut lowest) = (REACH, price(REACH) - hysteresis);
        for step in 0..late.len() {
            if price(step) < lowest {
                (best, lowest) = (step, price(step));
            }
        }
        best as i32 - REACH as i32
    }

    /// What the late blocks would have cost at each of the offsets `base + n * STEP`.
    fn price_of_lateness(&self, base: i64) -> [i64; 2 * REACH] {
        let mut late = [0; 2 * REACH];
        for packet in self.recent() {
            // Steps up to this one are too early for the packet's first block; for each further
            // block, one step fewer.
            let in_time = (packet.transit + MARGIN - base + STEP - 1).div_euclid(STEP);
            let in_time = in_time.clamp(0, late.len() as i64) as usize;
            for block in 0..packet.blocks.min(in_time) {
                late[in_time - 1 - block] += packet.price;
            }
        }
        for step in (1..late.len()).rev() {
            late[step - 1] += late[step];
        }
        late
    }
}
