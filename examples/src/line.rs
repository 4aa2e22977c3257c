//! What `peer --json` writes: one JSON object a line. `docs/report.md` explains the fields.

use serde::{Deserialize, Serialize};
use voip_core::{
    Audience, AudioDevice, CallStats, Contact, ContactState, DeviceDirection, DeviceStats, Node,
    Presence, Stages, Text, TextId,
};

use crate::bad_line::LineCount;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When it happened: microseconds since 1970-01-01 UTC.
    pub t_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened, named by the field `event`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields say what they are; docs/report.md explains them")]
pub enum What {
    /// The program is about to start its node.
    Starting { name: String },
    /// The node runs.
    Started {
        id: String,
        address: String,
        /// Other nodes may link to it: by TCP, at the port of the address.
        #[serde(default)]
        mesh: bool,
    },
    /// A tracker accepted the name.
    Registered { tracker: String, online: u32 },
    /// A tracker refused the name or cannot be reached.
    TrackerLost { tracker: String, error: String, tries_again: bool },
    /// A peer came online.
    Joined { name: String, id: String, online: u32 },
    /// A peer says something else about itself.
    Changed { name: String, id: String, presence: Presence },
    /// A peer went offline.
    Left { name: String, id: String, online: u32 },
    /// The answer to the command `peers`.
    Peers { peers: Vec<Person> },
    /// The command `call` was given.
    Placed { to: String },
    /// The command `pair` was given: waits for a peer.
    Pairing,
    /// Here is one, and who of the two calls.
    Paired { name: String, id: String, calls: bool },
    /// No tracker can pair.
    PairingFailed { error: String },
    /// Somebody calls.
    Incoming { name: String, id: String },
    /// It rings at the peer.
    Ringing { name: String },
    /// The call was answered.
    Answered { name: String },
    /// There is an encrypted path.
    Connected { name: String },
    /// The words by which two people check a call are known.
    VerificationReady { name: String, words: String },
    /// The answer to the command `verify`.
    Verification { name: String, words: Option<String>, safety_number: String },
    /// The answer to the command `contacts`.
    Contacts { contacts: Vec<Known> },
    /// The first sound of the peer was played.
    FirstAudio { name: String },
    /// The peer muted or unmuted its microphone.
    PeerMuted { name: String, muted: bool },
    /// Nothing is heard of the peer though it is not muted.
    MediaSilent { name: String, reason: String },
    /// That is over: the peer is heard again, or muted itself.
    MediaResumed { name: String, muted: bool },
    /// The path to the peer is lost; another one is looked for.
    Reconnecting { name: String },
    /// There is a path again.
    Reconnected { name: String },
    /// The call is over.
    Ended { name: String, reason: String },
    /// A name that is pinned to one key was used by another.
    KeyChanged { name: String, pinned: String, offered: String },
    /// Another microphone or loudspeaker is in use, or none.
    DeviceChanged { direction: String, device: Option<Device>, change: String },
    /// The answer to the command `devices`.
    Devices {
        devices: Vec<Device>,
        microphone: Option<CardReport>,
        loudspeaker: Option<CardReport>,
    },
    /// The answer to the command `levels`, twice a second while it is on.
    Levels { level_in_dbfs: f32, level_out_dbfs: f32 },
    /// Somebody has written.
    Text(Written),
    /// The answer to the commands `send`, `msg` and `all`: what this node's user has written.
    Sent(Written),
    /// Texts have come to the peer they are for.
    Delivered {
        name: String,
        id: String,
        texts: Vec<Which>,
        /// What they say, of those that were written while this program ran.
        said: Vec<String>,
    },
    /// Texts of somebody are not to be had any more.
    TextsMissing { name: String, id: String, count: u32 },
    /// Texts cannot be kept in their file.
    HistoryFailed { error: String },
    /// The answer to the command `room`.
    Room { room: String },
    /// The answer to the command `rooms`.
    Rooms { rooms: Vec<String>, active: String },
    /// The answer to the command `history`.
    History { of: Audience, texts: Vec<Written> },
    /// Something for people to read: the answer to `help` and to commands that have no event.
    Note { message: String },
    /// Events were dropped because too many came at once.
    Lagged,
    /// A command could not be done.
    Error { message: String },
    /// The answer to the command `stats`.
    Stats(CallReport),
    /// The last line: how it went.
    Report(Box<Report>),
}

/// Which text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Which {
    /// The author's key, 64 hexadecimal digits.
    pub author: String,
    /// When its program began to write.
    pub log: u64,
    /// The text's number since then.
    pub seq: u32,
}

