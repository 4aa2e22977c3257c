//! # Statistics of a call

use std::ffi::c_char;
use std::net::SocketAddr;

use voip_core::{CallStats, JitterSecond, Quality, Stages};

use crate::call::voip_call;
use crate::convert::{Form, filled, inline, same_variants};
use crate::handle::get;
use crate::node::VOIP_ADDRESS_SIZE;
use crate::status::voip_status;
use crate::wall::{Failure, guard};

/// The quality of a call in one word, from loss, concealment and delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_quality {
    /// Nothing has been heard yet.
    Unknown = 0,
    /// Under 1 % concealed and under 150 ms one way (ITU-T G.114).
    Good = 1,
    /// Under 5 % concealed and under 400 ms.
    Fair = 2,
    /// Worse.
    Poor = 3,
}
same_variants!(Quality, voip_quality, "voip_quality": Unknown, Good, Fair, Poor);

/// Mouth-to-ear delay by stage, milliseconds, for the first sample of a packet. It never grows: a
/// stage of a later release is a member of `voip_call_stats`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_stages {
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
    /// The sum: mouth to ear.
    pub total: f64,
}

/// Statistics of one call. A time that is not known yet is NaN.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_call_stats {
    /// In: sizeof(voip_call_stats).
    pub size: usize,
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
    /// Lost packets that in-band FEC (RFC 6716, section 2.1.7) brought back.
    pub packets_recovered: u64,
    /// Packets that did not come, or not in time, and were played as they came once more in a later one
    /// (RFC 2198).
    pub packets_repeated: u64,
    /// Datagrams from the network that made no sense to this call.
    pub dropped: u64,
    /// Milliseconds of sound that passed unread (manual PCM, nobody reading for 200 ms).
    pub unread_ms: u64,
    /// Milliseconds of sound put in to lengthen the delay of the jitter buffer.
    pub stretched_ms: u64,
    /// Milliseconds of sound left out to shorten it.
    pub skipped_ms: u64,
    /// Milliseconds of lost sound rebuilt from the deep redundancy of later packets (feature `dred`).
    pub rebuilt_ms: u64,
    /// Lost packets, per cent of those expected.
    pub loss_pct: f64,
    /// Sound that was made up, per cent of the sound played.
    pub concealed_pct: f64,
    /// Interarrival jitter (RFC 3550, section 6.4.1), milliseconds.
    pub jitter_ms: f64,
    /// Round-trip time by ICE, milliseconds, or NaN.
    pub rtt_ms: f64,
    /// What the jitter buffer aims at, milliseconds.
    pub buffer_target_ms: f64,
    /// How long packets wait in the jitter buffer lately, milliseconds.
    pub buffer_delay_ms: f64,
    /// From placing or ringing to the answer, milliseconds, or NaN.
    pub answer_ms: f64,
    /// From placing or ringing to the first sound of the peer at playout, milliseconds, or NaN.
    pub first_audio_ms: f64,
    /// Packets of the microphone's sound that the peer missed of late, by its own word, per cent.
    pub peer_loss_pct: f64,
    /// Mouth-to-ear delay by stage.
    pub stages_ms: voip_stages,
    /// Level of the microphone, dBFS (RMS of the last frame), -127 for silence.
    pub level_in_dbfs: f32,
    /// Level of what is heard, dBFS, -127 for silence.
    pub level_out_dbfs: f32,
    /// Bits per second that the encoder makes of the microphone's sound: as configured, or less while
    /// the line is too narrow for that.
    pub bitrate: u32,
    /// The quality in one word.
    pub quality: voip_quality,
    /// Whether the microphone of this side has given nothing but digital silence, the same value
    /// over and over, for a second though it is not muted. The peer is told.
    pub digital_silence: bool,
    /// Local address of the path in use, "ip:port"; "" without one.
    pub path_local: [c_char; VOIP_ADDRESS_SIZE],
    /// Remote address of the path in use, "ip:port"; "" without one.
    pub path_remote: [c_char; VOIP_ADDRESS_SIZE],
}

