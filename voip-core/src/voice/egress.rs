//! Mic → wire: capture → condition → encode → packetize.
//!
//! Samples come in any count; each complete frame leaves as one packet, at once. How many bits it gets follows
//! what the receiver reports. Processor time is
//! for the caller to measure around [`Egress::push`]: with [`EgressStats::encoded`] that makes a
//! mean per frame.

mod adapt;
mod capture;
mod condition;
mod encode;
mod packetize;
mod silence;

#[cfg(test)]
mod tests;

use self::adapt::Adaptation;
use self::capture::Capture;
use self::condition::Condition;
use self::encode::{Coded, FrameEncoder};
use self::packetize::Packetize;
use self::silence::DigitalSilence;
use super::codec::{Encode, EncoderConfig, Redundancy};
use super::level::Level;
use super::report::Report;
use crate::id::RtpTimestamp;
use crate::time::{Duration, Instant};

/// A packet on its way to the session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EncodedFrame<'a> {
    /// When the sound was captured, on the media clock.
    pub(crate) timestamp: RtpTimestamp,
    /// The codec's bytes, one to [`MAX_PAYLOAD`](super::MAX_PAYLOAD).
    pub(crate) payload: &'a [u8],
    /// An earlier payload that is sent once more with it, and by how many samples it is older (RFC 2198).
    pub(crate) repeated: Option<(u32, &'a [u8])>,
    /// Loudness for RFC 6464: 0 (full scale) to 127 (silence), in −dBov.
    pub(crate) level: u8,
    /// Voice activity for RFC 6464.
    pub(crate) voice: bool,
    /// First packet after silence that was not sent (RFC 3551 §4.1).
    pub(crate) marker: bool,
    /// When the frame's last sample was handed over.
    pub(crate) captured_at: Instant,
}

/// What went through the egress so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EgressStats {
    /// Frames given to the encoder.
    pub(crate) encoded: u64,
    /// Packets made.
    pub(crate) packets: u64,
    /// Bytes of payload in them.
    pub(crate) payload_bytes: u64,
    /// Frames not sent because they were silence (DTX).
    pub(crate) silent: u64,
    /// Frames not sent because the microphone was muted.
    pub(crate) muted: u64,
    /// Packets that nobody fetched in time.
    pub(crate) dropped: u64,
    /// Frames the encoder failed on.
    pub(crate) failed: u64,
}

/// The way of one microphone to the wire.
pub(crate) struct Egress {
    capture: Capture,
    silence: DigitalSilence,
    condition: Condition,
    encoder: FrameEncoder,
    adaptation: Adaptation,
    packetize: Packetize,
    lookahead: Duration,
    muted: bool,
    stats: EgressStats,
}

impl Egress {
    /// An encoder that has been made with that configuration. Starts at `start` on the media clock, which
    /// RFC 3550 §5.1 wants random.
    pub(crate) fn new(
        encoder: Box<dyn Encode>,
        config: &EncoderConfig,
        start: RtpTimestamp,
    ) -> Self {
        let lookahead = encoder.lookahead();
        Egress {
            capture: Capture::new(encoder.frame()),
            silence: DigitalSilence::default(),
            condition: Condition::new(),
            encoder: FrameEncoder::new(encoder),
            adaptation: Adaptation::new(config),
            packetize: Packetize::new(start),
            lookahead,
            muted: false,
            stats: EgressStats::default(),
        }
    }

    /// Takes any count of samples; `now` is when the last of them was captured. After a pause of
    /// the source the media clock moves on by as much.
    pub(crate) fn push(&mut self, now: Instant, samples: &[f32]) {
        if let Some(skipped) = self.capture.pause(now, samples.len()) {
            self.packetize.skip(skipped);
        }
        let mut rest = samples;
        while !rest.is_empty() {
            rest = self.capture.take(rest, self.muted);
            let Some(frame) = self.capture.frame() else { break };
            self.silence.observe(frame);
            let level = self.condition.run(frame);
            let samples = frame.len() as u32;
            let captured_at = now - sound(rest.len());
            if self.muted {
                self.stats.muted += 1;
                self.packetize.skip(samples);
                continue;
            }
            self.stats.encoded += 1;
            match self.encoder.run(frame) {
                Coded::Packet(payload) => {
                    self.stats.packets += 1;
                    self.stats.payload_bytes += payload.len() as u64;
                    let voice = self.condition.voice();
                    let fit = self.packetize.packet(payload, samples, level, voice, captured_at);
                    self.stats.dropped += u64::from(!fit);
                }
                Coded::Silence => {
                    self.stats.silent += 1;
                    self.packetize.skip(samples);
                }
                Coded::Failed => {
                    self.stats.failed += 1;
                    self.packetize.skip(samples);
                }
            }
        }
    }

    /// The next packet to send, oldest first.
    pub(crate) fn next_packet(&mut self) -> Option<EncodedFrame<'_>> {
        self.packetize.next()
    }

    /// The receiver reports what came of the packets.
    pub(crate) fn heard(&mut self, report: &Report) {
        let before = self.adaptation.effort();
        let effort = self.adaptation.heard(report);
        if effort != before {
            self.encoder.set_effort(effort);
            self.packetize.repeat(match effort.redundancy {
                Redundancy::Repeated { distance } => distance,
                _ => 0,
            });
        }
    }

    /// Bits per second that the encoder is to make now.
    pub(crate) fn bitrate(&self) -> u32 {
        self.adaptation.effort().bitrate
    }

    /// Muted, nothing at all is sent, and no sound captured meanwhile is ever sent later.
    pub(crate) fn set_muted(&mut self, muted: bool) {
        if std::mem::replace(&mut self.muted, muted) != muted {
            self.silence = DigitalSilence::default();
        }
    }

    /// Whether the microphone gives nothing but digital silence though it is not muted.
    pub(crate) fn digital_silence(&self) -> bool {
        !self.muted && self.silence.is_believed()
    }

    /// The codec's own delay beyond the frame.
    pub(crate) fn lookahead(&self) -> Duration {
        self.lookahead
    }

    /// The microphone's level for a meter on the screen; silence while muted.
    pub(crate) fn level(&self) -> Level {
        self.condition.level()
    }

    pub(crate) fn stats(&self) -> EgressStats {
        self.stats
    }
}

/// The time that many samples last.
fn sound(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000 / 48)
}
