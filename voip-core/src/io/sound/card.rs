//! Which device serves a direction, from one loss to the next: when to open one, when the one in use
//! is dead, which one takes over, and what the user is told. The opening itself is done by a keeper,
//! a thread that this state machine only begins and drops.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::callback::{Health, Stamp};
use super::keeper::{News, Opened, SoundNews, What};
use crate::device::{AudioDevice, DeviceChange, DeviceChoice, DeviceDirection, DeviceStats};
use crate::error::Error;
use crate::io::driver::Requests;
use crate::time::{Duration, Instant, millis};

/// How long after a failure the next attempt begins, while the device has been missed for less than
/// [`SOON`]; and later.
const RETRY: Duration = Duration::from_millis(200);
const RETRY_LATER: Duration = Duration::from_millis(300);
const SOON: Duration = Duration::from_secs(2);
/// The same while another device is in use.
const RETRY_REPLACING: Duration = Duration::from_secs(2);
/// How long an open stream may take until its first callback before another attempt begins beside
/// it. ALSA's default device opens without a sound server behind it, and then never calls.
const FIRST_CALLBACK: Duration = Duration::from_millis(400);
/// When an attempt without any callback is given up.
const GIVE_UP: Duration = Duration::from_secs(3);
/// Attempts under way at one time.
const MOST_ATTEMPTS: usize = 3;
/// Keepers that exist at one time, those included that hang in a call of the sound system that never
/// returns. Beyond that one more may be begun every [`HANGING`], up to [`MOST_HANGING`].
const MOST_KEEPERS: usize = 4;
const HANGING: Duration = Duration::from_secs(30);
const MOST_HANGING: usize = 12;
/// A stream without a callback for so long is dead, whether the system says so or not.
const DEAD: Duration = Duration::from_millis(700);
/// Whoever looks less often than this was away, with the whole machine perhaps: what it finds then is
/// no proof of death.
const AWAY: Duration = Duration::from_millis(300);
/// A stream that dies younger than this is not opened again at once.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// When a better device was looked for and none was found, it is not looked for again for so long; each time in a
/// row twice as long, up to the latter. A device that has just come back may refuse at first.
const SETTLES: Duration = Duration::from_secs(1);
const SETTLED: Duration = Duration::from_secs(30);
/// After so long without any device the user is told that there is none.
const MISSING: Duration = Duration::from_millis(1_500);

/// The engine's end of a stream.
pub(crate) trait DeviceEnd: Sized + Send + 'static {
    const DIRECTION: DeviceDirection;

    /// Opens a stream on `device` and starts it: the stream, its end, how it fares, its channels.
    fn open(
        device: &cpal::Device,
        requests: &Requests,
    ) -> Result<(cpal::Stream, Self, Arc<Health>, u16), Error>;

    fn news(news: News<Self>) -> SoundNews;

    /// The last callback that the end was served with.
    fn last_stamp(&self) -> Option<Stamp>;

    fn rate(&self) -> u32;

    fn drift_ppm(&self) -> f64;

    /// Between the air and the engine.
    fn delay(&self) -> Duration;
}

/// Begins keepers and knows how many there are.
pub(super) trait Keepers: Send {
    /// Begins one; it ends when what is returned is dropped. `None` if there can be none.
    fn begin(&mut self, attempt: u64, choice: &DeviceChoice) -> Option<Sender<()>>;

    /// How many have not ended.
    fn count(&self) -> usize;
}

/// An attempt to open a device, and what came of it.
struct Attempt<E> {
    number: u64,
    begun: Instant,
    opened: Option<Box<Opened<E>>>,
    _order: Sender<()>,
}

/// What the user was told last: the id of the device in use, and whether it is the wanted one.
type Told = (Option<String>, bool);

/// The devices of one direction.
pub(super) struct Card<E> {
    keepers: Box<dyn Keepers>,
    choice: DeviceChoice,
    on: bool,
    attempts: Vec<Attempt<E>>,
    numbers: u64,
    last_begun: Instant,
    retry_at: Instant,
    live: Option<Attempt<E>>,
    live_since: Instant,
    /// Another device is to take over from the live one, and why.
    replacing: Option<DeviceChange>,
    settled_until: Instant,
    /// For how long it is the next time.
    settles: Duration,
    /// Since when there has been no live device.
    without_since: Instant,
    /// When [`Card::watch`] was called last, and until when nothing is taken for dead.
    watched: Instant,
    grace: Instant,
    /// Nothing at the beginning of a call.
    told: Option<Told>,
    /// The user chose, and has not been told what came of it.
    answer_due: bool,
    complained: String,
    changes: VecDeque<(Option<AudioDevice>, DeviceChange)>,
}

