//! What the road needs of a codec: two object-safe traits, and the encoder's options.
//!
//! Opus implements the traits for real calls; simulations bring a stand-in that costs nothing.

use crate::error::{Error, ErrorKind};
use crate::frame::FrameDuration;
use crate::time::Duration;

/// The longest payload a packet carries, in bytes: with RTP, SRTP, UDP and IPv6 headers it fits in
/// the 1280 bytes that every IPv6 path takes (RFC 8200 §5).
pub const MAX_PAYLOAD: usize = 1_200;

/// The most sound one packet can hold, in samples: 120 ms (RFC 6716 §3.2.5).
pub(crate) const MAX_PACKET_SAMPLES: usize = 5_760;

/// What the encoder should optimise for (RFC 6716 §2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Application {
    /// Intelligible speech: the linear-prediction layer up to about 30 kbit/s, with in-band FEC.
    #[default]
    Voip,
    /// Faithful sound of any kind.
    Audio,
    /// The transform layer alone: 2.5 ms of look-ahead in place of 6.5, and no in-band FEC.
    LowDelay,
}

/// Options of an [`Encoder`](crate::Encoder).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Bits per second, 6 000 to 510 000. Default 32 000: full-band speech with room for FEC.
    /// One packet never exceeds [`MAX_PAYLOAD`] bytes, which caps the rate of long frames. A call
    /// makes less while its packets queue up.
    pub bitrate: u32,
    /// Effort, 0 to 10. Default 5: a quarter less CPU time than 9 for little audible loss.
    pub complexity: u8,
    /// Sound per packet. Default 20 ms.
    pub frame: FrameDuration,
    /// In-band forward error correction: a packet carries a coarse copy of the one before
    /// (RFC 6716 §2.1.7). Default on. While a peer reports that packets are lost in bursts, which copies cannot mend,
    /// a call sends each packet twice in its place, at half the bits (RFC 2198).
    pub fec: bool,
    /// Discontinuous transmission: next to nothing is sent in silence (RFC 6716 §2.1.9).
    /// Default off: silence costs little, and a steady stream shows at once when a path breaks.
    pub dtx: bool,
    /// Packet loss to prepare for, in per cent, 0 to 100. Default 10: the first losses of a call
    /// come before any report of them, and told of 5 % Opus makes no FEC copies at 32 kbit/s. A call
    /// prepares for more, up to 30 %, when its peer reports more.
    pub expected_loss: u8,
    /// What to optimise for. Default [`Application::Voip`].
    pub application: Application,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        EncoderConfig {
            bitrate: 32_000,
            complexity: 5,
            frame: FrameDuration::Ms20,
            fec: true,
            dtx: false,
            expected_loss: 10,
            application: Application::Voip,
        }
    }
}

impl EncoderConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`]; the message names the field.
    pub fn validate(&self) -> Result<(), Error> {
        check_bitrate(self.bitrate)?;
        check_loss(self.expected_loss)?;
        in_range("complexity", u32::from(self.complexity), 0, 10)
    }
}

pub(super) fn check_bitrate(bits_per_second: u32) -> Result<(), Error> {
    in_range("bitrate", bits_per_second, 6_000, 510_000)
}

pub(super) fn check_loss(percent: u8) -> Result<(), Error> {
    in_range("expected_loss", u32::from(percent), 0, 100)
}

fn in_range(field: &str, value: u32, low: u32, high: u32) -> Result<(), Error> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    let m = format!("{field} is {value}: {low} to {high} is possible");
    Err(Error::new(ErrorKind::InvalidArgument, m))
}

/// What can be read off a packet without decoding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketInfo {
    /// Sound in the packet, in samples of 48 kHz: 120 (2.5 ms) to 5 760 (120 ms).
    pub samples: usize,
    /// Samples of the sound *before* the packet of which it carries a copy; 0 without one.
    pub fec_samples: usize,
    /// False where the sender's encoder found no voice activity.
    pub voice: bool,
}

/// Frames to packets.
pub(crate) trait Encode: Send {
    /// Encodes exactly one frame into `out`; returns the length of the packet in bytes.
    fn encode(&mut self, samples: &[f32], out: &mut [u8]) -> Result<usize, Error>;
    /// How much sound one packet carries.
    fn frame(&self) -> FrameDuration;
    /// True if a packet of at most two bytes says "silence goes on" and need not be sent.
    fn dtx(&self) -> bool;
    /// Delay of the algorithm, beyond the frame itself.
    fn lookahead(&self) -> Duration;
    /// From the next frame on.
    fn set_effort(&mut self, effort: Effort);
}

/// How an encoder is to spend its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Bits per second, all redundancy included.
    pub(crate) bitrate: u32,
    /// The loss to prepare for, in per cent.
    pub(crate) expected_loss: u8,
    pub(crate) redundancy: Redundancy,
}

/// What mends losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redundancy {
    /// In-band FEC, if it is on: a packet carries a coarse copy of the one before.
    Copies,
    /// Each packet is sent once more with the one so many after it (RFC 2198).
    Repeated { distance: u8 },
    /// Each packet describes the sound before it (DRED), so far back, in milliseconds.
    Deep { reach_ms: u16 },
}

impl Effort {
    /// Bits per second for the encoder itself, of frames of such length.
    pub(crate) fn encoded(&self, frame: FrameDuration) -> u32 {
        let headers = 8_000 * REPEATED_HEADERS as u32 / frame.millis();
        match self.redundancy {
            Redundancy::Repeated { .. } => self.bitrate.saturating_sub(headers) / 2,
            _ => self.bitrate,
        }
    }
}

/// Headers of a packet with a second payload, in bytes.
pub(crate) const REPEATED_HEADERS: usize = 5;
/// What a packet repeats is so long at most, in bytes, and so much older, in samples (RFC 2198 §3).
pub(crate) const LONGEST_REPEATED: usize = 1_023;
pub(crate) const OLDEST_REPEATED: u32 = 16_383;

/// Which samples before a packet its deep redundancy describes: those from `begin` samples before it to `end` samples
/// before it; none without any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deep {
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

impl Deep {
    /// Whether it describes the sound that begins so many samples before the packet.
    pub(crate) fn describes(self, before: usize) -> bool {
        before <= self.begin && before > self.end
    }
}

/// Packets to samples. Payloads come from the network: none may do worse than fail.
pub(crate) trait Decode: Send {
    /// Reads off a packet's header; `None` for what is no packet.
    fn inspect(&self, payload: &[u8]) -> Option<PacketInfo>;
    /// Decodes a packet; returns how many samples it put into `out`, which holds 5 760.
    fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<usize, Error>;
    /// Decodes the copy of the sound before the packet that `next` carries: the whole of `out`,
    /// which has the length that [`PacketInfo::fec_samples`] told.
    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), Error>;
    /// Makes up the whole of `out`, a multiple of 2.5 ms, from what came before.
    fn conceal(&mut self, out: &mut [f32]);
    /// Whether packets with deep redundancy are of use.
    fn takes_deep(&self) -> bool {
        false
    }
    /// Which samples before the packet its deep redundancy describes.
    fn deep(&mut self, _payload: &[u8]) -> Deep {
        Deep::default()
    }
    /// Reads the deep redundancy of a packet, for [`Decode::decode_deep`]. False if it has none.
    fn load_deep(&mut self, _later: &[u8]) -> bool {
        false
    }
    /// Rebuilds the whole of `out`, a multiple of 2.5 ms that begins so many samples before the packet loaded.
    /// False if that cannot be.
    fn decode_deep(&mut self, _before: usize, _out: &mut [f32]) -> bool {
        false
    }
}
