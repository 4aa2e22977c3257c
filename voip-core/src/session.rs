//! One peer-to-peer connection: ICE (RFC 8445), DTLS-SRTP (RFC 5764), RTP and one data channel
//! (RFC 8831). Wraps `str0m`, which is sans-IO itself, in the project's own time and types.
//!
//! Contract: after every call that changes something the session has already drained the wrapped
//! machine; the caller empties [`Session::poll`] and sleeps until [`Session::next_timeout`].
//! Whatever arrives from the network is dropped and counted when it makes no sense.

mod description;
mod dtls;
mod guard;
mod held;
mod path;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::config::DtlsVersion;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionMap, ExtensionValues, RtpPacket, RtpWrite};
use str0m::rtp::{RedBlock, RedDecoder, RedEncoder, RedundantBlock};
use str0m::{Event, IceConnectionState, Input, Output, Rtc, RtcConfig, RtcError};

pub(crate) use description::{LocalCandidate, candidate_lines};
use guard::{Guard, Side};
use held::Held;

use crate::id::{RtpTimestamp, SequenceNumber, Ssrc};
use crate::time::{Duration, Epoch, Instant};
use crate::wire::stun::is_stun;

/// Messages on the data channel are short; a longer one is dropped.
const MAX_DATA_MESSAGE: usize = 16 * 1024;
/// How often the round-trip time is read from the wrapped machine.
const STATS_INTERVAL: Duration = Duration::from_millis(500);
/// Earlier payloads that are taken from one packet (RFC 2198); a sender of ours puts in one.
const MOST_REPEATED: usize = 4;
/// Datagrams and events that wait for the caller; it empties them after each call.
const MAX_OUTPUTS: usize = 4096;

/// Why a session could not be made from a description. Private: the engine turns it into the
/// reason with which the call ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("session description refused: {0}")]
    Description(String),
    #[error("session layer: {0}")]
    Layer(String),
}

impl From<RtcError> for SessionError {
    fn from(e: RtcError) -> Self {
        SessionError::Layer(e.to_string())
    }
}

/// What a session wants done or has to tell.
#[derive(Debug)]
pub(crate) enum SessionOutput {
    /// Send this datagram from the local address `source`.
    Transmit { source: SocketAddr, destination: SocketAddr, contents: Vec<u8> },
    /// Keys are agreed and the peer's certificate is the one that was signed for.
    Connected,
    /// One RTP packet arrived and was authentic.
    Rtp(IncomingRtp),
    /// A message on the data channel.
    Message(Vec<u8>),
    /// The data channel is open.
    ChannelOpen,
    /// No path at present; ICE goes on trying.
    PathLost,
    /// There is a path again.
    PathBack,
    /// The connection is over: closed `by_peer`, or broken.
    Closed { by_peer: bool },
}

/// What the jitter buffer needs of an RTP packet (RFC 3550 §5.1).
#[derive(Debug)]
pub(crate) struct IncomingRtp {
    pub(crate) ssrc: Ssrc,
    pub(crate) sequence: SequenceNumber,
    pub(crate) timestamp: RtpTimestamp,
    pub(crate) arrival: Instant,
    pub(crate) payload: Arc<[u8]>,
    /// Earlier payloads that it carries once more.
    pub(crate) repeated: Vec<Repeated>,
}

/// A payload that was sent before (RFC 2198).
#[derive(Debug)]
pub(crate) struct Repeated {
    /// How much older it is than the one that carries it, in samples.
    pub(crate) age: u32,
    pub(crate) payload: Vec<u8>,
}

/// One RTP packet to send.
pub(crate) struct OutgoingRtp<'a> {
    pub(crate) timestamp: RtpTimestamp,
    pub(crate) payload: &'a [u8],
    /// An earlier payload to send once more, and by how many samples it is older (RFC 2198).
    pub(crate) repeated: Option<(u32, &'a [u8])>,
    /// First packet after silence (RFC 3551 §4.1).
    pub(crate) marker: bool,
    /// Level in −dBov, 0 loudest to −127 (RFC 6464).
    pub(crate) level: i8,
    pub(crate) voice: bool,
}

