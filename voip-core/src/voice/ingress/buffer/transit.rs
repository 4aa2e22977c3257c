//! How long packets take, and what offset of playout suits them best.
//!
//! The last ten seconds of packets are kept with their transit (arrival minus media time; only
//! differences of it mean anything). Any offset can then be priced: delay costs its own length,
//! sound that would have come too late costs [`LATE_PACKET`] or [`LATE_COPY`]. Being a trade, this
//! follows a spreading line within a few packets, forgets after ten seconds, and does not run after
//! one outlier: one lost packet is not worth a delay.

use std::collections::VecDeque;

use crate::frame::BLOCK;
use crate::time::{Duration, Instant};
use crate::voice::ingress::playout::media_micros;

/// The past that counts, in microseconds.
const WINDOW: i64 = 10_000_000;
/// Of a line that is known for less than [`WINDOW`], what is known stands for all of it: a call
/// that begins on a bad line adapts at once. But what is known counts for no less than this, or
/// each of the first late packets would count for too much, in microseconds;
const SHORTEST: i64 = 3_000_000;
/// and until this much is known, for nothing but itself, in microseconds.
const FIRST_LOOK: i64 = 500_000;
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
/// Finer steps in which the grid of calls may be moved, in microseconds.
const LAG: i64 = 500;
/// Moving that grid must save this much, in microseconds.
const WORTH_MOVING: i64 = 4_000;
/// Packets after which a line is known well enough for it.
const KNOWN_LINE: usize = 100;
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
    /// Those of the last [`WINDOW`], by arrival.
    recent: VecDeque<Packet>,
    /// Packets so far, those that are forgotten included.
    observed: usize,
    /// When the first packet came, and the last, in microseconds.
    span: Option<(i64, i64)>,
    fastest: Fastest,
    /// What they cost around the offset that was asked for last: moves on with each packet.
    lateness: Lateness,
    /// The answer for that offset, as long as no packet comes.
    shift: Option<i32>,
    last: Option<i64>,
    jitter: i64,
    delay: std::ops::RangeInclusive<i64>,
}

impl Transit {
    /// `delay` limits what may be asked for, over the fastest packet.
    pub(super) fn new(delay: std::ops::RangeInclusive<Duration>) -> Self {
        let micros = |d: &Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX / 4);
        Transit {
            recent: VecDeque::with_capacity(PACKETS + 1),
            observed: 0,
            span: None,
            fastest: Fastest::default(),
            lateness: Lateness::around(0),
            shift: None,
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
        let (first, _) = self.span.unwrap_or((arrival, arrival));
        self.span = Some((first, arrival));
        self.remember(arrival, transit, samples, LATE_PACKET);
        self.forget_before(arrival - WINDOW);
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
        // Copies are noticed when they are played, a while after their arrival.
        let earlier = self.recent.iter().rposition(|p| p.arrival <= arrival);
        self.recent.insert(earlier.map_or(0, |i| i + 1), packet);
        self.observed = self.observed.saturating_add(1);
        self.fastest.add(transit);
        self.lateness.add(&packet);
        self.shift = None;
        if self.recent.len() > PACKETS {
            self.forget_oldest();
        }
    }

    fn forget_before(&mut self, arrival: i64) {
        while self.recent.front().is_some_and(|p| p.arrival <= arrival) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(packet) = self.recent.pop_front() else { return };
        self.lateness.remove(&packet);
        if self.fastest.remove(packet.transit) {
            self.recent.iter().for_each(|p| self.fastest.add(p.transit));
        }
    }

    /// The sender's clock jumped: media times so far mean nothing now.
    pub(super) fn restart(&mut self) {
        self.recent.clear();
        self.observed = 0;
        self.span = None;
        self.fastest = Fastest::default();
        self.lateness = Lateness::around(0);
        self.shift = None;
        self.last = None;
    }

    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_micros(self.jitter.unsigned_abs() / 16)
    }

    /// The delay over the fastest of the recent packets that is aimed at from `offset`.
    pub(super) fn best_delay(&self, offset: i64) -> Duration {
        let (shift, _) = self.cheapest(&self.lateness_around(offset), HYSTERESIS);
        let best = offset + i64::from(shift) * STEP;
        Duration::from_micros(u64::try_from(best - self.fastest.transit).unwrap_or(0))
    }

    /// By how many blocks `offset`, in microseconds, should change. Cheap to ask again, and cheap
    /// to ask for the same offset when packets have come.
    pub(in crate::voice::ingress) fn best_shift(&mut self, offset: i64) -> i32 {
        if !self.lateness.is_around(offset) {
            self.lateness = self.lateness_around(offset);
            self.shift = None;
        }
        let shift = self.shift.unwrap_or_else(|| self.cheapest(&self.lateness, HYSTERESIS).0);
        self.shift = Some(shift);
        shift
    }

    /// True if a stream should rather start later than at `offset`.
    pub(super) fn should_wait(&self, offset: i64) -> bool {
        self.cheapest(&self.lateness_around(offset), 0).0 > 0
    }

    /// How much of `offset` is more than suits best, in microseconds.
    pub(super) fn excess_at(&self, offset: i64) -> i64 {
        let (shift, _) = self.cheapest(&self.lateness_around(offset), 0);
        i64::from(-shift).max(0) * STEP
    }

    /// By how much the grid of calls should move to save the most delay: less than a block, zero
    /// if little is to be saved or little is known yet.
    pub(super) fn best_lag(&self, offset: i64) -> Duration {
        if self.observed < KNOWN_LINE {
            return Duration::ZERO;
        }
        let price = |lag: i64| self.cheapest(&self.lateness_around(offset + lag), 0).1;
        let best = (LAG..STEP).step_by(LAG as usize).map(|lag| (price(lag), lag)).min();
        match best {
            Some((with_lag, lag)) if with_lag + WORTH_MOVING < price(0) => {
                Duration::from_micros(lag.unsigned_abs())
            }
            _ => Duration::ZERO,
        }
    }

    fn lateness_around(&self, offset: i64) -> Lateness {
        let mut lateness = Lateness::around(offset);
        self.recent.iter().for_each(|packet| lateness.add(packet));
        lateness
    }

    /// The time for which the packets remembered stand, in microseconds.
    fn known(&self) -> i64 {
        match self.span {
            Some((first, last)) if last - first >= FIRST_LOOK => {
                (last - first).clamp(SHORTEST, WINDOW)
            }
            _ => WINDOW,
        }
    }

    /// The shift in blocks that costs least, and its price in microseconds.
    fn cheapest(&self, lateness: &Lateness, hysteresis: i64) -> (i32, i64) {
        let mut prices = lateness.prices();
        // In 1024ths.
        let share = 1_024 * WINDOW / self.known();
        for (price, offset) in prices.iter_mut().zip((lateness.base..).step_by(STEP as usize)) {
            let delay = offset - self.fastest.transit;
            let forbidden = (delay - self.delay.end()).max(self.delay.start() - delay).max(0);
            *price = ((*price * share) >> 10) + delay + 1_000 * forbidden;
        }
        let stay = prices[REACH] - hysteresis;
        match prices.iter().zip(-(REACH as i32)..).min_by_key(|(price, _)| **price) {
            Some((&price, shift)) if price < stay => (shift, price),
            _ => (0, stay),
        }
    }
}

