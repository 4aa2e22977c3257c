//! What to play next: the packet whose time it is, what mends its loss, or something made up.

use super::{JitterBuffer, Played};
use crate::error::Error;
use crate::frame::BLOCK;
use crate::time::{Duration, Instant};
use crate::voice::ingress::playout::Playout;

/// Sound made up for so long without any packet ends playing: 500 ms. What comes next starts anew.
const GIVE_UP: usize = 24_000;

/// What there is to play next.
enum Found {
    /// The decoder has samples ready.
    Sound,
    /// Sound is missing: for so many samples at least. `lost`: a later packet is there.
    Gap { samples: usize, lost: bool },
    /// Nothing for a while, or nothing that was sent.
    Silence,
}

impl JitterBuffer {
    pub(super) fn play(&mut self, now: Instant, out: &mut [f32]) {
        let mut filled = 0;
        while filled < out.len() {
            let rest = &mut out[filled..];
            let count = self.decoder.take(rest);
            self.taken += count as u64;
            if count == 0 {
                match self.find_sound(now) {
                    Found::Sound => {}
                    Found::Gap { samples, lost } if lost && self.rebuild(samples) => {}
                    Found::Gap { samples, lost } => self.bridge(samples.min(rest.len()), lost),
                    Found::Silence => {
                        self.make_up(rest);
                        self.end();
                        return;
                    }
                }
            }
            filled += count;
            if let Some(playout) = &mut self.playout {
                playout.advance(count);
            }
        }
    }

    /// Fills the beginning of a gap from the deep redundancy of the packet after it. False if that does not reach
    /// back so far.
    fn rebuild(&mut self, samples: usize) -> bool {
        let (Some(first), Some(playout)) = (self.store.first(), &mut self.playout) else {
            return false;
        };
        let before = usize::try_from(first.packet.place.start - playout.position()).unwrap_or(0);
        if !first.packet.deep.describes(before) {
            return false;
        }
        let later = (first.packet.place.sequence, &first.payload[..]);
        let Some(made) = self.decoder.rebuild(later, before, samples) else { return false };
        let passed = samples.min(made);
        playout.shift(passed as i64 - made as i64);
        self.counts.rebuilt_samples += passed as u64;
        true
    }

    /// Makes up sound for a gap. What is `lost` is over when its time is; while nothing newer comes, media
    /// time stands still.
    fn bridge(&mut self, samples: usize, lost: bool) {
        let made = self.decoder.make_up(samples);
        let passed = if lost { samples.min(made) } else { 0 };
        if let Some(playout) = &mut self.playout {
            playout.shift(passed as i64 - made as i64);
        }
        if lost {
            self.counts.concealed_samples += made as u64;
        } else {
            self.held += made;
            self.unexplained += made as u64;
            self.silent += made as u64;
        }
    }

    /// Sound where none is expected: what was last fades out.
    pub(super) fn make_up(&mut self, out: &mut [f32]) {
        self.decoder.conceal(out);
        if self.played.is_some() {
            self.unexplained += out.len() as u64;
            self.silent += out.len() as u64;
            self.taken += out.len() as u64;
        }
    }

    /// Finds what to play next, all that was ready having been played.
    fn find_sound(&mut self, now: Instant) -> Found {
        let Some(mut position) = self.playout.as_ref().map(Playout::position) else {
            return Found::Silence;
        };
        loop {
            while self.store.first().is_some_and(|first| first.end() <= position) {
                self.drop_first();
            }
            let Some(first) = self.store.first() else {
                return self.gap_unless_long(BLOCK, false);
            };
            let mut gap = usize::try_from(first.packet.place.start - position).unwrap_or(0);
            // What was made up while nothing came stands for what will not come.
            let credit = gap.min(std::mem::take(&mut self.held));
            if credit > 0 {
                gap -= credit;
                position += credit as i64;
                if let Some(playout) = &mut self.playout {
                    playout.shift(credit as i64);
                }
            }
            if gap == 0 {
                match self.decode_first(now, position) {
                    Ok(()) => return Found::Sound,
                    Err(_) => continue,
                }
            }
            if self.played.is_some_and(|played| played.silence_until(first.packet.place)) {
                return Found::Silence;
            }
            let copied = first.packet.info.fec_samples;
            if gap > copied {
                return self.gap_unless_long(gap - copied, true);
            }
            return match self.recover(copied - gap) {
                Ok(()) => Found::Sound,
                Err(_) => Found::Gap { samples: gap, lost: true },
            };
        }
    }

    fn gap_unless_long(&self, samples: usize, lost: bool) -> Found {
        if self.decoder.made_up() >= GIVE_UP {
            return Found::Silence;
        }
        Found::Gap { samples, lost }
    }

    pub(super) fn decode_first(&mut self, now: Instant, position: i64) -> Result<(), Error> {
        let Some(first) = self.store.first() else { return Ok(()) };
        let skip = usize::try_from(position - first.packet.place.start).unwrap_or(0);
        // What is ready is played before it.
        let before = Duration::from_micros(self.decoder.ready().len() as u64 * 125 / 6);
        let decoded = self.decoder.decode(&first.payload, first.packet.info, skip);
        if decoded.is_err() {
            self.drop_first();
            return decoded;
        }
        self.played = Some(Played { sequence: first.packet.place.sequence, end: first.end() });
        self.waited.observe(now.since(first.arrival) + before);
        self.counts.repeated += u64::from(first.packet.repeated);
        self.store.drop_first();
        decoded
    }

    /// Plays the copy in the first packet held of the one before it.
    fn recover(&mut self, skip: usize) -> Result<(), Error> {
        let Some(first) = self.store.first() else { return Ok(()) };
        self.decoder.recover(&first.payload, first.packet.info, skip)?;
        let (sequence, end) = (first.packet.place.sequence - 1, first.packet.place.start);
        self.played = Some(Played { sequence, end });
        self.counts.recovered += 1;
        Ok(())
    }
}