/// Counters of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionStats {
    pub(crate) packets_sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) packets_received: u64,
    pub(crate) bytes_received: u64,
    /// Datagrams that were not for this session or made no sense.
    pub(crate) dropped: u64,
    pub(crate) rtt: Option<Duration>,
    /// Local and remote address of the path in use.
    pub(crate) path: Option<(SocketAddr, SocketAddr)>,
}

/// One end of a connection.
pub(crate) struct Session {
    rtc: Rtc,
    epoch: Epoch,
    guard: Guard,
    held: Held,
    pending: Option<SdpPendingOffer>,
    mid: Option<Mid>,
    payload_type: Option<Pt>,
    /// That of packets with earlier payloads.
    repeated_type: Option<Pt>,
    channel: Option<ChannelId>,
    channel_open: bool,
    sequence: u64,
    candidates: Vec<LocalCandidate>,
    /// Addresses of the peer that came after its description.
    added: BTreeSet<SocketAddr>,
    began: Instant,
    /// When sound or data came of the peer last.
    heard: Instant,
    connected: bool,
    path_lost: bool,
    closed: bool,
    timeout: Instant,
    outputs: VecDeque<SessionOutput>,
    stats: SessionStats,
}

impl Session {
    /// Starts as the one who calls. Returns the session and its description (SDP, RFC 8866).
    pub(crate) fn offer(
        now: Instant,
        epoch: Epoch,
        first_sequence: SequenceNumber,
        candidates: &[LocalCandidate],
    ) -> Result<(Session, String), SessionError> {
        contain(|| {
            let side = Side::Offers;
            let mut session = Session::new(now, epoch, side, first_sequence, candidates);
            let mut change = session.rtc.sdp_api();
            let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
            let channel = change.add_channel("voip".into());
            let (offer, pending) =
                change.apply().ok_or_else(|| SessionError::Layer("no change to offer".into()))?;
            session.mid = Some(mid);
            session.channel = Some(channel);
            session.pending = Some(pending);
            session.drain()?;
            let mut description = session.guard.describe(offer.to_sdp_string());
            description::let_answerer_lead(&mut description);
            Ok((session, description))
        })
    }

    /// Starts as the one who is called, from the caller's description. Returns the answer.
    pub(crate) fn answer(
        now: Instant,
        epoch: Epoch,
        first_sequence: SequenceNumber,
        candidates: &[LocalCandidate],
        offer: &str,
    ) -> Result<(Session, String), SessionError> {
        let parsed = description::parse_offer(offer)?;
        contain(|| {
            let side = Side::Answers;
            let mut session = Session::new(now, epoch, side, first_sequence, candidates);
            let answer = session.rtc.sdp_api().accept_offer(parsed)?;
            let mut description = session.guard.describe(answer.to_sdp_string());
            if description::answerer_leads(offer) {
                session.rtc.direct_api().set_ice_controlling(true);
                description::let_answerer_lead(&mut description);
            }
            session.guard.begin(offer);
            session.drain()?;
            session.step(now)?;
            Ok((session, description))
        })
    }

    /// The answer has come: connect.
    pub(crate) fn accept_answer(&mut self, now: Instant, answer: &str) -> Result<(), SessionError> {
        let parsed: SdpAnswer = description::parse_answer(answer)?;
        let pending = self
            .pending
            .take()
            .ok_or_else(|| SessionError::Description("no offer is pending".into()))?;
        contain(|| {
            if description::answerer_leads(answer) {
                self.rtc.direct_api().set_ice_controlling(false);
            }
            self.rtc.sdp_api().accept_answer(pending, parsed)?;
            self.guard.begin(answer);
            self.drain()?;
            self.step(now)
        })
    }