impl<E: DeviceEnd> Card<E> {
    pub(super) fn new(choice: DeviceChoice, keepers: Box<dyn Keepers>) -> Card<E> {
        Card {
            keepers,
            choice,
            on: false,
            attempts: Vec::new(),
            numbers: 0,
            last_begun: Instant::ZERO,
            retry_at: Instant::ZERO,
            live: None,
            live_since: Instant::ZERO,
            replacing: None,
            settled_until: Instant::ZERO,
            settles: SETTLES,
            without_since: Instant::ZERO,
            watched: Instant::ZERO,
            grace: Instant::ZERO,
            told: None,
            answer_due: false,
            complained: String::new(),
            changes: VecDeque::new(),
        }
    }

    /// A call needs the device.
    pub(super) fn start(&mut self, now: Instant) {
        self.on = true;
        self.told = None;
        self.without_since = now;
        self.retry_at = now;
        self.watched = now;
        self.watch(now);
    }

    /// No call needs it any more.
    pub(super) fn stop(&mut self) {
        self.on = false;
        self.live = None;
        self.attempts.clear();
        self.replacing = None;
        self.answer_due = false;
    }

    pub(super) fn choose(&mut self, now: Instant, choice: DeviceChoice) {
        self.choice = choice;
        if !self.on {
            return;
        }
        self.attempts.clear();
        self.answer_due = true;
        self.settled_until = now;
        self.settles = SETTLES;
        self.retry_at = now;
        if self.choice == DeviceChoice::Off {
            self.live = None;
            self.replacing = None;
            self.tell(None, true, DeviceChange::Chosen);
        } else if self.live.is_some() {
            self.replacing = Some(DeviceChange::Chosen);
        } else {
            self.without_since = now;
        }
    }

    pub(super) fn handle_news(&mut self, now: Instant, news: News<E>) {
        match news.what {
            What::Opened(opened) => {
                let attempt = self.attempts.iter_mut().find(|a| a.number == news.attempt);
                if let Some(attempt) = attempt {
                    attempt.opened = Some(opened);
                }
            }
            What::Failed(error) => {
                let before = self.attempts.len();
                self.attempts.retain(|a| a.number != news.attempt);
                if self.attempts.len() < before {
                    self.complain(&error);
                    self.retry_at = now + self.patience(now);
                }
            }
            What::Better(change) => {
                let is_live = self.live.as_ref().is_some_and(|live| live.number == news.attempt);
                if is_live && self.settled_until <= now {
                    self.replacing.get_or_insert(change);
                }
            }
        }
    }

    /// Looks after the device: to be called whenever the engine's thread is awake.
    pub(super) fn watch(&mut self, now: Instant) {
        if now.since(std::mem::replace(&mut self.watched, now)) > AWAY {
            self.grace = now + AWAY;
        }
        if !self.on || self.choice == DeviceChoice::Off {
            return;
        }
        self.promote(now);
        if self.live.as_ref().is_some_and(|live| self.is_dead(live, now)) {
            self.bury(now);
        }
        self.attempts.retain(|a| now.since(a.begun) < GIVE_UP && !a.is_lost());
        if self.next_attempt() <= now {
            self.attempt(now);
        }
        let missing = self.live.is_none() && self.missing_at() <= now;
        if missing && (self.answer_due || !matches!(self.told, Some((None, _)))) {
            self.tell(None, false, DeviceChange::Missing);
        }
    }

    /// The end that sound goes through, if there is a device.
    pub(super) fn live(&mut self) -> Option<&mut E> {
        let opened = self.live.as_mut().and_then(|live| live.opened.as_mut());
        opened.map(|opened| &mut opened.end)
    }

