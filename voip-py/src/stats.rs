//! What can be read off a call, a node and a tracker at any time.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::devices::DeviceStats;
use crate::enums;
use crate::record::record;

record! {
    /// Mouth-to-ear delay by stage, milliseconds, for the first sample of a packet.
    Stages {
        /// Waiting until a whole packet's worth of sound is there, and the device's own buffer.
        capture: f64,
        /// Computing time of the encoder plus its look-ahead.
        encode: f64,
        /// Half the round-trip time measured by ICE.
        network: f64,
        /// Mean wait in the jitter buffer.
        buffer: f64,
        /// Computing time of the decoder.
        decode: f64,
        /// Waiting behind the mixer: the device's own buffer.
        playout: f64,
    }

    /// The sum: mouth to ear, milliseconds.
    #[getter]
    fn total(&self) -> f64 {
        self.capture + self.encode + self.network + self.buffer + self.decode + self.playout
    }
}

record! {
    /// A second in the life of a call's jitter buffer.
    JitterSecond {
        /// What was aimed at when it ended, milliseconds over the fastest packet.
        target_ms: f64,
        /// How long packets waited when it ended, milliseconds.
        delay_ms: f64,
        /// Milliseconds of sound made up; a gap counts in the second in which it turns out to be none
        /// of silence.
        concealed_ms: u32,
        /// Milliseconds of lost sound rebuilt from the deep redundancy of later packets (feature `dred`).
        rebuilt_ms: u32,
        /// Milliseconds of sound put in to lengthen the delay.
        stretched_ms: u32,
        /// Milliseconds of sound left out to shorten it.
        skipped_ms: u32,
        /// Lost packets whose copy in the next one was played.
        recovered: u32,
        /// Lost packets that came once more in a later one and were played.
        repeated: u32,
        /// Packets that came after their time.
        late: u32,
    }
}

impl From<&voip_core::JitterSecond> for JitterSecond {
    fn from(second: &voip_core::JitterSecond) -> Self {
        JitterSecond {
            target_ms: second.target_ms,
            delay_ms: second.delay_ms,
            concealed_ms: second.concealed_ms,
            rebuilt_ms: second.rebuilt_ms,
            stretched_ms: second.stretched_ms,
            skipped_ms: second.skipped_ms,
            recovered: second.recovered,
            repeated: second.repeated,
            late: second.late,
        }
    }
}

record! {
    /// Statistics of one call.
    CallStats {
        /// RTP packets sent.
        packets_sent: u64,
        /// Bytes of RTP payload sent.
        bytes_sent: u64,
        /// RTP packets received and authentic.
        packets_received: u64,
        /// Bytes of RTP payload received.
        bytes_received: u64,
        /// Packets that never came in time for anything.
        packets_lost: u64,
        /// Packets that came after their time.
        packets_late: u64,
        /// Packets that came twice.
        packets_duplicate: u64,
        /// Lost packets that in-band FEC (RFC 6716 §2.1.7) brought back.
        packets_recovered: u64,
        /// Packets that did not come, or not in time, and were played as they came once more in a later
        /// one (RFC 2198).
        packets_repeated: u64,
        /// Lost packets, percent of those expected.
        loss_pct: f64,
        /// Sound that was made up, percent of the sound played.
        concealed_pct: f64,
        /// Interarrival jitter (RFC 3550 §6.4.1), milliseconds.
        jitter_ms: f64,
        /// Round-trip time by ICE, milliseconds; `None` until it is measured.
        rtt_ms: Option<f64>,
        /// What the jitter buffer aims at, milliseconds.
        buffer_target_ms: f64,
        /// How long packets wait in the jitter buffer lately, milliseconds.
        buffer_delay_ms: f64,
        /// Milliseconds of sound put in to lengthen that delay.
        stretched_ms: u64,
        /// Milliseconds of sound left out to shorten it.
        skipped_ms: u64,
        /// Milliseconds of lost sound rebuilt from the deep redundancy of later packets (feature `dred`).
        rebuilt_ms: u64,
        /// Mouth-to-ear delay by stage, a `Stages`.
        stages_ms: Py<Stages>,
        /// Level of the microphone, dBFS (RMS of the last frame), −127 for silence.
        level_in_dbfs: f32,
        /// Level of what is heard, dBFS, −127 for silence.
        level_out_dbfs: f32,
        /// Whether the microphone of this side has given nothing but digital silence, the same value
        /// over and over, for a second though it is not muted. The peer is told: `MediaSilent`.
        digital_silence: bool,
        /// Local and remote address of the path in use; `None` without one.
        path: Option<(String, String)>,
        /// Datagrams from the network that made no sense to this call.
        dropped: u64,
        /// Milliseconds of sound that passed unread (manual PCM, nobody reading for 200 ms).
        unread_ms: u64,
        /// The quality in one word, a `Quality`.
        quality: Py<PyAny>,
        /// From placing or ringing to the answer, milliseconds; `None` until then.
        answer_ms: Option<f64>,
        /// From placing or ringing to the first sound of the peer at playout, milliseconds; `None`
        /// until then.
        first_audio_ms: Option<f64>,
        /// Bits per second that the encoder makes of the microphone's sound: as configured, or less
        /// while the line is too narrow for that.
        bitrate: u32,
        /// Packets of the microphone's sound that the peer missed of late, by its own word, percent.
        peer_loss_pct: f64,
        /// The jitter buffer second by second, a minute at most, oldest first: a tuple of
        /// `JitterSecond`.
        history: Py<PyTuple>,
    }
}

