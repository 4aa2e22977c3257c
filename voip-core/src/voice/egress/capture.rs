//! Any count of samples → frames, and a watch for pauses of the source.

use super::sound;
use crate::frame::FrameDuration;
use crate::time::{Duration, Instant};

/// A source that is silent for longer than its samples last plus this has paused. Shorter holes
/// are hiccups that a burst of the missing samples makes up for.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Capture {
    frame: Vec<f32>,
    len: usize,
    filled: usize,
    last: Option<Instant>,
}

impl Capture {
    pub(super) fn new(frame: FrameDuration) -> Self {
        let len = frame.samples();
        Capture { frame: vec![0.0; len], len, filled: 0, last: None }
    }

    /// Call before taking `coming` samples at `now`: after a pause, tells by how many samples the
    /// media clock must move on. What was left of a frame from before the pause is stale and goes.
    pub(super) fn pause(&mut self, now: Instant, coming: usize) -> Option<u32> {
        let last = self.last.replace(now)?;
        let missing = now.since(last).checked_sub(sound(coming))?;
        if missing <= PAUSE {
            return None;
        }
        let stale = std::mem::take(&mut self.filled);
        // The media clock wraps at 2^32 as the cast does.
        Some((missing.as_micros() * 48 / 1_000) as u32 + stale as u32)
    }

    /// Takes samples up to the end of the frame and returns the rest. Sound captured while muted
    /// becomes silence here, before it can share a frame with what is sent.
    pub(super) fn take<'a>(&mut self, samples: &'a [f32], muted: bool) -> &'a [f32] {
        if self.filled == self.len {
            self.filled = 0;
        }
        let count = samples.len().min(self.len - self.filled);
        let (taken, rest) = samples.split_at(count);
        let space = &mut self.frame[self.filled..self.filled + count];
        if muted {
            space.fill(0.0);
        } else {
            space.copy_from_slice(taken);
        }
        self.filled += count;
        rest
    }

    /// The frame, once complete.
    pub(super) fn frame(&mut self) -> Option<&mut [f32]> {
        (self.filled == self.len).then_some(&mut self.frame[..])
    }
}
