//! The library as its user meets it: real sockets on loopback, real threads, the real codec.
//! Nothing sleeps; whatever waits has a time limit that only a failure reaches.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod addresses;
mod arguments;
#[cfg(feature = "sim")]
mod bad_line;
mod calls;
mod doctor;
mod endings;
mod events;
mod harness;
mod identity;
mod manual_pcm;
mod mesh;
mod pairing;
mod relays;
mod silence;
mod tls;
mod trackers;
mod wav_files;