impl CallStats {
    pub(crate) fn new(py: Python<'_>, stats: voip_core::CallStats) -> PyResult<Self> {
        let stages = stats.stages_ms;
        let seconds = stats.history.iter().map(|second| Py::new(py, JitterSecond::from(second)));
        let history = seconds.collect::<PyResult<Vec<_>>>()?;
        let stages = Stages {
            capture: stages.capture,
            encode: stages.encode,
            network: stages.network,
            buffer: stages.buffer,
            decode: stages.decode,
            playout: stages.playout,
        };
        Ok(CallStats {
            packets_sent: stats.packets_sent,
            bytes_sent: stats.bytes_sent,
            packets_received: stats.packets_received,
            bytes_received: stats.bytes_received,
            packets_lost: stats.packets_lost,
            packets_late: stats.packets_late,
            packets_duplicate: stats.packets_duplicate,
            packets_recovered: stats.packets_recovered,
            packets_repeated: stats.packets_repeated,
            loss_pct: stats.loss_pct,
            concealed_pct: stats.concealed_pct,
            jitter_ms: stats.jitter_ms,
            rtt_ms: stats.rtt_ms,
            buffer_target_ms: stats.buffer_target_ms,
            buffer_delay_ms: stats.buffer_delay_ms,
            stretched_ms: stats.stretched_ms,
            skipped_ms: stats.skipped_ms,
            rebuilt_ms: stats.rebuilt_ms,
            stages_ms: Py::new(py, stages)?,
            level_in_dbfs: stats.level_in_dbfs,
            level_out_dbfs: stats.level_out_dbfs,
            digital_silence: stats.digital_silence,
            path: stats.path.map(|(local, remote)| (local.to_string(), remote.to_string())),
            dropped: stats.dropped,
            unread_ms: stats.unread_ms,
            quality: enums::member(py, "Quality", stats.quality)?,
            answer_ms: stats.answer_ms,
            first_audio_ms: stats.first_audio_ms,
            bitrate: stats.bitrate,
            peer_loss_pct: stats.peer_loss_pct,
            history: PyTuple::new(py, history)?.unbind(),
        })
    }
}

record! {
    /// Statistics of a node.
    NodeStats {
        /// Datagrams that belonged to no call and no request.
        datagrams_dropped: u64,
        /// Signalling that was forged, stale, replayed or made no sense.
        signals_dropped: u64,
        /// Messages of trackers that made no sense, answered nothing, or held a record whose
        /// signature does not hold.
        tracker_messages_dropped: u64,
        /// Nodes of the mesh that this one is linked to and exchanges messages with.
        neighbors: u32,
        /// Messages of the mesh that were malformed, forged, stale, unknown, unasked for, or too many.
        mesh_messages_dropped: u64,
        /// Whether the operating system gave the engine real-time priority.
        realtime: bool,
        /// Events dropped because nobody read them.
        events_dropped: u64,
        /// When sample 0 of the microphone was captured: microseconds since 1970-01-01 UTC, with
        /// `audio=voip.Wav(…)` and `audio=None`, once a call has started them; else `None`.
        capture_started_unix_us: Option<u64>,
        /// When sample 0 was played, counting back from later ones: within the first seconds of a
        /// call playout may move by some milliseconds. `None` as before.
        playout_started_unix_us: Option<u64>,
        /// The microphone in use, a `DeviceStats`, with `audio=voip.Devices(…)` and while a call wants
        /// sound; else `None`.
        microphone: Option<Py<DeviceStats>>,
        /// The loudspeaker in use, likewise.
        loudspeaker: Option<Py<DeviceStats>>,
    }
}

impl NodeStats {
    pub(crate) fn new(py: Python<'_>, stats: voip_core::NodeStats) -> PyResult<Self> {
        let device = |device: Option<voip_core::DeviceStats>| {
            device.map(|device| Py::new(py, DeviceStats::new(py, device)?)).transpose()
        };
        Ok(NodeStats {
            datagrams_dropped: stats.datagrams_dropped,
            signals_dropped: stats.signals_dropped,
            tracker_messages_dropped: stats.tracker_messages_dropped,
            neighbors: stats.neighbors,
            mesh_messages_dropped: stats.mesh_messages_dropped,
            realtime: stats.realtime,
            events_dropped: stats.events_dropped,
            capture_started_unix_us: stats.capture_started_unix_us,
            playout_started_unix_us: stats.playout_started_unix_us,
            microphone: device(stats.microphone)?,
            loudspeaker: device(stats.loudspeaker)?,
        })
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Stages>()?;
    module.add_class::<JitterSecond>()?;
    module.add_class::<CallStats>()?;
    module.add_class::<NodeStats>()
}
