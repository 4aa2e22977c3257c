//! The system's sound hosts (ALSA, PulseAudio, WASAPI, Core Audio …) and their devices.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, LazyLock};

use cpal::Host;
use cpal::traits::{DeviceTrait, HostTrait};

use crate::device::{AudioDevice, DeviceChoice, DeviceDirection};
use crate::error::{Error, ErrorKind};
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
use crate::io::sound::libasound;
use crate::io::spawn;
use crate::time::Duration;

/// ALSA lists its plugins among its devices: these are no devices anybody means.
const PLUGINS: [&str; 10] = [
    "alsa:null",
    "alsa:lavrate",
    "alsa:samplerate",
    "alsa:speexrate",
    "alsa:speex",
    "alsa:jack",
    "alsa:oss",
    "alsa:upmix",
    "alsa:vdownmix",
    "alsa:usbstream",
];

/// Threads that list devices, at one time.
const MOST_LISTERS: usize = 4;
/// Each of them has a clone until it ends.
static LISTERS: LazyLock<Arc<()>> = LazyLock::new(Arc::default);

/// All devices of this system, asked for on a thread of its own: a sound server that hangs never
/// answers.
pub(crate) fn list(timeout: Duration) -> Result<Vec<AudioDevice>, Error> {
    if Arc::strong_count(&LISTERS) > MOST_LISTERS {
        let message = "the sound system has not answered earlier questions";
        return Err(Error::new(ErrorKind::System, message));
    }
    let (sender, answer) = mpsc::channel();
    let listing = LISTERS.clone();
    spawn("voip-sound-list", move || {
        let _listing = listing;
        let _hush = Hush::new();
        let hosts = Hosts::open();
        let all = [DeviceDirection::Input, DeviceDirection::Output].map(|d| hosts.list(d));
        // Whoever asked may have given up.
        let _ = sender.send(all.concat());
    })?;
    answer.recv_timeout(timeout).map_err(|error| match error {
        RecvTimeoutError::Timeout => {
            Error::new(ErrorKind::TimedOut, "the sound system did not list its devices in time")
        }
        RecvTimeoutError::Disconnected => {
            Error::new(ErrorKind::System, "the sound system could not be asked for its devices")
        }
    })
}

/// While it lives, ALSA does not write its complaints to the terminal when this thread asks for what
/// is not there; they go to the log instead.
pub(super) struct Hush {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    said: Option<std::rc::Rc<std::cell::RefCell<alsa::Output>>>,
}

impl Hush {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    pub(super) fn new() -> Hush {
        Hush { said: alsa::Output::local_error_handler().ok() }
    }

    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    pub(super) fn new() -> Hush {
        Hush {}
    }
}

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
impl Drop for Hush {
    fn drop(&mut self) {
        let Some(said) = self.said.take() else { return };
        let text = said.borrow().to_string();
        if !text.trim().is_empty() {
            tracing::debug!("ALSA said: {}", text.trim());
        }
        // Another handler in its place, which nobody reads, lets this buffer go.
        let _ = alsa::Output::local_error_handler();
    }
}

/// The hosts that answer, the preferred one first.
pub(super) struct Hosts(Vec<Host>);

/// A device that was looked for.
pub(super) struct Found {
    pub(super) device: cpal::Device,
    pub(super) about: AudioDevice,
    /// Whether it is the one that was asked for, and not the default in its place.
    pub(super) is_wanted: bool,
}

impl Hosts {
    /// Connects to them; may take seconds.
    pub(super) fn open() -> Hosts {
        Hosts(available().filter_map(|id| cpal::host_from_id(id).ok()).collect())
    }

    /// Whether the system has hosts now that are not among these.
    pub(super) fn has_newcomers(&self) -> bool {
        let is_new = |id: &cpal::HostId| self.0.iter().all(|host| host.id() != *id);
        available().any(|id| is_new(&id))
    }

    pub(super) fn list(&self, direction: DeviceDirection) -> Vec<AudioDevice> {
        let default = self.default_id(direction);
        self.devices(direction).filter_map(|d| about(&d, direction, default.as_deref())).collect()
    }

    /// The device to use for a choice, or the default if that one is not there.
    pub(super) fn find(
        &self,
        direction: DeviceDirection,
        choice: &DeviceChoice,
    ) -> Result<Found, Error> {
        if let DeviceChoice::Named(_) = choice
            && let Some(about) = choice.pick(&self.list(direction))
            && let Some(device) =
                self.devices(direction).find(|d| id(d).as_ref() == Some(&about.id))
        {
            return Ok(Found { device, about: about.clone(), is_wanted: true });
        }
        let is_wanted = *choice == DeviceChoice::Default;
        let default = self.default(direction).and_then(|device| {
            let about = about(&device, direction, id(&device).as_deref())?;
            Some(Found { device, about, is_wanted })
        });
        default
            .ok_or_else(|| Error::new(ErrorKind::System, format!("this system has no {direction}")))
    }

    /// The [`AudioDevice::id`] of the system's default.
    pub(super) fn default_id(&self, direction: DeviceDirection) -> Option<String> {
        id(&self.default(direction)?)
    }

    fn default(&self, direction: DeviceDirection) -> Option<cpal::Device> {
        self.0.iter().find_map(|host| {
            let named = pulse_default(host, direction);
            let named = named
                .and_then(|name| devices(host, direction).find(|d| id(d).as_ref() == Some(&name)));
            named.or_else(|| match direction {
                DeviceDirection::Input => host.default_input_device(),
                DeviceDirection::Output => host.default_output_device(),
            })
        })
    }

    fn devices(&self, direction: DeviceDirection) -> impl Iterator<Item = cpal::Device> {
        self.0.iter().flat_map(move |host| devices(host, direction))
    }
}

/// The sound hosts that the system has.
fn available() -> impl Iterator<Item = cpal::HostId> {
    // cpal takes for granted that ALSA is there.
    #[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
    let is_there = |id: &cpal::HostId| *id != cpal::HostId::Alsa || libasound::is_there();
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
    let is_there = |_: &cpal::HostId| true;
    cpal::available_hosts().into_iter().filter(is_there)
}

fn devices(host: &Host, direction: DeviceDirection) -> impl Iterator<Item = cpal::Device> + use<> {
    let all = host.devices().into_iter().flatten();
    // These ask no device of ALSA's to open, which would be slow and noisy.
    all.filter(move |device| match direction {
        DeviceDirection::Input => device.supports_input(),
        DeviceDirection::Output => device.supports_output(),
    })
}

/// As with every client of PulseAudio, these variables name the default devices of a program.
fn pulse_default(host: &Host, direction: DeviceDirection) -> Option<String> {
    if !host.id().name().eq_ignore_ascii_case("pulseaudio") {
        return None;
    }
    let variable = match direction {
        DeviceDirection::Input => "PULSE_SOURCE",
        DeviceDirection::Output => "PULSE_SINK",
    };
    std::env::var(variable).ok().map(|name| format!("pulseaudio:{name}"))
}

fn id(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.to_string())
}

fn about(
    device: &cpal::Device,
    direction: DeviceDirection,
    default: Option<&str>,
) -> Option<AudioDevice> {
    let id = id(device).filter(|id| !PLUGINS.contains(&id.as_str()))?;
    let name = device.description().map_or_else(|_| id.clone(), |d| d.name().to_owned());
    let is_default = default == Some(id.as_str());
    Some(AudioDevice { id, name, direction, is_default })
}
