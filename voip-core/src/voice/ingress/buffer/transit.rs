//! How long packets take: their transit (arrival minus media time; only differences of it mean
//! anything), the fastest of the last ten seconds, and by how much each is later than that.
//!
//! What counts is when a frame becomes *playable*: with its own packet, or with the copy that the next
//! packet carries of it. One that neither brings is lost at any delay, and says nothing about the
//! delay to choose.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::order::Place;
use super::store::Packet;
use super::target::{BIN, Target};
use crate::frame::BLOCK;
use crate::time::{Duration, Instant};
use crate::voice::codec::Deep;
use crate::voice::ingress::playout::media_micros;

/// The fastest packet is that of so much past, in microseconds: it follows drift and changes of route.
const WINDOW: i64 = 10_000_000;
/// Packets remembered at most; 10 s of 20 ms packets are 500.
const PACKETS: usize = 1_024;
/// A frame is settled, played or lost, when so many later packets have come.
const SETTLED: i64 = 3;
/// How much the copy of a lost frame counts: it is coarse, and comes a packet later at the earliest. So
/// waiting for copies begins at some 5 % of loss.
const COPY: f32 = 0.05;
/// And a frame that can be rebuilt from deep redundancy, which sounds like the voice but not like the frame.
const REBUILT: f32 = 0.2;
/// A packet this close to its time counts as late, in microseconds: clocks drift 300 ppm, so this
/// warns more than a second ahead.
const MARGIN: i64 = 900;
/// Delay over what is aimed at that is not worth a stretch, in microseconds.
const SLACK: i64 = 1_000;
/// One step of the offset, in microseconds.
const STEP: i64 = 10_000;
/// Moving the grid of calls must save this much, in microseconds.
const WORTH_MOVING: i64 = 4_000;
/// Packets after which a line is known well enough for it.
const KNOWN_LINE: usize = 100;

/// A packet whose frame is not settled yet.
#[derive(Clone, Copy, Debug)]
struct Recent {
    sequence: i64,
    start: i64,
    transit: i64,
    /// Samples of the sound before it of which it carries a copy,
    copied: i64,
    /// and those that its deep redundancy describes.
    deep: Deep,
}

/// The transit of recent packets.
pub(in crate::voice::ingress) struct Transit {
    /// Candidates for the fastest packet: arrival and transit, both rising.
    fastest: VecDeque<(i64, i64)>,
    /// By sequence number.
    unsettled: VecDeque<Recent>,
    newest: i64,
    /// The last that is settled: what comes before it comes after all.
    settled: i64,
    target: Target,
    quality: u32,
    observed: usize,
    last: Option<i64>,
    jitter: i64,
    delay: RangeInclusive<i64>,
}

