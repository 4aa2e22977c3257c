//! Whether there is a path to a call's peer, and looking for one when it is lost.
//!
//! ICE notices a dead path after half a minute; people do after a second. So a peer of whom nothing comes is asked for a
//! sign of life on the data channel, whose acknowledgement is one; without it the path counts as lost.
//! Then, and every two seconds, the session looks for one again, from the addresses that this host has now; and the
//! peer is told of these over the tracker, for its router may let in only whom it has written to. The keys stay, so the
//! call goes on where it was.

use crate::event::{EndReason, Event};
use crate::id::PeerId;
use crate::session::candidate_lines;
use crate::time::{Duration, Instant};
use crate::wire::channel::ChannelMessage;
use crate::wire::signal::{MAX_CANDIDATES, SignalKind};

use super::call::Call;
use super::{CallKey, Engine, Output};

/// Nothing of a peer that sends sound for so long, and it is asked.
const QUIET: Duration = Duration::from_millis(400);
/// Packets that follow each other within this are a stream without pauses; those of discontinuous transmission are
/// 0.42 s apart in silence.
const STREAM: Duration = Duration::from_millis(200);
/// If it lives but sends no sound, it is asked ever more seldom, down to this; at once, if it is muted.
const QUIET_SILENT: Duration = Duration::from_secs(4);
/// So long, and two round trips, a sign of life may take: acknowledgements wait for 0.2 s.
const ANSWER: Duration = Duration::from_millis(300);
/// The round trip of a path that is not known yet.
const UNKNOWN_RTT: Duration = Duration::from_millis(200);
/// One that sends no sound, of which the silence says nothing, is asked so often.
const TIMES: u32 = 3;
/// A new path has so long to show that it works.
const NEW: Duration = Duration::from_secs(1);
/// From one look for a path to the next; what is under way is not broken off sooner than after the second.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_LASTS: Duration = Duration::from_secs(1);
/// How long a call stays up without any path.
const PATH_TIMEOUT: Duration = Duration::from_secs(45);

/// What is known of the path to a peer.
#[derive(Debug, Default)]
pub(super) struct PathWatch {
    state: State,
    /// How long nothing may come until the peer is asked.
    patience: Duration,
    /// It is not asked before.
    rest: Instant,
    /// When sound came last.
    sound: Instant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    /// There was none yet.
    #[default]
    Unknown,
    Alive,
    /// The peer is asked for a sign of life, so many times now.
    Asked {
        since: Instant,
        last: Instant,
        times: u32,
    },
    /// There is none; when to look for one again, and when it was last done.
    Lost {
        look: Instant,
        looked: Option<Instant>,
    },
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Ask,
    /// The path is lost.
    Lose,
    Look,
}

impl PathWatch {
    /// There is a path, a new one.
    pub(super) fn begin(&mut self, now: Instant) {
        (self.state, self.patience, self.rest) = (State::Alive, QUIET, now + NEW);
    }

    /// Sound came.
    pub(super) fn sound(&mut self, now: Instant) {
        let before = std::mem::replace(&mut self.sound, now);
        if now.since(before) < STREAM {
            self.patience = QUIET;
        }
    }

    /// Whether there is no path at present.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost { .. })
    }

    /// Without a path: whether to look for one now, if none of another call is at fault.
    fn looks(&mut self, now: Instant) -> bool {
        let State::Lost { looked, .. } = self.state else { return false };
        if looked.is_some_and(|at| now < at + LOOK_LASTS) {
            return false;
        }
        self.state = State::Lost { look: now + LOOK_EVERY, looked: Some(now) };
        true
    }

    /// The peer cannot be asked.
    fn cannot_ask(&mut self, now: Instant) {
        (self.state, self.rest) = (State::Alive, now + QUIET_SILENT);
    }

    /// What is to be done `now`, if something of the peer came last at `heard`.
    fn step(&mut self, now: Instant, heard: Instant, muted: bool, rtt: Duration) -> Option<Step> {
        if let State::Asked { since, .. } = self.state
            && heard > since
        {
            self.state = State::Alive;
            self.patience = (2 * self.patience).min(QUIET_SILENT);
        }
        if now < self.due(heard, muted, rtt) {
            return None;
        }
        let enough = if muted || self.patience > QUIET { TIMES } else { 1 };
        match self.state {
            State::Unknown => None,
            State::Alive => {
                self.state = State::Asked { since: now, last: now, times: 1 };
                Some(Step::Ask)
            }
            State::Asked { since, times, .. } if times < enough => {
                self.state = State::Asked { since, last: now, times: times + 1 };
                Some(Step::Ask)
            }
            State::Asked { .. } => Some(Step::Lose),
            State::Lost { looked, .. } => {
                self.state = State::Lost { look: now + LOOK_EVERY, looked };
                Some(Step::Look)
            }
        }
    }

    /// When there will be something to do if nothing comes.
    fn due(&self, heard: Instant, muted: bool, rtt: Duration) -> Instant {
        match self.state {
            State::Unknown => Instant::FAR_FUTURE,
            State::Alive if muted => (heard + QUIET_SILENT).max(self.rest),
            State::Alive => (heard + self.patience).max(self.rest),
            State::Asked { last, .. } => last + ANSWER + 2 * rtt,
            State::Lost { look, .. } => look,
        }
    }
}

