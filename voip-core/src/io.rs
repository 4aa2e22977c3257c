//! The only place with threads, clocks, sockets, devices and files.

#[cfg(feature = "sim")]
pub(crate) mod bad_line;
pub(crate) mod clock;
mod datagrams;
pub(crate) mod driver;
pub(crate) mod events;
pub(crate) mod history_file;
pub(crate) mod identity_file;
pub(crate) mod lan;
pub(crate) mod link;
pub(crate) mod pcm;
pub(crate) mod pins_file;
pub(crate) mod probe;
pub(crate) mod random;
mod realtime;
#[cfg(unix)]
mod signal;
#[cfg(feature = "devices")]
pub(crate) mod sound;
pub(crate) mod tick;
pub(crate) mod tls;
pub(crate) mod tracker_server;
pub(crate) mod udp;
pub(crate) mod wav;

use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) use clock::{Clock, ProcessorClock};

use crate::error::{Error, ErrorKind};

/// Starts a named thread.
#[expect(clippy::disallowed_methods, reason = "the one place where threads begin")]
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(|e| {
        Error::new(ErrorKind::System, format!("the thread {name} cannot be started: {e}"))
    })
}

/// When a wait of that length ends. A wait longer than a year ends in a year.
#[expect(clippy::disallowed_methods, reason = "blocking calls wait on the real clock")]
pub(crate) fn deadline_after(timeout: Duration) -> std::time::Instant {
    std::time::Instant::now() + timeout.min(Duration::from_secs(31_536_000))
}
