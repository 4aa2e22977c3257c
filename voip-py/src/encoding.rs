//! Options of encoder and jitter buffer.

use pyo3::prelude::*;
use voip_core::{Application, FrameDuration};

use crate::enums;
use crate::errors::{OrRaise, raise};
use crate::record::record;
use crate::waiting::seconds;

const APPLICATIONS: [Application; 3] =
    [Application::Voip, Application::Audio, Application::LowDelay];
const FRAMES: [FrameDuration; 4] =
    [FrameDuration::Ms10, FrameDuration::Ms20, FrameDuration::Ms40, FrameDuration::Ms60];

/// A whole number; one that `T` has no room for is out of range, whatever the range.
pub(crate) fn whole<'a, 'py, T: FromPyObject<'a, 'py>>(
    field: &str,
    object: &'a Bound<'py, PyAny>,
) -> PyResult<T> {
    let py = object.py();
    object.extract::<T>().map_err(Into::into).or_else(|error: PyErr| {
        if error.is_instance_of::<pyo3::exceptions::PyOverflowError>(py) {
            let message = format!("{field} is {object}: out of range");
            return raise(py, voip_core::ErrorKind::InvalidArgument, message);
        }
        Err(pyo3::exceptions::PyTypeError::new_err(format!(
            "{field} has to be a whole number, not {object}"
        )))
    })
}

record! {
    /// Options of the encoder, for `Node(encoder=…)`. A value out of its range raises
    /// `InvalidArgument`.
    EncoderConfig {
        /// Bits per second, 6 000 to 510 000. 32 000 is full-band speech with room for FEC.
        /// A call makes less while its packets queue up.
        bitrate: u32,
        /// Effort, 0 to 10. 5 takes a quarter less CPU time than 9 for little audible loss.
        complexity: u8,
        /// Sound per packet, a `FrameDuration`.
        frame: Py<PyAny>,
        /// In-band forward error correction: a packet carries a coarse copy of the one before
        /// (RFC 6716 §2.1.7). While a peer reports that packets are lost in bursts, which copies cannot
        /// mend, a call sends each packet twice in its place, at half the bits (RFC 2198).
        fec: bool,
        /// Discontinuous transmission: next to nothing is sent in silence (RFC 6716 §2.1.9).
        dtx: bool,
        /// Packet loss to prepare for, in per cent, 0 to 100. A call prepares for more, up to 30, when
        /// its peer reports more.
        expected_loss: u8,
        /// What to optimise for, an `Application`.
        application: Py<PyAny>,
    }

    #[new]
    #[pyo3(
        signature = (*, bitrate = None, complexity = None, frame = None, fec = true, dtx = false,
            expected_loss = None, application = None),
        text_signature = "(*, bitrate=32000, complexity=5, frame=FrameDuration.MS20, fec=True, \
            dtx=False, expected_loss=10, application=Application.VOIP)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        py: Python<'_>,
        bitrate: Option<Bound<'_, PyAny>>,
        complexity: Option<Bound<'_, PyAny>>,
        frame: Option<Bound<'_, PyAny>>,
        fec: bool,
        dtx: bool,
        expected_loss: Option<Bound<'_, PyAny>>,
        application: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut config = voip_core::EncoderConfig { fec, dtx, ..Default::default() };
        if let Some(bitrate) = bitrate {
            config.bitrate = whole("bitrate", &bitrate)?;
        }
        if let Some(complexity) = complexity {
            config.complexity = whole("complexity", &complexity)?;
        }
        if let Some(frame) = frame {
            config.frame = enums::value(&frame, "FrameDuration", &FRAMES)?;
        }
        if let Some(expected_loss) = expected_loss {
            config.expected_loss = whole("expected_loss", &expected_loss)?;
        }
        if let Some(application) = application {
            config.application = enums::value(&application, "Application", &APPLICATIONS)?;
        }
        config.validate().or_raise(py)?;
        Ok(EncoderConfig {
            bitrate: config.bitrate,
            complexity: config.complexity,
            frame: enums::member(py, "FrameDuration", config.frame)?,
            fec,
            dtx,
            expected_loss: config.expected_loss,
            application: enums::member(py, "Application", config.application)?,
        })
    }
}

impl EncoderConfig {
    pub(crate) fn to_core(&self, py: Python<'_>) -> PyResult<voip_core::EncoderConfig> {
        Ok(voip_core::EncoderConfig {
            bitrate: self.bitrate,
            complexity: self.complexity,
            frame: enums::value(self.frame.bind(py), "FrameDuration", &FRAMES)?,
            fec: self.fec,
            dtx: self.dtx,
            expected_loss: self.expected_loss,
            application: enums::value(self.application.bind(py), "Application", &APPLICATIONS)?,
        })
    }
}

record! {
    /// Options of the jitter buffer, for `Node(jitter=…)`, in seconds. A value out of its range
    /// raises `InvalidArgument`.
    JitterConfig {
        /// Delay over the fastest packet that is kept even on a perfect line, 0 to `max_delay`.
        min_delay: f64,
        /// Delay over the fastest packet that is never exceeded for long, up to 0.6. Beyond 0.4
        /// talking turns into taking turns (ITU-T G.114).
        max_delay: f64,
        /// What sound without gaps is worth: so many milliseconds of delay for each per cent of the
        /// sound that would otherwise be made up, 0 to 1000. 10 is for playing music together,
        /// 300 for listening.
        quality: u32,
    }

    #[new]
    #[pyo3(
        signature = (*, min_delay = None, max_delay = None, quality = None),
        text_signature = "(*, min_delay=0.0, max_delay=0.4, quality=35)"
    )]
    fn new(
        py: Python<'_>,
        min_delay: Option<Bound<'_, PyAny>>,
        max_delay: Option<Bound<'_, PyAny>>,
        quality: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut config = voip_core::JitterConfig::default();
        if let Some(min_delay) = min_delay {
            config.min_delay = seconds("min_delay", &min_delay)?;
        }
        if let Some(max_delay) = max_delay {
            config.max_delay = seconds("max_delay", &max_delay)?;
        }
        if let Some(quality) = quality {
            config.quality = whole("quality", &quality)?;
        }
        config.validate().or_raise(py)?;
        let (min_delay, max_delay) = (config.min_delay.as_secs_f64(), config.max_delay.as_secs_f64());
        Ok(JitterConfig { min_delay, max_delay, quality: config.quality })
    }
}

impl JitterConfig {
    pub(crate) fn to_core(&self) -> voip_core::JitterConfig {
        let [min_delay, max_delay] =
            [self.min_delay, self.max_delay].map(std::time::Duration::from_secs_f64);
        voip_core::JitterConfig { min_delay, max_delay, quality: self.quality }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<EncoderConfig>()?;
    module.add_class::<JitterConfig>()
}
