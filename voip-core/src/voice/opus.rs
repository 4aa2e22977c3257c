//! Opus (RFC 6716), mono at 48 kHz: the only file that names the codec crates, but for `deep.rs`.

#[cfg(feature = "dred")]
mod deep;

use std::fmt::Display;

use ::opus as codec;
#[cfg(not(feature = "dred"))]
use ::opus as handle;

use super::codec::{
    Application, Decode, Effort, Encode, EncoderConfig, MAX_PACKET_SAMPLES, PacketInfo, Redundancy,
    check_bitrate, check_loss,
};
use crate::error::{Error, ErrorKind};
use crate::frame::{FrameDuration, SAMPLE_RATE};
use crate::time::Duration;
#[cfg(feature = "dred")]
use crate::voice::codec::Deep;
#[cfg(feature = "dred")]
use deep as handle;

/// Encodes frames of 48 kHz mono sound to Opus packets.
pub struct Encoder {
    inner: handle::Encoder,
    frame: FrameDuration,
    fec: bool,
    dtx: bool,
    lookahead: Duration,
}

impl Encoder {
    /// An encoder with the options given.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an option out of its range; the message names it.
    pub fn new(config: &EncoderConfig) -> Result<Self, Error> {
        config.validate()?;
        let application = match config.application {
            Application::Voip => codec::Application::Voip,
            Application::Audio => codec::Application::Audio,
            Application::LowDelay => codec::Application::LowDelay,
        };
        let mut inner = handle::Encoder::new(SAMPLE_RATE, codec::Channels::Mono, application)
            .map_err(refused)?;
        configure(&mut inner, config).map_err(refused)?;
        let samples = inner.get_lookahead().map_err(refused)?;
        let lookahead = Duration::from_micros(u64::try_from(samples).unwrap_or(0) * 1_000 / 48);
        Ok(Encoder { inner, frame: config.frame, fec: config.fec, dtx: config.dtx, lookahead })
    }

    /// Encodes exactly one frame of samples in −1.0 ..= 1.0 into `out`; returns the length of the
    /// packet in bytes. The size of `out` caps the packet: give
    /// [`MAX_PAYLOAD`](crate::MAX_PAYLOAD) bytes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `samples` is not one frame or `out` is too small.
    pub fn encode(&mut self, samples: &[f32], out: &mut [u8]) -> Result<usize, Error> {
        if samples.len() != self.frame.samples() {
            let m =
                format!("{} samples given, a frame has {}", samples.len(), self.frame.samples());
            return Err(Error::new(ErrorKind::InvalidArgument, m));
        }
        self.inner.encode_float(samples, out).map_err(refused)
    }

    /// How much sound one packet carries.
    pub fn frame(&self) -> FrameDuration {
        self.frame
    }

    /// Delay of the algorithm beyond the frame itself: 6.5 ms, or 2.5 ms for
    /// [`Application::LowDelay`].
    pub fn lookahead(&self) -> Duration {
        self.lookahead
    }

    /// Changes the bitrate from the next frame on: 6 000 to 510 000 bits per second.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] out of that range.
    pub fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), Error> {
        check_bitrate(bits_per_second)?;
        self.inner.set_bitrate(bitrate(bits_per_second)).map_err(refused)
    }

    /// Changes the packet loss to prepare for from the next frame on: 0 to 100 per cent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] out of that range.
    pub fn set_expected_loss(&mut self, percent: u8) -> Result<(), Error> {
        check_loss(percent)?;
        self.inner.set_packet_loss_perc(i32::from(percent)).map_err(refused)
    }

    /// From the next frame on, each packet carries a description of the sound before it (deep redundancy, DRED),
    /// as far back as the bits allow and at most so far: 0 to 1 040 ms in steps of 10. Zero, as at the
    /// beginning, is none. It shares the bitrate with the sound itself; how it is divided follows the expected
    /// loss. Beside in-band FEC, 32 kbit/s leave no bits for it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] out of that range.
    #[cfg(feature = "dred")]
    pub fn set_deep_redundancy(&mut self, reach: Duration) -> Result<(), Error> {
        let steps = i32::try_from(reach.as_millis() / 10).unwrap_or(i32::MAX);
        self.inner.set_dred_duration(steps).map_err(refused)
    }

    fn set_redundancy(&mut self, redundancy: Redundancy) -> Result<(), Error> {
        let fec = self.fec && redundancy == Redundancy::Copies;
        self.inner.set_inband_fec(fec).map_err(refused)?;
        #[cfg(feature = "dred")]
        self.set_deep_redundancy(match redundancy {
            Redundancy::Deep { reach_ms } => Duration::from_millis(reach_ms.into()),
            _ => Duration::ZERO,
        })?;
        Ok(())
    }
}