impl Call {
    /// When the path wants to be watched.
    pub(super) fn path_timeout(&self) -> Instant {
        self.session.as_ref().map_or(Instant::FAR_FUTURE, |session| {
            let rtt = session.stats().rtt.unwrap_or(UNKNOWN_RTT);
            self.path.due(session.heard(), self.is_peer_quiet(), rtt)
        })
    }

    /// Whether no sound is to come.
    fn is_peer_quiet(&self) -> bool {
        !self.is_connected() || self.silence.is_peer_muted()
    }

    fn path_step(&mut self, now: Instant) -> Option<Step> {
        let quiet = self.is_peer_quiet();
        let session = self.session.as_mut()?;
        let rtt = session.stats().rtt.unwrap_or(UNKNOWN_RTT);
        let step = self.path.step(now, session.heard(), quiet, rtt)?;
        if step == Step::Ask && !session.send_message(now, &ChannelMessage::Alive.to_bytes()) {
            self.path.cannot_ask(now);
        }
        Some(step)
    }
}

impl Engine {
    /// Time went by.
    pub(super) fn watch_paths(&mut self, now: Instant) {
        let due = |(key, call): (&CallKey, &Call)| (call.path_timeout() <= now).then_some(*key);
        for key in self.calls.iter().filter_map(due).collect::<Vec<_>>() {
            let step = self.calls.get_mut(&key).and_then(|call| call.path_step(now));
            match step {
                Some(Step::Ask) => self.drain_session(now, key),
                Some(Step::Lose) => self.path_lost(now, key),
                Some(Step::Look) => self.find_addresses(now),
                None => {}
            }
        }
    }

    /// What the network did to our addresses and to the connections to trackers is to be found out.
    fn find_addresses(&mut self, now: Instant) {
        self.outputs.push_back(Output::FindAddresses);
        self.reflexive.ask_again(now, &mut self.random);
        for tracker in &mut self.trackers {
            tracker.client.doubt(now);
        }
    }

    /// These are the addresses of this host now: calls without a path look for one from there.
    pub(super) fn look_for_paths(&mut self, now: Instant) {
        let mut looking = Vec::new();
        for key in self.lost_calls() {
            self.renew_relay(now, key);
            let candidates = self.candidates_of(key);
            if let Some(call) = self.calls.get_mut(&key)
                && call.path.looks(now)
                && let Some(session) = &mut call.session
            {
                session.look_for_path(now, &candidates);
                looking.push(key);
            }
            self.drain_session(now, key);
        }
        self.tell_addresses_of(now, looking);
    }

    /// Peers to whom the path is lost are told at which addresses this node may be reached.
    pub(super) fn tell_addresses(&mut self, now: Instant) {
        let lost = self.lost_calls();
        self.tell_addresses_of(now, lost);
    }

    fn tell_addresses_of(&mut self, now: Instant, calls: Vec<CallKey>) {
        for key in calls {
            let candidates = Some(candidate_lines(&self.candidates_of(key)));
            self.send_signal(now, key, SignalKind::Path, |signal| signal.candidates = candidates);
        }
        self.drain(now);
    }

    fn lost_calls(&self) -> Vec<CallKey> {
        let lost = |(key, call): (&CallKey, &Call)| call.path.is_lost().then_some(*key);
        self.calls.iter().filter_map(lost).collect()
    }

