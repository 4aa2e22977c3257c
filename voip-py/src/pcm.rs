//! Samples between Python's buffers and the library's: copied while the interpreter is held, so that
//! nobody changes them meanwhile.

use std::time::Duration;

use pyo3::buffer::{Element, ElementType, PyUntypedBuffer};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use voip_core::{Call, Error, ErrorKind};

use crate::errors::raise;

pub(crate) const MAX_CHANNELS: usize = 32;
/// The most that one read gives, in seconds: more is a mistake, and a lot of memory.
const MAX_READ: usize = 60;

/// How a node's manual PCM looks.
#[derive(Clone, Copy)]
pub(crate) struct Format {
    pub(crate) rate: u32,
    pub(crate) channels: usize,
    pub(crate) blocksize: usize,
}

impl Format {
    pub(crate) fn check_frames(self, py: Python<'_>, field: &str, frames: usize) -> PyResult<()> {
        let most = self.rate as usize * MAX_READ;
        if frames <= most {
            return Ok(());
        }
        let message = format!("{field} is {frames}: up to {most}, {MAX_READ} s, is possible");
        raise(py, ErrorKind::InvalidArgument, message)
    }

    /// Frames from samples.
    fn frames(self, py: Python<'_>, samples: usize) -> PyResult<usize> {
        if samples.is_multiple_of(self.channels) {
            return Ok(samples / self.channels);
        }
        let message = format!(
            "a buffer of {samples} samples does not hold whole frames of {} channels",
            self.channels
        );
        raise(py, ErrorKind::InvalidArgument, message)
    }
}

/// A sample: `i16` or `f32`.
pub(crate) trait Sample: Element + Default + Send + Sync {
    const BYTES: usize = size_of::<Self>();

    fn average(frame: &[Self]) -> Self;
    fn put(self, bytes: &mut [u8]);
    fn write(call: &Call, samples: &[Self], timeout: Duration) -> Result<usize, Error>;
    fn read(call: &Call, out: &mut [Self], timeout: Duration) -> Result<(), Error>;
}

impl Sample for i16 {
    fn average(frame: &[i16]) -> i16 {
        let sum: i32 = frame.iter().map(|sample| i32::from(*sample)).sum();
        (sum / frame.len() as i32) as i16
    }

    fn put(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_le_bytes());
    }

    fn write(call: &Call, samples: &[i16], timeout: Duration) -> Result<usize, Error> {
        call.write_i16(samples, timeout)
    }

    fn read(call: &Call, out: &mut [i16], timeout: Duration) -> Result<(), Error> {
        call.read_i16(out, timeout)
    }
}

impl Sample for f32 {
    fn average(frame: &[f32]) -> f32 {
        frame.iter().sum::<f32>() / frame.len() as f32
    }

    fn put(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_ne_bytes());
    }

    fn write(call: &Call, samples: &[f32], timeout: Duration) -> Result<usize, Error> {
        call.write(samples, timeout)
    }

    fn read(call: &Call, out: &mut [f32], timeout: Duration) -> Result<(), Error> {
        call.read(out, timeout)
    }
}

/// Mono samples out of a Python buffer.
pub(crate) enum Samples {
    Int16(Vec<i16>),
    Float32(Vec<f32>),
}

impl Samples {
    /// Any C-contiguous buffer of `int16` or `float32`; of bytes: `int16`, little endian.
    pub(crate) fn of(object: &Bound<'_, PyAny>, format: Format) -> PyResult<Samples> {
        let py = object.py();
        let buffer = Layout::of(object, format)?;
        Ok(match buffer.kind {
            Kind::Bytes => {
                let bytes = buffer.raw.as_typed::<u8>()?.to_vec(py)?;
                let pairs =
                    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                Samples::Int16(mono(pairs.collect(), format.channels))
            }
            Kind::Int16 => {
                let samples = buffer.raw.as_typed::<i16>()?.to_vec(py)?;
                Samples::Int16(mono(samples, format.channels))
            }
            Kind::Float32 => {
                let samples = buffer.raw.as_typed::<f32>()?.to_vec(py)?;
                Samples::Float32(mono(samples, format.channels))
            }
        })
    }
}