impl From<TextId> for Which {
    fn from(id: TextId) -> Self {
        Which { author: id.author.to_string(), log: id.log, seq: id.seq }
    }
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Which.
    #[serde(flatten)]
    pub which: Which,
    /// What the author calls itself.
    pub name: String,
    /// "all", {"room":NAME} or {"peer":KEY}.
    pub to: Audience,
    /// What it says.
    pub text: String,
    /// When it was written, by the author's clock: milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// It was written some time before it came.
    pub late: bool,
    /// It is this node's own, and has come to the peer it is for while this program ran.
    pub delivered: bool,
}

impl From<Text> for Written {
    fn from(text: Text) -> Self {
        Written {
            which: text.id.into(),
            name: text.name,
            to: text.to,
            text: text.text,
            at_ms: text.at.0,
            late: text.late,
            delivered: false,
        }
    }
}

/// Somebody online.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The key, 64 hexadecimal digits.
    pub id: String,
    /// available, busy, away or unknown.
    pub presence: Presence,
}

/// Somebody whose name is pinned to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The name.
    pub name: String,
    /// The key, 64 hexadecimal digits.
    pub id: String,
    /// seen, accepted, verified or blocked.
    pub state: String,
}

impl Known {
    /// The word for what somebody is to the user.
    pub fn word(state: ContactState) -> String {
        format!("{state:?}").to_lowercase()
    }
}

impl From<&Contact> for Known {
    fn from(contact: &Contact) -> Self {
        Known {
            name: contact.name.clone(),
            id: contact.id.to_string(),
            state: Known::word(contact.state),
        }
    }
}

/// A microphone or a loudspeaker of this system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What `device` and `--input` take for sure.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// microphone or loudspeaker.
    pub direction: String,
    /// Whether it is the system's default.
    pub is_default: bool,
}

impl From<&AudioDevice> for Device {
    fn from(device: &AudioDevice) -> Self {
        Device {
            id: device.id.clone(),
            name: device.name.clone(),
            direction: device.direction.to_string(),
            is_default: device.is_default,
        }
    }
}

impl Device {
    /// Whether it is a microphone.
    pub fn is_input(&self) -> bool {
        self.direction == DeviceDirection::Input.to_string()
    }
}

/// How a device in use is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CardReport {
    /// Its name.
    pub name: String,
    /// Hz.
    pub rate: u32,
    /// Channels.
    pub channels: u16,
    /// Samples per channel in its last callback.
    pub callback_frames: u32,
    /// Delay between the air and the library, milliseconds.
    pub delay_ms: f64,
    /// How fast its clock runs against the system's, millionths.
    pub drift_ppm: f64,
    /// Milliseconds of sound that were not there in time, or found no room.
    pub missed_ms: f64,
    /// Overruns and underruns of its buffer.
    pub xruns: u64,
    /// Other errors.
    pub errors: u64,
}

impl From<&DeviceStats> for CardReport {
    fn from(stats: &DeviceStats) -> Self {
        CardReport {
            name: stats.device.name.clone(),
            rate: stats.rate,
            channels: stats.channels,
            callback_frames: stats.callback_frames,
            delay_ms: stats.delay_ms,
            drift_ppm: stats.drift_ppm,
            missed_ms: stats.missed_ms,
            xruns: stats.xruns,
            errors: stats.errors,
        }
    }
}

/// The last line of a peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The last call, if there was one.
    pub call: Option<CallReport>,
    /// When sample 0 of the microphone's file was taken: microseconds since 1970-01-01 UTC.
    pub capture_started_us: Option<u64>,
    /// When sample 0 of the recording was played: microseconds since 1970-01-01 UTC.
    pub playout_started_us: Option<u64>,
    /// From the connected path of the last call to its end, seconds.
    pub connected_s: f64,
    /// Processor time in that time, milliseconds.
    pub connected_cpu_ms: Option<f64>,
    /// Processor time since the program began, milliseconds.
    pub cpu_ms: Option<f64>,
    /// The most memory the program ever had, MB (10⁶ bytes).
    pub rss_mb: Option<f64>,
    /// The microphone, if a sound card served the last call.
    pub microphone: Option<CardReport>,
    /// The loudspeaker, if a sound card served the last call.
    pub loudspeaker: Option<CardReport>,
    /// Datagrams that belonged to no call.
    pub datagrams_dropped: u64,
    /// Whether the operating system gave the engine real-time priority.
    pub realtime: bool,
    /// What the bad line did to the sound sent; `null` without one.
    pub line: Option<LineCount>,
}

