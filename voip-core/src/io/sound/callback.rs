//! The system's side of a stream: what runs inside the callbacks of a sound card. No allocation,
//! no lock, no log: copy, stamp, wake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cpal::{FromSample, SizedSample};
use rtrb::{Consumer, Producer};

use crate::io::driver::Requests;
use crate::time::{Duration, Instant};

/// Sound that a microphone's callbacks collect before they wake the engine.
const BATCH: Duration = Duration::from_millis(5);
/// Callbacks that come faster than this, as those of an unpaced device do, wake the engine no more
/// often.
const WAKE_EVERY: Duration = Duration::from_millis(1);
/// A device that for so long has reported errors and never called counts as lost. PulseAudio under
/// ALSA reports nothing else until it knows the delay of a new stream.
const HOPELESS: Duration = Duration::from_millis(100);
/// How long whoever reports a second error in a row is made to wait. cpal's thread would report
/// thousands in a second, and keep the sound system from getting anywhere.
const REST: Duration = Duration::from_millis(1);
/// By how much a sample is quieter than the one before it, where there is no sound to play.
const FADE: f32 = 0.97;
const FADED: f32 = 1e-6;

/// One callback, as the engine's side is told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    /// When it came.
    pub(super) at: Instant,
    /// When its last frame was in the air (microphone) or will be (loudspeaker).
    pub(super) edge: Instant,
    /// Frames in it.
    pub(super) frames: u32,
    /// Frames through the ring in all, with this one.
    pub(super) total: u64,
    /// Frames that were not there in time, or found no room, in all.
    pub(super) missed: u64,
}

/// How a stream fares, for both sides.
pub(super) struct Health {
    requests: Requests,
    xruns: AtomicU64,
    errors: AtomicU64,
    /// Since when there have been errors and no callback: microseconds, zero for not at all.
    failing_since: AtomicU64,
    lost: AtomicBool,
    /// Microseconds; zero before the first.
    last_callback: AtomicU64,
}

impl Health {
    pub(super) fn new(requests: Requests) -> Arc<Health> {
        Arc::new(Health {
            requests,
            xruns: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            failing_since: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            last_callback: AtomicU64::new(0),
        })
    }

    /// The system reports an error.
    pub(super) fn error(&self, kind: cpal::ErrorKind, now: Instant) {
        use cpal::ErrorKind as Kind;
        let lost = match kind {
            Kind::Xrun => {
                self.xruns.fetch_add(1, Ordering::Relaxed);
                return;
            }
            // These tell of something that does not hinder.
            Kind::RealtimeDenied | Kind::DeviceChanged => false,
            Kind::DeviceNotAvailable | Kind::StreamInvalidated | Kind::HostUnavailable => true,
            _ => self.fails_for_long(now),
        };
        self.errors.fetch_add(1, Ordering::Relaxed);
        if lost && !self.lost.swap(true, Ordering::Relaxed) {
            let _ = self.requests.wake_quietly();
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the sound system's thread is to do nothing at all"
    )]
    fn fails_for_long(&self, now: Instant) -> bool {
        let since = self.failing_since.load(Ordering::Relaxed);
        if since == 0 {
            self.failing_since.store(now.as_micros().max(1), Ordering::Relaxed);
            return false;
        }
        std::thread::sleep(REST);
        now.since(Instant::from_micros(since)) >= HOPELESS
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn xruns(&self) -> u64 {
        self.xruns.load(Ordering::Relaxed)
    }

    pub(super) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// When the last callback came, whether or not the engine has seen it.
    pub(super) fn last_callback(&self) -> Option<Instant> {
        match self.last_callback.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Instant::from_micros(micros)),
        }
    }

    /// A callback came.
    pub(super) fn called(&self, at: Instant) {
        self.failing_since.store(0, Ordering::Relaxed);
        self.last_callback.store(at.as_micros().max(1), Ordering::Relaxed);
    }
}

/// What a stream's callbacks have in common.
pub(super) struct Context {
    pub(super) health: Arc<Health>,
    pub(super) stamps: Producer<Stamp>,
    pub(super) rate: u32,
    pub(super) channels: usize,
}

