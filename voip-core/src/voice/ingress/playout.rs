//! When to play what: a stream's position on the playout clock, and how it moves.
//!
//! The *offset* is playout time minus media time. A packet is in time if its transit (arrival
//! minus media time) is at most the offset. Whoever plays asks for blocks on a grid of 10 ms, so
//! that only whole blocks of offset change which packets are in time: a block is cut out or put
//! in, cross-faded.

use super::buffer::Transit;
use crate::frame::BLOCK;
use crate::time::Instant;
use crate::voice::level::mean_square;

/// Calls to look back over for the grid of calls: the earliest of 200 ms counts, since a caller
/// wakes up late at times and never early.
const GRID: usize = 20;
/// A block below this level hides a cut: −45 dBFS as a mean square.
const QUIET: f32 = 3.2e-5;
/// Calls that must agree on a cut before it is made: in quiet, in voice, and in voice with much
/// to cut.
const PATIENCE: [u32; 3] = [5, 40, 10];
/// A wish to shift by this or less is much to cut, in blocks.
const MUCH: i32 = -4;
/// A wish to shift by this or less is better granted by one jump than by many cuts.
const FAR_TOO_MUCH: i32 = -10;
/// Calls between two blocks put in, so that they do not sound like a buzz.
const PAUSE_AFTER_INSERTION: u32 = 2;

/// Microseconds of media time.
pub(super) fn media_micros(position: i64) -> i64 {
    position * 125 / 6
}

/// What to do with the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Splice {
    /// Play it.
    Straight,
    /// Play two in the time of one.
    Cut,
    /// Play one more before it.
    Insert,
}

/// Where a running stream is.
pub(super) struct Playout {
    /// Media time of the next sample, in samples.
    position: i64,
    offsets: [i64; GRID],
    calls: usize,
    wish_to_cut: u32,
    jump: bool,
    since_insertion: u32,
}

impl Playout {
    /// Starts with the sample at `position`.
    pub(super) fn start(position: i64) -> Self {
        Playout {
            position,
            offsets: [i64::MAX; GRID],
            calls: 0,
            wish_to_cut: 0,
            jump: false,
            since_insertion: PAUSE_AFTER_INSERTION,
        }
    }

    pub(super) fn position(&self) -> i64 {
        self.position
    }

    pub(super) fn advance(&mut self, samples: usize) {
        self.position += samples as i64;
    }

    /// Takes note of a call for the next block.
    pub(super) fn called(&mut self, now: Instant) {
        self.offsets[self.calls % GRID] = now.as_micros() as i64 - media_micros(self.position);
        self.calls = self.calls.wrapping_add(1);
    }

    /// The offset of the grid of calls, in microseconds.
    pub(super) fn offset(&self) -> i64 {
        self.offsets.iter().copied().min().unwrap_or(0)
    }

    /// Decides on the next block: `available` samples can be played without making any up,
    /// `last` is what was played last.
    pub(super) fn splice(
        &mut self,
        transit: &mut Transit,
        available: usize,
        last: &[f32],
    ) -> Splice {
        let shift = transit.best_shift(self.offset());
        self.since_insertion = self.since_insertion.saturating_add(1);
        self.wish_to_cut = if shift < 0 { self.wish_to_cut.saturating_add(1) } else { 0 };
        let granted = shift < 0 && self.wish_to_cut > patience(shift, last);
        self.jump = granted && shift <= FAR_TOO_MUCH;
        if granted && available >= 2 * BLOCK {
            self.wish_to_cut = 0;
            return Splice::Cut;
        }
        let rested = self.since_insertion >= PAUSE_AFTER_INSERTION;
        if shift > 0 && available >= BLOCK && rested {
            self.since_insertion = 0;
            self.note_insertion();
            return Splice::Insert;
        }
        Splice::Straight
    }

    /// True if so much has piled up that playing should start anew near its end.
    pub(super) fn should_jump(&self) -> bool {
        self.jump
    }

    /// The calls stay where they are and the media waits a block. (After a cut, the next call
    /// shows by itself that the offset is smaller.)
    fn note_insertion(&mut self) {
        for offset in self.offsets.iter_mut().filter(|o| **o != i64::MAX) {
            *offset += media_micros(BLOCK as i64);
        }
    }
}

/// Calls that must agree on a cut by `shift` after the block `last`.
fn patience(shift: i32, last: &[f32]) -> u32 {
    let [in_quiet, in_voice, with_much] = PATIENCE;
    match shift {
        _ if mean_square(last) < QUIET => in_quiet,
        ..=MUCH => with_much,
        _ => in_voice,
    }
}

/// Fades from one block to another in place: the result begins as `from` begins and ends as `to`
/// ends, so it joins what comes before the one to what comes after the other.
pub(super) fn cross_fade(from: &mut [f32], to: &[f32]) {
    let len = from.len() as f32;
    for (i, (from, to)) in from.iter_mut().zip(to).enumerate() {
        let part = (i as f32 + 0.5) / len;
        *from += part * (to - *from);
    }
}
