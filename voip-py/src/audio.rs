//! Where a node's sound comes from and goes to.

use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use voip_core::ErrorKind;

use crate::devices::choice;
use crate::encoding::whole;
use crate::errors::raise;
use crate::pcm::{Format, MAX_CHANNELS};
use crate::record::record;

record! {
    /// Sound cards of this system, opened while calls need them.
    ///
    /// `device` means what it means to sounddevice: `None` for the system's default, a device's name, id
    /// or `AudioDevice`, or a pair `(input, output)` of these. A part of a name is enough if it fits
    /// one device only. `"off"` is none: silence. A device that is not there is used as soon as it is,
    /// and the default until then. `DeviceChanged` tells which one is in use, and that there is none.
    Devices {
        /// The microphone as it was asked for.
        input: Py<PyAny>,
        /// The loudspeaker as it was asked for.
        output: Py<PyAny>,
    }

    #[new]
    #[pyo3(signature = (device = None))]
    fn new(py: Python<'_>, device: Option<Bound<'_, PyAny>>) -> PyResult<Self> {
        let device = device.unwrap_or_else(|| py.None().into_bound(py));
        let (input, output) = match device.cast::<PyTuple>() {
            Ok(pair) => pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>().map_err(|_| {
                PyTypeError::new_err("device: a pair is (input, output)")
            })?,
            Err(_) => (device.clone(), device),
        };
        choice(&input)?;
        choice(&output)?;
        Ok(Devices { input: input.unbind(), output: output.unbind() })
    }
}

record! {
    /// The program itself writes and reads PCM, call by call: `Call.write`, `Call.read`.
    ///
    /// A voice is mono: with more `channels` the samples of a frame lie side by side, are averaged on
    /// the way in and are all the same on the way out.
    Manual {
        /// Frames per second, 8 000 to 192 000.
        samplerate: u32,
        /// Samples per frame, 1 to 32.
        channels: usize,
        /// Frames that `Call.read()` gives when not told how many.
        blocksize: usize,
    }

    /// `blocksize=None` is 20 ms.
    #[new]
    #[pyo3(
        signature = (samplerate = None, channels = None, blocksize = None),
        text_signature = "(samplerate=48000, channels=1, blocksize=None)"
    )]
    fn new(
        py: Python<'_>,
        samplerate: Option<Bound<'_, PyAny>>,
        channels: Option<Bound<'_, PyAny>>,
        blocksize: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let samplerate = samplerate.map_or(Ok(48_000), |rate| whole("samplerate", &rate))?;
        let channels = channels.map_or(Ok(1), |count| whole("channels", &count))?;
        let blocksize = match blocksize.filter(|size| !size.is_none()) {
            Some(size) => whole("blocksize", &size)?,
            None => samplerate as usize / 50,
        };
        let invalid = |message| raise(py, ErrorKind::InvalidArgument, message);
        if !(8_000..=192_000).contains(&samplerate) {
            return invalid(format!("samplerate is {samplerate}: 8000 to 192000 is possible"));
        }
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return invalid(format!("channels is {channels}: 1 to {MAX_CHANNELS} is possible"));
        }
        let format = Format { rate: samplerate, channels, blocksize };
        format.check_frames(py, "blocksize", blocksize)?;
        if blocksize == 0 {
            return invalid("blocksize is 0: from 1 on is possible".to_owned());
        }
        Ok(Manual { samplerate, channels, blocksize })
    }
}

record! {
    /// A WAV file is the microphone, played once in real time while calls are connected and followed
    /// by digital silence; what is heard is recorded. Any rate of 8 to 192 kHz, any channels.
    Wav {
        /// The microphone, a path; `None` is silence.
        play: Option<PathBuf>,
        /// The recording, a path: 48 kHz mono 16 bit; an existing file is replaced. `None` keeps
        /// nothing.
        record: Option<PathBuf>,
    }

    #[new]
    #[pyo3(signature = (play = None, record = None))]
    fn new(play: Option<PathBuf>, record: Option<PathBuf>) -> Self {
        Wav { play, record }
    }
}

/// The argument `audio` of a node.
pub(crate) struct Sound {
    pub(crate) audio: voip_core::Audio,
    /// With manual PCM.
    pub(crate) format: Option<Format>,
}

impl Sound {
    pub(crate) fn devices() -> Sound {
        Sound { audio: voip_core::Audio::devices(), format: None }
    }
}

impl<'py> FromPyObject<'_, 'py> for Sound {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let sound = |audio| Sound { audio, format: None };
        if object.is_none() {
            return Ok(sound(voip_core::Audio::Null));
        }
        if let Ok(devices) = object.cast::<Devices>() {
            let Devices { input, output } = devices.get();
            let (input, output) = (choice(input.bind(py))?, choice(output.bind(py))?);
            return Ok(sound(voip_core::Audio::Devices { input, output }));
        }
        if let Ok(manual) = object.cast::<Manual>() {
            let &Manual { samplerate: rate, channels, blocksize } = manual.get();
            let format = Some(Format { rate, channels, blocksize });
            return Ok(Sound { audio: voip_core::Audio::Manual { rate }, format });
        }
        if let Ok(wav) = object.cast::<Wav>() {
            let Wav { play, record } = wav.get();
            return Ok(sound(voip_core::Audio::Wav { play: play.clone(), record: record.clone() }));
        }
        let expected = "audio is a voip.Devices, voip.Manual or voip.Wav, or None";
        Err(PyTypeError::new_err(format!("{expected}; not {}", &*object)))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Devices>()?;
    module.add_class::<Manual>()?;
    module.add_class::<Wav>()
}
