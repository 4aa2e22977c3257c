//! Which device serves a direction, from one loss to the next: opens, watches the callbacks, opens
//! another one, and tells what is in use.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use super::callback::{Beat, Vitals};
use super::keeper::{News, Opened, SoundNews, What, keep};
use crate::device::{AudioDevice, DeviceChange, DeviceChoice, DeviceStats, Direction};
use crate::error::Error;
use crate::io::driver::Requests;
use crate::io::spawn;
use crate::time::{Duration, Instant, millis};

/// How long after a failure, or after an attempt that shows no life, the next attempt begins.
const RETRY: Duration = Duration::from_millis(200);
/// How long an open stream may take until its first callback before another attempt begins beside
/// it. ALSA's default device opens without a sound server behind it, and then never calls.
const FIRST_CALLBACK: Duration = Duration::from_millis(400);
/// When an attempt without any callback is given up.
const GIVE_UP: Duration = Duration::from_secs(3);
/// Attempts under way at one time.
const MOST_ATTEMPTS: usize = 4;
/// A stream without a callback for so long is dead, whether the system says so or not. On a machine
/// that is busy all over, half a second passes without one.
const DEAD: Duration = Duration::from_secs(1);
/// After so long without any device the user is told that there is none.
const MISSING: Duration = Duration::from_millis(1_500);

/// The engine's end of a stream.
pub(crate) trait End: Sized + Send + 'static {
    const DIRECTION: Direction;

    /// Opens a stream on `device` and starts it: the stream, its end, how it fares, its channels.
    fn open(
        device: &cpal::Device,
        requests: &Requests,
    ) -> Result<(cpal::Stream, Self, Arc<Vitals>, u16), Error>;

    fn news(news: News<Self>) -> SoundNews;

    /// The last callback known, whether or not the end has been served since.
    fn last_beat(&mut self) -> Option<Beat>;

    /// The last callback that the end was served with.
    fn last_served(&self) -> Option<Beat>;

    fn rate(&self) -> u32;

    fn drift_ppm(&self) -> f64;

    /// Between the air and the engine.
    fn delay(&self) -> Duration;
}

/// An attempt to open a device. Dropping it tells the keeper to close the stream.
struct Attempt<E> {
    number: u64,
    begun: Instant,
    opened: Option<Box<Opened<E>>>,
    _order: Sender<()>,
}

/// The devices of one direction.
pub(super) struct Card<E> {
    requests: Requests,
    choice: DeviceChoice,
    on: bool,
    attempts: Vec<Attempt<E>>,
    numbers: u64,
    live: Option<Attempt<E>>,
    /// Another device is to take over from the live one, and why.
    replacing: Option<DeviceChange>,
    retry_at: Instant,
    /// Since when there has been no live device.
    without_since: Instant,
    /// What the user was told last; nothing at first.
    told: Option<Option<AudioDevice>>,
    changes: VecDeque<(Option<AudioDevice>, DeviceChange)>,
}

impl<E: End> Card<E> {
    pub(super) fn new(choice: DeviceChoice, requests: Requests) -> Card<E> {
        Card {
            requests,
            choice,
            on: false,
            attempts: Vec::new(),
            numbers: 0,
            live: None,
            replacing: None,
            retry_at: Instant::ZERO,
            without_since: Instant::ZERO,
            told: None,
            changes: VecDeque::new(),
        }
    }

    /// A call needs the device.
    pub(super) fn start(&mut self, now: Instant) {
        self.on = true;
        self.without_since = now;
        self.retry_at = now;
        self.watch(now);
    }

    /// No call needs it any more.
    pub(super) fn stop(&mut self) {
        self.on = false;
        self.live = None;
        self.attempts.clear();
        self.replacing = None;
    }

