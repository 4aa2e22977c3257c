//! The clocks of manual PCM: when a written frame may leave, and when a read may return.
//!
//! Both are pure numbers. A writer in step with real time is never held up; one that is ahead is
//! paced. A reader *is* the playout clock of its call; one that stays away is overtaken by time.

use crate::frame::{BLOCK_TIME, FrameDuration};
use crate::time::{Duration, Instant};

/// Sound a writer may be ahead of real time before `write` blocks, and a reader may be behind
/// before time goes on without it.
pub(crate) const MANUAL_QUEUE: Duration = Duration::from_millis(200);

/// Whoever is further behind has slept: the time is counted and not made up for block by block.
const ASLEEP: Duration = Duration::from_secs(1);

/// Paces frames to real time: the generic cell rate algorithm (ITU-T I.371) with a tolerance of
/// one frame, so that a writer whose own clock trembles is not delayed by it.
#[derive(Debug)]
pub(crate) struct WritePacer {
    frame: Duration,
    theoretical: Instant,
}

impl WritePacer {
    pub(crate) fn new(frame: FrameDuration) -> Self {
        WritePacer { frame: frame.duration(), theoretical: Instant::ZERO }
    }

    /// When the next frame may leave.
    pub(crate) fn due(&self) -> Instant {
        self.theoretical - self.frame
    }

    /// A frame left at `now`.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.theoretical = self.theoretical.max(now) + self.frame;
    }
}

/// Says when each 10 ms block of a call may be read.
#[derive(Debug, Default)]
pub(crate) struct ReadClock {
    /// When the next block is due; `None` while nothing has to be read.
    due: Option<Instant>,
    /// Somebody reads: not before the first read, nor after the reader was overtaken.
    has_reader: bool,
    unread: Duration,
}

impl ReadClock {
    /// When the next block may be read. Whoever begins to read, or comes back after time has gone
    /// on without it, begins now: a burst of what was missed would only be a delay to it.
    pub(crate) fn due(&mut self, now: Instant) -> Instant {
        if !std::mem::replace(&mut self.has_reader, true) {
            self.due = Some(now);
        }
        *self.due.get_or_insert(now)
    }

    /// A block was read.
    pub(crate) fn read(&mut self) {
        if let Some(due) = &mut self.due {
            *due += BLOCK_TIME;
        }
    }

    /// All further blocks are due so much later.
    pub(crate) fn delay(&mut self, lag: Duration) {
        if let Some(due) = &mut self.due {
            *due += lag;
        }
    }

    /// Whether a block must be discarded because nobody has read for [`MANUAL_QUEUE`]. Call again
    /// until it is false.
    pub(crate) fn overdue(&mut self, now: Instant) -> bool {
        let due = *self.due.get_or_insert(now);
        let behind = now.since(due);
        if behind < MANUAL_QUEUE {
            return false;
        }
        if behind > ASLEEP {
            self.due = Some(now);
            self.has_reader = false;
            self.unread += behind;
            return false;
        }
        self.due = Some(due + BLOCK_TIME);
        self.has_reader = false;
        self.unread += BLOCK_TIME;
        true
    }

    /// There is nothing to hear: what nobody reads now is no loss, and the next read begins anew.
    pub(crate) fn rest(&mut self, now: Instant) {
        if self.due.is_some_and(|due| now.since(due) >= MANUAL_QUEUE) {
            self.begin_anew();
        }
    }

    /// The next read begins anew.
    pub(crate) fn begin_anew(&mut self) {
        self.due = None;
        self.has_reader = false;
    }

    /// When [`ReadClock::overdue`] becomes true if nobody reads.
    pub(crate) fn deadline(&self) -> Instant {
        self.due.map_or(Instant::FAR_FUTURE, |d| d + MANUAL_QUEUE)
    }

    /// Sound that passed unread.
    pub(crate) fn unread(&self) -> Duration {
        self.unread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Instant {
        Instant::from_micros(1_000_000 + n * 1000)
    }

    fn send_times(written_at: &[u64]) -> Vec<u64> {
        let mut pacer = WritePacer::new(FrameDuration::Ms20);
        let mut times = Vec::new();
        for &at in written_at {
            let t = ms(at).max(pacer.due());
            pacer.sent(t);
            times.push(t.micros_since(ms(0)) as u64 / 1000);
        }
        times
    }

    #[test]
    fn a_writer_in_step_is_never_held_up() {
        assert_eq!(send_times(&[0, 21, 39, 60, 78, 101]), [0, 21, 39, 60, 78, 101]);
    }

    #[test]
    fn a_writer_ahead_is_paced_to_real_time() {
        assert_eq!(send_times(&[0, 0, 0, 0, 0]), [0, 0, 20, 40, 60]);
    }

    #[test]
    fn a_pause_earns_no_credit() {
        assert_eq!(send_times(&[0, 500, 500, 500]), [0, 500, 500, 520]);
    }

    #[test]
    fn a_reader_is_the_clock_until_it_stays_away() {
        let mut clock = ReadClock::default();
        assert_eq!(clock.due(ms(0)), ms(0));
        clock.read();
        assert_eq!(clock.due(ms(3)), ms(10), "a read that comes early waits");
        assert!(!clock.overdue(ms(209)));
        assert_eq!(clock.deadline(), ms(210));
        assert_eq!(clock.due(ms(209)), ms(10), "a read that comes late catches up");
        assert!(clock.overdue(ms(215)));
        assert!(!clock.overdue(ms(215)), "one block has passed");
        assert_eq!(clock.unread(), Duration::from_millis(10));
        assert_eq!(clock.due(ms(218)), ms(218), "a reader that comes back begins anew");
    }

    #[test]
    fn the_first_read_begins_the_clock_though_time_went_on_before() {
        let mut clock = ReadClock::default();
        assert!(!clock.overdue(ms(0)));
        assert_eq!(clock.due(ms(150)), ms(150));
        clock.read();
        clock.delay(Duration::from_millis(3));
        assert_eq!(clock.due(ms(151)), ms(163));
    }

    #[test]
    fn what_cannot_be_heard_is_not_unread() {
        let mut clock = ReadClock::default();
        clock.due(ms(0));
        clock.read();
        clock.rest(ms(209));
        assert_eq!(clock.due(ms(209)), ms(10));
        clock.rest(ms(5_000));
        assert_eq!(clock.deadline(), Instant::FAR_FUTURE);
        assert_eq!((clock.due(ms(5_000)), clock.unread()), (ms(5_000), Duration::ZERO));
    }
}
