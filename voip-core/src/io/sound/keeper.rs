//! The thread that keeps one stream: opens it, watches over the system's devices meanwhile, closes
//! it. Opening takes a while, and closing a stream whose device is gone can hang for ever: nobody
//! ever waits for this thread.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::callback::Health;
use super::card::{DeviceEnd, Keepers};
use super::hosts::{Found, Hosts, Hush};
use super::loudspeaker::Loudspeaker;
use super::microphone::Microphone;
use crate::device::{AudioDevice, DeviceChange, DeviceChoice, DeviceDirection};
use crate::error::Error;
use crate::io::driver::{Request, Requests};
use crate::io::spawn;

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
    pub(super) health: Arc<Health>,
    pub(super) about: AudioDevice,
    pub(super) channels: u16,
    pub(super) is_wanted: bool,
}

/// Keepers as threads.
pub(super) struct KeeperThreads<E> {
    requests: Requests,
    /// Each keeper has a clone until it ends.
    existing: Arc<()>,
    of: PhantomData<fn() -> E>,
}

impl<E: DeviceEnd> KeeperThreads<E> {
    pub(super) fn boxed(requests: &Requests) -> Box<dyn Keepers> {
        let requests = requests.clone();
        Box::new(KeeperThreads::<E> { requests, existing: Arc::new(()), of: PhantomData })
    }
}

impl<E: DeviceEnd> Keepers for KeeperThreads<E> {
    fn begin(&mut self, attempt: u64, choice: &DeviceChoice) -> Option<Sender<()>> {
        let (order, orders) = channel();
        let (choice, requests) = (choice.clone(), self.requests.clone());
        let existing = self.existing.clone();
        let name = match E::DIRECTION {
            DeviceDirection::Input => "voip-sound-in",
            DeviceDirection::Output => "voip-sound-out",
        };
        let begun = spawn(name, move || {
            keep::<E>(&choice, attempt, &requests, &orders);
            drop(existing);
            // There is room for another one.
            let _ = requests.wake_quietly();
        });
        begun.map(|_| order).map_err(|error| tracing::error!(%error, "no thread")).ok()
    }

    fn count(&self) -> usize {
        Arc::strong_count(&self.existing) - 1
    }
}

/// Runs until the other end of `orders` is dropped.
fn keep<E: DeviceEnd>(
    choice: &DeviceChoice,
    attempt: u64,
    requests: &Requests,
    orders: &Receiver<()>,
) {
    let tell = |what| requests.send(Request::Sound(E::news(News { attempt, what })));
    let hush = Hush::new();
    let hosts = Hosts::open();
    let found = hosts.find(E::DIRECTION, choice);
    let opened = found.and_then(|found| open::<E>(found, requests)).or_else(|error| {
        // The chosen one is there and cannot be opened: the default stands in for it too.
        let default = hosts.find(E::DIRECTION, &DeviceChoice::Default).map_err(|_| error)?;
        let is_wanted = *choice == DeviceChoice::Default;
        open::<E>(Found { is_wanted, ..default }, requests)
    });
    let (stream, id, is_wanted) = match opened {
        Ok((stream, opened)) => {
            let watched = (opened.about.id.clone(), opened.is_wanted);
            tell(What::Opened(Box::new(opened)));
            (stream, watched.0, watched.1)
        }
        Err(error) => {
            tell(What::Failed(error));
            return;
        }
    };
    drop(hush);
    // For as long as it is so: whoever could not follow at first may later.
    while let Err(RecvTimeoutError::Timeout) = orders.recv_timeout(LOOK_EVERY) {
        let _hush = Hush::new();
        if let Some(change) = better(&hosts, E::DIRECTION, choice, &id, is_wanted) {
            tell(What::Better(change));
        }
    }
    drop(stream);
    give_back_memory();
}

fn open<E: DeviceEnd>(
    found: Found,
    requests: &Requests,
) -> Result<(cpal::Stream, Opened<E>), Error> {
    let Found { device, about, is_wanted } = found;
    let (stream, end, health, channels) = E::open(&device, requests)?;
    Ok((stream, Opened { end, health, about, channels, is_wanted }))
}

/// Whether another device should be in use than the one of this id.
fn better(
    hosts: &Hosts,
    direction: DeviceDirection,
    choice: &DeviceChoice,
    id: &str,
    is_wanted: bool,
) -> Option<DeviceChange> {
    // A sound server that was not there at first: whoever opens next will find it.
    let moved = || hosts.has_newcomers() || hosts.default_id(direction).is_some_and(|d| d != id);
    match choice {
        DeviceChoice::Default => moved().then_some(DeviceChange::DefaultMoved),
        DeviceChoice::Named(_) if is_wanted => {
            // A sound server moves the stream to another device and says nothing.
            let is_there = hosts.list(direction).iter().any(|device| device.id == id);
            (!is_there).then_some(DeviceChange::FellBack)
        }
        DeviceChoice::Named(_) => {
            let is_back = choice.pick(&hosts.list(direction)).is_some_and(|d| d.id != id);
            let restored = is_back.then_some(DeviceChange::Restored);
            restored.or_else(|| moved().then_some(DeviceChange::FellBack))
        }
        DeviceChoice::Off => None,
    }
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
