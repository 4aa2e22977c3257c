//! A demo over a bad line: what was asked for, what the line really did, and whether the run counts.
//!
//! In a run as short as this, chance alone would often lose a fifth more or less than was asked. So
//! seeds are looked for of which the losses, each drawn on its own, add up to what was asked over
//! as many packets as the run will have. That they really did is then counted, twice.

use std::fmt;

use serde::Serialize;
use voip_examples::bad_line::{BadLine, LineCount};
use voip_examples::console::{Failure, USAGE};
use voip_examples::line;

use crate::report::Both;

/// Packets of sound that a peer sends in a second.
const PACKETS_PER_SECOND: u64 = 50;
/// With fewer packets lost than this, one more or less at the edges of the run is a large part.
const LEAST_LOST: f32 = 7.0;
/// How far the seed's losses may be off what was asked.
const SEED_TOLERANCE: f32 = 0.05;
/// How far what was counted may be off what was asked before the run is void.
const TOLERANCE: f64 = 0.2;
/// Packets lost before the listener heard the first, or after the last, or under way at the end: so
/// many do not make two counts differ.
const AT_THE_EDGES: u64 = 3;

/// What was asked for.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Trial {
    loss_pct: f32,
    jitter_ms: u32,
    rate_kbit_s: Option<u32>,
    alice_seed: u64,
    bob_seed: u64,
}

impl Trial {
    /// `None` if no line was asked for.
    pub(crate) fn new(line: &BadLine, seconds: u32) -> Result<Option<Trial>, Failure> {
        let Some(link) = line.link() else { return Ok(None) };
        let packets = u64::from(seconds) * PACKETS_PER_SECOND;
        let expected = packets as f32 * link.loss;
        if expected > 0.0 && expected < LEAST_LOST {
            let least = 100.0 * LEAST_LOST / packets as f32;
            return Err(Failure {
                message: format!(
                    "a loss of {} % is too little to be counted in {seconds} s: {least:.1} % is the least",
                    link.loss * 100.0
                ),
                status: USAGE,
            });
        }
        let tolerance = (expected * SEED_TOLERANCE).max(0.5);
        let is_fair =
            |seed: &u64| (link.sound_lost(*seed, packets) as f32 - expected).abs() <= tolerance;
        let mut fair = (line.seed..=u64::MAX).filter(is_fair);
        let seeds = fair.next().zip(fair.next());
        let (alice_seed, bob_seed) = seeds.ok_or_else(|| Failure::new("there is no such seed"))?;
        Ok(Some(Trial {
            loss_pct: line.loss.unwrap_or(0.0),
            jitter_ms: line.jitter.unwrap_or(0),
            rate_kbit_s: line.rate,
            alice_seed,
            bob_seed,
        }))
    }

    /// The command line of that peer's line.
    pub(crate) fn options(&self, name: &str) -> Vec<String> {
        let seed = if name == "alice" { self.alice_seed } else { self.bob_seed };
        let (loss, jitter) = (Some(self.loss_pct), Some(self.jitter_ms));
        BadLine { loss, jitter, rate: self.rate_kbit_s, seed }.options()
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} % lost", self.loss_pct)?;
        if self.jitter_ms > 0 {
            write!(f, ", up to {} ms late", self.jitter_ms)?;
        }
        self.rate_kbit_s.map_or(Ok(()), |rate| write!(f, ", {rate} kbit/s"))
    }
}

/// How the lines were.
#[derive(Serialize)]
pub(crate) struct Outcome {
    pub(crate) asked: Trial,
    pub(crate) to_alice: Direction,
    pub(crate) to_bob: Direction,
    /// Why the run says nothing about such a line.
    pub(crate) void: Option<String>,
}

/// One direction.
#[derive(Serialize)]
pub(crate) struct Direction {
    /// What the sender's line counted.
    #[serde(flatten)]
    pub(crate) line: LineCount,
    /// Packets that reached the listener's call.
    pub(crate) received: u64,
    /// Packets that it misses, by their numbers: between the first and the last received.
    pub(crate) missed: u64,
    /// Lost by chance, percent of those sent.
    pub(crate) loss_pct: f64,
}

impl Direction {
    fn new(from: &line::Report, to: &line::Report) -> Option<Direction> {
        let line = from.line?;
        let packets = to.call.as_ref()?.packets;
        let loss_pct = (100e3 * share(line.lost, line.sent)).round() / 1e3;
        Some(Direction { line, received: packets.received, missed: packets.lost, loss_pct })
    }