impl Transit {
    /// `delay` limits what may be asked for, over the fastest packet; `quality` is its price
    /// ([`Target::new`]).
    pub(super) fn new(delay: RangeInclusive<Duration>, quality: u32) -> Self {
        let micros = |d: &Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX / 4);
        Transit {
            fastest: VecDeque::with_capacity(PACKETS),
            unsettled: VecDeque::with_capacity(8),
            newest: i64::MIN,
            settled: i64::MIN,
            target: Target::new(quality),
            quality,
            observed: 0,
            last: None,
            jitter: 0,
            delay: micros(delay.start())..=micros(delay.end()),
        }
    }

    /// Takes note of a packet. One that was repeated says nothing of the line but when it can be played.
    pub(super) fn observe(&mut self, arrival: Instant, packet: Packet) {
        let Place { sequence, start } = packet.place;
        let arrival = arrival.as_micros() as i64;
        let transit = arrival - media_micros(start);
        if !packet.repeated {
            if let Some(last) = self.last.replace(transit) {
                // RFC 3550 §6.4.1, scaled by 16 to keep the fraction.
                self.jitter += (transit - last).abs() - self.jitter / 16;
            }
            self.observed = self.observed.saturating_add(1);
            self.keep_fastest(arrival, transit);
        }
        let (copied, deep) = (packet.info.fec_samples as i64, packet.deep);
        // What has come repeated already may come itself.
        if let Some(known) = self.unsettled.iter_mut().find(|p| p.sequence == sequence) {
            known.transit = known.transit.min(transit);
            return;
        }
        let recent = Recent { sequence, start, transit, copied, deep };
        let earlier = self.unsettled.iter().rposition(|p| p.sequence < sequence);
        self.unsettled.insert(earlier.map_or(0, |i| i + 1), recent);
        self.newest = self.newest.max(sequence);
        self.settle();
    }

    fn keep_fastest(&mut self, arrival: i64, transit: i64) {
        while self.fastest.back().is_some_and(|(_, slower)| *slower >= transit) {
            self.fastest.pop_back();
        }
        if self.fastest.len() == PACKETS {
            self.fastest.pop_front();
        }
        self.fastest.push_back((arrival, transit));
        while self.fastest.front().is_some_and(|(at, _)| *at < arrival - WINDOW) {
            self.fastest.pop_front();
        }
    }

    /// Transit of the fastest packet.
    fn base(&self) -> i64 {
        self.fastest.front().map_or(0, |(_, transit)| *transit)
    }

    fn settle(&mut self) {
        while let Some(first) = self.unsettled.front().copied()
            && first.sequence + SETTLED <= self.newest
        {
            self.unsettled.pop_front();
            let base = self.base();
            let next = self.unsettled.front();
            let copy = next.filter(|n| n.sequence == first.sequence + 1 && n.copied > 0);
            let by_copy = copy.map(|n| n.transit + media_micros(n.start - first.start));
            let playable = first.transit.min(by_copy.unwrap_or(i64::MAX));
            self.count(playable, base, 1.0);
            if let Some(next) = self.unsettled.front().copied()
                && first.sequence > self.settled
            {
                self.count_lost(first, next, base);
            }
            self.settled = self.settled.max(first.sequence);
        }
    }

    /// The frames between two packets were lost: some can be had from the second.
    fn count_lost(&mut self, first: Recent, next: Recent, base: i64) {
        let lost = next.sequence - first.sequence - 1;
        if lost < 1 {
            return;
        }
        if next.copied > 0 {
            self.count(next.transit + media_micros(next.copied), base, COPY);
        }
        let frame = ((next.start - first.start) / (lost + 1)).max(BLOCK as i64);
        let copies = i64::from(next.copied > 0);
        for back in copies + 1..=lost.min(next.deep.begin as i64 / frame) {
            if next.deep.describes((back * frame) as usize) {
                self.count(next.transit + media_micros(back * frame), base, REBUILT);
            }
        }
    }

    /// What is later than the longest delay is late at any.
    fn count(&mut self, playable: i64, base: i64, weight: f32) {
        let most = *self.delay.end();
        if playable - base <= most {
            self.target.add(playable, base, most, weight);
        }
    }

    /// The sender's clock jumped: media times so far mean nothing now.
    pub(super) fn restart(&mut self) {
        self.fastest.clear();
        self.unsettled.clear();
        self.newest = i64::MIN;
        self.settled = i64::MIN;
        self.last = None;
        self.target = Target::new(self.quality);
    }

    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_micros(self.jitter.unsigned_abs() / 16)
    }

    /// The delay over the fastest packet that is aimed at.
    pub(super) fn target(&self) -> Duration {
        Duration::from_micros(self.aim().unsigned_abs())
    }

    fn aim(&self) -> i64 {
        let aim = self.target.cheapest(0, BIN).map_or(0, |d| d + MARGIN);
        aim.clamp(*self.delay.start(), *self.delay.end())
    }

    /// By how many blocks `offset`, in microseconds, should change.
    pub(in crate::voice::ingress) fn best_shift(&self, offset: i64) -> i64 {
        let delay = offset - self.base();
        let first = (delay - MARGIN).rem_euclid(STEP);
        let mut best = self.target.cheapest(first, STEP).map_or(delay, |best| best + MARGIN);
        let (least, most) = (*self.delay.start(), *self.delay.end());
        best += (least - best + STEP - 1).max(0) / STEP * STEP;
        best -= (best - most).max(0) / STEP * STEP;
        (best - delay) / STEP
    }

    /// True if a stream should rather start later than at `offset`.
    pub(super) fn should_wait(&self, offset: i64) -> bool {
        self.best_shift(offset) > 0
    }

    /// How much `offset` is over what is aimed at, in microseconds.
    pub(super) fn excess_at(&self, offset: i64) -> i64 {
        offset - self.base() - self.aim()
    }

    /// By how much the grid of calls should move to save the most delay: less than a block, zero
    /// if little is to be saved or little is known yet.
    pub(super) fn best_lag(&self, offset: i64) -> Duration {
        let saved = self.excess_at(offset).rem_euclid(STEP) - SLACK;
        if self.observed < KNOWN_LINE || saved < WORTH_MOVING {
            return Duration::ZERO;
        }
        Duration::from_micros((STEP - saved).unsigned_abs())
    }
}
