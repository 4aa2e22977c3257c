//! # Sound devices

use std::ffi::c_char;
use std::mem::MaybeUninit;

use voip_core::{AudioDevice, DeviceChange, DeviceDirection, DeviceStats};

use crate::convert::{Form, Place, filled, inline, same_variants, text, time_limit};
use crate::handle::{Opaque, get, put, take};
use crate::list::{count_of, element_of};
use crate::node::voip_node;
use crate::status::voip_status;
use crate::wall::{Failure, guard};

/// Room for the id or the name of a sound device and a zero; a longer one is cut off.
pub const VOIP_DEVICE_SIZE: usize = 256;

/// Which way sound goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_device_direction {
    /// A microphone.
    Input = 0,
    /// A loudspeaker.
    Output = 1,
}
same_variants!(DeviceDirection, voip_device_direction, "voip_device_direction": Input, Output);

/// Why another device is in use than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_device_change {
    /// It was opened for a call.
    Opened = 0,
    /// The user chose it.
    Chosen = 1,
    /// The system has another default now.
    DefaultMoved = 2,
    /// It was unplugged, its sound server went away, or it stopped to work. There is silence until
    /// another one is found; the search goes on.
    Lost = 3,
    /// None could be opened. There is silence; the search goes on.
    Missing = 4,
    /// The chosen one is not there: the default stands in for it.
    FellBack = 5,
    /// Sound is back after a loss, or the chosen one instead of the default.
    Restored = 6,
}
same_variants!(
    DeviceChange, voip_device_change, "voip_device_change":
    Opened, Chosen, DefaultMoved, Lost, Missing, FellBack, Restored
);

/// A microphone or a loudspeaker that this system has.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_audio_device {
    /// In: sizeof(voip_audio_device).
    pub size: usize,
    /// Names it for `voip_node_choose_device`, the same one after the next start: "host:id", as in
    /// "alsa:default".
    pub id: [c_char; VOIP_DEVICE_SIZE],
    /// A name for people.
    pub name: [c_char; VOIP_DEVICE_SIZE],
    /// Microphone or loudspeaker.
    pub direction: voip_device_direction,
    /// Whether it is the one that "default" means now.
    pub is_default: bool,
}

filled!(voip_audio_device, is_default, is_default);

impl From<&AudioDevice> for voip_audio_device {
    fn from(device: &AudioDevice) -> voip_audio_device {
        voip_audio_device {
            size: size_of::<voip_audio_device>(),
            id: inline(&device.id),
            name: inline(&device.name),
            direction: device.direction.into(),
            is_default: device.is_default,
        }
    }
}

/// How a device in use is doing.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_device_stats {
    /// In: sizeof(voip_device_stats).
    pub size: usize,
    /// The device's id.
    pub id: [c_char; VOIP_DEVICE_SIZE],
    /// The device's name.
    pub name: [c_char; VOIP_DEVICE_SIZE],
    /// Its sample rate, Hz.
    pub rate: u32,
    /// Its channels.
    pub channels: u32,
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

filled!(voip_device_stats, errors, errors);

impl From<&DeviceStats> for voip_device_stats {
    fn from(stats: &DeviceStats) -> voip_device_stats {
        voip_device_stats {
            size: size_of::<voip_device_stats>(),
            id: inline(&stats.device.id),
            name: inline(&stats.device.name),
            rate: stats.rate,
            channels: stats.channels.into(),
            callback_frames: stats.callback_frames,
            delay_ms: stats.delay_ms,
            drift_ppm: stats.drift_ppm,
            missed_ms: stats.missed_ms,
            xruns: stats.xruns,
            errors: stats.errors,
        }
    }
}

/// Devices as they were when they were asked for.
pub struct voip_device_list {
    _opaque: [u8; 0],
}

impl Opaque for voip_device_list {
    type Object = Vec<AudioDevice>;
    const WHAT: &'static str = "list of devices";
}

/// The microphones and loudspeakers that this system has now; none is no error. Waits for the
/// system for at most `timeout_ms`; a sound server that hangs is not waited for any longer. The
/// list is freed with `voip_device_list_free`.
///
/// Errors: `VOIP_TIMED_OUT`; `VOIP_SYSTEM` without a thread to ask on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_devices(
    timeout_ms: u32,
    list: *mut *mut voip_device_list,
) -> voip_status {
    guard(|| {
        let place = Place::new("list", list)?;
        let handle = put(voip_core::devices(time_limit(timeout_ms))?)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// How many devices the list has. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_device_list_count(
    list: *const voip_device_list,
    count: *mut usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { count_of(list, Vec::as_slice, count) })
}

/// One of them, `index` from 0. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` beyond the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_device_list_get(
    list: *const voip_device_list,
    index: usize,
    device: *mut voip_audio_device,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { element_of(list, Vec::as_slice, index, "device", device) })
}

/// Frees a list. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_device_list_free(list: *mut voip_device_list) -> voip_status {
    guard(|| take(list).map(drop))
}

/// Uses another microphone or loudspeaker from now on, calls under way included. `choice` as in
/// `voip_node_builder_audio_devices`. Does not block: `VOIP_EVENT_DEVICE_CHANGED` tells what came
/// of it. A device that is not there is used as soon as it is, and the default until then.
///
/// Errors: `VOIP_INVALID_STATE` if the node's sound is not that of devices; `VOIP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_choose_device(
    node: *const voip_node,
    direction: MaybeUninit<voip_device_direction>,
    choice: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let choice = unsafe { text("choice", choice) }?;
        Ok(get(node)?.choose_device(voip_device_direction::read(direction)?, choice)?)
    })
}

/// How the microphone or the loudspeaker that a node uses is doing, at most 0.2 s old. Does not
/// block.
///
/// Errors: `VOIP_INVALID_STATE` while there is none: the node's sound is not that of devices, no
/// call wants sound, or none could be opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_device_stats(
    node: *const voip_node,
    direction: MaybeUninit<voip_device_direction>,
    stats: *mut voip_device_stats,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let form = unsafe { Form::new("stats", stats) }?;
        let node = get(node)?.stats();
        let found = match voip_device_direction::read(direction)? {
            DeviceDirection::Input => node.microphone,
            DeviceDirection::Output => node.loudspeaker,
        };
        let none = || Failure::new(voip_status::VOIP_INVALID_STATE, "no device is in use");
        // SAFETY: The caller vouches for it.
        unsafe { form.fill(voip_device_stats::from(&found.ok_or_else(none)?)) };
        Ok(())
    })
}
