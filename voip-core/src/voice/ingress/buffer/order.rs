//! Sequence numbers and timestamps without end: unwraps both, knows duplicates, counts losses,
//! and notices a sender that started over (RFC 3550 §A.1).

use crate::id::{RtpTimestamp, SequenceNumber};
use crate::time::Instant;

/// Further back than this a packet belongs to no stream we know.
const MOST_MISORDERED: i32 = 127;
/// Further ahead than this neither (RFC 3550 §A.1, MAX_DROPOUT).
const MOST_DROPPED: i32 = 3_000;
/// Media time may run ahead of the clock by this much between two packets, in samples: 2 s.
const MOST_AHEAD: i64 = 96_000;

/// Where in its stream a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Sequence number, unwrapped.
    pub(super) sequence: i64,
    /// Timestamp of its first sample, unwrapped.
    pub(super) start: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// A packet not seen before.
    New(Place),
    Duplicate,
    /// Its numbers fit nothing. If the next one follows it, the sender started over.
    Stray,
    /// The sender started over: nothing from before counts any more.
    Restart(Place),
}

#[derive(Clone, Copy)]
struct Line {
    newest: Place,
    newest_arrival: Instant,
    oldest: i64,
    /// Bit n: the packet n before the newest was seen.
    seen: u128,
    received: u64,
}

#[derive(Default)]
pub(super) struct Order {
    line: Option<Line>,
    /// The number after the stray packet before this one.
    after_stray: Option<SequenceNumber>,
    lost_before: u64,
}

impl Order {
    pub(super) fn place(
        &mut self,
        arrival: Instant,
        sequence: SequenceNumber,
        timestamp: RtpTimestamp,
    ) -> Arrived {
        let Some(line) = &mut self.line else {
            let place = self.begin(arrival, sequence, timestamp);
            return Arrived::New(place);
        };
        if let Some(arrived) = line.place(arrival, sequence, timestamp) {
            self.after_stray = None;
            return arrived;
        }
        if self.after_stray.take() == Some(sequence) {
            self.lost_before += line.lost();
            return Arrived::Restart(self.begin(arrival, sequence, timestamp));
        }
        self.after_stray = Some(sequence.plus(1));
        Arrived::Stray
    }

    fn begin(
        &mut self,
        arrival: Instant,
        sequence: SequenceNumber,
        timestamp: RtpTimestamp,
    ) -> Place {
        let place = Place { sequence: i64::from(sequence.0), start: i64::from(timestamp.0) };
        self.line = Some(Line {
            newest: place,
            newest_arrival: arrival,
            oldest: place.sequence,
            seen: 1,
            received: 1,
        });
        place
    }

    /// Where a packet of so many samples belongs that the one at `carrier` repeats, being older by `age` samples: packets
    /// were sent without a pause in between. `None` if it has come itself, or fits nothing.
    pub(super) fn repeated(&self, carrier: Place, age: u32, samples: usize) -> Option<Place> {
        let line = self.line.as_ref()?;
        let frame = u32::try_from(samples).ok().filter(|frame| *frame > 0)?;
        if age == 0 || !age.is_multiple_of(frame) {
            return None;
        }
        let place = Place {
            sequence: carrier.sequence - i64::from(age / frame),
            start: carrier.start - i64::from(age),
        };
        let before = u32::try_from(line.newest.sequence - place.sequence).ok()?;
        let seen = 1_u128.checked_shl(before).is_none_or(|bit| line.seen & bit != 0);
        (!seen && place.sequence > line.oldest).then_some(place)
    }

    /// Packets that were sent, judging by the numbers, and have not come (RFC 3550 §6.4.1).
    pub(super) fn lost(&self) -> u64 {
        self.lost_before + self.line.map_or(0, |line| line.lost())
    }
}

impl Line {
    fn lost(&self) -> u64 {
        let expected = self.newest.sequence - self.oldest + 1;
        u64::try_from(expected).unwrap_or(0).saturating_sub(self.received)
    }

    /// `None` if the numbers do not continue this line.
    fn place(
        &mut self,
        arrival: Instant,
        sequence: SequenceNumber,
        timestamp: RtpTimestamp,
    ) -> Option<Arrived> {
        // Truncation undoes the unwrapping.
        let steps = sequence.distance_from(SequenceNumber(self.newest.sequence as u16));
        let samples = timestamp.distance_from(RtpTimestamp(self.newest.start as u32));
        if !(-MOST_MISORDERED..=MOST_DROPPED).contains(&steps) {
            return None;
        }
        if steps.signum() != samples.signum() as i32 {
            return None;
        }
        let passed = i64::try_from(arrival.since(self.newest_arrival).as_micros()).ok()? * 6 / 125;
        if samples > passed.saturating_add(MOST_AHEAD) || samples < -MOST_AHEAD * 10 {
            return None;
        }
        let place = Place {
            sequence: self.newest.sequence + i64::from(steps),
            start: self.newest.start + samples,
        };
        Some(if steps > 0 { self.ahead(arrival, place, steps) } else { self.behind(place, steps) })
    }

