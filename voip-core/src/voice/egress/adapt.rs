//! How the sender answers what the receiver reports: how much it sends, and how much of that to mend losses.

use super::packetize::FARTHEST;
use crate::voice::codec::{Effort, EncoderConfig, Redundancy};
use crate::voice::report::Report;

/// The least that is sent, in bits per second: intelligible speech.
const LEAST: u32 = 12_000;
/// Opus divides the packet for this much loss at most, in per cent: more leaves too little for the sound itself.
const MOST_LOSS: f32 = 30.0;
/// Less loss than this is none, in per cent.
const NOTHING: f32 = 0.5;
/// From this much loss on that copies cannot mend, in per cent, packets are repeated in their place; below the second
/// they come back. At 4 % the repetitions, which want to be waited for, are not worth it.
const BURSTY: f32 = 6.0;
const NO_LONGER_BURSTY: f32 = 3.0;
/// A packet is repeated after so many as are lost in a row on average: then a third of the repetitions are lost
/// with it, and after more, all wait longer.
const NEAREST: f32 = 2.0;
/// The least that is enough to say everything twice, in bits per second.
const ENOUGH_FOR_TWO: u32 = 24_000;
/// Bits per second at which the sound is rather described (deep redundancy), if the receiver takes that: with fewer
/// Opus makes more bits than it should, with more there is enough to say it twice.
const DESCRIBED: std::ops::Range<u32> = 28_000..40_000;
/// It reaches back over so many mean bursts, within these bounds in milliseconds: nineteen in twenty bursts are
/// shorter than three mean ones if their ends are due to chance.
const BURSTS: f32 = 3.0;
const SHORTEST_REACH: f32 = 100.0;
const LONGEST_REACH: f32 = 1_000.0;
/// The loss that Opus is told of then, in per cent: it takes three bits of five for the redundancy beyond the
/// 12 kbit/s that the sound needs. Told of more, it takes more and all sounds worse.
const DIVIDED: u8 = 5;
/// A queue this long, in milliseconds, is one that fills; up to `SHORT` it is none.
const LONG: u32 = 40;
const SHORT: u32 = 20;
/// By how much longer it must be than at the last report to be filling, in milliseconds.
const GROWN: u32 = 10;
/// With a queue this much is enough loss to say that it overflows, in per cent.
const OVERFLOW: f32 = 3.0;
/// Much less at once while the queue fills; more by and by once it is empty.
const LESS: f32 = 0.75;
const MORE: f32 = 1.08;

/// Chooses the effort from reports. What was configured is the most that is sent, and the least loss that
/// is prepared for: the first losses come before any report of them.
pub(super) struct Adaptation {
    configured: Effort,
    effort: Effort,
    /// Whether redundancy is wanted at all.
    mends: bool,
    frame_ms: f32,
    /// Loss as of late, in per cent: what copies in the next packet can mend, and what they cannot.
    mendable: Lately,
    bursty: Lately,
    /// Packets lost in a row.
    burst: Lately,
    queue_ms: u32,
}

/// A measure that follows what rises at once, and what falls by and by.
#[derive(Clone, Copy, Default)]
struct Lately(f32);

impl Lately {
    fn observe(&mut self, value: f32) {
        let part = if value > self.0 { 0.5 } else { 0.1 };
        self.0 += part * (value - self.0);
    }
}

impl Adaptation {
    pub(super) fn new(config: &EncoderConfig) -> Self {
        let EncoderConfig { bitrate, expected_loss, .. } = *config;
        let configured = Effort { bitrate, expected_loss, redundancy: Redundancy::Copies };
        Adaptation {
            configured,
            effort: configured,
            mends: config.fec,
            frame_ms: config.frame.millis() as f32,
            mendable: Lately::default(),
            bursty: Lately::default(),
            burst: Lately::default(),
            queue_ms: 0,
        }
    }

    pub(super) fn effort(&self) -> Effort {
        self.effort
    }

