//! Whether a peer is heard, and why not: one watch for each call.
//!
//! Three things are reasons for [`Event::MediaSilent`]: the peer's word that it is muted, packets that
//! do not come though it is not, and the peer's word that there is only digital silence in them.
//! Whatever a peer does, it makes no more than one such event in [`NO_PACKETS`], and of
//! [`Event::PeerMuted`] no more than anybody's finger: what comes faster is told later, or not at
//! all if by then it is over.

use crate::event::{Event, SilenceReason};
use crate::id::SequenceNumber;
use crate::time::{Duration, Instant};

use super::call::Call;
use super::{CallKey, Engine, Output};

/// No packet for so long is silence. In discontinuous transmission Opus sends one at least every
/// 420 ms: this leaves room for one of them to be lost and the next to be 60 ms late.
pub(super) const NO_PACKETS: Duration = Duration::from_millis(900);
/// The same in discontinuous transmission over a line that loses packets: more than eight of those few
/// lost in a row. Such a line is one without so many packets in a row.
const NO_PACKETS_BUT_FEW: Duration = Duration::from_secs(4);
const CLEAN: u32 = 200;

/// Changes of mute that are told one after the other at once, and how long it takes until one more
/// may be.
const MUTE_CHANGES: u32 = 10;
const MUTE_CHANGE: Duration = Duration::from_millis(250);

/// What is known of the sound that should come from a peer.
#[derive(Debug, Default)]
pub(super) struct SilenceWatch {
    /// The last packet, or the moment from which packets are expected; `None` before.
    heard: Option<Instant>,
    sequence: Option<SequenceNumber>,
    /// Packets since one was missing.
    in_a_row: u32,
    /// The peer makes pauses.
    discontinuous: bool,
    peer_muted: bool,
    digital_silence: bool,
    /// What the user knows.
    told: Option<SilenceReason>,
    told_at: Option<Instant>,
    /// There is news, too soon after the last.
    held_back: bool,
    told_muted: bool,
    /// When as many changes of mute may be told at once as ever.
    mute_rested: Instant,
}

