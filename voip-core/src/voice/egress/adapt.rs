//! How the sender answers what the receiver reports: how much it sends, and how much of that to mend losses.

use crate::voice::codec::EncoderConfig;
use crate::voice::report::Report;

/// The least that is sent, in bits per second: intelligible speech.
const LEAST: u32 = 12_000;
/// Opus divides the packet for this much loss at most, in per cent: more leaves too little for the sound itself.
const MOST_LOSS: f32 = 30.0;
/// Less loss than this is none, in per cent.
const NOTHING: f32 = 0.5;
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

/// What the encoder is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effort {
    /// Bits per second.
    pub(super) bitrate: u32,
    /// The loss to prepare for, in per cent.
    pub(super) expected_loss: u8,
}

/// Chooses the effort from reports. What was configured is the most that is sent, and the least loss that
/// is prepared for: the first losses come before any report of them.
pub(super) struct Adaptation {
    configured: Effort,
    effort: Effort,
    /// Loss that copies in the next packet can mend, in per cent, as of late.
    mendable: f32,
    queue_ms: u32,
}

impl Adaptation {
    pub(super) fn new(config: &EncoderConfig) -> Self {
        let configured = Effort { bitrate: config.bitrate, expected_loss: config.expected_loss };
        Adaptation { configured, effort: configured, mendable: 0.0, queue_ms: 0 }
    }

    pub(super) fn effort(&self) -> Effort {
        self.effort
    }

    /// The receiver reports: the effort from now on.
    pub(super) fn heard(&mut self, report: &Report) -> Effort {
        // Of a burst only the last is mended.
        let mendable = report.loss_percent / report.burst;
        let part = if mendable > self.mendable { 0.5 } else { 0.1 };
        self.mendable += part * (mendable - self.mendable);
        if self.mendable < NOTHING {
            self.mendable = 0.0;
        }
        let least = f32::from(self.configured.expected_loss);
        self.effort.expected_loss = self.mendable.ceil().min(MOST_LOSS).max(least) as u8;

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
        self.effort
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(adaptation: &mut Adaptation, loss_percent: f32, burst: f32, queue_ms: u32) -> Effort {
        adaptation.heard(&Report { loss_percent, burst, queue_ms })
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
                Effort { bitrate: 32_000, expected_loss: 10 }
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
