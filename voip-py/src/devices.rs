//! Sound devices.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use voip_core::DeviceChoice;

use crate::enums;
use crate::record::record;
use crate::waiting::{Timeout, ask};

record! {
    /// A microphone or a loudspeaker that this system has.
    AudioDevice {
        /// Names it in `Devices(…)` and `Node.choose_device`, the same one after the next start:
        /// `host:id`, as in `alsa:default`.
        id: String,
        /// A name for people.
        name: String,
        /// Microphone or loudspeaker, a `DeviceDirection`.
        direction: Py<PyAny>,
        /// Whether it is the system's default now.
        is_default: bool,
    }
}

impl AudioDevice {
    pub(crate) fn new(py: Python<'_>, device: voip_core::AudioDevice) -> PyResult<Self> {
        let direction = enums::member(py, "DeviceDirection", device.direction)?;
        let (id, name, is_default) = (device.id, device.name, device.is_default);
        Ok(AudioDevice { id, name, direction, is_default })
    }
}

record! {
    /// How a device in use is doing.
    DeviceStats {
        /// The device, an `AudioDevice`.
        device: Py<AudioDevice>,
        /// Its sample rate, Hz.
        rate: u32,
        /// Its channels.
        channels: u16,
        /// Samples per channel in its last callback.
        callback_frames: u32,
        /// Delay between the air and the library, milliseconds: the device's own buffers, the ring
        /// and the resampler.
        delay_ms: f64,
        /// How fast its clock was found to run against the system's, parts per million; taken out by
        /// resampling.
        drift_ppm: f64,
        /// Milliseconds of sound that were not there in time (loudspeaker) or found no room
        /// (microphone).
        missed_ms: f64,
        /// Buffer overruns and underruns that the system reported.
        xruns: u64,
        /// Other errors that the system reported.
        errors: u64,
    }
}

impl DeviceStats {
    pub(crate) fn new(py: Python<'_>, stats: voip_core::DeviceStats) -> PyResult<Self> {
        Ok(DeviceStats {
            device: Py::new(py, AudioDevice::new(py, stats.device)?)?,
            rate: stats.rate,
            channels: stats.channels,
            callback_frames: stats.callback_frames,
            delay_ms: stats.delay_ms,
            drift_ppm: stats.drift_ppm,
            missed_ms: stats.missed_ms,
            xruns: stats.xruns,
            errors: stats.errors,
        })
    }
}

/// A device as arguments give it: `None`, text, or an `AudioDevice`.
pub(crate) fn choice(object: &Bound<'_, PyAny>) -> PyResult<DeviceChoice> {
    if object.is_none() {
        return Ok(DeviceChoice::Default);
    }
    if let Ok(device) = object.cast::<AudioDevice>() {
        return Ok(DeviceChoice::Named(device.get().id.clone()));
    }
    match object.extract::<String>() {
        Ok(text) => Ok(DeviceChoice::from(text.as_str())),
        Err(_) => {
            let expected = "a device is None, its name or id, \"off\", or an AudioDevice";
            Err(PyTypeError::new_err(format!("{expected}; not {object}")))
        }
    }
}

/// The microphones and loudspeakers that this system has now; none where there is no sound system.
/// Raises `TimedOut` after `timeout` seconds: a sound server that hangs is not waited for.
#[pyfunction]
#[pyo3(signature = (timeout = Timeout::after(5)), text_signature = "(timeout=5.0)")]
fn devices(py: Python<'_>, timeout: Timeout) -> PyResult<Vec<AudioDevice>> {
    let found = ask(py, timeout, voip_core::devices)?;
    found.into_iter().map(|device| AudioDevice::new(py, device)).collect()
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<AudioDevice>()?;
    module.add_class::<DeviceStats>()?;
    module.add_function(wrap_pyfunction!(devices, module)?)
}