/// The least transit of some packets, and how many of them have it.
#[derive(Default)]
struct Fastest {
    transit: i64,
    count: usize,
}

impl Fastest {
    fn add(&mut self, transit: i64) {
        if self.count == 0 || transit < self.transit {
            *self = Fastest { transit, count: 0 };
        }
        self.count += usize::from(transit == self.transit);
    }

    /// True if that was the last of the fastest: the others must be looked through.
    fn remove(&mut self, transit: i64) -> bool {
        self.count -= usize::from(transit == self.transit);
        self.count == 0
    }
}

/// What the late blocks of some packets would have cost at each of the offsets `base + n * STEP`.
struct Lateness {
    base: i64,
    /// Price of the blocks that are late at that offset and in time at the next.
    last_late: [i64; 2 * REACH],
}

impl Lateness {
    fn around(offset: i64) -> Self {
        Lateness { base: offset - REACH as i64 * STEP, last_late: [0; 2 * REACH] }
    }

    fn is_around(&self, offset: i64) -> bool {
        self.base == offset - REACH as i64 * STEP
    }

    fn add(&mut self, packet: &Packet) {
        self.blocks_of(packet).iter_mut().for_each(|price| *price += packet.price);
    }

    fn remove(&mut self, packet: &Packet) {
        self.blocks_of(packet).iter_mut().for_each(|price| *price -= packet.price);
    }

    /// Offsets from this one on are in time for the packet's first block; for each further block,
    /// one step less is enough.
    fn blocks_of(&mut self, packet: &Packet) -> &mut [i64] {
        let in_time = (packet.transit + MARGIN - self.base + STEP - 1).div_euclid(STEP);
        let in_time = in_time.clamp(0, self.last_late.len() as i64) as usize;
        &mut self.last_late[in_time.saturating_sub(packet.blocks)..in_time]
    }

    fn prices(&self) -> [i64; 2 * REACH] {
        let mut prices = self.last_late;
        for step in (1..prices.len()).rev() {
            prices[step - 1] += prices[step];
        }
        prices
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulation::Random;
    use super::*;

    /// What moves on with each packet is what a look at all of them would give.
    #[test]
    fn the_prices_kept_are_those_of_the_packets_remembered() {
        let mut random = Random::new(1);
        let mut transit = Transit::new(Duration::ZERO..=Duration::from_millis(400));
        let (mut offset, mut shifts) = (30_000, 0);
        for n in 0..3_000 {
            let delay = (random.unit().powi(4) * 90_000.0) as u64 / 1_000 * 1_000;
            let arrival = Instant::from_micros(n * 20_000 + delay);
            let start = n as i64 * 960;
            transit.observe(arrival, start, 960);
            if random.unit() < 0.1 {
                transit.observe_copy(arrival - Duration::from_millis(30), start - 960, 960);
            }
            if random.unit() < 0.05 {
                offset = (random.unit() * 200_000.0) as i64;
            }
            let fresh = transit.lateness_around(offset);
            let shift = transit.best_shift(offset);
            assert_eq!(transit.lateness.last_late, fresh.last_late, "packet {n}");
            assert_eq!(shift, transit.cheapest(&fresh, HYSTERESIS).0, "packet {n}");
            let fastest = transit.recent.iter().map(|p| p.transit).min();
            assert_eq!(fastest, Some(transit.fastest.transit), "packet {n}");
            assert!(transit.recent.iter().is_sorted_by_key(|p| p.arrival), "packet {n}");
            shifts += i32::from(shift != 0);
        }
        assert!((100..2_900).contains(&shifts), "{shifts}");
    }
}
