//! Sound of calls: microphone to sessions, sessions to playout, mute, and what can be read off it.

use crate::error::Error;
use crate::event::Event;
use crate::frame::AudioFrame;
use crate::id::RtpTimestamp;
use crate::session::{IncomingRtp, OutgoingRtp, Repeated};
use crate::stats::{CallStats, Stages};
use crate::time::{Duration, Instant, millis};
use crate::voice::{Egress, Ingress, StreamKey};
use crate::wire::channel::ChannelMessage;

use super::call::{Call, LAG_EVERY, LAG_SLACK};
use super::{CallKey, Engine, Output, Stopwatch};

impl Engine {
    /// Sound of the node's microphone for every connected call, 48 kHz, any count of samples;
    /// `captured` is when the last was in the air.
    pub(crate) fn handle_mic(&mut self, now: Instant, captured: Instant, samples: &[f32]) {
        for call in self.calls.values_mut() {
            call.speak(now, captured, samples, &mut *self.stopwatch);
        }
        self.drain_sessions(now);
        self.drain(now);
    }

    /// Sound for one call, 48 kHz, any count of samples; `now` is when the last was captured.
    pub(crate) fn handle_write(&mut self, now: Instant, key: CallKey, samples: &[f32]) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.speak(now, now, samples, &mut *self.stopwatch);
        self.drain_session(now, key);
        self.drain(now);
    }

    /// 10 ms for the node's loudspeaker: all calls, mixed.
    pub(crate) fn handle_playout(&mut self, now: Instant, out: &mut AudioFrame) {
        let before = self.stopwatch.nanos();
        self.ingress.get(now, out);
        let nanos = self.stopwatch.nanos().wrapping_sub(before);
        for (key, call) in &mut self.calls {
            if call.played(now, nanos, &self.ingress) {
                self.outputs.push_back(Output::Event(Event::FirstAudio { call: *key }));
            }
        }
    }

    /// 10 ms of one call alone; silence while it is not connected.
    pub(crate) fn handle_read(&mut self, now: Instant, key: CallKey, out: &mut AudioFrame) {
        let stream = self.calls.get(&key).and_then(|c| c.stream);
        let before = self.stopwatch.nanos();
        match stream {
            Some(stream) => {
                self.ingress.get_one(stream, now, out);
            }
            None => *out = AudioFrame::SILENCE,
        }
        let nanos = self.stopwatch.nanos().wrapping_sub(before);
        let call = self.calls.get_mut(&key);
        if call.is_some_and(|c| c.played(now, nanos, &self.ingress)) {
            self.emit(Event::FirstAudio { call: key });
        }
    }

    /// Whether there is a stream of the peer's to read.
    pub(crate) fn has_sound(&self, key: CallKey) -> bool {
        self.calls.get(&key).is_some_and(|c| c.stream.is_some())
    }

    /// By how much later all further reads of this call should come; mostly zero.
    ///
    /// The phase of reads is chance at first. When the line is known, reads that come just before
    /// packets usually arrive move to just after: that saves most of a block. Should the line turn
    /// out worse than it looked, a later move makes up for it. Moves become rarer and rarer: two
    /// programs that write when they have read would else follow each other for ever.
    pub(crate) fn take_read_lag(&mut self, key: CallKey) -> Duration {
        let Some(call) = self.calls.get_mut(&key) else { return Duration::ZERO };
        let Some(stream) = call.stream else { return Duration::ZERO };
        let packets = call.session.as_ref().map_or(0, |s| s.stats().packets_received);
        if packets < call.lag_after {
            return Duration::ZERO;
        }
        let lag = self.ingress.best_lag(stream);
        if lag.is_zero() {
            call.lag_after = packets + LAG_EVERY;
            return lag;
        }
        call.lag_moves += 1;
        call.lag_after = packets + (LAG_EVERY << call.lag_moves.min(16));
        lag + LAG_SLACK
    }

    pub(super) fn handle_rtp(&mut self, now: Instant, key: CallKey, rtp: &IncomingRtp) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if *call.ssrc.get_or_insert(rtp.ssrc) != rtp.ssrc {
            self.stats.datagrams_dropped += 1;
        } else if let Some(stream) = call.stream {
            call.silence.packet(now, rtp.sequence);
            call.path.sound(now);
            let IncomingRtp { arrival, sequence, timestamp, .. } = *rtp;
            self.ingress.insert(stream, arrival, sequence, timestamp, &rtp.payload);
            for Repeated { age, payload } in &rtp.repeated {
                self.ingress.insert_repeated(stream, arrival, sequence, *age, payload);
            }
            self.report(now, key);
            self.watch_silence(now, key);
        }
    }

    /// Makes the road of a call that has just been connected.
    pub(super) fn start_media(&mut self, key: CallKey) -> Result<(), Error> {
        let encoder = self.config.codec.encoder(&self.config.encoder)?;
        let decoder = self.config.codec.decoder()?;
        let start = RtpTimestamp(self.random.next_u32());
        let mut egress = Egress::new(encoder, &self.config.encoder, start);
        self.next_stream = self.next_stream.wrapping_add(1);
        let stream = StreamKey(self.next_stream);
        self.ingress.add(stream, decoder);
        if let Some(call) = self.calls.get_mut(&key) {
            egress.set_muted(call.muted);
            call.egress = Some(egress);
            call.stream = Some(stream);
        }
        Ok(())
    }

    pub(super) fn set_muted(&mut self, now: Instant, key: CallKey, muted: bool) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.muted = muted;
        if let Some(egress) = &mut call.egress {
            egress.set_muted(muted);
        }
        self.tell_muted(now, key);
    }

    /// The channel opens after the sound: say what was said before it was there.
    pub(super) fn channel_open(&mut self, now: Instant, key: CallKey) {
        if !self.calls.get(&key).is_some_and(Call::is_answered) {
            return;
        }
        self.reveal(now, key);
        let Some(call) = self.calls.get_mut(&key) else { return };
        if self.config.encoder.dtx
            && let Some(session) = &mut call.session
        {
            session.send_message(now, &ChannelMessage::Discontinuous.to_bytes());
        }
        if call.muted {
            self.tell_muted(now, key);
        } else {
            self.drain_session(now, key);
        }
    }

    fn tell_muted(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let message = ChannelMessage::Muted { muted: call.muted }.to_bytes();
        if let Some(session) = &mut call.session {
            session.send_message(now, &message);
        }
        self.drain_session(now, key);
    }

    pub(super) fn handle_message(&mut self, now: Instant, key: CallKey, message: &[u8]) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if !call.is_answered() {
            return self.handle_early_message(now, key, message);
        }
        match ChannelMessage::parse(message) {
            Some(ChannelMessage::Report(report)) => call.reported(now, &report.into()),
            Some(ChannelMessage::Muted { muted }) => call.silence.peer_muted(now, muted),
            Some(ChannelMessage::DigitalSilence { silent }) => call.silence.digital_silence(silent),
            Some(ChannelMessage::Discontinuous) => call.silence.discontinuous(),
            Some(ChannelMessage::Reveal { sas_nonce }) => self.revealed(now, key, sas_nonce),
            Some(ChannelMessage::Alive | ChannelMessage::Answer { .. }) => {}
            Some(ChannelMessage::Unknown) | None => self.stats.signals_dropped += 1,
        }
        self.watch_silence(now, key);
    }

    /// Statistics of a call up to now.
    pub(crate) fn call_stats(&self, key: CallKey) -> Option<CallStats> {
        let call = self.calls.get(&key)?;
        let mut stats = CallStats {
            answer_ms: call.answered.map(|t| millis(t.since(call.began))),
            first_audio_ms: call.first_audio.map(|t| millis(t.since(call.began))),
            level_in_dbfs: call.egress.as_ref().map_or(-127.0, |e| e.level().rms),
            level_out_dbfs: -127.0,
            digital_silence: call.egress.as_ref().is_some_and(Egress::digital_silence),
            ..CallStats::default()
        };
        if let Some(session) = &call.session {
            let s = session.stats();
            stats.packets_sent = s.packets_sent;
            stats.bytes_sent = s.bytes_sent;
            stats.packets_received = s.packets_received;
            stats.bytes_received = s.bytes_received;
            stats.dropped = s.dropped;
            stats.bitrate = call.egress.as_ref().map_or(0, Egress::bitrate);
            stats.peer_loss_pct = call.reports.peer_loss_pct();
            stats.rtt_ms = s.rtt.map(millis);
            stats.path = s.path;
        }
        if let Some(stream) = call.stream {
            self.add_stream_stats(stream, &mut stats);
        }
        stats.stages_ms = self.stages(call, &stats);
        stats.judge();
        Some(stats)
    }

    fn add_stream_stats(&self, stream: StreamKey, stats: &mut CallStats) {
        if let Some(level) = self.ingress.level(stream) {
            stats.level_out_dbfs = level.rms;
        }
        stats.history = self.ingress.history(stream);
        let Some(jitter) = self.ingress.stats(stream) else { return };
        stats.packets_lost = jitter.lost;
        stats.packets_late = jitter.late;
        stats.packets_duplicate = jitter.duplicate;
        stats.packets_recovered = jitter.recovered;
        stats.packets_repeated = jitter.repeated;
        let expected = jitter.inserted + jitter.lost;
        stats.loss_pct = 100.0 * jitter.lost as f64 / expected.max(1) as f64;
        stats.concealed_pct = jitter.concealed_percent();
        stats.jitter_ms = millis(jitter.jitter);
        stats.buffer_target_ms = millis(jitter.target_delay);
        stats.buffer_delay_ms = millis(jitter.delay);
        stats.stretched_ms = jitter.inserted_samples / 48;
        stats.skipped_ms = jitter.removed_samples / 48;
        stats.rebuilt_ms = jitter.rebuilt_samples / 48;
        stats.stages_ms.buffer = millis(jitter.mean_delay);
    }

    fn stages(&self, call: &Call, stats: &CallStats) -> Stages {
        let lookahead = call.egress.as_ref().map_or(Duration::ZERO, Egress::lookahead);
        Stages {
            capture: f64::from(self.config.encoder.frame.millis()) + call.stages.capture_ms(),
            encode: call.stages.encode_ms() + millis(lookahead),
            network: stats.rtt_ms.unwrap_or(0.0) / 2.0,
            decode: call.stages.decode_ms(),
            playout: millis(self.playout_delay),
            ..stats.stages_ms
        }
    }
}