    /// The receiver reports: the effort from now on.
    pub(super) fn heard(&mut self, report: &Report) -> Effort {
        // Of a burst only the last is mended.
        let mendable = report.loss_percent / report.burst;
        self.mendable.observe(mendable);
        self.bursty.observe(report.loss_percent - mendable);
        if report.loss_percent > 0.0 {
            self.burst.observe(report.burst);
        }
        let grown = report.queue_ms.saturating_sub(self.queue_ms) >= GROWN;
        self.queue_ms = report.queue_ms;
        let overflows = report.loss_percent >= OVERFLOW;
        let factor = match report.queue_ms {
            LONG.. if grown || overflows => LESS,
            ..=SHORT => MORE,
            _ => 1.0,
        };
        let most = self.configured.bitrate;
        let bitrate = (self.effort.bitrate as f32 * factor) as u32;
        self.effort.bitrate = bitrate.clamp(LEAST.min(most), most);

        // What the bits are divided into follows from how many there are.
        let loss = if self.mendable.0 < NOTHING { 0.0 } else { self.mendable.0.ceil() };
        let least = f32::from(self.configured.expected_loss);
        self.effort.redundancy = self.redundancy(report.takes_deep);
        self.effort.expected_loss = match self.effort.redundancy {
            Redundancy::Deep { .. } => DIVIDED,
            _ => loss.min(MOST_LOSS).max(least) as u8,
        };
        self.effort
    }

