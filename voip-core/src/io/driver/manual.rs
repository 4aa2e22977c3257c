//! Manual PCM on the engine's thread: moves sound between the users' queues and their calls, when
//! the clocks of `engine::manual` say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{CallKey, Engine, MANUAL_QUEUE, ReadClock, WritePacer};
use crate::error::Error;
use crate::frame::{AudioFrame, BLOCK, BLOCK_TIME, FrameDuration, SAMPLE_RATE};
use crate::io::pcm::PcmPort;
use crate::time::Instant;
use crate::voice::Resampler;

/// The queues of one call, and the rate at which its user speaks and hears.
pub(crate) struct ManualPort {
    pub(crate) pcm: PcmPort,
    pub(crate) rate: u32,
}

impl ManualPort {
    pub(crate) fn new(rate: u32, frame: FrameDuration) -> ManualPort {
        let queue = MANUAL_QUEUE + frame.duration();
        let limit = (u128::from(rate) * queue.as_millis() / 1000) as usize;
        ManualPort { pcm: PcmPort::new(limit), rate }
    }
}

/// Blocks that are read in one turn for somebody who waits for several: fewer than make the reader
/// look as if it had gone away.
const AT_ONCE: usize = 5;

/// All calls with manual PCM.
pub(super) struct ManualCalls {
    frame: FrameDuration,
    calls: BTreeMap<CallKey, ManualCall>,
}

struct ManualCall {
    port: Arc<ManualPort>,
    pacer: WritePacer,
    clock: ReadClock,
    hears: bool,
    to_call: Resampler,
    from_call: Resampler,
    /// At the user's rate.
    samples_per_block: usize,
    written: Vec<f32>,
    converted: Vec<f32>,
    block: AudioFrame,
    wake: Instant,
}

impl ManualCalls {
    pub(super) fn new(frame: FrameDuration) -> Self {
        ManualCalls { frame, calls: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, key: CallKey, port: Arc<ManualPort>) {
        let resamplers = Resampler::new(port.rate, SAMPLE_RATE)
            .and_then(|to| Ok((to, Resampler::new(SAMPLE_RATE, port.rate)?)));
        let (to_call, from_call) = match resamplers {
            Ok(both) => both,
            Err(error) => return port.pcm.end(error),
        };
        let samples = port.rate as usize * self.frame.millis() as usize / 1000;
        let most = to_call.most(samples).max(from_call.most(BLOCK));
        let converted = Vec::with_capacity(most);
        let samples_per_block = BLOCK * port.rate as usize / SAMPLE_RATE as usize;
        let call = ManualCall {
            port,
            pacer: WritePacer::new(self.frame),
            clock: ReadClock::default(),
            hears: false,
            to_call,
            from_call,
            samples_per_block,
            written: vec![0.0; samples],
            converted,
            block: AudioFrame::SILENCE,
            wake: Instant::ZERO,
        };
        self.calls.insert(key, call);
    }

    pub(super) fn end(&mut self, key: CallKey, error: Error) {
        if let Some(call) = self.calls.remove(&key) {
            call.port.pcm.end(error);
        }
    }

    pub(super) fn unread_ms(&self, key: CallKey) -> u64 {
        self.calls.get(&key).map_or(0, |c| c.clock.unread().as_millis() as u64)
    }

    pub(super) fn next_wake(&self) -> Instant {
        self.calls.values().map(|c| c.wake).min().unwrap_or(Instant::FAR_FUTURE)
    }

    pub(super) fn serve(&mut self, now: Instant, engine: &mut Engine) {
        for (key, call) in &mut self.calls {
            call.serve_writer(*key, now, engine);
            call.serve_reader(*key, now, engine);
        }
    }
}

impl ManualCall {
    fn serve_writer(&mut self, key: CallKey, now: Instant, engine: &mut Engine) {
        while self.pacer.due() <= now && self.port.pcm.take_frame(&mut self.written) {
            self.pacer.sent(now);
            self.converted.clear();
            self.to_call.process(&self.written, &mut self.converted);
            engine.handle_write(now, key, &self.converted);
        }
        let frame_waits = self.port.pcm.waiting() >= self.written.len();
        self.wake = if frame_waits { self.pacer.due() } else { Instant::FAR_FUTURE };
    }

    fn serve_reader(&mut self, key: CallKey, now: Instant, engine: &mut Engine) {
        self.follow_sound(engine.has_sound(key), now);
        while self.hears && self.clock.overdue(now) {
            engine.handle_read(now, key, &mut self.block);
        }
        loop {
            let blocks = self.port.pcm.missing().div_ceil(self.samples_per_block);
            if blocks == 0 {
                break;
            }
            // Nothing is gained by a block before the last that a reader waits for.
            let due = self.clock.due(now) + BLOCK_TIME * (blocks.min(AT_ONCE) as u32 - 1);
            if due > now {
                self.wake = self.wake.min(due);
                break;
            }
            engine.handle_read(now, key, &mut self.block);
            self.clock.read();
            self.clock.delay(engine.take_read_lag(key));
            self.converted.clear();
            self.from_call.process(&self.block.0, &mut self.converted);
            self.port.pcm.put_played(&self.converted);
        }
        if self.hears {
            self.wake = self.wake.min(self.clock.deadline());
        }
    }

    /// Once there is sound, reads fall in step with it anew.
    fn follow_sound(&mut self, hears: bool, now: Instant) {
        if hears && !self.hears {
            self.clock.begin_anew();
        } else if !hears {
            self.clock.rest(now);
        }
        self.hears = hears;
    }
}
