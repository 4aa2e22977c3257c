//! One error type for everything a user can see.

use std::fmt;

/// What went wrong, and what to do about it. The numbers are fixed: C and Python share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorKind {
    /// An argument is out of its range or not of its form; the message names it. Correct the call.
    InvalidArgument = 1,
    /// A file could not be read or written, or its contents make no sense; the message names it.
    File = 2,
    /// The address or port is taken by another program. Choose another, or 0 for any.
    AddressInUse = 3,
    /// The operating system refused a socket, a thread or a device. The message says which.
    System = 4,
    /// No tracker answers. Check address and network; the node keeps trying.
    TrackerUnreachable = 5,
    /// Another key holds this name at the tracker. Choose another name, or use the identity file
    /// that registered it.
    NameTaken = 6,
    /// No peer of that name or key is online.
    UnknownPeer = 7,
    /// The trackers give different keys for that name and none is pinned. Call by key.
    AmbiguousName = 8,
    /// The name belongs to another key than the one pinned. Ask the person over another way, then
    /// call `accept_key`.
    KeyChanged = 9,
    /// The peer is in another call.
    Busy = 10,
    /// The peer declined.
    Declined = 11,
    /// Nobody answered within the ring time.
    NoAnswer = 12,
    /// The peer answered but no path to it was found.
    Unreachable = 13,
    /// The path to the peer was lost.
    NetworkLost = 14,
    /// The call is over: hung up on either side, cancelled, or never existed.
    CallEnded = 15,
    /// The time limit of this function passed; nothing else changed. Call again.
    TimedOut = 16,
    /// The node or tracker was closed.
    Closed = 17,
    /// Not possible in this state or with this audio device; the message says why.
    InvalidState = 18,
    /// The peer or the tracker broke the protocol; the message says how.
    Protocol = 19,
    /// A bug of the library that a binding for another language has caught. Report it, with the
    /// message.
    Internal = 20,
    /// A tracker's certificate or key is not the one that its address asks for, so nothing was said
    /// to it; the message says what does not fit. Check the address, and with an authority's
    /// certificate the clock; the node keeps trying.
    TrackerUntrusted = 21,
}

impl ErrorKind {
    /// The number shared with C and Python.
    pub const fn code(self) -> i32 {
        self as i32
    }
}

/// An error: a kind to act on and a message for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into() }
    }

    /// Of a node that is gone, for one reason or another.
    pub(crate) fn closed() -> Self {
        Error::new(ErrorKind::Closed, "the node was closed, or belongs to another process")
    }

    /// What to act on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to show.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
