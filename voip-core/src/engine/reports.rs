//! Telling the sender how its packets come, and heeding what one is told. On the data channel, with the packets of
//! the stream: once a second while there is something to tell.

use crate::time::{Duration, Instant};
use crate::voice::Report;
use crate::wire::channel::{ChannelMessage, ReportMessage};

use super::call::Call;
use super::{CallKey, Engine};

/// From one report to the next.
const EVERY: Duration = Duration::from_secs(1);
/// Reports that come faster than this are not heeded: the encoder is not the peer's toy.
const HEEDED_EVERY: Duration = Duration::from_millis(500);
/// After the last that had something to tell so many follow, so that the sender may take heart again.
const GOOD_NEWS: u32 = 60;
/// A queue up to this long is not worth a report, in milliseconds.
const NOTHING: u32 = 20;

/// What two peers have told each other.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// When the next is due.
    due: Option<Instant>,
    /// How many will tell that all is well.
    good_news: u32,
    heeded: Option<Instant>,
    peer_loss_pct: f32,
}

impl Reports {
    /// Packets sent that the peer did not get, as it told last.
    pub(super) fn peer_loss_pct(&self) -> f64 {
        f64::from(self.peer_loss_pct)
    }
}

impl Call {
    /// The peer tells how packets come there.
    pub(super) fn reported(&mut self, now: Instant, report: &Report) {
        self.reports.peer_loss_pct = report.loss_percent;
        let too_soon = self.reports.heeded.is_some_and(|at| now < at + HEEDED_EVERY);
        let Some(egress) = self.egress.as_mut().filter(|_| !too_soon) else { return };
        self.reports.heeded = Some(now);
        egress.heard(report);
    }
}

impl Engine {
    /// Packets came: tells the peer of them, if it is time.
    pub(super) fn report(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let (Some(stream), Some(session)) = (call.stream, &mut call.session) else { return };
        let due = *call.reports.due.get_or_insert(now + EVERY);
        if now < due {
            return;
        }
        call.reports.due = Some(now + EVERY);
        let Some(report) = self.ingress.take_report(stream) else { return };
        let tells = report.loss_percent > 0.0 || report.queue_ms > NOTHING;
        if tells || call.reports.good_news > 0 {
            let told = session.send_message(now, &ChannelMessage::Report(report.into()).to_bytes());
            if tells {
                call.reports.good_news = GOOD_NEWS;
            } else if told {
                call.reports.good_news -= 1;
            }
            self.drain_session(now, key);
        }
    }
}

impl From<Report> for ReportMessage {
    fn from(report: Report) -> Self {
        ReportMessage {
            lost_permille: (10.0 * report.loss_percent).round() as u32,
            burst_tenths: (10.0 * report.burst).round() as u32,
            queue_ms: report.queue_ms,
            deep: report.takes_deep,
        }
    }
}

impl From<ReportMessage> for Report {
    /// What cannot be is as near to it as can be.
    fn from(message: ReportMessage) -> Self {
        Report {
            loss_percent: message.lost_permille.min(1_000) as f32 / 10.0,
            burst: message.burst_tenths.max(10) as f32 / 10.0,
            queue_ms: message.queue_ms.min(10_000),
            takes_deep: message.deep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::call::Phase;
    use crate::id::{CallId, RtpTimestamp};
    use crate::voice::{Egress, EncoderConfig, StandInEncoder};

    #[test]
    fn reports_that_come_too_fast_are_told_and_not_heeded() {
        let (id, name) = (CallId([1; 16]), "bob".to_owned());
        let mut call = Call::new(id, Phase::Connected, name, Instant::ZERO, Duration::ZERO);
        let config = EncoderConfig::default();
        let encoder = Box::new(StandInEncoder::new(&config));
        call.egress = Some(Egress::new(encoder, &config, RtpTimestamp(0)));
        for n in 1..=5_u32 {
            let report =
                Report { loss_percent: n as f32, burst: 1.0, queue_ms: 100 * n, takes_deep: false };
            call.reported(Instant::ZERO + Duration::from_millis(100) * n, &report);
        }
        assert_eq!(call.reports.peer_loss_pct(), 5.0);
        assert_eq!(call.egress.as_ref().map(Egress::bitrate), Some(24_000), "one of five");
        let report = Report { loss_percent: 0.0, burst: 1.0, queue_ms: 600, takes_deep: false };
        call.reported(Instant::ZERO + Duration::from_millis(600), &report);
        assert_eq!(call.egress.as_ref().map(Egress::bitrate), Some(18_000));
    }

    #[test]
    fn a_report_arrives_as_it_was_sent_and_a_wild_one_as_near_as_can_be() {
        let report = Report { loss_percent: 7.3, burst: 1.5, queue_ms: 40, takes_deep: true };
        assert_eq!(Report::from(ReportMessage::from(report)), report);
        let wild = ReportMessage {
            lost_permille: u32::MAX,
            burst_tenths: 0,
            queue_ms: u32::MAX,
            deep: false,
        };
        let near = Report { loss_percent: 100.0, burst: 1.0, queue_ms: 10_000, takes_deep: false };
        assert_eq!(Report::from(wild), near);
    }
}
