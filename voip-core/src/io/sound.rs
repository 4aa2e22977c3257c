//! Sound cards, through cpal.
//!
//! ```text
//! card ─▶ callback ═ring═▶ microphone ─▶ engine ─▶ loudspeaker ═ring═▶ callback ─▶ card
//! ```
//!
//! The system's callbacks own one end of a lock-free ring each and do nothing but copy, stamp the
//! time and wake the engine's thread, which owns the other end. A loudspeaker's callbacks ask for
//! sound and so pace its playout; a microphone's hand it over as it comes. What the card's clock is
//! off by is taken out on the engine's side. Opening and closing a card can take seconds, or for
//! ever: that happens on a thread of its own for each stream, a [`keeper`], which nobody waits for.

mod callback;
mod card;
mod hosts;
mod keeper;
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod libasound;
mod loudspeaker;
mod microphone;
mod pace;
mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use hosts::list;
pub(crate) use keeper::SoundNews;

use card::{Card, DeviceEnd};
use keeper::KeeperThreads;
use loudspeaker::Loudspeaker;
use microphone::Microphone;

use super::Clock;
use super::driver::Requests;
use super::tick::Tick;
use crate::device::{AudioDevice, DeviceChange, DeviceChoice, DeviceDirection, DeviceStats};
use crate::engine::Engine;
use crate::frame::AudioFrame;
use crate::time::Instant;

/// How long calls wait for a card before time goes on without it.
const PATIENCE: Duration = Duration::from_millis(200);

/// The microphone and the loudspeaker of one node.
pub(crate) struct Cards {
    microphone: Card<Microphone>,
    loudspeaker: Card<Loudspeaker>,
    capture_tick: Tick,
    playout_tick: Tick,
    frame: AudioFrame,
    on: bool,
}

impl Cards {
    pub(crate) fn new(input: DeviceChoice, output: DeviceChoice, requests: &Requests) -> Cards {
        Cards {
            microphone: Card::new(input, KeeperThreads::<Microphone>::boxed(requests)),
            loudspeaker: Card::new(output, KeeperThreads::<Loudspeaker>::boxed(requests)),
            capture_tick: Tick::default(),
            playout_tick: Tick::default(),
            frame: AudioFrame::SILENCE,
            on: false,
        }
    }

    /// A call wants sound: open the cards if they are not.
    pub(crate) fn start(&mut self, now: Instant) {
        if !self.on {
            self.on = true;
            self.microphone.start(now);
            self.loudspeaker.start(now);
            self.capture_tick.start_at(now + PATIENCE);
            self.playout_tick.start_at(now + PATIENCE);
        }
    }

    pub(crate) fn choose(
        &mut self,
        now: Instant,
        direction: DeviceDirection,
        choice: DeviceChoice,
    ) {
        match direction {
            DeviceDirection::Input => self.microphone.choose(now, choice),
            DeviceDirection::Output => self.loudspeaker.choose(now, choice),
        }
    }

    pub(crate) fn handle_news(&mut self, now: Instant, news: SoundNews) {
        match news {
            SoundNews::Microphone(news) => self.microphone.handle_news(now, news),
            SoundNews::Loudspeaker(news) => self.loudspeaker.handle_news(now, news),
        }
    }

    pub(crate) fn serve(&mut self, clock: &Clock, engine: &mut Engine) {
        if !self.on {
            return;
        }
        if !engine.wants_sound() {
            self.on = false;
            self.microphone.stop();
            self.loudspeaker.stop();
            self.capture_tick.stop();
            self.playout_tick.stop();
            engine.handle_playout_delay(Duration::ZERO);
            return;
        }
        let now = clock.now();
        self.microphone.watch(now);
        self.loudspeaker.watch(now);
        match self.microphone.live() {
            Some(microphone) => {
                self.capture_tick.stop();
                microphone.serve(now, |captured, samples| {
                    engine.handle_mic(now, captured, samples);
                });
            }
            None => {
                self.capture_tick.start_at(now);
                while self.capture_tick.is_due(now) {
                    engine.handle_mic(now, now, &AudioFrame::SILENCE.0);
                }
            }
        }
        match self.loudspeaker.live() {
            Some(loudspeaker) => {
                self.playout_tick.stop();
                loudspeaker.serve(now, &mut self.frame, |f| engine.handle_playout(clock.now(), f));
            }
            None => {
                self.playout_tick.start_at(now);
                while self.playout_tick.is_due(now) {
                    engine.handle_playout(now, &mut self.frame);
                }
            }
        }
        let delay = self.loudspeaker.live().map_or(Duration::ZERO, |l| l.delay());
        engine.handle_playout_delay(delay);
    }

    pub(crate) fn next_wake(&self) -> Instant {
        if !self.on {
            return Instant::FAR_FUTURE;
        }
        let cards = self.microphone.next_wake().min(self.loudspeaker.next_wake());
        cards.min(self.capture_tick.due()).min(self.playout_tick.due())
    }

    /// What became of the devices in use, oldest first.
    pub(crate) fn poll(&mut self) -> Option<(DeviceDirection, Option<AudioDevice>, DeviceChange)> {
        let microphone = self.microphone.poll().map(|(d, c)| (DeviceDirection::Input, d, c));
        microphone.or_else(|| self.loudspeaker.poll().map(|(d, c)| (DeviceDirection::Output, d, c)))
    }

    pub(crate) fn microphone_stats(&self) -> Option<DeviceStats> {
        self.microphone.stats()
    }

    pub(crate) fn loudspeaker_stats(&self) -> Option<DeviceStats> {
        self.loudspeaker.stats()
    }
}