    fn ahead(&mut self, arrival: Instant, place: Place, steps: i32) -> Arrived {
        self.seen = self.seen.checked_shl(steps.unsigned_abs()).unwrap_or(0) | 1;
        self.newest = place;
        self.newest_arrival = arrival;
        self.received += 1;
        Arrived::New(place)
    }

    fn behind(&mut self, place: Place, steps: i32) -> Arrived {
        let bit = 1 << steps.unsigned_abs();
        if self.seen & bit != 0 {
            return Arrived::Duplicate;
        }
        self.seen |= bit;
        self.oldest = self.oldest.min(place.sequence);
        self.received += 1;
        Arrived::New(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds packets written as numbers; a packet's timestamp is 960 times its number.
    fn pictures(numbers: &[i64]) -> (Vec<String>, u64) {
        let (mut order, mut newest) = (Order::default(), i64::MIN);
        let seen: Vec<String> = numbers
            .iter()
            .enumerate()
            .map(|(i, &n)| {
                let arrival = Instant::from_micros(i as u64 * 20_000);
                let (sequence, timestamp) =
                    (SequenceNumber(n as u16), RtpTimestamp((n * 960) as u32));
                match order.place(arrival, sequence, timestamp) {
                    Arrived::New(place) if place.sequence > newest => {
                        newest = place.sequence;
                        "new".into()
                    }
                    Arrived::New(place) => format!("old {}", place.sequence),
                    Arrived::Duplicate => "twice".into(),
                    Arrived::Stray => "stray".into(),
                    Arrived::Restart(place) => format!("restart {}", place.sequence),
                }
            })
            .collect();
        (seen, order.lost())
    }

    #[test]
    fn reordering_duplicates_and_losses() {
        let (seen, lost) = pictures(&[5, 7, 6, 7, 10, 5, 4]);
        assert_eq!(seen, ["new", "new", "old 6", "twice", "new", "twice", "old 4"]);
        assert_eq!(lost, 2);
    }

    #[test]
    fn both_numbers_wrap() {
        // 65 535 and 65 536 around the wrap of the sequence number.
        let (seen, lost) = pictures(&[65_534, 65_536, 65_535, 65_537]);
        assert_eq!(seen, ["new", "new", "old 65535", "new"]);
        assert_eq!(lost, 0);
        let mut order = Order::default();
        let near_the_end = RtpTimestamp(u32::MAX - 100);
        order.place(Instant::ZERO, SequenceNumber(1), near_the_end);
        let next = order.place(Instant::ZERO, SequenceNumber(2), near_the_end.plus(960));
        let place = Place { sequence: 2, start: i64::from(u32::MAX) - 100 + 960 };
        assert_eq!(next, Arrived::New(place));
    }

    #[test]
    fn one_stray_is_ignored_and_two_in_a_row_are_a_restart() {
        let (seen, lost) = pictures(&[100, 30_000, 101, 40_000, 40_001, 40_002]);
        assert_eq!(seen, ["new", "stray", "new", "stray", "restart 40001", "new"]);
        assert_eq!(lost, 0);
    }

    #[test]
    fn a_repeated_packet_belongs_where_it_is_missing_and_nowhere_else() {
        let mut order = Order::default();
        let carrier = |n: i64| Place { sequence: n, start: n * 960 };
        let repeated = |order: &Order, n, age| {
            let place = order.repeated(carrier(n), age, 960)?;
            assert_eq!(place, carrier(place.sequence));
            Some(place.sequence)
        };
        assert_eq!(repeated(&order, 5, 960), None, "nothing is known");
        for n in [100_u16, 101, 105] {
            order.place(Instant::ZERO, SequenceNumber(n), RtpTimestamp(u32::from(n) * 960));
        }
        let missing: Vec<_> = (0..8).filter_map(|n| repeated(&order, 105, 960 * n)).collect();
        assert_eq!(missing, [104, 103, 102]);
        assert_eq!(repeated(&order, 105, 1_000), None, "between two");
        assert_eq!(repeated(&order, 104, 1_920), Some(102), "by one that came late");
        assert_eq!(repeated(&order, 105, 960 * 200), None);
        assert_eq!(order.repeated(carrier(105), 960, 0), None);
        assert_eq!(order.lost(), 3, "what is repeated has not come");
    }

    #[test]
    fn a_timestamp_that_runs_backwards_or_far_ahead_is_a_stray() {
        let mut order = Order::default();
        let at = |ms: u64| Instant::from_micros(ms * 1_000);
        order.place(at(0), SequenceNumber(1), RtpTimestamp(100_000));
        let mut next = |ms, n, ts| order.place(at(ms), SequenceNumber(n), RtpTimestamp(ts));
        assert_eq!(next(20, 2, 50_000), Arrived::Stray);
        assert_eq!(next(40, 2, 100_000 + 48_000 * 60), Arrived::Stray);
        // A minute of silence that really lasted a minute is none.
        assert!(matches!(next(60_000, 2, 100_000 + 48_000 * 60), Arrived::New(_)));
    }
}
