//! libopus where the `opus` crate does not reach: deep redundancy (DRED) and deep concealment, and the encoder and
//! decoder that have them. What both have is called as in that crate.

use std::ffi::{CStr, c_int};
use std::fmt;
use std::ptr::{self, NonNull};

use ::opus as codec;
use opusic_sys as ffi;

use crate::frame::SAMPLE_RATE;

/// The decoder conceals by neural networks from this complexity on.
const DEEP_CONCEALMENT: c_int = 5;
/// As far back as deep redundancy is believed to reach, in samples: libopus makes 1.04 s of it.
const REACH: i32 = 49_920;

/// What libopus refused.
#[derive(Debug)]
pub(super) struct Refused(c_int);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: libopus returns a text that lives for ever, whatever the number.
        let text = unsafe { CStr::from_ptr(ffi::opus_strerror(self.0)) };
        f.write_str(&text.to_string_lossy())
    }
}

pub(super) type Result<T> = std::result::Result<T, Refused>;

/// A count or a length, or what was refused.
fn count(returned: c_int) -> Result<usize> {
    usize::try_from(returned).map_err(|_| Refused(returned))
}

/// Everything here counts samples of one channel.
fn only_mono(channels: codec::Channels) -> Result<c_int> {
    match channels {
        codec::Channels::Mono => Ok(1),
        codec::Channels::Stereo => Err(Refused(ffi::OPUS_BAD_ARG)),
    }
}

fn created<T>(pointer: *mut T, error: c_int) -> Result<NonNull<T>> {
    NonNull::new(pointer).filter(|_| error == ffi::OPUS_OK).ok_or(Refused(error))
}

/// No buffer here is longer than that.
fn len_of<T>(buffer: &[T]) -> c_int {
    c_int::try_from(buffer.len()).unwrap_or(c_int::MAX)
}

pub(super) struct Encoder(NonNull<ffi::OpusEncoder>);

// SAFETY: libopus keeps nothing per thread; all calls go through `&mut self`.
unsafe impl Send for Encoder {}

impl Encoder {
    pub(super) fn new(
        sample_rate: u32,
        channels: codec::Channels,
        application: codec::Application,
    ) -> Result<Self> {
        let (channels, mut error) = (only_mono(channels)?, 0);
        // SAFETY: `error` outlives the call; what it returns is ours until `drop`.
        let made = unsafe {
            ffi::opus_encoder_create(sample_rate as i32, channels, application as c_int, &mut error)
        };
        created(made, error).map(Encoder)
    }

    pub(super) fn encode_float(&mut self, input: &[f32], output: &mut [u8]) -> Result<usize> {
        // SAFETY: the lengths are those of the buffers, of one channel.
        count(unsafe {
            ffi::opus_encode_float(
                self.0.as_ptr(),
                input.as_ptr(),
                len_of(input),
                output.as_mut_ptr(),
                len_of(output),
            )
        })
    }

    fn set(&mut self, request: c_int, value: c_int) -> Result<()> {
        // SAFETY: every request used here takes one number.
        count(unsafe { ffi::opus_encoder_ctl(self.0.as_ptr(), request, value) }).map(drop)
    }

    pub(super) fn set_bitrate(&mut self, bitrate: codec::Bitrate) -> Result<()> {
        let value = match bitrate {
            codec::Bitrate::Bits(bits) => bits,
            codec::Bitrate::Max => ffi::OPUS_BITRATE_MAX,
            codec::Bitrate::Auto => ffi::OPUS_AUTO,
        };
        self.set(ffi::OPUS_SET_BITRATE_REQUEST, value)
    }

    pub(super) fn set_complexity(&mut self, value: i32) -> Result<()> {
        self.set(ffi::OPUS_SET_COMPLEXITY_REQUEST, value)
    }

    pub(super) fn set_inband_fec(&mut self, on: bool) -> Result<()> {
        self.set(ffi::OPUS_SET_INBAND_FEC_REQUEST, on.into())
    }

    pub(super) fn set_packet_loss_perc(&mut self, percent: i32) -> Result<()> {
        self.set(ffi::OPUS_SET_PACKET_LOSS_PERC_REQUEST, percent)
    }

    pub(super) fn set_dtx(&mut self, on: bool) -> Result<()> {
        self.set(ffi::OPUS_SET_DTX_REQUEST, on.into())
    }

    pub(super) fn set_signal(&mut self, signal: codec::Signal) -> Result<()> {
        self.set(ffi::OPUS_SET_SIGNAL_REQUEST, signal as c_int)
    }

    /// How far back the deep redundancy may reach, in steps of 10 ms; 0: none is made.
    pub(super) fn set_dred_duration(&mut self, steps: i32) -> Result<()> {
        self.set(ffi::OPUS_SET_DRED_DURATION_REQUEST, steps)
    }

    pub(super) fn get_lookahead(&mut self) -> Result<i32> {
        let mut samples: i32 = 0;
        let out: *mut i32 = &mut samples;
        // SAFETY: the request takes a pointer to a number, which outlives the call.
        count(unsafe {
            ffi::opus_encoder_ctl(self.0.as_ptr(), ffi::OPUS_GET_LOOKAHEAD_REQUEST, out)
        })?;
        Ok(samples)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after.
        unsafe { ffi::opus_encoder_destroy(self.0.as_ptr()) }
    }
}

