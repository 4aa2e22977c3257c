//! The delay to aim at: the cheapest. Delay costs its own length; sound that would come too late at
//! that delay costs a price for each per cent of it. The price says how much delay a gap is worth.

/// One bin of a histogram, in microseconds; and how many there are: up to 600 ms.
const BIN: i64 = 500;
const BINS: usize = 1_200;
/// Frames after which what was seen counts for half: 5 s and 30 s of 20 ms frames.
const HALF_LIVES: [f32; 2] = [250.0, 1_500.0];
/// What a per cent of late frames may cost in delay, in microseconds, by either memory: 35 ms for what
/// happens now, and 87 ms for what has kept happening for a minute. That is more, for one frame in
/// two thousand is worth waiting for if it costs 4 ms; one that came late just now is not.
const PRICES: [f32; 2] = [35_000.0, 87_500.0];
/// Until so many frames have been seen, each counts as one of so many.
const FEW: [f32; 2] = [150.0, 375.0];
/// If the past asks for so much more than the present, in microseconds, it is believed by half.
const CALMER: i64 = 60_000;

/// If the fastest packet is slower by so much all at once, in microseconds, the route has changed: what
/// has been late since was late by that much less. (Drift is slower.)
const JUMP: i64 = 5_000;

/// How late frames have been, the older the less it counts.
struct Histogram {
    bins: [f32; BINS],
    total: f32,
    keep: f32,
    few: f32,
    price: f32,
}

impl Histogram {
    fn new(n: usize) -> Self {
        let keep = 0.5_f32.powf(1.0 / HALF_LIVES[n]);
        Histogram { bins: [0.0; BINS], total: 0.0, keep, few: FEW[n], price: PRICES[n] }
    }

    fn add(&mut self, bin: usize, weight: f32) {
        self.bins.iter_mut().for_each(|mass| *mass *= self.keep);
        self.bins[bin] += weight;
        self.total = self.total * self.keep + 1.0;
    }

    /// Everything was less late by so many bins.
    fn move_down(&mut self, bins: usize) {
        let shift = bins.min(BINS - 1);
        let early: f32 = self.bins[..=shift].iter().sum();
        self.bins.copy_within(shift.., 0);
        self.bins[BINS - shift..].fill(0.0);
        self.bins[0] = early;
    }

    /// The cheapest delay, in microseconds.
    fn cheapest(&self) -> i64 {
        let share = 100.0 * self.price / self.total.max(self.few);
        let (mut late, mut best) = (0.0, (f32::MAX, 0));
        for (bin, mass) in self.bins.iter().enumerate().rev() {
            // In time for this bin, and late for those above.
            let cost = (bin as i64 * BIN) as f32 + share * late;
            if cost <= best.0 {
                best = (cost, bin as i64 * BIN);
            }
            late += mass;
        }
        best.1
    }
}

/// The histograms, and the delay that follows from them.
pub(super) struct Target {
    histograms: [Histogram; 2],
    micros: i64,
    /// Transit of the fastest packet when the last frame was counted, in microseconds.
    base: Option<i64>,
}

impl Target {
    pub(super) fn new() -> Self {
        Target { histograms: [0, 1].map(Histogram::new), micros: 0, base: None }
    }

    /// Takes note of a frame that became playable after `transit`, the fastest packet's being `base`,
    /// in microseconds; `weight` says how much it counts.
    pub(super) fn add(&mut self, transit: i64, base: i64, weight: f32) {
        let slower = base - self.base.replace(base).unwrap_or(base);
        if slower >= JUMP {
            let bins = (slower / BIN) as usize;
            self.histograms.iter_mut().for_each(|histogram| histogram.move_down(bins));
        }
        let lateness = usize::try_from(transit - base).unwrap_or(0);
        let bin = (lateness / BIN as usize).min(BINS - 1);
        self.histograms.iter_mut().for_each(|histogram| histogram.add(bin, weight));
        let [fast, slow] = self.histograms.each_ref().map(Histogram::cheapest);
        self.micros = if slow - fast < CALMER { fast.max(slow) } else { (fast + slow) / 2 };
    }

    /// The delay to aim at, if anything is known of the line.
    pub(super) fn micros(&self) -> Option<i64> {
        self.base.map(|_| self.micros)
    }
}