    /// When [`Card::watch`] is to be called at the latest: after it was, always later than then.
    pub(super) fn next_wake(&self) -> Instant {
        if !self.on || self.choice == DeviceChoice::Off {
            return Instant::FAR_FUTURE;
        }
        let dies = self.live.as_ref().map(|live| (live.last_callback() + DEAD).max(self.grace));
        let gives_up = self.attempts.iter().map(|a| a.begun + GIVE_UP).min();
        let untold = self.live.is_none() && !matches!(self.told, Some((None, _)));
        let missing = untold.then(|| self.missing_at());
        let all = [dies, gives_up, missing].into_iter().flatten();
        all.chain([self.next_attempt()]).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// What came of the device in use.
    pub(super) fn poll(&mut self) -> Option<(Option<AudioDevice>, DeviceChange)> {
        self.changes.pop_front()
    }

    pub(super) fn stats(&self) -> Option<DeviceStats> {
        let opened = self.live.as_ref()?.opened.as_ref()?;
        let stamp = opened.end.last_stamp()?;
        let rate = opened.end.rate();
        Some(DeviceStats {
            device: opened.about.clone(),
            rate,
            channels: opened.channels,
            callback_frames: stamp.frames,
            delay_ms: millis(opened.end.delay()),
            drift_ppm: opened.end.drift_ppm(),
            missed_ms: stamp.missed as f64 * 1e3 / f64::from(rate),
            xruns: opened.health.xruns(),
            errors: opened.health.errors(),
        })
    }

    fn missing_at(&self) -> Instant {
        self.without_since + MISSING
    }

    /// How long to wait after a failure.
    fn patience(&self, now: Instant) -> Duration {
        match self.live {
            Some(_) => RETRY_REPLACING,
            None if now.since(self.without_since) < SOON => RETRY,
            None => RETRY_LATER,
        }
    }

    /// When the next attempt may begin.
    fn next_attempt(&self) -> Instant {
        if self.live.is_some() && self.replacing.is_none() {
            return Instant::FAR_FUTURE;
        }
        let youngest = self.attempts.iter().map(|a| a.begun + FIRST_CALLBACK).max();
        let mut at = self.retry_at.max(youngest.unwrap_or(Instant::ZERO));
        if self.attempts.len() >= MOST_ATTEMPTS {
            let oldest = self.attempts.iter().map(|a| a.begun + GIVE_UP).min();
            at = at.max(oldest.unwrap_or(Instant::ZERO));
        }
        match self.keepers.count() {
            // One that ends wakes the engine.
            MOST_HANGING.. => Instant::FAR_FUTURE,
            MOST_KEEPERS.. => at.max(self.last_begun + HANGING),
            _ => at,
        }
    }

    fn attempt(&mut self, now: Instant) {
        self.numbers += 1;
        self.last_begun = now;
        self.retry_at = now + self.patience(now);
        if let Some(order) = self.keepers.begin(self.numbers, &self.choice) {
            let number = self.numbers;
            self.attempts.push(Attempt { number, begun: now, opened: None, _order: order });
        }
    }

    /// The first attempt with a callback becomes the live one; all others are dropped.
    fn promote(&mut self, now: Instant) {
        let works = |attempt: &Attempt<E>| {
            attempt.opened.as_ref().is_some_and(|opened| opened.health.last_callback().is_some())
        };
        let Some(index) = self.attempts.iter().position(works) else { return };
        let attempt = self.attempts.swap_remove(index);
        self.attempts.clear();
        let Some(opened) = &attempt.opened else { return };
        let change = match (self.replacing.take(), &self.told) {
            _ if !opened.is_wanted => DeviceChange::FellBack,
            (Some(change), _) => change,
            (None, _) if self.answer_due => DeviceChange::Chosen,
            (None, None) => DeviceChange::Opened,
            (None, Some(_)) => DeviceChange::Restored,
        };
        let (about, is_wanted) = (opened.about.clone(), opened.is_wanted);
        let before = self.live.as_ref().and_then(|live| live.opened.as_ref());
        if before.is_some_and(|before| before.about.id == about.id) {
            self.settled_until = now + self.settles;
            self.settles = (2 * self.settles).min(SETTLED);
        } else {
            self.settles = SETTLES;
        }
        tracing::debug!(device = about.id, ?change, "{} works", E::DIRECTION);
        self.live = Some(attempt);
        self.live_since = now;
        self.tell(Some(about), is_wanted, change);
    }

    fn is_dead(&self, live: &Attempt<E>, now: Instant) -> bool {
        live.is_lost() || (now >= self.grace && now.since(live.last_callback()) >= DEAD)
    }

    /// The live device is gone.
    fn bury(&mut self, now: Instant) {
        let lived = now.since(self.live_since);
        tracing::debug!(?lived, "{} is dead", E::DIRECTION);
        self.live = None;
        self.replacing = None;
        self.without_since = now;
        self.retry_at = if lived < SHORT_LIFE { now + RETRY_LATER } else { now };
        self.tell(None, false, DeviceChange::Lost);
    }

    /// The same device again is no news, unless the user asked.
    fn tell(&mut self, device: Option<AudioDevice>, is_wanted: bool, change: DeviceChange) {
        let told = Some((device.as_ref().map(|device| device.id.clone()), is_wanted));
        if std::mem::take(&mut self.answer_due) || self.told != told {
            self.told = told;
            self.changes.push_back((device, change));
        }
    }

    /// The same complaint again is not worth a line.
    fn complain(&mut self, error: &Error) {
        if self.complained != error.message() {
            self.complained = error.message().to_owned();
            tracing::info!(%error, "no {}", E::DIRECTION);
        }
    }
}

impl<E: DeviceEnd> Attempt<E> {
    fn is_lost(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.health.is_lost())
    }

    fn last_callback(&self) -> Instant {
        let last = self.opened.as_ref().and_then(|opened| opened.health.last_callback());
        last.unwrap_or(self.begun)
    }
}
