//! Processor time thread by thread, and resident memory, as Linux counts them.

use std::collections::BTreeMap;
use std::fs;

/// What the threads of this process have used of a processor since they began.
pub struct CpuTimes(BTreeMap<u32, Used>);

struct Used {
    name: String,
    /// Nanoseconds, in the program and in the system for it.
    nanos: u64,
    /// Times the thread gave the processor up to wait.
    waits: u64,
}

/// What the threads of one name used between two readings, both in one unit per second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Milliseconds of processor time per second.
    pub ms_per_s: f64,
    /// Times per second that a thread went to sleep.
    pub waits_per_s: f64,
}

impl CpuTimes {
    /// Reads `/proc/self/task/*/schedstat`, which counts nanoseconds.
    pub fn now() -> CpuTimes {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let used = |id: &str| {
            let read = |file: &str| fs::read_to_string(format!("/proc/self/task/{id}/{file}")).ok();
            let nanos = read("schedstat")?.split(' ').next()?.parse().ok()?;
            let status = read("status")?;
            let waits = field(&status, "voluntary_ctxt_switches:")?;
            let name = read("comm")?.trim().to_owned();
            Some(Used { name, nanos, waits })
        };
        let ids = tasks.filter_map(|task| task.file_name().into_string().ok());
        CpuTimes(ids.filter_map(|id| Some((id.parse().ok()?, used(&id)?))).collect())
    }

    /// What was used since `earlier`, `seconds` ago, by all threads whose name `of` picks.
    pub fn since(&self, earlier: &CpuTimes, seconds: f64, of: impl Fn(&str) -> bool) -> Load {
        let mut load = Load::default();
        for (id, used) in self.0.iter().filter(|(_, used)| of(&used.name)) {
            let before = earlier.0.get(id).map_or((0, 0), |b| (b.nanos, b.waits));
            load.ms_per_s += used.nanos.saturating_sub(before.0) as f64 / 1e6 / seconds;
            load.waits_per_s += used.waits.saturating_sub(before.1) as f64 / seconds;
        }
        load
    }
}

/// Processor time of the calling thread, nanoseconds. Reading it costs a fraction of a microsecond.
pub fn thread_nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Processor time of all threads of this process, those included that have ended, seconds.
pub fn process_seconds() -> f64 {
    // SAFETY: a structure of integers.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the structure outlives the call.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut used) };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(used.ru_utime) + seconds(used.ru_stime)
}

/// Memory resident now, kilobytes.
pub fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    field(&status, "VmRSS:").unwrap_or(0)
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
