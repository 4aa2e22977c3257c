//! Whether neighbours are still there, and how far away: pings, when nothing else tells.

use super::rtt::Rtt;
use crate::id::PeerId;
use crate::time::{Duration, Instant};

/// After so long without a sign of life a neighbour is asked for one.
const QUIET: Duration = Duration::from_secs(5);
/// How often to measure the round-trip time.
const MEASURE_EVERY: Duration = Duration::from_secs(30);
/// The shortest pause between two pings to a neighbour that does not answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_PATIENCE: Duration = Duration::from_secs(1);
/// So many pings without an answer or any other message, and the neighbour is lost.
const TRIES: u32 = 8;

/// What to do about a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping(PeerId, u32),
    Lost(PeerId),
}

#[derive(Debug)]
struct Watched {
    peer: PeerId,
    rtt: Rtt,
    /// The last ping, while unanswered: its number and when it was sent.
    pinged: Option<(u32, Instant)>,
    /// Pings since the last sign of life.
    tries: u32,
    due: Instant,
    measure_at: Instant,
}

/// The neighbours' pulses.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    watched: Vec<Watched>,
    last: u32,
}

impl Pulse {
    /// A new neighbour is asked at once.
    pub(crate) fn watch(&mut self, now: Instant, peer: PeerId) {
        self.forget(peer);
        let rtt = Rtt::default();
        let due = now;
        self.watched.push(Watched { peer, rtt, pinged: None, tries: 0, due, measure_at: now });
    }

    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.watched.retain(|w| w.peer != peer);
    }

    /// Something came from `peer`.
    pub(crate) fn hear(&mut self, now: Instant, peer: PeerId) {
        if let Some(w) = self.watched.iter_mut().find(|w| w.peer == peer) {
            w.tries = 0;
            w.due = (now + QUIET).min(w.measure_at.max(now));
        }
    }

    /// An answer came: the round-trip time, if it answers the last ping.
    pub(crate) fn handle_pong(&mut self, now: Instant, peer: PeerId, n: u32) -> Option<Rtt> {
        let w = self.watched.iter_mut().find(|w| w.peer == peer)?;
        let (_, sent) = w.pinged.take_if(|(pinged, _)| *pinged == n)?;
        w.rtt.measure(now - sent);
        w.measure_at = now + MEASURE_EVERY;
        w.due = now + QUIET;
        Some(w.rtt)
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.watched.iter().map(|w| w.due).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// One thing that is due, until there is none.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Beat> {
        let w = self.watched.iter_mut().find(|w| w.due <= now)?;
        if w.tries >= TRIES {
            let peer = w.peer;
            self.forget(peer);
            return Some(Beat::Lost(peer));
        }
        self.last = self.last.wrapping_add(1);
        w.tries += 1;
        w.pinged = Some((self.last, now));
        w.due = now + w.rtt.timeout().clamp(PATIENCE, LONGEST_PATIENCE);
        w.measure_at = w.measure_at.max(now + LONGEST_PATIENCE);
        Some(Beat::Ping(w.peer, self.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId([1; 32]);

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn who_answers_stays_and_is_measured_and_who_does_not_is_lost() {
        let mut pulse = Pulse::default();
        pulse.watch(at(0), PEER);
        assert_eq!(pulse.handle_timeout(at(0)), Some(Beat::Ping(PEER, 1)));
        assert_eq!(pulse.handle_timeout(at(0)), None);
        pulse.hear(at(80), PEER);
        assert!(pulse.handle_pong(at(80), PEER, 7).is_none(), "never asked");
        let rtt = pulse.handle_pong(at(80), PEER, 1).map(|rtt| rtt.smoothed());
        assert_eq!(rtt, Some(Duration::from_millis(80)));
        assert_eq!(pulse.next_timeout(), at(5_080));
        let (mut now, mut pings) = (at(5_080), 0);
        while let Some(Beat::Ping(..)) = pulse.handle_timeout(now) {
            pings += 1;
            now = pulse.next_timeout();
        }
        assert_eq!(pings, TRIES);
        assert_eq!(now, at(5_080 + 4_000), "lost");
        assert_eq!(pulse.next_timeout(), Instant::FAR_FUTURE);
    }

    #[test]
    fn whoever_talks_is_asked_for_nothing_but_the_round_trip_time() {
        let mut pulse = Pulse::default();
        pulse.watch(at(0), PEER);
        let mut pings = 0;
        for ms in (0..120_000).step_by(100) {
            while let Some(Beat::Ping(peer, n)) = pulse.handle_timeout(at(ms)) {
                pings += 1;
                pulse.handle_pong(at(ms), peer, n);
            }
            pulse.hear(at(ms), PEER);
        }
        assert_eq!(pings, 4);
    }
}