    fn new(
        now: Instant,
        epoch: Epoch,
        side: Side,
        first_sequence: SequenceNumber,
        candidates: &[LocalCandidate],
    ) -> Session {
        let mut extensions = ExtensionMap::empty();
        extensions.set(1, Extension::AudioLevel);
        extensions.set(4, Extension::RtpMid);
        let mut config = RtcConfig::new()
            .set_crypto_provider(dtls::provider())
            .clear_codecs()
            .enable_opus(true, true)
            .set_rtp_mode(true)
            .set_extension_map(extensions)
            .set_dtls_version(DtlsVersion::Auto)
            .set_snap_enabled(true)
            .set_stats_interval(Some(STATS_INTERVAL));
        // A lost first check costs one retransmission time (RFC 8445 §14.3); the default of
        // 250 ms would be heard.
        config.set_initial_stun_rto(Duration::from_millis(100));
        let mut rtc = config.build(epoch.std(now));
        for candidate in candidates {
            if let Some(c) = candidate.to_ice() {
                rtc.add_local_candidate(c);
            }
        }
        Session {
            rtc,
            epoch,
            guard: Guard::new(side),
            held: Held::default(),
            pending: None,
            mid: None,
            payload_type: None,
            repeated_type: None,
            channel: None,
            channel_open: false,
            // Below 2^15, so that the receiver's rollover counter starts right (RFC 3711 §3.3.1).
            sequence: u64::from(first_sequence.0 & 0x7fff),
            candidates: candidates.to_vec(),
            added: BTreeSet::new(),
            began: now,
            heard: now,
            connected: false,
            path_lost: false,
            closed: false,
            timeout: now,
            outputs: VecDeque::new(),
            stats: SessionStats::default(),
        }
    }

    /// Whether this datagram belongs here: ICE credentials for STUN, a proven address for the rest, or a tag.
    pub(crate) fn accepts(
        &self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) -> bool {
        self.takes(now, source, destination, datagram) || self.may_hold(datagram)
    }

    fn takes(
        &self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) -> bool {
        let Ok(receive) = Receive::new(Protocol::Udp, source, destination, datagram) else {
            return false;
        };
        self.rtc.accepts(&Input::Receive(self.epoch.std(now), receive))
    }

