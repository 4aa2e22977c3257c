//! Sound devices as data: which there are, which are wanted, what became of them.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// Which way sound goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceDirection {
    /// A microphone.
    Input,
    /// A loudspeaker.
    Output,
}

/// A microphone or a loudspeaker that this system has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AudioDevice {
    /// Names it for [`DeviceChoice::Named`], the same one after the next start: `host:id`, as in
    /// `alsa:default` or `pulseaudio:alsa_output.usb-headset`.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// Microphone or loudspeaker.
    pub direction: DeviceDirection,
    /// Whether it is the one that [`DeviceChoice::Default`] means now.
    pub is_default: bool,
}

/// Which device to use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceChoice {
    /// The system's default, and its next one when the system changes its mind.
    #[default]
    Default,
    /// This one: an [`AudioDevice::id`], or a name, or a part of a name that fits one device only.
    /// While it is not there the default stands in for it.
    Named(String),
    /// None: a microphone that gives silence, a loudspeaker that plays nothing.
    Off,
}

impl DeviceChoice {
    /// The device of a list that is meant, if it is there and no other is meant as well: by id, by
    /// name, by a part of the name in any case; the default by its mark. A system's sound hosts may each
    /// have the same device: those listed first come first.
    pub fn pick<'a>(&self, list: &'a [AudioDevice]) -> Option<&'a AudioDevice> {
        let wanted = match self {
            DeviceChoice::Default => return list.iter().find(|device| device.is_default),
            DeviceChoice::Off => return None,
            DeviceChoice::Named(wanted) => wanted,
        };
        if let Some(device) = list.iter().find(|device| device.id == *wanted) {
            return Some(device);
        }
        let part = wanted.to_lowercase();
        let mut hosts = list.chunk_by(|a, b| a.host() == b.host());
        hosts.find_map(|devices| {
            let named = devices.iter().filter(|device| device.name == *wanted);
            let like = devices.iter().filter(|device| device.name.to_lowercase().contains(&part));
            same(named).or_else(|| same(like))
        })
    }
}

impl AudioDevice {
    fn host(&self) -> &str {
        self.id.split(':').next().unwrap_or_default()
    }
}

/// The device, if all of these are one: ALSA lists a card several times by one name, of which
/// `plughw` is the one that takes any format.
fn same<'a>(devices: impl Iterator<Item = &'a AudioDevice>) -> Option<&'a AudioDevice> {
    let devices: Vec<_> = devices.collect();
    let first = *devices.first()?;
    let converts = || devices.iter().find(|device| device.id.starts_with("alsa:plughw"));
    let all_same = devices.iter().all(|device| device.name == first.name);
    all_same.then(|| converts().map_or(first, |device| device))
}

impl From<&str> for DeviceChoice {
    /// `default` (or nothing at all) and `off` mean themselves, anything else a device.
    fn from(text: &str) -> DeviceChoice {
        match text {
            "" | "default" => DeviceChoice::Default,
            "off" => DeviceChoice::Off,
            named => DeviceChoice::Named(named.to_owned()),
        }
    }
}

impl FromStr for DeviceDirection {
    type Err = Error;

    /// `in` and `input`, `out` and `output`.
    fn from_str(text: &str) -> Result<DeviceDirection, Error> {
        match text {
            "in" | "input" => Ok(DeviceDirection::Input),
            "out" | "output" => Ok(DeviceDirection::Output),
            _ => {
                let message = format!("{text:?} is no direction: in and out are possible");
                Err(Error::new(ErrorKind::InvalidArgument, message))
            }
        }
    }
}

impl fmt::Display for DeviceDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeviceDirection::Input => "microphone",
            DeviceDirection::Output => "loudspeaker",
        })
    }
}

/// Why another device is in use than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceChange {
    /// It was opened for a call.
    Opened,
    /// The user chose it.
    Chosen,
    /// The system has another default now.
    DefaultMoved,
    /// It was unplugged, its sound server went away, or it stopped to work. There is silence until
    /// another one is found; the search goes on.
    Lost,
    /// None could be opened. There is silence; the search goes on.
    Missing,
    /// The chosen one is not there: the default stands in for it.
    FellBack,
    /// Sound is back after a loss, or the chosen one instead of the default.
    Restored,
}

/// How a device in use is doing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceStats {
    /// The device.
    pub device: AudioDevice,
    /// Its sample rate, Hz.
    pub rate: u32,
    /// Its channels.
    pub channels: u16,
    /// Samples per channel in its last callback.
    pub callback_frames: u32,
    /// Delay between the air and the library, milliseconds: the device's own buffers, the ring and
    /// the resampler.
    pub delay_ms: f64,
    /// How fast its clock was found to run against the system's, parts per million; taken out by
    /// resampling.
    pub drift_ppm: f64,
    /// Milliseconds of sound that were not there in time (loudspeaker) or found no room
    /// (microphone).
    pub missed_ms: f64,
    /// Buffer overruns and underruns that the system reported.
    pub xruns: u64,
    /// Other errors that the system reported.
    pub errors: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, name: &str, is_default: bool) -> AudioDevice {
        let (id, name) = (id.to_owned(), name.to_owned());
        AudioDevice { id, name, direction: DeviceDirection::Output, is_default }
    }

    #[test]
    fn a_device_is_found_by_what_people_type() {
        let list = [
            device("alsa:default", "Default", true),
            device("alsa:hw:0", "HDMI 1", false),
            device("alsa:hw:1", "HDMI 2", false),
            device("alsa:hw:2", "USB Headset", false),
            device("alsa:hw:3", "HDMI", false),
        ];
        let pick_of = |list: &[AudioDevice], text: &str| {
            DeviceChoice::from(text).pick(list).map(|device| device.id.clone())
        };
        let card = [
            device("pulseaudio:out.usb", "USB Headset Stereo", false),
            device("alsa:hw:CARD=H", "USB Headset", false),
            device("alsa:plughw:CARD=H", "USB Headset", false),
        ];
        assert_eq!(pick_of(&card, "headset").as_deref(), Some("pulseaudio:out.usb"));
        assert_eq!(pick_of(&card, "USB Headset").as_deref(), Some("pulseaudio:out.usb"));
        assert_eq!(pick_of(&card[1..], "headset").as_deref(), Some("alsa:plughw:CARD=H"));
        let pick = |text: &str| DeviceChoice::from(text).pick(&list).map(|d| d.id.as_str());
        assert_eq!(pick("alsa:hw:1"), Some("alsa:hw:1"));
        assert_eq!(pick("headset"), Some("alsa:hw:2"));
        assert_eq!(pick("HDMI"), Some("alsa:hw:3"), "a whole name beats a part");
        assert_eq!(pick("hdmi"), None, "three have it");
        assert_eq!(pick("default"), Some("alsa:default"));
        assert_eq!(pick("off"), None);
        assert_eq!(pick("nothing"), None);
    }
}
