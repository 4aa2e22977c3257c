//! Where a node's own sound comes from and goes to; and the clocks of a device that has none of its
//! own: one tick every 10 ms for the microphone, one for the loudspeaker.

use crate::engine::Engine;
use crate::frame::{AudioFrame, BLOCK_TIME};
use crate::io::Clock;
#[cfg(feature = "devices")]
use crate::io::sound::Cards;
use crate::io::tick::Tick;
use crate::time::Instant;

/// The sound of a node.
pub(crate) enum Sound {
    /// None of its own: each call has manual PCM.
    Manual,
    /// A device that the engine's thread clocks.
    Clocked(Box<DeviceClock>),
    /// Sound cards, which have clocks of their own.
    #[cfg(feature = "devices")]
    Cards(Box<Cards>),
}

impl Sound {
    /// A call was answered: there will be sound in a moment.
    pub(super) fn prepare(&mut self, now: Instant) {
        match self {
            Sound::Manual | Sound::Clocked(_) => {}
            #[cfg(feature = "devices")]
            Sound::Cards(cards) => cards.start(now),
        }
        #[cfg(not(feature = "devices"))]
        let _ = now;
    }

    /// A call has sound now.
    pub(super) fn start(&mut self, clock: &Clock, engine: &mut Engine) {
        match self {
            Sound::Manual => {}
            Sound::Clocked(device) => device.start(clock, engine),
            #[cfg(feature = "devices")]
            Sound::Cards(cards) => cards.start(clock.now()),
        }
    }

    pub(super) fn next_wake(&self) -> Instant {
        match self {
            Sound::Manual => Instant::FAR_FUTURE,
            Sound::Clocked(device) => device.next_wake(),
            #[cfg(feature = "devices")]
            Sound::Cards(cards) => cards.next_wake(),
        }
    }

    pub(super) fn serve(&mut self, now: Instant, clock: &Clock, engine: &mut Engine) {
        match self {
            Sound::Manual => {}
            Sound::Clocked(device) => device.serve(now, clock, engine),
            #[cfg(feature = "devices")]
            Sound::Cards(cards) => cards.serve(clock, engine),
        }
    }
}

/// A microphone and a loudspeaker that are served 10 ms at a time on the engine's thread. Neither
/// method may block.
pub(crate) trait SoundDevice: Send {
    /// The next 10 ms of the microphone.
    fn capture(&mut self, out: &mut AudioFrame);
    /// The next 10 ms for the loudspeaker.
    fn play(&mut self, frame: &AudioFrame);
}

/// A device that hears and plays nothing.
pub(crate) struct NullDevice;

impl SoundDevice for NullDevice {
    fn capture(&mut self, out: &mut AudioFrame) {
        *out = AudioFrame::SILENCE;
    }

    fn play(&mut self, _: &AudioFrame) {}
}

pub(crate) struct DeviceClock {
    device: Box<dyn SoundDevice>,
    capture: Tick,
    playout: Tick,
    frame: AudioFrame,
    started: bool,
}

impl DeviceClock {
    pub(crate) fn new(device: Box<dyn SoundDevice>) -> Self {
        let (capture, playout) = (Tick::default(), Tick::default());
        DeviceClock { device, capture, playout, frame: AudioFrame::SILENCE, started: false }
    }

    /// A call needs sound: begin to tick if not at it already.
    pub(super) fn start(&mut self, clock: &Clock, engine: &mut Engine) {
        let now = clock.now();
        self.capture.start_at(now);
        self.playout.start_at(now);
        if !self.started {
            self.started = true;
            // The block that is captured at a tick was spoken in the 10 ms before it; the block
            // that is played at a tick is heard in the 10 ms after it.
            let unix_us = clock.wall_micros(now);
            let block_us = BLOCK_TIME.as_micros() as u64;
            engine.handle_device_started(unix_us - block_us, unix_us);
        }
    }

    pub(super) fn next_wake(&self) -> Instant {
        self.capture.due().min(self.playout.due())
    }

    pub(super) fn serve(&mut self, now: Instant, clock: &Clock, engine: &mut Engine) {
        if !engine.has_media() {
            self.capture.stop();
            self.playout.stop();
            return;
        }
        while self.playout.is_due(now) {
            engine.handle_playout(clock.now(), &mut self.frame);
            self.device.play(&self.frame);
        }
        while self.capture.is_due(now) {
            self.device.capture(&mut self.frame);
            let now = clock.now();
            engine.handle_mic(now, now, &self.frame.0);
        }
    }
}
