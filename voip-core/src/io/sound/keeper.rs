//! The thread that keeps one stream: opens it, watches over the system's default meanwhile, closes
//! it. Opening takes a while, and closing a stream whose device is gone can hang for ever: nobody
//! ever waits for this thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::callback::Vitals;
use super::card::End;
use super::hosts::{Found, Hosts, Hush};
use super::loudspeaker::Loudspeaker;
use super::microphone::Microphone;
use crate::device::{AudioDevice, DeviceChange, DeviceChoice};
use crate::error::Error;
use crate::io::driver::{Request, Requests};

/// How often it looks whether there is a better device than the one in use.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What keepers tell the engine's thread.
pub(crate) enum SoundNews {
    Microphone(News<Microphone>),
    Loudspeaker(News<Loudspeaker>),
}

/// What the keeper of an attempt to open a device tells.
pub(crate) struct News<E> {
    pub(super) attempt: u64,
    pub(super) what: What<E>,
}

pub(super) enum What<E> {
    /// The stream is open; whether it works the first callback will show.
    Opened(Box<Opened<E>>),
    Failed(Error),
    /// Another device should be in use by now, for this reason.
    Better(DeviceChange),
}

/// An open stream, as far as the engine's thread has to do with it.
pub(super) struct Opened<E> {
    pub(super) end: E,
    pub(super) vitals: Arc<Vitals>,
    pub(super) about: AudioDevice,
    pub(super) channels: u16,
    pub(super) is_wanted: bool,
}

/// Runs until the other end of `orders` is dropped.
pub(super) fn keep<E: End>(
    choice: &DeviceChoice,
    attempt: u64,
    requests: &Requests,
    orders: &Receiver<()>,
) {
    let tell = |what| requests.send(Request::Sound(E::news(News { attempt, what })));
    let hush = Hush::new();
    let hosts = Hosts::open();
    let opened = hosts.find(E::DIRECTION, choice).and_then(|found| {
        let Found { device, about, is_wanted } = found;
        let (stream, end, vitals, channels) = E::open(&device, requests)?;
        let watched = (about.id.clone(), is_wanted);
        let opened = Opened { end, vitals, about, channels, is_wanted };
        Ok((stream, opened, watched))
    });
    let (stream, watched) = match opened {
        Ok((stream, opened, watched)) => {
            tell(What::Opened(Box::new(opened)));
            (stream, watched)
        }
        Err(error) => {
            tell(What::Failed(error));
            return;
        }
    };
    drop(hush);
    let mut told = false;
    while let Err(RecvTimeoutError::Timeout) = orders.recv_timeout(LOOK_EVERY) {
        let _hush = Hush::new();
        let better = better::<E>(&hosts, choice, &watched.0, watched.1);
        if let Some(change) = better.filter(|_| !told) {
            told = true;
            tell(What::Better(change));
        } else if better.is_none() {
            told = false;
        }
    }
    drop(stream);
    give_back_memory();
}

/// cpal's client of PulseAudio reads into megabytes, on threads of its own; the C library would keep
/// them for other threads to come.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back_memory() {
    // SAFETY: may be called at any time by any thread; it touches free memory only.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back_memory() {}

/// Whether another device should be in use than the one of this id.
fn better<E: End>(
    hosts: &Hosts,
    choice: &DeviceChoice,
    id: &str,
    is_wanted: bool,
) -> Option<DeviceChange> {
    match choice {
        DeviceChoice::Default => {
            // A sound server that was not there at first is another host.
            let fresh = hosts.with_newcomers();
            let default = fresh.as_ref().unwrap_or(hosts).default_id(E::DIRECTION)?;
            (default != id).then_some(DeviceChange::DefaultMoved)
        }
        DeviceChoice::Named(_) => {
            let list = hosts.list(E::DIRECTION);
            match (choice.pick(&list), is_wanted) {
                (Some(_), false) => Some(DeviceChange::Restored),
                // A sound server moves the stream to another device and says nothing.
                (None, true) => Some(DeviceChange::FellBack),
                _ => None,
            }
        }
        DeviceChoice::Off => None,
    }
}
