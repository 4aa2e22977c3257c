//! The delay to aim at: the cheapest. Delay costs its own length; sound that would come too late at
//! that delay costs a price for each per cent of it. The price says how much delay a gap is worth.

/// One bin of a histogram, in microseconds; and how many there are: up to 600 ms.
pub(super) const BIN: i64 = 500;
const BINS: usize = 1_200;
/// Frames after which what was seen counts for half: 5 s and 30 s of 20 ms frames.
const HALF_LIVES: [f32; 2] = [250.0, 1_500.0];
/// By how much the price counts in either memory: what has kept happening for a minute is worth more,
/// for one frame in two thousand is worth waiting for if it costs 4 ms; one that came late just now is
/// not.
const WORTH: [f32; 2] = [1.0, 2.5];
/// Until so many frames have been seen, each counts as one of so many.
const FEW: [f32; 2] = [150.0, 375.0];
/// If the past asks for so much more than the present, in microseconds, it is believed by half.
const CALMER: i64 = 50_000;
/// A unit so large is made one again, before numbers lose their precision.
const LARGEST_UNIT: f32 = 1e6;

/// The first packets of a line say little of what is yet to come. The delay is at least so many times their
/// median lateness, up to 40 ms, which most lines need anyway: a delay that moves seldom is worth more than
/// one that is short. With each frame that is believed less, until after so many, 10 s of 20 ms ones, all is
/// known. Of fewer than ten the median says nothing.
const YOUNG: f32 = 500.0;
const PRESUMED: f32 = 8.0;
const MOST_PRESUMED: f32 = 40_000.0;
const TOO_FEW: f32 = 10.0;

/// If the fastest packet is slower by so much all at once, in microseconds, the route has changed: what
/// has been late since was late by that much less. (Drift is slower.)
const JUMP: i64 = 5_000;

/// How late frames have been, the older the less it counts.
struct Histogram {
    /// For each bin, how many frames belong to those above it, in units of `unit`.
    above: [f32; BINS],
    total: f32,
    /// What a frame counts now. It grows instead of all others getting smaller.
    unit: f32,
    keep: f32,
    few: f32,
    /// In microseconds of delay for a per cent of late frames.
    price: f32,
}

impl Histogram {
    fn new(n: usize, quality: u32) -> Self {
        Histogram {
            above: [0.0; BINS],
            total: 0.0,
            unit: 1.0,
            keep: 0.5_f32.powf(1.0 / HALF_LIVES[n]),
            few: FEW[n],
            price: 1e3 * quality as f32 * WORTH[n],
        }
    }

    fn add(&mut self, bin: usize, weight: f32) {
        self.unit /= self.keep;
        if self.unit > LARGEST_UNIT {
            self.above.iter_mut().for_each(|above| *above /= self.unit);
            self.total /= self.unit;
            self.unit = 1.0;
        }
        self.above[..bin].iter_mut().for_each(|above| *above += weight * self.unit);
        self.total += self.unit;
    }

    /// Everything was less late by so many bins.
    fn move_down(&mut self, bins: usize) {
        let shift = bins.min(BINS);
        self.above.copy_within(shift.., 0);
        self.above[BINS - shift..].fill(0.0);
    }

    /// In microseconds.
    fn median(&self) -> f32 {
        let bin = self.above.partition_point(|above| *above > self.total / 2.0);
        bin as f32 * BIN as f32
    }

    /// The cheapest of the delays from `first` on in steps, in microseconds.
    fn cheapest(&self, first: i64, step: usize) -> i64 {
        let share = 100.0 * self.price / self.total.max(self.few * self.unit);
        let (mut cheapest, mut least) = (first, f32::MAX);
        for delay in (first..BINS as i64 * BIN).step_by(step) {
            let cost = delay as f32 + share * self.above[(delay / BIN) as usize];
            if cost < least {
                (cheapest, least) = (delay, cost);
            } else if delay as f32 >= least {
                break;
            }
        }
        cheapest
    }
}

/// The histograms, and the delay that follows from them.
pub(super) struct Target {
    histograms: [Histogram; 2],
    /// Frames counted so far.
    frames: f32,
    /// Transit of the fastest packet when the last frame was counted, in microseconds.
    base: Option<i64>,
}

impl Target {
    /// The price is `quality` milliseconds of delay for a per cent of late frames.
    pub(super) fn new(quality: u32) -> Self {
        let histograms = [0, 1].map(|n| Histogram::new(n, quality));
        Target { histograms, frames: 0.0, base: None }
    }