fn mono<T: Sample>(samples: Vec<T>, channels: usize) -> Vec<T> {
    match channels {
        1 => samples,
        _ => samples.chunks_exact(channels).map(T::average).collect(),
    }
}

/// Room in a Python buffer.
pub(crate) struct Room {
    buffer: Layout,
    format: Format,
}

impl Room {
    pub(crate) fn of(object: &Bound<'_, PyAny>, format: Format) -> PyResult<Room> {
        let buffer = Layout::of(object, format)?;
        if buffer.raw.readonly() {
            return Err(PyTypeError::new_err("the buffer to read into is read-only"));
        }
        format.check_frames(object.py(), "the buffer", buffer.frames)?;
        Ok(Room { buffer, format })
    }

    pub(crate) fn frames(&self) -> usize {
        self.buffer.frames
    }

    pub(crate) fn is_float(&self) -> bool {
        matches!(self.buffer.kind, Kind::Float32)
    }

    /// Fills it with as many frames as there is room for.
    pub(crate) fn fill<T: Sample>(&self, py: Python<'_>, samples: &[T]) -> PyResult<()> {
        let raw = &self.buffer.raw;
        if matches!(self.buffer.kind, Kind::Bytes) {
            return raw
                .as_typed::<u8>()?
                .copy_from_slice(py, &bytes(samples, self.format.channels));
        }
        let interleaved: Vec<T> = interleave(samples, self.format.channels).collect();
        raw.as_typed::<T>()?.copy_from_slice(py, &interleaved)
    }
}

/// Each sample once for every channel.
fn interleave<T: Sample>(samples: &[T], channels: usize) -> impl Iterator<Item = T> {
    samples.iter().flat_map(move |sample| std::iter::repeat_n(*sample, channels))
}

/// Each sample once for every channel, as bytes.
pub(crate) fn bytes<T: Sample>(samples: &[T], channels: usize) -> Vec<u8> {
    let mut bytes = vec![0; samples.len() * channels * T::BYTES];
    for (room, sample) in bytes.chunks_exact_mut(T::BYTES).zip(interleave(samples, channels)) {
        sample.put(room);
    }
    bytes
}

#[derive(Clone, Copy)]
enum Kind {
    Bytes,
    Int16,
    Float32,
}

/// A Python buffer that was found to hold whole frames of samples.
struct Layout {
    raw: PyUntypedBuffer,
    kind: Kind,
    frames: usize,
}

impl Layout {
    fn of(object: &Bound<'_, PyAny>, format: Format) -> PyResult<Layout> {
        let py = object.py();
        let raw = PyUntypedBuffer::get(object)?;
        let invalid = |message: String| raise(py, ErrorKind::InvalidArgument, message);
        let swapped = if cfg!(target_endian = "little") { b'>' } else { b'<' };
        let text = raw.format().to_bytes();
        let kind = match ElementType::from_format(raw.format()) {
            _ if text.len() > 1 && (text[0] == swapped || text[0] == b'!') => None,
            ElementType::UnsignedInteger { bytes: 1 } => Some(Kind::Bytes),
            ElementType::SignedInteger { bytes: 2 } => Some(Kind::Int16),
            ElementType::Float { bytes: 4 } => Some(Kind::Float32),
            _ => None,
        };
        let Some(kind) = kind else {
            let message = format!(
                "samples are int16 or float32 of this machine's byte order, or bytes; not of the format {:?}",
                raw.format().to_string_lossy()
            );
            return Err(PyTypeError::new_err(message));
        };
        if !raw.is_c_contiguous() {
            return invalid("the buffer is not C-contiguous: make a copy of it".to_owned());
        }
        if raw.dimensions() > 2 || (raw.dimensions() == 2 && raw.shape()[1] != format.channels) {
            return invalid(format!(
                "a buffer of shape {:?} is not one of frames with {} channels",
                raw.shape(),
                format.channels
            ));
        }
        let mut samples = raw.item_count();
        if matches!(kind, Kind::Bytes) {
            if !samples.is_multiple_of(2) {
                return invalid(format!("{samples} bytes are no whole number of int16 samples"));
            }
            samples /= 2;
        }
        let frames = format.frames(py, samples)?;
        Ok(Layout { raw, kind, frames })
    }
}
