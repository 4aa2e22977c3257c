//! How busy the machine is, by the only measure that counts for delays: how late it wakes who sleeps.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// One nap.
const NAP: Duration = Duration::from_millis(5);
/// With one nap in twenty later than this, in milliseconds, the machine is busy.
const CALM: f64 = 2.0;

/// Naps from its beginning to its end and notes how late it wakes.
pub(crate) struct Sleeper {
    stop: Sender<()>,
    thread: JoinHandle<Vec<f64>>,
}

impl Sleeper {
    pub(crate) fn begin() -> Sleeper {
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            let mut late = Vec::new();
            loop {
                let asleep = Instant::now();
                if stopped.recv_timeout(NAP) != Err(RecvTimeoutError::Timeout) {
                    return late;
                }
                late.push(asleep.elapsed().saturating_sub(NAP).as_secs_f64() * 1e3);
            }
        });
        Sleeper { stop, thread }
    }

    pub(crate) fn end(self) -> Machine {
        drop(self.stop);
        let mut late = self.thread.join().unwrap();
        late.sort_by(f64::total_cmp);
        Machine { late: late[late.len() * 19 / 20] }
    }
}

/// How the machine was.
pub(crate) struct Machine {
    /// The 95th percentile of how late it woke a sleeper, milliseconds.
    late: f64,
}

impl Machine {
    pub(crate) fn is_calm(&self) -> bool {
        self.late <= CALM
    }

    /// What is asked on a calm machine, or on a busy one; says so.
    pub(crate) fn bar(&self, what: &str, calm: f64, busy: f64) -> f64 {
        let bar = if self.is_calm() { calm } else { busy };
        let how = if self.is_calm() { "calm" } else { "BUSY, so the bar is another one" };
        println!("{what}: {bar}; sleepers wake {:.1} ms late (p95): {how}", self.late);
        bar
    }
}