    /// Takes note of a frame that became playable after `transit`, the fastest packet's being `base`,
    /// in microseconds; `weight` says how much it counts. What is later than `most` is not told.
    pub(super) fn add(&mut self, transit: i64, base: i64, most: i64, weight: f32) {
        let slower = base - self.base.replace(base).unwrap_or(base);
        if (JUMP..=most).contains(&slower) {
            let bins = (slower / BIN) as usize;
            self.histograms.iter_mut().for_each(|histogram| histogram.move_down(bins));
        }
        let lateness = usize::try_from(transit - base).unwrap_or(0);
        let bin = (lateness / BIN as usize).min(BINS - 1);
        self.histograms.iter_mut().for_each(|histogram| histogram.add(bin, weight));
        self.frames += weight;
    }

    /// The cheapest of the delays from `first` on in steps, in microseconds, if anything is known of the
    /// line.
    pub(super) fn cheapest(&self, first: i64, step: i64) -> Option<i64> {
        self.base?;
        let [fast, slow] =
            self.histograms.each_ref().map(|histogram| histogram.cheapest(first, step as usize));
        let known = match slow - fast {
            ..CALMER => fast.max(slow),
            calmer => fast + calmer / 2 / step * step,
        };
        if self.frames < TOO_FEW || self.frames >= YOUNG {
            return Some(known);
        }
        let young = 1.0 - self.frames / YOUNG;
        let usual = (PRESUMED * self.histograms[1].median()).min(MOST_PRESUMED);
        let presumed = (young * usual) as i64;
        Some(known.max(first + (presumed - first + step / 2) / step * step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000;
    const MOST: i64 = 400 * MS;

    /// What is aimed at after so many frames, each late by what `late` says of its number.
    fn after(frames: i64, late: impl Fn(i64) -> i64) -> i64 {
        let mut target = Target::new(35);
        (0..frames).for_each(|n| target.add(late(n), 0, MOST, 1.0));
        target.cheapest(0, BIN).unwrap()
    }

    #[test]
    fn nothing_is_known_before_the_first_frame() {
        assert_eq!(Target::new(35).cheapest(0, BIN), None);
    }

    #[test]
    fn a_line_without_jitter_needs_no_delay() {
        assert_eq!(after(2_000, |_| 100), 0);
    }

    #[test]
    fn what_is_late_now_and_then_is_waited_for_if_the_delay_is_worth_it() {
        // One in fifty, 2 %: worth 70 ms at once, and 175 ms if it goes on.
        let one_in_fifty = |ms: i64| move |n: i64| if n % 50 == 49 { ms * MS } else { 0 };
        assert_eq!(after(3_000, one_in_fifty(40)), 40 * MS);
        assert_eq!(after(3_000, one_in_fifty(300)), 0);
        // One in a thousand is worth 9 ms at most.
        assert_eq!(after(9_000, |n| if n % 1_000 == 999 { 40 * MS } else { 0 }), 0);
    }

    #[test]
    fn quality_is_a_price() {
        let aims = [0, 10, 35, 300].map(|quality| {
            let mut target = Target::new(quality);
            // Uniform, 0 to 50 ms, and one in a hundred 120 ms.
            (0..3_000).for_each(|n| {
                target.add(if n % 100 == 0 { 120 * MS } else { n * 37 % 50 * MS }, 0, MOST, 1.0)
            });
            target.cheapest(0, BIN).unwrap() / MS
        });
        // 49 ms suffice for now; what keeps happening asks for 120, and is believed by half.
        assert_eq!(aims, [0, 49, 84, 120]);
    }

    #[test]
    fn the_young_line_is_presumed_to_be_as_others_and_a_good_one_is_not() {
        let few_late = |n: i64| if n % 10 == 9 { 15 * MS } else { 4 * MS };
        assert_eq!(after(9, few_late), 4 * MS, "so few say little");
        assert_eq!(after(50, few_late), 29 * MS);
        assert_eq!(after(1_000, few_late), 15 * MS);
        assert_eq!(after(50, |_| 400), 0, "as good as none");
    }

    #[test]
    fn the_delay_is_one_of_those_that_can_be() {
        let mut target = Target::new(35);
        (0..2_000).for_each(|n| target.add(n % 31 * MS, 0, MOST, 1.0));
        assert_eq!(target.cheapest(0, BIN), Some(30 * MS));
        // A tick less would cost a third of the frames; a tick more, nothing but itself.
        assert_eq!(target.cheapest(7 * MS, 10 * MS), Some(37 * MS));
        // 0.3 ms less only costs one in thirty.
        assert_eq!(target.cheapest(9_700, 10 * MS), Some(29_700 + 10 * MS));
    }

    #[test]
    fn after_a_change_of_route_what_was_late_is_so_no_more() {
        let mut target = Target::new(35);
        (0..1_000).for_each(|_| target.add(0, 0, MOST, 1.0));
        (0..400).for_each(|_| target.add(80 * MS, 0, MOST, 1.0));
        assert_eq!(target.cheapest(0, BIN), Some(80 * MS));
        target.add(80 * MS, 80 * MS, MOST, 1.0);
        assert_eq!(target.cheapest(0, BIN), Some(0));
    }
}