    /// A datagram came in. `destination` is the local address it was sent to.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) {
        if self.closed || !self.takes(now, source, destination, datagram) {
            return self.hold(source, destination, datagram);
        }
        let opened = self.guard.open(datagram);
        let received = opened.map(|d| Receive::new(Protocol::Udp, source, destination, d));
        let Some(Ok(receive)) = received else {
            self.stats.dropped += 1;
            return;
        };
        let input = Input::Receive(self.epoch.std(now), receive);
        // Checks of paths are no sign that the one in use works. (Whoever can forge the peer's address can keep up the
        // belief that it does, and no more.)
        if !is_stun(datagram) {
            self.heard = now;
        }
        self.guarded(|s| {
            s.rtc.handle_input(input)?;
            s.drain()
        });
        if is_stun(datagram) {
            self.release_held(now);
        }
    }

    /// When sound or data came of the peer last; the beginning, if nothing has.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// The clock has reached [`Session::next_timeout`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if now >= self.timeout && !self.closed {
            self.guarded(|s| s.step(now));
        }
    }

    /// When [`Session::handle_timeout`] wants to be called.
    pub(crate) fn next_timeout(&self) -> Instant {
        if self.closed { Instant::FAR_FUTURE } else { self.timeout }
    }

    /// Whether [`Session::poll`] has something to give.
    pub(crate) fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// Takes the next output.
    pub(crate) fn poll(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    /// Sends one packet of sound; dropped while not connected.
    pub(crate) fn send_rtp(&mut self, now: Instant, rtp: &OutgoingRtp<'_>) {
        if !self.connected || self.closed {
            return;
        }
        let (Some(mid), Some(pt)) = (self.mid, self.payload_type) else { return };
        self.sequence += 1;
        let sequence = self.sequence;
        let wallclock = self.epoch.std(now);
        let values = ExtensionValues {
            audio_level: Some(rtp.level),
            voice_activity: Some(rtp.voice),
            ..ExtensionValues::default()
        };
        let repeated = self.repeated_type.zip(rtp.repeated).map(|(both_type, (age, earlier))| {
            let pt = *pt;
            let earlier = RedundantBlock { pt, timestamp_offset: age, payload: earlier.to_vec() };
            (both_type, RedEncoder::encode(pt, rtp.payload, &[earlier]))
        });
        let (pt, payload) = match &repeated {
            Some((both_type, both)) => (*both_type, &both[..]),
            None => (pt, rtp.payload),
        };
        let write = RtpWrite::new(pt, sequence.into(), rtp.timestamp.0, wallclock, payload)
            .marker(rtp.marker)
            .ext_vals(values);
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += payload.len() as u64;
        self.guarded(|s| {
            if let Some(stream) = s.rtc.direct_api().stream_tx_by_mid(mid, None) {
                stream.write_rtp(write);
            }
            s.step(now)
        });
    }

    /// Sends a short message on the data channel. False if it is not open or full.
    pub(crate) fn send_message(&mut self, now: Instant, message: &[u8]) -> bool {
        if !self.channel_open || self.closed || message.len() > MAX_DATA_MESSAGE {
            return false;
        }
        let mut written = false;
        self.guarded(|s| {
            if let Some(mut channel) = s.channel.and_then(|id| s.rtc.channel(id)) {
                written = channel.write(false, message)?;
            }
            s.step(now)
        });
        written
    }

    /// Says goodbye (RTCP BYE, DTLS close_notify) and stops. What is left to poll is to be sent.
    pub(crate) fn close(&mut self, now: Instant) {
        if !self.closed {
            self.closed = true;
            self.guarded(|s| {
                s.rtc.close()?;
                s.step(now)
            });
        }
    }

    /// Whether [`SessionOutput::Connected`] has been given, and it is not over.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected && !self.closed
    }

    /// Whether messages can be sent.
    pub(crate) fn is_channel_open(&self) -> bool {
        self.channel_open
    }

    /// When it was made.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn stats(&self) -> &SessionStats {
        &self.stats
    }

    /// Lets the wrapped machine's clock advance to `now` and drains it.
    fn step(&mut self, now: Instant) -> Result<(), SessionError> {
        self.rtc.handle_input(Input::Timeout(self.epoch.std(now)))?;
        self.drain()
    }

    /// Runs `work`; an error or a panic of the wrapped machine ends this session only.
    fn guarded(&mut self, work: impl FnOnce(&mut Session) -> Result<(), SessionError>) {
        let result = contain(|| work(self));
        if let Err(error) = result {
            tracing::debug!(%error, "session ended");
            self.end(false);
        }
    }

    fn end(&mut self, by_peer: bool) {
        if !self.closed {
            self.closed = true;
            self.push(SessionOutput::Closed { by_peer });
        }
    }

    fn push(&mut self, output: SessionOutput) {
        if self.outputs.len() < MAX_OUTPUTS {
            self.outputs.push_back(output);
        } else {
            self.stats.dropped += 1;
        }
    }

    fn drain(&mut self) -> Result<(), SessionError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(t) => {
                    self.timeout = self.epoch.ours(t);
                    return Ok(());
                }
                Output::Transmit(t) => self.push(SessionOutput::Transmit {
                    source: t.source,
                    destination: t.destination,
                    contents: self.guard.seal(t.contents.into()),
                }),
                Output::Event(event) => self.handle_event(event),
            }
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.connected = true;
                let opus = self.rtc.codec_config().find(|p| p.spec().codec == Codec::Opus);
                self.payload_type = opus.map(|opus| opus.pt());
                self.repeated_type = opus.and_then(|opus| opus.red());
                self.push(SessionOutput::Connected);
            }
            Event::IceConnectionStateChange(state) => self.handle_ice_state(state),
            Event::MediaAdded(media) => self.mid = Some(media.mid),
            Event::RtpPacket(packet) => self.handle_rtp(packet),
            Event::ChannelOpen(id, _) => {
                self.channel = Some(id);
                self.channel_open = true;
                self.push(SessionOutput::ChannelOpen);
            }
            Event::ChannelData(data) if data.data.len() <= MAX_DATA_MESSAGE => {
                self.push(SessionOutput::Message(data.data));
            }
            Event::ChannelData(_) => self.stats.dropped += 1,
            Event::ChannelClose(_) => self.channel_open = false,
            Event::PeerStats(stats) => {
                if let Some(pair) = stats.selected_candidate_pair {
                    self.stats.rtt = pair.current_round_trip_time.or(self.stats.rtt);
                    self.stats.path = Some((pair.local.addr, pair.remote.addr));
                }
            }
            Event::Closed => self.end(true),
            _ => {}
        }
    }

    fn handle_ice_state(&mut self, state: IceConnectionState) {
        match state {
            IceConnectionState::Disconnected if !self.path_lost => {
                self.path_lost = true;
                self.push(SessionOutput::PathLost);
            }
            IceConnectionState::Connected | IceConnectionState::Completed if self.path_lost => {
                self.path_lost = false;
                self.push(SessionOutput::PathBack);
            }
            _ => {}
        }
    }

    fn handle_rtp(&mut self, packet: RtpPacket) {
        // Packets of padding alone (RFC 3550 §5.1) carry no sound.
        if packet.payload.is_empty() {
            return;
        }
        let bytes = packet.payload.len() as u64;
        let split = match Some(packet.header.payload_type) == self.repeated_type {
            true => self.split(&packet.payload),
            false => Some((packet.payload, Vec::new())),
        };
        let Some((payload, repeated)) = split else {
            self.stats.dropped += 1;
            return;
        };
        self.stats.packets_received += 1;
        self.stats.bytes_received += bytes;
        self.push(SessionOutput::Rtp(IncomingRtp {
            ssrc: Ssrc(*packet.header.ssrc),
            sequence: SequenceNumber(packet.header.sequence_number),
            timestamp: RtpTimestamp(packet.header.timestamp),
            arrival: self.epoch.ours(packet.timestamp),
            payload,
            repeated,
        }));
    }

    /// A packet's own payload and the earlier ones in it.
    fn split(&self, both: &[u8]) -> Option<(Arc<[u8]>, Vec<Repeated>)> {
        let pt = *self.payload_type?;
        let blocks = RedDecoder::decode(both).ok()?;
        let (own, earlier) = blocks.split_last()?;
        if own.pt != pt || own.payload.is_empty() {
            return None;
        }
        let repeated = |block: &RedBlock<'_>| Repeated {
            age: block.timestamp_offset,
            payload: block.payload.to_vec(),
        };
        // The newest come last.
        let earlier = earlier.iter().rev().filter(|block| block.pt == pt).map(repeated);
        Some((own.payload.into(), earlier.take(MOST_REPEATED).collect()))
    }
}

/// Makes the first use of the cryptography, which gathers entropy for some 30 ms, once per process.
/// Whoever does not want to wait for it in a call calls this before.
pub(crate) fn warm_up() {
    if str0m::crypto::from_feature_flags().dtls_provider.generate_certificate().is_none() {
        tracing::warn!("no DTLS certificate could be made");
    }
}

/// str0m treats panics as bugs of its own: such a bug must cost one call, not the program.
fn contain<T>(work: impl FnOnce() -> Result<T, SessionError>) -> Result<T, SessionError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(SessionError::Layer("the session layer panicked".into())))
}

#[cfg(test)]
mod tests;
