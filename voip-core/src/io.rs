//! The only place with threads, clocks, sockets, devices and files.

pub(crate) mod driver;
pub(crate) mod events;
pub(crate) mod pcm;
mod tracker_link;
mod udp;
pub(crate) mod wav;
