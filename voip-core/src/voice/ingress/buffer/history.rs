//! The last minute, second by second.

use std::collections::VecDeque;

use super::stats::JitterStats;
use crate::stats::JitterSecond;
use crate::time::millis;

const SECONDS: usize = 60;
/// Calls for sound in a second.
const CALLS: u32 = 100;

/// What a jitter buffer did of late.
pub(super) struct History {
    seconds: VecDeque<JitterSecond>,
    calls: u32,
    /// When the second began.
    before: JitterStats,
}

impl History {
    pub(super) fn new() -> Self {
        let seconds = VecDeque::with_capacity(SECONDS);
        History { seconds, calls: 0, before: JitterStats::default() }
    }

    /// Another call for sound. True if it was the last of a second: then [`History::push`] wants to know.
    pub(super) fn called(&mut self) -> bool {
        self.calls = (self.calls + 1) % CALLS;
        self.calls == 0
    }

    pub(super) fn push(&mut self, stats: JitterStats) {
        let before = std::mem::replace(&mut self.before, stats);
        // What was concealed is known later, at times.
        let since =
            |count: fn(&JitterStats) -> u64| count(&stats).saturating_sub(count(&before)) as u32;
        if self.seconds.len() == SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back(JitterSecond {
            target_ms: millis(stats.target_delay),
            delay_ms: millis(stats.delay),
            concealed_ms: since(|s| s.concealed_samples / 48),
            rebuilt_ms: since(|s| s.rebuilt_samples / 48),
            stretched_ms: since(|s| s.inserted_samples / 48),
            skipped_ms: since(|s| s.removed_samples / 48),
            recovered: since(|s| s.recovered),
            repeated: since(|s| s.repeated),
            late: since(|s| s.late),
        });
    }

    /// Oldest first.
    pub(super) fn seconds(&self) -> impl Iterator<Item = JitterSecond> {
        self.seconds.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_tells_what_happened_in_it_and_the_last_sixty_are_kept() {
        let mut history = History::new();
        for call in 1..=6_500_u64 {
            if history.called() {
                history.push(JitterStats {
                    recovered: call / 100,
                    late: 3,
                    ..JitterStats::default()
                });
            }
        }
        let seconds: Vec<_> = history.seconds().collect();
        assert_eq!(seconds.len(), SECONDS);
        assert!(seconds.iter().all(|second| (second.recovered, second.late) == (1, 0)));
    }
}
