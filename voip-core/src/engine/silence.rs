//! Whether a peer is heard, and why not: one watch for each call.
//!
//! Two things are reasons for [`Event::MediaSilent`]: packets that do not come, and the peer's own
//! word that there is only digital silence in them. A peer that says it is muted sends nothing by
//! design. Whatever a peer does, it makes no more than one such event in [`NO_PACKETS`].

use crate::event::{Event, SilenceReason};
use crate::time::{Duration, Instant};

use super::call::Call;
use super::{CallKey, Engine, Output};

/// No packet for so long is silence. In discontinuous transmission Opus sends one at least every
/// 420 ms: this leaves room for one of them to be lost and the next to be 60 ms late.
pub(super) const NO_PACKETS: Duration = Duration::from_millis(900);

/// What is known of the sound that should come from a peer.
#[derive(Debug, Default)]
pub(super) struct SilenceWatch {
    /// The last packet, or the moment from which packets are expected; `None` before.
    heard: Option<Instant>,
    peer_muted: bool,
    digital_silence: bool,
    /// What the user knows.
    told: Option<SilenceReason>,
    told_at: Option<Instant>,
    /// There is news, too soon after the last.
    held_back: bool,
}

impl SilenceWatch {
    /// The call is connected: from now on packets should come.
    pub(super) fn begin(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// A packet came.
    pub(super) fn packet(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// The peer says that it is muted, or no longer. True if that is new.
    pub(super) fn peer_muted(&mut self, now: Instant, muted: bool) -> bool {
        let is_new = std::mem::replace(&mut self.peer_muted, muted) != muted;
        if is_new {
            self.heard = self.heard.map(|_| now);
        }
        is_new
    }

    /// The peer says that its microphone gives digital silence, or no longer.
    pub(super) fn digital_silence(&mut self, silent: bool) {
        self.digital_silence = silent;
    }

    fn reason(&self, now: Instant) -> Option<SilenceReason> {
        let heard = self.heard.filter(|_| !self.peer_muted)?;
        if now >= heard + NO_PACKETS {
            return Some(SilenceReason::NoPackets);
        }
        self.digital_silence.then_some(SilenceReason::DigitalSilence)
    }

    /// What the user is to be told now.
    pub(super) fn news(&mut self, now: Instant, call: CallKey) -> Option<Event<CallKey>> {
        let reason = self.reason(now);
        let too_soon = self.told_at.is_some_and(|at| now < at + NO_PACKETS);
        self.held_back = reason != self.told && too_soon;
        if reason == self.told || too_soon {
            return None;
        }
        self.told = reason;
        self.told_at = Some(now);
        Some(match reason {
            Some(reason) => Event::MediaSilent { call, reason },
            None => Event::MediaResumed { call },
        })
    }

    /// When there may be news although nothing comes from the peer.
    pub(super) fn next_timeout(&self) -> Instant {
        let after = |t: Option<Instant>| t.map_or(Instant::FAR_FUTURE, |t| t + NO_PACKETS);
        if self.held_back {
            after(self.told_at)
        } else if self.peer_muted || self.told == Some(SilenceReason::NoPackets) {
            Instant::FAR_FUTURE
        } else {
            after(self.heard)
        }
    }
}

impl Engine {
    /// Something came from a call's peer that may have ended or begun a silence.
    pub(super) fn watch_silence(&mut self, now: Instant, key: CallKey) {
        let news = self.calls.get_mut(&key).and_then(|call| call.silence.news(now, key));
        if let Some(event) = news {
            self.emit(event);
        }
    }

    /// Time went by.
    pub(super) fn watch_silences(&mut self, now: Instant) {
        let due = |(_, call): &(&CallKey, &mut Call)| call.silence.next_timeout() <= now;
        for (key, call) in self.calls.iter_mut().filter(due) {
            let news = call.silence.news(now, *key);
            self.outputs.extend(news.map(Output::Event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallKey = CallKey(1);

    fn ms(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(5_000 + ms)
    }

    /// Lets time go by up to `until`; what was told, and when.
    fn told(watch: &mut SilenceWatch, until: u64) -> Vec<(u64, Option<SilenceReason>)> {
        let mut told = Vec::new();
        while watch.next_timeout() <= ms(until) {
            let now = watch.next_timeout();
            let at = now.since(ms(0)).as_millis() as u64;
            match watch.news(now, CALL) {
                Some(Event::MediaSilent { reason, .. }) => told.push((at, Some(reason))),
                Some(_) => told.push((at, None)),
                None => assert!(watch.next_timeout() > now, "woken in vain"),
            }
        }
        told
    }

    #[test]
    fn before_the_call_is_connected_nothing_is_missed() {
        assert_eq!(told(&mut SilenceWatch::default(), 60_000), []);
    }

    #[test]
    fn a_peer_that_never_sends_is_told_once() {
        let mut watch = SilenceWatch::default();
        watch.begin(ms(0));
        assert_eq!(told(&mut watch, 60_000), [(900, Some(SilenceReason::NoPackets))]);
    }

    #[test]
    fn news_that_comes_too_soon_is_told_later_and_what_is_no_news_any_more_never() {
        let mut watch = SilenceWatch::default();
        watch.begin(ms(0));
        assert_eq!(told(&mut watch, 950), [(900, Some(SilenceReason::NoPackets))]);
        watch.packet(ms(1_000));
        assert_eq!(watch.news(ms(1_000), CALL), None);
        assert_eq!(told(&mut watch, 1_850), [(1_800, None)]);
        watch.digital_silence(true);
        assert_eq!(watch.news(ms(1_860), CALL), None);
        watch.digital_silence(false);
        watch.packet(ms(1_870));
        assert_eq!(watch.news(ms(1_870), CALL), None);
        assert_eq!(told(&mut watch, 2_760), []);
    }

    #[test]
    fn whatever_a_peer_says_events_are_rare() {
        let mut watch = SilenceWatch::default();
        watch.begin(ms(0));
        let mut events = 0;
        for n in 0..9_000 {
            watch.packet(ms(n));
            watch.digital_silence(n % 2 == 0);
            watch.peer_muted(ms(n), n % 3 == 0);
            events += u32::from(watch.news(ms(n), CALL).is_some());
        }
        assert!((5..=10).contains(&events), "{events} in 9 s");
    }
}