impl SilenceWatch {
    /// The call is connected: from now on packets should come.
    pub(super) fn begin(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// A packet came.
    pub(super) fn packet(&mut self, now: Instant, sequence: SequenceNumber) {
        self.heard = Some(now);
        let before = self.sequence.replace(sequence);
        let follows = before.is_some_and(|before| sequence == before.plus(1));
        self.in_a_row = if follows { self.in_a_row.saturating_add(1) } else { 0 };
    }

    /// The peer says that it makes pauses.
    pub(super) fn discontinuous(&mut self) {
        self.discontinuous = true;
    }

    /// The peer says that it is muted, or no longer.
    pub(super) fn peer_muted(&mut self, now: Instant, muted: bool) {
        if std::mem::replace(&mut self.peer_muted, muted) != muted {
            self.heard = self.heard.map(|_| now);
        }
    }

    pub(super) fn is_peer_muted(&self) -> bool {
        self.peer_muted
    }

    /// The peer says that its microphone gives digital silence, or no longer.
    pub(super) fn digital_silence(&mut self, silent: bool) {
        self.digital_silence = silent;
    }

    /// No packet for so long is silence, of this peer.
    fn patience(&self) -> Duration {
        let few = self.discontinuous && self.in_a_row < CLEAN;
        if few { NO_PACKETS_BUT_FEW } else { NO_PACKETS }
    }

    fn reason(&self, now: Instant) -> Option<SilenceReason> {
        let heard = self.heard?;
        if self.peer_muted {
            return Some(SilenceReason::Muted);
        }
        if now >= heard + self.patience() {
            return Some(SilenceReason::NoPackets);
        }
        self.digital_silence.then_some(SilenceReason::DigitalSilence)
    }

    /// What the user is to be told now; call again until it is nothing.
    pub(super) fn news(&mut self, now: Instant, call: CallKey) -> Option<Event<CallKey>> {
        if self.peer_muted != self.told_muted && self.mute_may_be_told() <= now {
            self.told_muted = self.peer_muted;
            self.mute_rested = self.mute_rested.max(now) + MUTE_CHANGE;
            return Some(Event::PeerMuted { call, muted: self.peer_muted });
        }
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

    /// When one more change of mute may be told: the generic cell rate algorithm (ITU-T I.371).
    fn mute_may_be_told(&self) -> Instant {
        self.mute_rested - MUTE_CHANGE * (MUTE_CHANGES - 1)
    }

    /// When there may be news although nothing comes from the peer.
    pub(super) fn next_timeout(&self) -> Instant {
        let after = |t: Option<Instant>, wait| t.map_or(Instant::FAR_FUTURE, |t| t + wait);
        let mute = if self.peer_muted == self.told_muted {
            Instant::FAR_FUTURE
        } else {
            self.mute_may_be_told()
        };
        let silence = if self.held_back {
            after(self.told_at, NO_PACKETS)
        } else if self.peer_muted || self.told == Some(SilenceReason::NoPackets) {
            Instant::FAR_FUTURE
        } else {
            after(self.heard, self.patience())
        };
        mute.min(silence)
    }
}

impl Engine {
    /// Something came from a call's peer that may have ended or begun a silence.
    pub(super) fn watch_silence(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        while let Some(event) = call.silence.news(now, key) {
            self.outputs.push_back(Output::Event(event));
        }
    }

    /// Time went by.
    pub(super) fn watch_silences(&mut self, now: Instant) {
        let due = |(_, call): &(&CallKey, &mut Call)| call.silence.next_timeout() <= now;
        for (key, call) in self.calls.iter_mut().filter(due) {
            while let Some(event) = call.silence.news(now, *key) {
                self.outputs.push_back(Output::Event(event));
            }
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
        watch.packet(ms(1_000), SequenceNumber(0));
        assert_eq!(watch.news(ms(1_000), CALL), None);
        assert_eq!(told(&mut watch, 1_850), [(1_800, None)]);
        watch.digital_silence(true);
        assert_eq!(watch.news(ms(1_860), CALL), None);
        watch.digital_silence(false);
        watch.packet(ms(1_870), SequenceNumber(1));
        assert_eq!(watch.news(ms(1_870), CALL), None);
        assert_eq!(told(&mut watch, 2_760), []);
    }

    #[test]
    fn whatever_a_peer_says_events_are_rare() {
        let mut watch = SilenceWatch::default();
        watch.begin(ms(0));
        let mut events = 0;
        for n in 0..9_000 {
            watch.packet(ms(n), SequenceNumber(n as u16));
            watch.digital_silence(n % 2 == 0);
            watch.peer_muted(ms(n), n % 3 == 0);
            while watch.news(ms(n), CALL).is_some() {
                events += 1;
            }
        }
        assert!((40..=56).contains(&events), "{events} in 9 s: 10 + 9 * 4 of mute, 10 of silence");
    }

    #[test]
    fn the_last_word_on_mute_is_told_in_the_end() {
        let mut watch = SilenceWatch::default();
        let mut told = Vec::new();
        for n in 0..1_001 {
            watch.peer_muted(ms(n / 10), n % 2 == 0);
            told.extend(watch.news(ms(n / 10), CALL));
        }
        assert_eq!(told.len(), MUTE_CHANGES as usize, "at once, then no more");
        assert_eq!(told.last(), Some(&Event::PeerMuted { call: CALL, muted: false }));
        let later = watch.next_timeout();
        assert!(later > ms(100) && later <= ms(260), "{later:?}");
        let last = Some(Event::PeerMuted { call: CALL, muted: true });
        assert_eq!((watch.news(later, CALL), watch.news(later, CALL)), (last, None));
        assert_eq!(watch.next_timeout(), Instant::FAR_FUTURE);
    }

    #[test]
    fn every_reason_follows_every_other_and_goes() {
        const MUTED: Option<SilenceReason> = Some(SilenceReason::Muted);
        let mut watch = SilenceWatch::default();
        watch.begin(ms(0));
        let mut now = 0;
        let mut last = None;
        let reasons =
            [None, MUTED, Some(SilenceReason::NoPackets), Some(SilenceReason::DigitalSilence)];
        for (from, to) in reasons.iter().flat_map(|from| reasons.iter().map(move |to| (*from, *to)))
        {
            for wanted in [from, to] {
                let changed = now;
                let mut told = last;
                watch.peer_muted(ms(now), wanted == MUTED);
                watch.digital_silence(wanted == Some(SilenceReason::DigitalSilence));
                for at in changed..=changed + 2_000 {
                    if wanted != Some(SilenceReason::NoPackets) && at % 20 == 0 {
                        watch.packet(ms(at), SequenceNumber((at / 20) as u16));
                    }
                    while let Some(event) = watch.news(ms(at), CALL) {
                        told = match event {
                            Event::MediaSilent { reason, .. } => Some(reason),
                            Event::MediaResumed { .. } => None,
                            _ => continue,
                        };
                    }
                    assert!(
                        told == wanted || at < changed + 950,
                        "{last:?} to {wanted:?}: {told:?}"
                    );
                }
                (now, last) = (changed + 2_000, wanted);
            }
        }
    }

    #[test]
    fn the_few_packets_of_a_peer_that_makes_pauses_are_waited_for_where_some_were_lost() {
        let silent_after = |pauses: bool, lost: u64| {
            let mut watch = SilenceWatch::default();
            watch.begin(ms(0));
            if pauses {
                watch.discontinuous();
            }
            for n in (0..=400).filter(|n| *n != lost) {
                watch.packet(ms(n), SequenceNumber(n as u16));
            }
            told(&mut watch, 60_000)[0].0 - 400
        };
        assert_eq!(silent_after(true, 300), 4_000);
        assert_eq!(silent_after(true, 100), 900, "200 have come since");
        assert_eq!(silent_after(false, 300), 900);
    }
}
