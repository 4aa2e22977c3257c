//! What the sender is told of its packets: how many were lost, in how long bursts, and how long the queue is
//! that they wait in.

use std::collections::VecDeque;

use crate::voice::report::Report;

/// The shortest queue is that of so many periods, of so many microseconds each: a minute. A queue that
/// stands longer is taken for the path's own delay.
const PERIODS: usize = 6;
const PERIOD: i64 = 10_000_000;
/// Packets that make a report: fewer say little of loss, and the fastest of them is not fast.
const ENOUGH: u32 = 10;

/// Watches packets come.
#[derive(Default)]
pub(super) struct Reporter {
    newest: Option<i64>,
    received: u32,
    lost: u32,
    bursts: u32,
    /// Transit of the fastest packet since the last report, in microseconds.
    fastest: Option<i64>,
    /// When each period began, and the fastest packet of it.
    periods: VecDeque<(i64, i64)>,
}

impl Reporter {
    /// A packet that has not come before.
    pub(super) fn observe(&mut self, arrival: i64, sequence: i64, transit: i64) {
        self.received += 1;
        match self.newest {
            Some(newest) if sequence < newest => self.lost = self.lost.saturating_sub(1),
            Some(newest) if sequence > newest + 1 => {
                self.lost =
                    self.lost.saturating_add(u32::try_from(sequence - newest - 1).unwrap_or(0));
                self.bursts += 1;
            }
            _ => {}
        }
        self.newest = self.newest.max(Some(sequence));
        self.fastest = Some(self.fastest.map_or(transit, |f| f.min(transit)));
        match self.periods.back_mut() {
            Some((began, fastest)) if arrival < *began + PERIOD => *fastest = transit.min(*fastest),
            _ => {
                let over = arrival - PERIODS as i64 * PERIOD;
                self.periods.retain(|(began, _)| *began > over);
                self.periods.push_back((arrival, transit));
            }
        }
    }

    /// What came since the last report; `None` if it is too little to say anything.
    pub(super) fn take(&mut self) -> Option<Report> {
        if self.received + self.lost < ENOUGH {
            return None;
        }
        let fastest = self.fastest.take()?;
        let (received, lost, bursts) = (self.received, self.lost, self.bursts.max(1));
        (self.received, self.lost, self.bursts) = (0, 0, 0);
        let shortest = self.periods.iter().map(|(_, fastest)| *fastest).min().unwrap_or(fastest);
        Some(Report {
            loss_percent: 100.0 * lost as f32 / (received + lost) as f32,
            burst: (lost as f32 / bursts as f32).max(1.0),
            queue_ms: u32::try_from((fastest - shortest) / 1_000).unwrap_or(0),
            takes_deep: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of these numbers, 20 ms apart, each delayed by so many milliseconds.
    fn come(reporter: &mut Reporter, numbers: &[i64], delay: i64) {
        for number in numbers {
            reporter.observe(number * 20_000 + delay * 1_000, *number, delay * 1_000);
        }
    }

    #[test]
    fn too_little_came_nothing_is_said() {
        let mut reporter = Reporter::default();
        assert_eq!(reporter.take(), None);
        come(&mut reporter, &[0, 1, 2, 3, 4], 0);
        assert_eq!(reporter.take(), None);
        come(&mut reporter, &[5, 6, 7, 8, 9], 0);
        assert!(reporter.take().is_some());
        assert_eq!(reporter.take(), None);
    }

    #[test]
    fn losses_and_bursts_are_counted_and_what_comes_late_is_not_lost() {
        let mut reporter = Reporter::default();
        come(&mut reporter, &[1, 2, 3, 5, 6, 7, 11, 10, 12], 0);
        // 4, 8 and 9.
        let report = reporter.take().unwrap();
        assert_eq!((report.loss_percent, report.burst), (25.0, 1.5));
        come(&mut reporter, &[13, 14, 15, 16, 17, 18, 19, 20, 21, 22], 0);
        assert_eq!(reporter.take().map(|r| (r.loss_percent, r.burst)), Some((0.0, 1.0)));
    }

    #[test]
    fn the_queue_is_what_even_the_fastest_waits_in() {
        let mut reporter = Reporter::default();
        come(&mut reporter, &[0, 1, 2, 3, 4, 5, 6, 7, 8], 30);
        come(&mut reporter, &[9], 90);
        assert_eq!(reporter.take().map(|r| r.queue_ms), Some(0));
        let next: Vec<i64> = (10..20).collect();
        come(&mut reporter, &next, 90);
        assert_eq!(reporter.take().map(|r| r.queue_ms), Some(60));
        // After a minute it is the path's own delay, whether anything came meanwhile or not.
        let much_later: Vec<i64> = (9_000..9_010).collect();
        come(&mut reporter, &much_later, 90);
        assert_eq!(reporter.take().map(|r| r.queue_ms), Some(0));
    }
}