    pub(super) fn choose(&mut self, now: Instant, choice: DeviceChoice) {
        self.choice = choice;
        self.attempts.clear();
        self.retry_at = now;
        self.replacing = Some(DeviceChange::Chosen);
        if self.choice == DeviceChoice::Off {
            self.replacing = None;
            self.live = None;
            self.tell(None, DeviceChange::Chosen);
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
                    tracing::info!(%error, "no {}", E::DIRECTION);
                    self.retry_at = now + RETRY;
                    if self.live.is_some() {
                        self.replacing = None;
                    }
                }
            }
            What::Better(change) => {
                if self.live.as_ref().is_some_and(|live| live.number == news.attempt) {
                    self.replacing = Some(change);
                }
            }
        }
    }

    /// Looks after the device: to be called whenever the engine's thread is awake.
    pub(super) fn watch(&mut self, now: Instant) {
        if !self.on || self.choice == DeviceChoice::Off {
            return;
        }
        self.promote();
        let dead = self.live.as_ref().is_some_and(|live| !live.is_alive(now));
        if dead {
            self.live = None;
            self.without_since = now;
            self.retry_at = now;
            self.tell(None, DeviceChange::Lost);
        }
        self.attempts.retain(|a| now.since(a.begun) < GIVE_UP && !a.is_lost());
        let young = |a: &Attempt<E>| now.since(a.begun) < FIRST_CALLBACK;
        let room = self.attempts.len() < MOST_ATTEMPTS && !self.attempts.iter().any(young);
        let wanted = self.live.is_none() || self.replacing.is_some();
        if wanted && room && self.retry_at <= now {
            self.attempt(now);
        }
        if self.live.is_none() && now.since(self.without_since) > MISSING && self.told.is_none() {
            self.tell(None, DeviceChange::Missing);
        }
    }

    /// The end that sound goes through, if there is a device.
    pub(super) fn live(&mut self) -> Option<&mut E> {
        let opened = self.live.as_mut().and_then(|live| live.opened.as_mut());
        opened.map(|opened| &mut opened.end)
    }

    pub(super) fn next_wake(&self) -> Instant {
        if !self.on || self.choice == DeviceChoice::Off {
            return Instant::FAR_FUTURE;
        }
        let live = self.live.as_ref().and_then(Attempt::last_served).map(|beat| beat.at + DEAD);
        let search = (self.live.is_none() || self.replacing.is_some()).then(|| {
            let youngest = self.attempts.iter().map(|a| a.begun + FIRST_CALLBACK).max();
            self.retry_at.max(youngest.unwrap_or(Instant::ZERO))
        });
        let both = live.into_iter().chain(search).min();
        both.unwrap_or(Instant::FAR_FUTURE)
    }

    /// What came of the device in use.
    pub(super) fn poll(&mut self) -> Option<(Option<AudioDevice>, DeviceChange)> {
        self.changes.pop_front()
    }

    pub(super) fn stats(&self) -> Option<DeviceStats> {
        let live = self.live.as_ref()?;
        let opened = live.opened.as_ref()?;
        let beat = live.last_served()?;
        let rate = opened.end.rate();
        Some(DeviceStats {
            name: opened.about.name.clone(),
            rate,
            channels: opened.channels,
            callback_frames: beat.frames,
            delay_ms: millis(opened.end.delay()),
            drift_ppm: opened.end.drift_ppm(),
            missed_ms: beat.missed as f64 * 1e3 / f64::from(rate),
            xruns: opened.vitals.xruns(),
            errors: opened.vitals.errors(),
        })
    }

    fn attempt(&mut self, now: Instant) {
        self.numbers += 1;
        let (order, orders) = channel();
        let (choice, requests, number) = (self.choice.clone(), self.requests.clone(), self.numbers);
        let name = match E::DIRECTION {
            Direction::Input => "voip-sound-in",
            Direction::Output => "voip-sound-out",
        };
        self.retry_at = now + RETRY;
        match spawn(name, move || keep::<E>(&choice, number, &requests, &orders)) {
            Ok(_) => {
                self.attempts.push(Attempt { number, begun: now, opened: None, _order: order });
            }
            Err(error) => tracing::error!(%error, "no thread for a {}", E::DIRECTION),
        }
    }

    /// The first attempt with a callback becomes the live one; all others are dropped.
    fn promote(&mut self) {
        let works = |attempt: &mut Attempt<E>| {
            attempt.opened.as_mut().is_some_and(|opened| opened.end.last_beat().is_some())
        };
        let Some(index) = self.attempts.iter_mut().position(works) else { return };
        let attempt = self.attempts.swap_remove(index);
        self.attempts.clear();
        let Some(opened) = &attempt.opened else { return };
        let change = match (self.replacing.take(), &self.told) {
            _ if !opened.is_wanted => DeviceChange::FellBack,
            (Some(change), _) => change,
            (None, None) => DeviceChange::Opened,
            (None, Some(_)) => DeviceChange::Restored,
        };
        let about = opened.about.clone();
        self.live = Some(attempt);
        self.tell(Some(about), change);
    }

    fn tell(&mut self, device: Option<AudioDevice>, change: DeviceChange) {
        let same = self.told.as_ref().is_some_and(|told| {
            told.as_ref().map(|device| &device.id) == device.as_ref().map(|device| &device.id)
        });
        if !same {
            self.told = Some(device.clone());
            self.changes.push_back((device, change));
        }
    }
}

impl<E: End> Attempt<E> {
    fn is_lost(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.vitals.is_lost())
    }

    fn last_served(&self) -> Option<Beat> {
        self.opened.as_ref().and_then(|opened| opened.end.last_served())
    }

    fn is_alive(&self, now: Instant) -> bool {
        let silent = self.last_served().is_some_and(|beat| now.since(beat.at) >= DEAD);
        !self.is_lost() && !silent
    }
}

/// A mean delay that forgets with a time constant of 64 values.
#[derive(Default)]
pub(super) struct Mean(Option<f64>);

impl Mean {
    /// Adds seconds.
    pub(super) fn add(&mut self, seconds: f64) {
        let mean = self.0.get_or_insert(seconds);
        *mean += (seconds - *mean) / 64.0;
    }

    pub(super) fn get(&self) -> Duration {
        Duration::from_secs_f64(self.0.unwrap_or(0.0).max(0.0))
    }
}
