//! What can be read off a call and a node at any time.

use std::net::SocketAddr;

use crate::device::DeviceStats;

/// Mouth-to-ear delay by stage, milliseconds, for the first sample of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stages {
    /// Waiting until a whole packet's worth of sound is there, and the device's own buffer.
    pub capture: f64,
    /// Computing time of the encoder plus its look-ahead.
    pub encode: f64,
    /// Half the round-trip time measured by ICE.
    pub network: f64,
    /// Mean wait in the jitter buffer.
    pub buffer: f64,
    /// Computing time of the decoder.
    pub decode: f64,
    /// Waiting behind the mixer: the device's own buffer.
    pub playout: f64,
}

impl Stages {
    /// The sum: mouth to ear.
    pub fn total(&self) -> f64 {
        self.capture + self.encode + self.network + self.buffer + self.decode + self.playout
    }
}

/// The quality of a call in one word, from loss, concealment and delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quality {
    /// Nothing has been heard yet.
    #[default]
    Unknown,
    /// Under 1 % concealed and under 150 ms one way (ITU-T G.114).
    Good,
    /// Under 5 % concealed and under 400 ms.
    Fair,
    /// Worse.
    Poor,
}

/// A second in the life of a [`JitterBuffer`](crate::JitterBuffer).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct JitterSecond {
    /// What was aimed at when it ended, milliseconds over the fastest packet.
    pub target_ms: f64,
    /// How long packets waited when it ended, milliseconds.
    pub delay_ms: f64,
    /// Milliseconds of sound made up; a gap counts in the second in which it turns out to be none of silence.
    pub concealed_ms: u32,
    /// Milliseconds of lost sound rebuilt from the deep redundancy of later packets (feature `dred`).
    pub rebuilt_ms: u32,
    /// Milliseconds of sound put in to lengthen the delay.
    pub stretched_ms: u32,
    /// Milliseconds of sound left out to shorten it.
    pub skipped_ms: u32,
    /// Lost packets whose copy in the next one was played.
    pub recovered: u32,
    /// Lost packets that came once more in a later one and were played.
    pub repeated: u32,
    /// Packets that came after their time.
    pub late: u32,
}

/// Statistics of one call.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CallStats {
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Bytes of RTP payload sent.
    pub bytes_sent: u64,
    /// RTP packets received and authentic.
    pub packets_received: u64,
    /// Bytes of RTP payload received.
    pub bytes_received: u64,
    /// Packets that never came in time for anything.
    pub packets_lost: u64,
    /// Packets that came after their time.
    pub packets_late: u64,
    /// Packets that came twice.
    pub packets_duplicate: u64,
    /// Lost packets that in-band FEC (RFC 6716 §2.1.7) brought back.
    pub packets_recovered: u64,
    /// Packets that did not come, or not in time, and were played as they came once more in a later one (RFC 2198).
    pub packets_repeated: u64,
    /// Lost packets, percent of those expected.
    pub loss_pct: f64,
    /// Sound that was made up, percent of the sound played.
    pub concealed_pct: f64,
    /// Interarrival jitter (RFC 3550 §6.4.1), milliseconds.
    pub jitter_ms: f64,
    /// Round-trip time by ICE, milliseconds.
    pub rtt_ms: Option<f64>,
    /// What the jitter buffer aims at, milliseconds.
    pub buffer_target_ms: f64,
    /// How long packets wait in the jitter buffer lately, milliseconds.
    pub buffer_delay_ms: f64,
    /// Milliseconds of sound put in to lengthen that delay.
    pub stretched_ms: u64,
    /// Milliseconds of sound left out to shorten it.
    pub skipped_ms: u64,
    /// Milliseconds of lost sound rebuilt from the deep redundancy of later packets (feature `dred`).
    pub rebuilt_ms: u64,
    /// Mouth-to-ear delay by stage.
    pub stages_ms: Stages,
    /// Level of the microphone, dBFS (RMS of the last frame), −127 for silence.
    pub level_in_dbfs: f32,
    /// Level of what is heard, dBFS, −127 for silence.
    pub level_out_dbfs: f32,
    /// Whether the microphone of this side has given nothing but digital silence, the same value
    /// over and over, for a second though it is not muted. The peer is told:
    /// [`Event::MediaSilent`](crate::Event::MediaSilent).
    pub digital_silence: bool,
    /// Local and remote address of the path in use.
    pub path: Option<(SocketAddr, SocketAddr)>,
    /// Datagrams from the network that made no sense to this call.
    pub dropped: u64,
    /// Milliseconds of sound that passed unread (manual PCM, nobody reading for 200 ms).
    pub unread_ms: u64,
    /// The quality in one word.
    pub quality: Quality,
    /// From placing or ringing to the answer, milliseconds.
    pub answer_ms: Option<f64>,
    /// From placing or ringing to the first sound of the peer at playout, milliseconds.
    pub first_audio_ms: Option<f64>,
    /// Bits per second that the encoder makes of the microphone's sound: as configured, or less while the
    /// line is too narrow for that.
    pub bitrate: u32,
    /// Packets of the microphone's sound that the peer missed of late, by its own word, percent.
    pub peer_loss_pct: f64,
    /// The jitter buffer second by second, a minute at most, oldest first.
    pub history: Vec<JitterSecond>,
}

impl CallStats {
    pub(crate) fn judge(&mut self) {
        let delay = self.stages_ms.total();
        self.quality = if self.first_audio_ms.is_none() {
            Quality::Unknown
        } else if self.concealed_pct < 1.0 && delay < 150.0 {
            Quality::Good
        } else if self.concealed_pct < 5.0 && delay < 400.0 {
            Quality::Fair
        } else {
            Quality::Poor
        };
    }
}

/// Statistics of a node.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct NodeStats {
    /// Datagrams that belonged to no call and no request.
    pub datagrams_dropped: u64,
    /// Signalling that was forged, stale, replayed or made no sense.
    pub signals_dropped: u64,
    /// Messages of trackers that made no sense, answered nothing, or held a record whose signature
    /// does not hold.
    pub tracker_messages_dropped: u64,
    /// Nodes of the mesh that this one is linked to and exchanges messages with.
    pub neighbors: u32,
    /// Messages of the mesh that were malformed, forged, stale, unknown, unasked for, or too many.
    pub mesh_messages_dropped: u64,
    /// Whether the operating system gave the engine real-time priority.
    pub realtime: bool,
    /// Events dropped because nobody read them.
    pub events_dropped: u64,
    /// When sample 0 of the microphone was captured: microseconds since 1970-01-01 UTC, with
    /// `Audio::Wav` and `Audio::Null`, once a call has started them.
    pub capture_started_unix_us: Option<u64>,
    /// When sample 0 was played, counting back from later ones: within the first seconds of a call
    /// playout may move by some milliseconds.
    pub playout_started_unix_us: Option<u64>,
    /// The microphone in use, with `Audio::Devices` and while a call wants sound.
    pub microphone: Option<DeviceStats>,
    /// The loudspeaker in use, with `Audio::Devices` and while a call wants sound.
    pub loudspeaker: Option<DeviceStats>,
}