    /// What speaks against the run.
    fn void(&self, asked: &Trial, speaker: &str, listener: &str) -> Option<String> {
        let LineCount { sent, lost, overflowed } = self.line;
        let (received, missed) = (self.received, self.missed);
        if received * 2 < sent.saturating_sub(lost + overflowed) || sent == 0 {
            return Some(format!("{listener} received {received} of {speaker}'s {sent} packets"));
        }
        let loss = f64::from(asked.loss_pct);
        if (self.loss_pct - loss).abs() > loss * TOLERANCE {
            let counted = self.loss_pct;
            return Some(format!("{speaker}'s line lost {counted:.2} %, {loss} % was asked"));
        }
        // What a bottleneck drops comes in clusters, of which a listener who begins to hear later
        // than the other speaks may miss a part.
        let (of_sent, of_heard) = (share(lost, sent), share(missed, received + missed));
        let allowed = of_sent * TOLERANCE + share(AT_THE_EDGES, sent);
        (overflowed == 0 && (of_sent - of_heard).abs() > allowed)
            .then(|| format!("{listener} misses {missed} packets, {speaker}'s line lost {lost}"))
    }
}

fn share(part: u64, of: u64) -> f64 {
    part as f64 / of.max(1) as f64
}

impl Outcome {
    pub(crate) fn new(asked: Trial, reports: &Both<line::Report>) -> Result<Outcome, Failure> {
        let missing = || Failure::new("a peer did not count what its line did");
        let (alice, bob) = (&reports.alice, &reports.bob);
        let to_alice = Direction::new(bob, alice).ok_or_else(missing)?;
        let to_bob = Direction::new(alice, bob).ok_or_else(missing)?;
        let void = to_bob.void(&asked, "alice", "bob");
        let void = void.or_else(|| to_alice.void(&asked, "bob", "alice"));
        Ok(Outcome { asked, to_alice, to_bob, void })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(loss: f32, seconds: u32) -> Result<Option<Trial>, Failure> {
        Trial::new(&BadLine { loss: Some(loss), seed: 1, ..BadLine::default() }, seconds)
    }

    #[test]
    fn seeds_are_fair_and_differ() {
        for (loss, seconds) in [(0.0, 15), (1.0, 15), (5.0, 4), (5.0, 15), (20.0, 15), (100.0, 2)] {
            let trial = trial(loss, seconds).unwrap().unwrap();
            assert_ne!(trial.alice_seed, trial.bob_seed);
            let link = BadLine { loss: Some(loss), ..BadLine::default() }.link().unwrap();
            let packets = 50 * u64::from(seconds);
            let lost = link.sound_lost(trial.bob_seed, packets) as f64 / packets as f64;
            assert!((lost * 100.0 - f64::from(loss)).abs() <= f64::from(loss) * 0.07, "{lost}");
        }
    }

    #[test]
    fn too_little_to_count_is_a_usage_error() {
        let failure = trial(0.1, 15).map(|_| ()).unwrap_err();
        assert_eq!(failure.status, USAGE);
        assert!(failure.message.contains("0.9 % is the least"), "{failure:?}");
    }

    #[test]
    fn a_run_is_void_unless_both_counts_agree_with_what_was_asked() {
        let asked = trial(5.0, 15).unwrap().unwrap();
        let void = |sent, lost, overflowed, received, missed| {
            let line = LineCount { sent, lost, overflowed };
            let loss_pct = 100.0 * share(lost, sent);
            Direction { line, received, missed, loss_pct }.void(&asked, "alice", "bob")
        };
        assert_eq!(void(750, 38, 0, 712, 38), None);
        assert_eq!(void(750, 38, 0, 672, 35), None, "bob could not hear at first");
        assert_eq!(void(750, 38, 300, 412, 200), None);
        assert!(void(0, 0, 0, 0, 0).unwrap().contains("0 of alice's 0"));
        assert!(void(750, 38, 0, 300, 15).unwrap().contains("300 of alice's 750"));
        assert!(void(750, 29, 0, 721, 29).unwrap().contains("3.87 %"));
        assert!(void(750, 46, 0, 704, 46).unwrap().contains("6.13 %"));
        assert!(void(750, 38, 0, 660, 90).unwrap().contains("90"));
        assert!(void(750, 38, 0, 740, 10).unwrap().contains("10"));
    }
}