fn configure(inner: &mut handle::Encoder, config: &EncoderConfig) -> handle::Result<()> {
    inner.set_bitrate(bitrate(config.bitrate))?;
    inner.set_complexity(i32::from(config.complexity))?;
    inner.set_inband_fec(config.fec)?;
    inner.set_packet_loss_perc(i32::from(config.expected_loss))?;
    inner.set_dtx(config.dtx)?;
    if config.application == Application::Voip {
        inner.set_signal(codec::Signal::Voice)?;
    }
    Ok(())
}

fn bitrate(bits_per_second: u32) -> codec::Bitrate {
    codec::Bitrate::Bits(i32::try_from(bits_per_second).unwrap_or(i32::MAX))
}

fn refused(e: impl Display) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("the encoder refused: {e}"))
}

impl Encode for Encoder {
    fn encode(&mut self, samples: &[f32], out: &mut [u8]) -> Result<usize, Error> {
        Encoder::encode(self, samples, out)
    }
    fn frame(&self) -> FrameDuration {
        self.frame
    }
    fn dtx(&self) -> bool {
        self.dtx
    }
    fn lookahead(&self) -> Duration {
        self.lookahead
    }
    fn set_effort(&mut self, effort: Effort) {
        let set = self
            .set_bitrate(effort.encoded(self.frame))
            .and_then(|()| self.set_expected_loss(effort.expected_loss))
            .and_then(|()| self.set_redundancy(effort.redundancy));
        debug_assert!(set.is_ok(), "out of range: {effort:?}");
    }
}

/// Decodes Opus packets to 48 kHz mono sound. Any bytes may be given: what is no packet is an
/// error that leaves the decoder usable.
pub struct Decoder {
    inner: handle::Decoder,
}

impl Decoder {
    /// A decoder that has heard nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if memory is short.
    pub fn new() -> Result<Self, Error> {
        let inner = handle::Decoder::new(SAMPLE_RATE, codec::Channels::Mono)
            .map_err(|e| Error::new(ErrorKind::System, format!("no Opus decoder: {e}")))?;
        Ok(Decoder { inner })
    }

    /// Reads off a packet's header (RFC 6716 §3); `None` for what is no packet.
    pub fn inspect(payload: &[u8]) -> Option<PacketInfo> {
        let samples = codec::packet::get_nb_samples(payload, SAMPLE_RATE).ok()?;
        let frame_samples = codec::packet::get_samples_per_frame(payload, SAMPLE_RATE).ok()?;
        let flags = silk_flags(payload)?;
        Some(PacketInfo {
            samples,
            fec_samples: if flags.copy_of_previous { frame_samples } else { 0 },
            voice: flags.voice,
        })
    }

    /// Decodes a packet; returns the number of samples put into `out`, which 5 760 samples (120 ms)
    /// always suffice for.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] for what is no packet or does not fit.
    pub fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<usize, Error> {
        if payload.is_empty() {
            return Err(Error::new(ErrorKind::Protocol, "an empty Opus packet"));
        }
        let samples = self.inner.decode_float(payload, out, false).map_err(broken)?;
        make_finite(out.get_mut(..samples).unwrap_or_default());
        Ok(samples)
    }

