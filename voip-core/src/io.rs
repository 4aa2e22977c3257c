//! The only place with threads, clocks, sockets, devices and files.

pub(crate) mod clock;
pub(crate) mod identity_file;
pub(crate) mod random;
pub(crate) mod tracker_server;