/// The deep redundancy of one packet, as far as it has been read.
struct Redundancy(NonNull<ffi::OpusDRED>);

impl Redundancy {
    fn new() -> Result<Self> {
        let mut error = 0;
        // SAFETY: `error` outlives the call; what it returns is ours until `drop`.
        created(unsafe { ffi::opus_dred_alloc(&mut error) }, error).map(Redundancy)
    }
}

impl Drop for Redundancy {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after.
        unsafe { ffi::opus_dred_free(self.0.as_ptr()) }
    }
}

/// What reads redundancy out of packets.
struct Reader(NonNull<ffi::OpusDREDDecoder>);

impl Reader {
    fn new() -> Result<Self> {
        let mut error = 0;
        // SAFETY: `error` outlives the call; what it returns is ours until `drop`.
        created(unsafe { ffi::opus_dred_decoder_create(&mut error) }, error).map(Reader)
    }

    /// Reads how many samples before the packet its redundancy begins and ends, and without `deferred` all of it.
    fn read(&mut self, packet: &[u8], into: &mut Redundancy, deferred: bool) -> (usize, usize) {
        let mut end = 0;
        // SAFETY: both are ours; the bytes are read within their length; `end` outlives the call.
        let begin = unsafe {
            ffi::opus_dred_parse(
                self.0.as_ptr(),
                into.0.as_ptr(),
                packet.as_ptr(),
                len_of(packet),
                REACH,
                SAMPLE_RATE as i32,
                &mut end,
                deferred.into(),
            )
        };
        (count(begin.min(REACH)).unwrap_or(0), count(end).unwrap_or(0))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after.
        unsafe { ffi::opus_dred_decoder_destroy(self.0.as_ptr()) }
    }
}

pub(super) struct Decoder {
    state: NonNull<ffi::OpusDecoder>,
    reader: Reader,
    /// Of the packet looked at last, and of that loaded.
    looked_at: Redundancy,
    loaded: Redundancy,
    is_loaded: bool,
}

// SAFETY: libopus keeps nothing per thread; all calls go through `&mut self`.
unsafe impl Send for Decoder {}

impl Decoder {
    pub(super) fn new(sample_rate: u32, channels: codec::Channels) -> Result<Self> {
        let (reader, looked_at, loaded) = (Reader::new()?, Redundancy::new()?, Redundancy::new()?);
        let (channels, mut error) = (only_mono(channels)?, 0);
        // SAFETY: `error` outlives the call; what it returns is ours until `drop`.
        let made = unsafe { ffi::opus_decoder_create(sample_rate as i32, channels, &mut error) };
        let state = created(made, error)?;
        let decoder = Decoder { state, reader, looked_at, loaded, is_loaded: false };
        // SAFETY: the request takes one number.
        count(unsafe {
            ffi::opus_decoder_ctl(
                decoder.state.as_ptr(),
                ffi::OPUS_SET_COMPLEXITY_REQUEST,
                DEEP_CONCEALMENT,
            )
        })?;
        Ok(decoder)
    }

    /// Without any input: concealment.
    pub(super) fn decode_float(
        &mut self,
        input: &[u8],
        output: &mut [f32],
        fec: bool,
    ) -> Result<usize> {
        let data = if input.is_empty() { ptr::null() } else { input.as_ptr() };
        // SAFETY: the lengths are those of the buffers, of one channel.
        count(unsafe {
            ffi::opus_decode_float(
                self.state.as_ptr(),
                data,
                len_of(input),
                output.as_mut_ptr(),
                len_of(output),
                fec.into(),
            )
        })
    }

    /// How many samples before the packet its deep redundancy begins, and how many before it ends; it begins at 0 if
    /// there is none.
    pub(super) fn dred_range(&mut self, packet: &[u8]) -> (usize, usize) {
        self.reader.read(packet, &mut self.looked_at, true)
    }

    /// Reads a packet's deep redundancy, for [`Decoder::dred_decode`].
    pub(super) fn load_dred(&mut self, packet: &[u8]) -> bool {
        self.is_loaded = self.reader.read(packet, &mut self.loaded, false).0 > 0;
        self.is_loaded
    }

    /// Rebuilds the whole of `output`, which begins so many samples before the packet loaded.
    pub(super) fn dred_decode(&mut self, before: usize, output: &mut [f32]) -> Result<usize> {
        if !self.is_loaded {
            return Err(Refused(ffi::OPUS_BAD_ARG));
        }
        let before = i32::try_from(before).unwrap_or(i32::MAX);
        // SAFETY: both are ours, the redundancy has been read; the length is that of the buffer.
        count(unsafe {
            ffi::opus_decoder_dred_decode_float(
                self.state.as_ptr(),
                self.loaded.0.as_ptr(),
                before,
                output.as_mut_ptr(),
                len_of(output),
            )
        })
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after.
        unsafe { ffi::opus_decoder_destroy(self.state.as_ptr()) }
    }
}
