//! Real-time scheduling for the engine's thread, so that a busy machine does not disturb the sound.
//!
//! A runaway cannot freeze a machine with Linux's defaults: of each second the kernel keeps 50 ms
//! of every processor for ordinary tasks (`kernel.sched_rt_runtime_us`, since 6.12 its fair server).
//! Where an administrator has turned that off, a limit belongs to whoever grants the privilege:
//! RLIMIT_RTTIME ends the whole process, which is not for a library to set.

/// Asks for it on behalf of the calling thread. Needs a privilege (CAP_SYS_NICE or an rtprio limit
/// on Linux); without it the thread runs as it is. False if refused.
pub(super) fn ask() -> bool {
    let asked = ask_system();
    if let Err(error) = &asked {
        tracing::info!(error, "no real-time priority for the engine");
    }
    asked.is_ok()
}

/// Above ordinary tasks, below the sound server's own threads.
#[cfg(target_os = "linux")]
const PRIORITY: libc::c_int = 10;

#[cfg(target_os = "linux")]
fn ask_system() -> Result<(), String> {
    // The threads that the engine's thread starts, which touch disks and resolve names, must not
    // inherit it.
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the structure holds integers only, in some C libraries more than the priority.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = PRIORITY;
    // SAFETY: the calling thread exists, and the structure outlives the call.
    match unsafe { libc::pthread_setschedparam(libc::pthread_self(), policy, &parameters) } {
        0 => Ok(()),
        error => Err(std::io::Error::from_raw_os_error(error).to_string()),
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_system() -> Result<(), String> {
    thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Max)
        .map_err(|e| e.to_string())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::io::spawn;

    fn policy() -> libc::c_int {
        // SAFETY: asks about the calling thread.
        unsafe { libc::sched_getscheduler(0) }
    }

    #[test]
    fn threads_that_the_engine_starts_are_ordinary() {
        let engine = spawn("test-engine", || {
            let granted = ask();
            let expected = if granted { libc::SCHED_RR } else { libc::SCHED_OTHER };
            assert_eq!(policy() & !libc::SCHED_RESET_ON_FORK, expected);
            spawn("test-disk", || assert_eq!(policy(), libc::SCHED_OTHER)).unwrap().join().unwrap();
        });
        engine.unwrap().join().unwrap();
    }
}