    /// The peer may be reached at other addresses, too. Those that come before its description are kept for then.
    pub(super) fn handle_path(&mut self, now: Instant, key: CallKey, candidates: Vec<String>) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if call.early.is_some() {
            self.add_candidates(now, key, &candidates);
        } else if call.trickled.len() + candidates.len() <= MAX_CANDIDATES {
            call.trickled.extend(candidates);
        } else {
            self.stats.signals_dropped += 1;
        }
    }

    /// The peer's description is known.
    pub(super) fn add_trickled(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let trickled = std::mem::take(&mut call.trickled);
        self.add_candidates(now, key, &trickled);
    }

    fn add_candidates(&mut self, now: Instant, key: CallKey, candidates: &[String]) {
        if let Some(session) = self.calls.get_mut(&key).and_then(|c| c.session.as_mut()) {
            session.add_candidates(now, candidates);
        }
        self.drain_session(now, key);
    }

    pub(super) fn path_lost(&mut self, now: Instant, key: CallKey) {
        let has_path = |call: &&mut Call| call.path.state != State::Unknown && !call.path.is_lost();
        let Some(call) = self.calls.get_mut(&key).filter(has_path) else { return };
        call.path.state = State::Lost { look: now, looked: None };
        self.reconnecting(now, key);
        self.seek_relay(now, key);
        self.watch_paths(now);
        self.drain(now);
    }

    /// Tells the user that a call has no path at present. One that is not answered yet may have none.
    pub(super) fn reconnecting(&mut self, now: Instant, key: CallKey) {
        let is_cut = |call: &&mut Call| call.is_connected() && call.path.is_lost();
        if let Some(call) = self.calls.get_mut(&key).filter(is_cut) {
            call.deadline = now + PATH_TIMEOUT;
            self.emit(Event::Reconnecting { call: key });
        }
    }

    pub(super) fn path_back(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key).filter(|c| c.path.is_lost()) else { return };
        call.path.begin(now);
        if call.is_connected() {
            call.deadline = Instant::FAR_FUTURE;
            self.emit(Event::Reconnected { call: key });
        }
    }

    /// A peer that calls anew has given up a call without a path.
    pub(super) fn end_lost_call(&mut self, now: Instant, with: PeerId) {
        let lost = self.calls.iter().find(|(_, c)| c.peer == Some(with) && c.path.is_lost());
        if let Some(key) = lost.map(|(key, _)| *key) {
            self.end(now, key, EndReason::NetworkLost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    fn alive() -> PathWatch {
        let mut path = PathWatch::default();
        path.begin(ms(0));
        path
    }

    #[test]
    fn a_peer_that_was_heard_is_asked_once_and_is_lost_if_it_does_not_answer() {
        let mut path = alive();
        assert_eq!(path.step(ms(2_399), ms(2_000), false, RTT), None);
        assert_eq!(path.step(ms(2_400), ms(2_000), false, RTT), Some(Step::Ask));
        assert_eq!(path.due(ms(2_000), false, RTT), ms(2_800));
        assert_eq!(path.step(ms(2_800), ms(2_000), false, RTT), Some(Step::Lose));
    }

    #[test]
    fn a_new_path_has_a_second() {
        let path = alive();
        assert_eq!(path.due(ms(0), false, RTT), ms(1_000));
        assert_eq!(path.due(ms(900), false, RTT), ms(1_300));
    }

    #[test]
    fn one_that_answers_is_asked_ever_more_seldom_until_it_is_heard() {
        let mut path = alive();
        let (mut now, mut heard, mut asked) = (1_000, 1_000, Vec::new());
        while now < 40_000 {
            if path.step(ms(now), ms(heard), false, RTT) == Some(Step::Ask) {
                asked.push(now - heard);
                heard = now + 10;
            }
            now += 10;
        }
        assert_eq!(asked[..6], [400, 800, 1_600, 3_200, 4_000, 4_000]);
        path.sound(ms(now));
        assert_eq!(path.due(ms(now), false, RTT), ms(now + 4_000), "discontinuous transmission");
        path.sound(ms(now + 20));
        assert_eq!(path.due(ms(now), false, RTT), ms(now + 400));
    }

    #[test]
    fn a_muted_peer_has_more_time_and_is_asked_three_times() {
        let mut path = alive();
        assert_eq!(path.step(ms(3_990), ms(0), true, RTT), None);
        let steps = [4_000, 4_400, 4_800, 5_200].map(|at| path.step(ms(at), ms(0), true, RTT));
        assert_eq!(steps, [Some(Step::Ask), Some(Step::Ask), Some(Step::Ask), Some(Step::Lose)]);
    }

    #[test]
    fn who_cannot_be_asked_is_not_lost_for_it() {
        let mut path = alive();
        assert_eq!(path.step(ms(2_000), ms(0), false, RTT), Some(Step::Ask));
        path.cannot_ask(ms(2_000));
        assert_eq!(path.due(ms(0), false, RTT), ms(6_000));
    }

    #[test]
    fn a_look_that_has_just_begun_is_not_broken_off() {
        let mut path = alive();
        assert!(!path.looks(ms(0)), "it is not lost");
        path.state = State::Lost { look: ms(0), looked: None };
        assert!(path.looks(ms(0)) && !path.looks(ms(999)) && path.looks(ms(1_000)));
        assert_eq!(path.due(ms(0), false, RTT), ms(3_000));
    }

    #[test]
    fn nothing_is_asked_before_the_call_is_connected() {
        let mut path = PathWatch::default();
        assert_eq!(path.step(ms(100_000), ms(0), false, RTT), None);
    }
}