impl Call {
    /// Sound whose last sample was in the air at `captured`: what makes complete frames is sent.
    fn speak(
        &mut self,
        now: Instant,
        captured: Instant,
        samples: &[f32],
        stopwatch: &mut dyn Stopwatch,
    ) {
        if !self.is_connected() {
            return;
        }
        let (Some(egress), Some(session)) = (&mut self.egress, &mut self.session) else { return };
        let encoded = egress.stats().encoded;
        let before = stopwatch.nanos();
        egress.push(captured, samples);
        let after = stopwatch.nanos();
        if egress.stats().encoded > encoded {
            self.stages.encoded(after.wrapping_sub(before));
        }
        while let Some(packet) = egress.next_packet() {
            self.stages.captured(now.since(packet.captured_at));
            session.send_rtp(
                now,
                &OutgoingRtp {
                    timestamp: packet.timestamp,
                    payload: packet.payload,
                    repeated: packet.repeated,
                    marker: packet.marker,
                    level: -(packet.level.min(127) as i8),
                    voice: packet.voice,
                },
            );
        }
        let silent = egress.digital_silence();
        if silent != self.told_digital_silence {
            let message = ChannelMessage::DigitalSilence { silent }.to_bytes();
            // Said again with the next samples if the channel is not open yet.
            if session.send_message(now, &message) {
                self.told_digital_silence = silent;
            }
        }
    }

    /// A block was played, which took `nanos`. True if it was the first with sound of this call.
    fn played(&mut self, now: Instant, nanos: u64, ingress: &Ingress) -> bool {
        let Some(stream) = self.stream else { return false };
        self.stages.decoded(nanos);
        let heard = self.first_audio.is_none()
            && ingress.stats(stream).is_some_and(|s| s.total_samples > 0);
        if heard {
            self.first_audio = Some(now);
        }
        heard
    }
}
