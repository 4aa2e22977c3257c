//! The clock of sound that no card paces: one tick for each block.

use crate::frame::BLOCK_TIME;
use crate::time::{Duration, Instant};

/// Time missed after which the clock starts anew: a machine that slept must not replay the night.
const LATEST: Duration = Duration::from_millis(200);

/// Ticks every 10 ms once it was started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tick {
    next: Option<Instant>,
}

impl Tick {
    /// Lets the first tick be due at `first`; if it runs already nothing changes.
    pub(crate) fn start_at(&mut self, first: Instant) {
        self.next.get_or_insert(first);
    }

    /// No tick is due until it is started again.
    pub(crate) fn stop(&mut self) {
        self.next = None;
    }

    /// Whether a tick is due: ask until none is. Each is told once, those that were missed as well
    /// unless it is too late for them.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let Some(next) = &mut self.next else { return false };
        if now.since(*next) > LATEST {
            *next = now;
        }
        let due = *next <= now;
        if due {
            *next += BLOCK_TIME;
        }
        due
    }

    /// When the next one is due; far in the future while it stands still.
    pub(crate) fn due(&self) -> Instant {
        self.next.unwrap_or(Instant::FAR_FUTURE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    /// How many are due by then.
    fn ticks(tick: &mut Tick, now: u64) -> usize {
        std::iter::from_fn(|| tick.is_due(ms(now)).then_some(())).count()
    }

    fn started(first: u64) -> Tick {
        let mut tick = Tick::default();
        tick.start_at(ms(first));
        tick
    }

    #[test]
    fn a_clock_that_was_not_started_stands_still() {
        let mut tick = Tick::default();
        assert_eq!(ticks(&mut tick, 1_000), 0);
        assert_eq!(tick.due(), Instant::FAR_FUTURE);
    }

    #[test]
    fn one_is_due_every_10_ms_from_the_first_on() {
        let mut tick = started(100);
        assert_eq!((ticks(&mut tick, 99), tick.due()), (0, ms(100)));
        assert_eq!((ticks(&mut tick, 100), tick.due()), (1, ms(110)));
        assert_eq!((ticks(&mut tick, 109), tick.due()), (0, ms(110)));
        // Asked late, the next one is as early as ever.
        assert_eq!((ticks(&mut tick, 118), tick.due()), (1, ms(120)));
    }

    #[test]
    fn starting_what_runs_changes_nothing() {
        let mut tick = started(100);
        tick.start_at(ms(500));
        assert_eq!(tick.due(), ms(100));
    }

    #[test]
    fn what_was_missed_is_made_up_for_unless_it_is_too_much() {
        assert_eq!(ticks(&mut started(100), 300), 21, "all of 200 ms");
        let mut slept = started(100);
        assert_eq!((ticks(&mut slept, 301), slept.due()), (1, ms(311)), "begun anew");
    }

    #[test]
    fn a_clock_that_was_stopped_can_be_started_again() {
        let mut tick = started(100);
        tick.stop();
        assert_eq!((ticks(&mut tick, 150), tick.due()), (0, Instant::FAR_FUTURE));
        tick.start_at(ms(200));
        assert_eq!(ticks(&mut tick, 210), 2);
    }
}