    fn redundancy(&self, takes_deep: bool) -> Redundancy {
        let copies = self.effort.redundancy == Redundancy::Copies;
        if !self.mends || self.bursty.0 < if copies { BURSTY } else { NO_LONGER_BURSTY } {
            return Redundancy::Copies;
        }
        if takes_deep && DESCRIBED.contains(&self.effort.bitrate) {
            let reach = BURSTS * self.burst.0 * self.frame_ms;
            let reach_ms = reach.clamp(SHORTEST_REACH, LONGEST_REACH) as u16;
            return Redundancy::Deep { reach_ms };
        }
        if self.effort.bitrate < ENOUGH_FOR_TWO {
            return Redundancy::Copies;
        }
        let distance = self.burst.0.round().clamp(NEAREST, f32::from(FARTHEST)) as u8;
        Redundancy::Repeated { distance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(adaptation: &mut Adaptation, loss_percent: f32, burst: f32, queue_ms: u32) -> Effort {
        adaptation.heard(&Report { loss_percent, burst, queue_ms, takes_deep: false })
    }

    fn new() -> Adaptation {
        Adaptation::new(&EncoderConfig::default())
    }

    #[test]
    fn a_good_line_changes_nothing() {
        let mut adaptation = new();
        for _ in 0..100 {
            assert_eq!(
                told(&mut adaptation, 0.0, 1.0, 0),
                Effort { bitrate: 32_000, expected_loss: 10, redundancy: Redundancy::Copies }
            );
        }
    }

    #[test]
    fn loss_is_prepared_for_at_once_and_forgotten_by_and_by() {
        let mut adaptation = new();
        let loss: Vec<_> =
            (0..4).map(|_| told(&mut adaptation, 24.0, 1.0, 0).expected_loss).collect();
        assert_eq!(loss, [12, 18, 21, 23]);
        assert_eq!(told(&mut adaptation, 0.0, 1.0, 0).expected_loss, 21);
        let after = (0..20).map(|_| told(&mut adaptation, 0.0, 1.0, 0).expected_loss).last();
        assert_eq!(after, Some(10), "as configured");
        assert_eq!(adaptation.effort().bitrate, 32_000, "loss alone is not the sender's fault");
    }

    #[test]
    fn copies_do_not_mend_bursts() {
        let mut adaptation = new();
        let loss = (0..20).map(|_| told(&mut adaptation, 30.0, 4.0, 0).expected_loss).last();
        assert_eq!(loss, Some(10));
    }

    fn bursts(adaptation: &mut Adaptation, loss_percent: f32, takes_deep: bool) -> Redundancy {
        let report = Report { loss_percent, burst: 4.0, queue_ms: 0, takes_deep };
        adaptation.heard(&report).redundancy
    }

    #[test]
    fn bursts_are_answered_with_saying_everything_twice() {
        let mut adaptation = new();
        let distances: Vec<_> = (0..4).map(|_| bursts(&mut adaptation, 20.0, false)).collect();
        let twice = [2, 3, 4, 4].map(|distance| Redundancy::Repeated { distance });
        assert_eq!(distances, twice);
        assert_eq!(adaptation.effort().bitrate, 32_000, "all in all");
        let lasted = std::iter::repeat_with(|| bursts(&mut adaptation, 0.0, false))
            .take_while(|redundancy| *redundancy != Redundancy::Copies)
            .count();
        assert!((10..30).contains(&lasted), "{lasted} s after the last burst");
    }

    #[test]
    fn single_losses_are_left_to_copies() {
        let mut adaptation = new();
        for _ in 0..20 {
            let report = Report { loss_percent: 20.0, takes_deep: true, burst: 1.0, queue_ms: 0 };
            assert_eq!(adaptation.heard(&report).redundancy, Redundancy::Copies);
        }
    }

    #[test]
    fn bursts_are_answered_with_a_description_if_the_receiver_asks() {
        let mut adaptation = new();
        for _ in 0..5 {
            bursts(&mut adaptation, 20.0, false);
        }
        assert_eq!(bursts(&mut adaptation, 20.0, true), Redundancy::Deep { reach_ms: 236 });
        assert_eq!(adaptation.effort().expected_loss, DIVIDED);
        assert_eq!(bursts(&mut adaptation, 20.0, false), Redundancy::Repeated { distance: 4 });
    }

    #[test]
    fn who_wants_no_redundancy_gets_none() {
        let config = EncoderConfig { fec: false, ..EncoderConfig::default() };
        let mut adaptation = Adaptation::new(&config);
        for _ in 0..20 {
            assert_eq!(bursts(&mut adaptation, 20.0, true), Redundancy::Copies);
        }
    }

    #[test]
    fn too_few_bits_are_neither_said_twice_nor_described() {
        let config = EncoderConfig { bitrate: 20_000, ..EncoderConfig::default() };
        let mut adaptation = Adaptation::new(&config);
        for _ in 0..20 {
            assert_eq!(bursts(&mut adaptation, 20.0, true), Redundancy::Copies);
        }
    }

    #[test]
    fn a_queue_that_fills_is_answered_with_less_and_an_empty_one_with_more() {
        let mut adaptation = new();
        let sent = [15, 45, 90, 140, 130, 80, 30, 10]
            .map(|queue| told(&mut adaptation, 0.0, 1.0, queue).bitrate);
        assert_eq!(sent, [32_000, 24_000, 18_000, 13_500, 13_500, 13_500, 13_500, 14_580]);
        let after = (0..11).map(|_| told(&mut adaptation, 0.0, 1.0, 0).bitrate).last();
        assert_eq!(after, Some(32_000));
    }

    #[test]
    fn a_single_loss_is_forgotten_in_the_end() {
        let config = EncoderConfig { expected_loss: 0, ..EncoderConfig::default() };
        let mut adaptation = Adaptation::new(&config);
        assert_eq!(told(&mut adaptation, 2.0, 1.0, 0).expected_loss, 1);
        let after = (0..30).map(|_| told(&mut adaptation, 0.0, 1.0, 0).expected_loss).last();
        assert_eq!(after, Some(0));
    }

    #[test]
    fn the_wildest_reports_are_survived() {
        let mut adaptation = new();
        for _ in 0..3 {
            let effort = told(&mut adaptation, 100.0, 1.0, u32::MAX);
            assert!(effort.bitrate >= LEAST && effort.expected_loss <= MOST_LOSS as u8);
        }
        assert_eq!(told(&mut adaptation, 0.0, 1e6, 0).bitrate, 14_580);
    }

    #[test]
    fn a_queue_that_overflows_is_answered_with_less_although_it_does_not_grow() {
        let mut adaptation = new();
        for _ in 0..10 {
            told(&mut adaptation, 10.0, 1.0, 200);
        }
        assert_eq!(adaptation.effort().bitrate, LEAST);
    }
}
