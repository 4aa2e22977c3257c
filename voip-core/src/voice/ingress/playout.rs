//! When to play what: a stream's position on the playout clock, and how it should move.
//!
//! The *offset* is playout time minus media time. A packet is in time if its transit (arrival
//! minus media time) is at most the offset at which its first sample is asked for. Whoever plays
//! asks for blocks on a grid of 10 ms, so that only whole blocks of offset change which packets are
//! in time; what the packets' beginnings lie beyond the grid is delay for nothing.

use super::buffer::Transit;
use crate::frame::BLOCK;
use crate::time::Instant;

/// Calls to look back over for the grid of calls: the earliest of 200 ms counts, since a caller
/// wakes up late at times and never early.
const GRID: usize = 20;
/// Delay for nothing that is not worth a stretch, in samples: 3 ms.
const DEAD_BAND: i64 = 144;
/// Calls between two stretches of one voice, so that they do not sound like a buzz.
const REST_SHORTER: u32 = 20;
const REST_LONGER: u32 = 1;
/// Calls that must agree on a block less of delay; on two, a quarter of them, on three a ninth. A delay
/// that goes up and down is worse than one that is a little long. (Playing that began of late asks for as
/// many calls as there were, divided likewise.) If it is the calls themselves that come later than before, by
/// so many microseconds, none need agree.
const PATIENCE_SHORTER: u32 = 1_000;
const MOVED: i64 = 1_500;
/// In voice, so many times as long.
const IN_VOICE: u32 = 2;
/// Calls that must agree on more delay in voice, unless it is too short by more than a block.
const PATIENCE_LONGER: u32 = 100;
const URGENT_LONGER: i64 = 600;
/// Beyond so much too much delay, playing starts anew, which skips what is not worth its delay: 500 ms.
const FAR_TOO_MUCH: i64 = 24_000;

/// Microseconds of media time.
pub(super) fn media_micros(position: i64) -> i64 {
    position * 125 / 6
}

/// Where a running stream is.
pub(super) struct Playout {
    /// Media time of the next sample, in samples.
    position: i64,
    offsets: [i64; GRID],
    calls: usize,
    /// The offset as of the last call, and whether calls have come later since some moment.
    grid: i64,
    moved: bool,
    /// Calls since the last stretch.
    rest: u32,
    /// Calls that wished for a longer delay; less than nothing: for a shorter one.
    patience: i32,
}

impl Playout {
    /// Starts with the sample at `position`.
    pub(super) fn start(position: i64) -> Self {
        Playout {
            position,
            offsets: [i64::MAX; GRID],
            calls: 0,
            grid: 0,
            moved: false,
            rest: 0,
            patience: 0,
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
        let grid = self.offset();
        let before = std::mem::replace(&mut self.grid, grid);
        self.moved |= self.calls > GRID && grid > before + MOVED;
        self.rest = self.rest.saturating_add(1);
    }

    /// The offset of the grid of calls, in microseconds.
    pub(super) fn offset(&self) -> i64 {
        self.offsets.iter().copied().min().unwrap_or(0)
    }

    /// The offset at which packets are asked for, of which one begins at `start`: the samples of a
    /// block before it are delay for nothing.
    pub(super) fn asking_offset(&self, start: i64) -> i64 {
        self.offset() - media_micros(self.idle(start))
    }

    fn idle(&self, start: i64) -> i64 {
        (start - self.position).rem_euclid(BLOCK as i64)
    }

    /// By how much playing should be later, in samples, if it is time to do something about it;
    /// less than nothing: earlier. `start`: where some packet begins.
    pub(super) fn wish(&mut self, transit: &Transit, start: i64) -> i64 {
        let blocks = transit.best_shift(self.asking_offset(start));
        let wish = blocks * BLOCK as i64 - self.idle(start);
        // Any shortness is made up for: a part of a block is as good as nothing.
        let wish = if blocks <= 0 && wish.abs() <= DEAD_BAND { 0 } else { wish };
        self.moved &= wish < 0;
        let direction = wish.signum() as i32;
        self.patience = match direction {
            0 => self.patience - self.patience.signum(),
            _ if self.patience.signum() == -direction => direction,
            _ => self.patience.saturating_add(direction),
        };
        wish
    }

    /// Whether it is time to grant a wish: in quiet, or even in voice.
    pub(super) fn is_time(&self, wish: i64, quiet: bool) -> bool {
        let waited = self.patience.unsigned_abs();
        let patience = self.patience_for(wish);
        let (is_time, rest) = match (wish > 0, quiet) {
            (true, true) => return true,
            (true, false) => (wish >= URGENT_LONGER || waited > PATIENCE_LONGER, REST_LONGER),
            (false, true) => return self.moved || waited > patience,
            (false, false) => (self.moved || waited > IN_VOICE * patience, REST_SHORTER),
        };
        is_time && self.rest > rest
    }

    /// Calls that must agree on a wish for less delay.
    fn patience_for(&self, wish: i64) -> u32 {
        let blocks = wish.unsigned_abs().div_ceil(BLOCK as u64) as u32;
        let age = u32::try_from(self.calls).unwrap_or(u32::MAX);
        PATIENCE_SHORTER.min(age) / blocks.saturating_mul(blocks).max(1)
    }

    /// True if so much has piled up that playing should start anew near its end.
    pub(super) fn should_jump(&self, wish: i64) -> bool {
        wish < -FAR_TOO_MUCH
    }

    /// So many samples were left out, or said again if fewer than none.
    pub(super) fn stretched(&mut self, samples: i64) {
        self.shift(samples);
        self.rest = 0;
    }

    /// What is ready stands for so much more media time than it lasts, or for less.
    pub(super) fn shift(&mut self, samples: i64) {
        self.position += samples;
        self.grid -= media_micros(samples);
        for offset in self.offsets.iter_mut().filter(|o| **o != i64::MAX) {
            *offset -= media_micros(samples);
        }
    }
}