filled!(voip_call_stats, path_remote, path_remote);

impl From<Stages> for voip_stages {
    fn from(stages: Stages) -> voip_stages {
        voip_stages {
            capture: stages.capture,
            encode: stages.encode,
            network: stages.network,
            buffer: stages.buffer,
            decode: stages.decode,
            playout: stages.playout,
            total: stages.total(),
        }
    }
}

impl From<CallStats> for voip_call_stats {
    fn from(stats: CallStats) -> voip_call_stats {
        let known = |ms: Option<f64>| ms.unwrap_or(f64::NAN);
        let (local, remote) = stats.path.unzip();
        let address = |address: Option<SocketAddr>| match address {
            Some(address) => inline(&address.to_string()),
            None => inline(""),
        };
        voip_call_stats {
            size: size_of::<voip_call_stats>(),
            packets_sent: stats.packets_sent,
            bytes_sent: stats.bytes_sent,
            packets_received: stats.packets_received,
            bytes_received: stats.bytes_received,
            packets_lost: stats.packets_lost,
            packets_late: stats.packets_late,
            packets_duplicate: stats.packets_duplicate,
            packets_recovered: stats.packets_recovered,
            packets_repeated: stats.packets_repeated,
            dropped: stats.dropped,
            unread_ms: stats.unread_ms,
            stretched_ms: stats.stretched_ms,
            skipped_ms: stats.skipped_ms,
            rebuilt_ms: stats.rebuilt_ms,
            loss_pct: stats.loss_pct,
            concealed_pct: stats.concealed_pct,
            jitter_ms: stats.jitter_ms,
            rtt_ms: known(stats.rtt_ms),
            buffer_target_ms: stats.buffer_target_ms,
            buffer_delay_ms: stats.buffer_delay_ms,
            answer_ms: known(stats.answer_ms),
            first_audio_ms: known(stats.first_audio_ms),
            peer_loss_pct: stats.peer_loss_pct,
            stages_ms: stats.stages_ms.into(),
            level_in_dbfs: stats.level_in_dbfs,
            level_out_dbfs: stats.level_out_dbfs,
            bitrate: stats.bitrate,
            quality: stats.quality.into(),
            digital_silence: stats.digital_silence,
            path_local: address(local),
            path_remote: address(remote),
        }
    }
}

/// A second in the life of a call's jitter buffer.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_jitter_second {
    /// In: sizeof(voip_jitter_second).
    pub size: usize,
    /// What was aimed at when it ended, milliseconds over the fastest packet.
    pub target_ms: f64,
    /// How long packets waited when it ended, milliseconds.
    pub delay_ms: f64,
    /// Milliseconds of sound made up; a gap counts in the second in which it turns out to be none of
    /// silence.
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

filled!(voip_jitter_second, late, late);

impl From<&JitterSecond> for voip_jitter_second {
    fn from(second: &JitterSecond) -> voip_jitter_second {
        voip_jitter_second {
            size: size_of::<voip_jitter_second>(),
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

/// The jitter buffer in one second of the last minute, `ago` seconds ago: 0 is the last whole one. At
/// most 0.2 s old: whoever reads several should do so at once. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` beyond the minute, or before the call's sound began.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_get_second(
    call: *const voip_call,
    ago: usize,
    second: *mut voip_jitter_second,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let form = unsafe { Form::new("second", second) }?;
        let history = get(call)?.stats().history;
        let found = history.iter().rev().nth(ago);
        let found = found.ok_or_else(|| Failure::argument("ago: nothing is known so far back"))?;
        // SAFETY: The caller vouches for it.
        unsafe { form.fill(found.into()) };
        Ok(())
    })
}

/// Statistics, at most 0.2 s old, and the final ones of a call that is over. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_get_stats(
    call: *const voip_call,
    stats: *mut voip_call_stats,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let form = unsafe { Form::new("stats", stats) }?;
        let stats = get(call)?.stats();
        // SAFETY: The caller vouches for it.
        unsafe { form.fill(stats.into()) };
        Ok(())
    })
}