impl Report {
    /// Takes over what the node counted.
    pub fn with_node(mut self, node: &Node) -> Self {
        self.line = node.line_stats().map(LineCount::from);
        let node = node.stats();
        self.capture_started_us = node.capture_started_unix_us;
        self.playout_started_us = node.playout_started_unix_us;
        self.datagrams_dropped = node.datagrams_dropped;
        self.realtime = node.realtime;
        self
    }
}

/// Statistics of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallReport {
    /// RTP packets.
    pub packets: Packets,
    /// Bytes of RTP payload sent.
    pub bytes_sent: u64,
    /// Bytes of RTP payload received.
    pub bytes_received: u64,
    /// Lost packets, percent of those expected.
    pub loss_pct: f64,
    /// Sound that was made up, percent of the sound played.
    pub concealed_pct: f64,
    /// Interarrival jitter (RFC 3550 §6.4.1), milliseconds.
    pub jitter_ms: f64,
    /// Round-trip time, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Delay by stage, milliseconds.
    pub stages_ms: StagesMs,
    /// From placing or ringing to the answer, milliseconds.
    pub answer_ms: Option<f64>,
    /// From placing or ringing to the first sound at playout, milliseconds.
    pub first_audio_ms: Option<f64>,
    /// Level of the own microphone, dBFS.
    pub level_in_dbfs: f32,
    /// Level of what is heard, dBFS.
    pub level_out_dbfs: f32,
    /// Whether the own microphone gives nothing but digital silence.
    pub digital_silence: bool,
    /// Local and remote address of the path.
    pub path: Option<String>,
    /// unknown, good, fair or poor.
    pub quality: String,
}

impl From<&CallStats> for CallReport {
    fn from(stats: &CallStats) -> Self {
        CallReport {
            packets: Packets {
                sent: stats.packets_sent,
                received: stats.packets_received,
                lost: stats.packets_lost,
                recovered: stats.packets_recovered,
                repeated: stats.packets_repeated,
            },
            bytes_sent: stats.bytes_sent,
            bytes_received: stats.bytes_received,
            loss_pct: stats.loss_pct,
            concealed_pct: stats.concealed_pct,
            jitter_ms: stats.jitter_ms,
            rtt_ms: stats.rtt_ms,
            stages_ms: StagesMs::from(&stats.stages_ms),
            answer_ms: stats.answer_ms,
            first_audio_ms: stats.first_audio_ms,
            level_in_dbfs: stats.level_in_dbfs,
            level_out_dbfs: stats.level_out_dbfs,
            digital_silence: stats.digital_silence,
            path: stats.path.map(|(local, remote)| format!("{local} - {remote}")),
            quality: format!("{:?}", stats.quality).to_lowercase(),
        }
    }
}

/// Counts of RTP packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Sent.
    pub sent: u64,
    /// Received.
    pub received: u64,
    /// Never received, or too late to be played.
    pub lost: u64,
    /// Of those lost or late: brought back by in-band FEC (RFC 6716 §2.1.7).
    pub recovered: u64,
    /// Of those lost or late: played as they came once more in a later packet (RFC 2198).
    pub repeated: u64,
}

/// Delay by stage, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the stations of the road, see voip_core::Stages")]
pub struct StagesMs {
    pub capture: f64,
    pub encode: f64,
    pub network: f64,
    pub buffer: f64,
    pub decode: f64,
    pub playout: f64,
}

impl StagesMs {
    /// The stages in the order of the road, with their names.
    pub fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("capture", self.capture),
            ("encode", self.encode),
            ("network", self.network),
            ("buffer", self.buffer),
            ("decode", self.decode),
            ("playout", self.playout),
        ]
    }
}

impl From<&Stages> for StagesMs {
    fn from(stages: &Stages) -> Self {
        StagesMs {
            capture: stages.capture,
            encode: stages.encode,
            network: stages.network,
            buffer: stages.buffer,
            decode: stages.decode,
            playout: stages.playout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_flat_object() {
        let line = Line { t_us: 5, what: What::Registered { tracker: "a:1".into(), online: 2 } };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(text, r#"{"t_us":5,"event":"registered","tracker":"a:1","online":2}"#);
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }

    #[test]
    fn a_report_comes_back_as_it_was() {
        let report = Report { call: Some(CallReport::default()), ..Report::default() };
        let line = Line { t_us: 5, what: What::Report(Box::new(report)) };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }
}