    /// Decodes the coarse copy that the packet after a lost one carries of it; fills `out`, whose
    /// length must be [`PacketInfo::fec_samples`] of `next`.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] for what is no packet or does not fit.
    pub fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), Error> {
        if next.is_empty() {
            return Err(Error::new(ErrorKind::Protocol, "an empty Opus packet"));
        }
        self.inner.decode_float(next, out, true).map_err(broken)?;
        make_finite(out);
        Ok(())
    }

    /// Packet-loss concealment: makes up the whole of `out` from what came before. Lengths are
    /// multiples of 2.5 ms (120 samples); another length gives silence.
    pub fn conceal(&mut self, out: &mut [f32]) {
        if self.inner.decode_float(&[], out, false).is_err() {
            out.fill(0.0);
        }
        make_finite(out);
    }
}

fn broken(e: impl Display) -> Error {
    Error::new(ErrorKind::Protocol, format!("not an Opus packet: {e}"))
}

/// A hostile packet may drive the float decoder out of its range.
fn make_finite(samples: &mut [f32]) {
    for s in samples {
        if !s.is_finite() {
            *s = 0.0;
        }
    }
}

struct SilkFlags {
    voice: bool,
    copy_of_previous: bool,
}

/// Voice activity and redundancy flags of a packet's first frame. A frame of the linear-prediction
/// layer starts with one bit of voice activity for each 20 ms, then one that tells of a copy of
/// the previous frame (RFC 6716 §4.2.3); stereo sends the same again for the side channel.
/// A transform-layer frame has neither and counts as voice.
fn silk_flags(payload: &[u8]) -> Option<SilkFlags> {
    let toc = *payload.first()?;
    let transform_only = toc & 0x80 != 0;
    if transform_only {
        return Some(SilkFlags { voice: true, copy_of_previous: false });
    }
    let len = i32::try_from(payload.len()).ok()?;
    let mut frames = [std::ptr::null(); 48];
    let mut sizes = [0i16; 48];
    // SAFETY: the arrays have the 48 places that the call may fill (RFC 6716 §3.2.5); the bytes
    // are read within `len`; the outputs that may be null are null.
    let count = unsafe {
        opusic_sys::opus_packet_parse(
            payload.as_ptr(),
            len,
            std::ptr::null_mut(),
            frames.as_mut_ptr(),
            sizes.as_mut_ptr(),
            std::ptr::null_mut(),
        )
    };
    if count <= 0 {
        return None;
    }
    if sizes[0] < 1 {
        return Some(SilkFlags { voice: false, copy_of_previous: false });
    }
    // SAFETY: `opus_packet_parse` succeeded, so the first frame lies within the packet, and it has
    // at least one byte.
    let first = unsafe { *frames[0] };
    let frame_ms = codec::packet::get_samples_per_frame(payload, SAMPLE_RATE).ok()? / 48;
    let silk_frames = frame_ms.div_ceil(20);
    let flag = |bit: usize| first & (0x80 >> bit) != 0;
    Some(SilkFlags { voice: (0..silk_frames).any(flag), copy_of_previous: flag(silk_frames) })
}

impl Decode for Decoder {
    fn inspect(&self, payload: &[u8]) -> Option<PacketInfo> {
        Decoder::inspect(payload)
    }
    fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<usize, Error> {
        Decoder::decode(self, payload, out)
    }
    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), Error> {
        Decoder::decode_fec(self, next, out)
    }
    fn conceal(&mut self, out: &mut [f32]) {
        Decoder::conceal(self, out);
    }
    #[cfg(feature = "dred")]
    fn takes_deep(&self) -> bool {
        true
    }
    #[cfg(feature = "dred")]
    fn deep(&mut self, payload: &[u8]) -> Deep {
        let (begin, end) = self.inner.dred_range(payload);
        Deep { begin, end }
    }
    #[cfg(feature = "dred")]
    fn load_deep(&mut self, later: &[u8]) -> bool {
        self.inner.load_dred(later)
    }
    #[cfg(feature = "dred")]
    fn decode_deep(&mut self, before: usize, out: &mut [f32]) -> bool {
        let decoded = self.inner.dred_decode(before, out).is_ok();
        make_finite(out);
        decoded
    }
}

const _: () = assert!(MAX_PACKET_SAMPLES == 120 * 48);

#[cfg(test)]
mod tests;