impl Context {
    fn lasting(&self, frames: usize) -> Duration {
        Duration::from_micros(frames as u64 * 1_000_000 / u64::from(self.rate.max(1)))
    }

    fn stamp(&mut self, stamp: Stamp) {
        self.health.called(stamp.at);
        // Without room the next one tells as much.
        let _ = self.stamps.push(stamp);
    }

    fn wake(&self) {
        let _ = self.health.requests.wake_quietly();
    }
}

/// Inside a microphone's callbacks.
pub(super) struct MicrophoneCallback {
    context: Context,
    ring: Producer<f32>,
    total: u64,
    missed: u64,
    collected: usize,
    woken: Instant,
}

impl MicrophoneCallback {
    pub(super) fn new(context: Context, ring: Producer<f32>) -> Self {
        MicrophoneCallback {
            context,
            ring,
            total: 0,
            missed: 0,
            collected: 0,
            woken: Instant::ZERO,
        }
    }

    /// Sound came in `at`; its first frame was in the air `delay` before that. Of more than two
    /// channels the first two count.
    pub(super) fn heard<T>(&mut self, data: &[T], at: Instant, delay: Duration)
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let channels = self.context.channels.max(1);
        let frames = data.len() / channels;
        for frame in data.chunks_exact(channels) {
            let first: f32 = frame[0].to_sample();
            let sample = match frame.get(1) {
                Some(second) => 0.5 * (first + second.to_sample::<f32>()),
                None => first,
            };
            if self.ring.push(sample).is_ok() {
                self.total += 1;
            } else {
                self.missed += 1;
            }
        }
        // It cannot have been heard before it sounded, whatever the system's stamps say.
        let edge = (at - delay + self.context.lasting(frames)).min(at);
        let (total, missed) = (self.total, self.missed);
        self.context.stamp(Stamp { at, edge, frames: frames as u32, total, missed });
        self.collected += frames;
        let enough = self.context.lasting(self.collected) >= BATCH;
        if enough && at.since(self.woken) >= WAKE_EVERY {
            self.woken = at;
            self.collected = 0;
            self.context.wake();
        }
    }
}

/// Inside a loudspeaker's callbacks.
pub(super) struct LoudspeakerCallback {
    context: Context,
    ring: Consumer<f32>,
    total: u64,
    missed: u64,
    last: f32,
    woken: Instant,
}

impl LoudspeakerCallback {
    pub(super) fn new(context: Context, ring: Consumer<f32>) -> Self {
        LoudspeakerCallback { context, ring, total: 0, missed: 0, last: 0.0, woken: Instant::ZERO }
    }

    /// Sound is wanted `at`; its first frame will be in the air `delay` after that. Of more than two
    /// channels the first two get it.
    pub(super) fn wanted<T>(&mut self, data: &mut [T], at: Instant, delay: Duration)
    where
        T: SizedSample + FromSample<f32>,
    {
        let channels = self.context.channels.max(1);
        let frames = data.len() / channels;
        for frame in data.chunks_exact_mut(channels) {
            match self.ring.pop() {
                Ok(sample) => {
                    self.last = sample;
                    self.total += 1;
                }
                Err(_) => {
                    // Down to nothing, and not to numbers too small to be computed with fast.
                    self.last = if self.last.abs() > FADED { self.last * FADE } else { 0.0 };
                    // Before the first sound nothing is missed.
                    self.missed += u64::from(self.total > 0);
                }
            }
            for (channel, sample) in frame.iter_mut().enumerate() {
                *sample = T::from_sample_(if channel < 2 { self.last } else { 0.0 });
            }
        }
        let edge = at + delay + self.context.lasting(frames);
        let (total, missed) = (self.total, self.missed);
        self.context.stamp(Stamp { at, edge, frames: frames as u32, total, missed });
        if at.since(self.woken) >= WAKE_EVERY {
            self.woken = at;
            self.context.wake();
        }
    }
}
