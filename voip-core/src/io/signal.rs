//! A descriptor that can be made readable: how a program with an event loop of its own (poll, epoll,
//! asyncio) waits for this library. A pair of sockets, because every Unix has those.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

/// Raised or not. Whoever changes it holds the lock of what it stands for.
#[derive(Debug)]
pub(crate) struct Signal {
    ours: UnixStream,
    theirs: UnixStream,
    raised: AtomicBool,
}

impl Signal {
    pub(crate) fn new() -> std::io::Result<Signal> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        Ok(Signal { ours, theirs, raised: AtomicBool::new(false) })
    }

    /// Makes it readable.
    pub(crate) fn raise(&self) {
        if !self.raised.swap(true, Ordering::Relaxed) {
            // A broken pair changes nothing: what it stands for is what counts.
            let _ = (&self.ours).write(&[1]);
        }
    }

    /// Makes it unreadable; true if it was not.
    pub(crate) fn lower(&self) -> bool {
        let was_raised = self.raised.swap(false, Ordering::Relaxed);
        if was_raised {
            let _ = (&self.theirs).read(&mut [0; 8]);
        }
        was_raised
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.theirs.as_fd()
    }
}
