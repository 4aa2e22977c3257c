//! Blocks of sound. Inside the library sound is 48 kHz, mono, `f32` in −1.0 ..= 1.0.

use crate::error::{Error, ErrorKind};
use crate::time::Duration;

/// Samples per second inside the library.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in 10 ms, the step in which sound is mixed and played.
pub const BLOCK: usize = 480;
/// The time one [`BLOCK`] lasts.
pub const BLOCK_TIME: Duration = Duration::from_millis(10);

/// One block of one stream: 10 ms, 48 kHz, mono.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AudioFrame(pub [f32; BLOCK]);

impl AudioFrame {
    /// Digital silence.
    pub const SILENCE: AudioFrame = AudioFrame([0.0; BLOCK]);
}

/// How much sound one packet carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameDuration {
    /// 10 ms: least delay, most overhead.
    Ms10,
    /// 20 ms, the usual choice.
    #[default]
    Ms20,
    /// 40 ms.
    Ms40,
    /// 60 ms: least overhead.
    Ms60,
}

impl FrameDuration {
    /// From a number of milliseconds: 10, 20, 40 or 60.
    pub fn from_millis(ms: u32) -> Result<Self, Error> {
        Ok(match ms {
            10 => Self::Ms10,
            20 => Self::Ms20,
            40 => Self::Ms40,
            60 => Self::Ms60,
            _ => {
                let m = format!("frame_ms is {ms}: 10, 20, 40 or 60 are possible");
                return Err(Error::new(ErrorKind::InvalidArgument, m));
            }
        })
    }

    /// Milliseconds.
    pub const fn millis(self) -> u32 {
        match self {
            Self::Ms10 => 10,
            Self::Ms20 => 20,
            Self::Ms40 => 40,
            Self::Ms60 => 60,
        }
    }

    /// Samples at 48 kHz.
    pub const fn samples(self) -> usize {
        self.millis() as usize * 48
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.millis() as u64)
    }
}
