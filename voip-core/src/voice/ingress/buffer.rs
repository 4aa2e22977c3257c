//! The jitter buffer: packets in whenever they come, 10 ms of sound out whenever asked.
//!
//! Packets are put in [`order`], kept in a [`store`], and their [`transit`] times watched, from which
//! follows the [`target`], the delay to aim at. Playing, the buffer takes the packet at its position,
//! else the copy of it that the next packet carries, else what a later packet's deep redundancy describes, else has
//! the decoder make something up. While
//! nothing newer has come, media time stands still meanwhile: what is late is played late and not
//! lost, and what was made up stands for what turns out to be lost. Delay that is too much or too little
//! then is stretched away, in quiet if there is time.

mod history;
mod next;
mod order;
mod report;
mod stats;
mod store;
mod target;
mod transit;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use stats::{JitterConfig, JitterStats};
pub(super) use transit::Transit;

use self::history::History;
use self::order::{Arrived, Order, Place};
use self::report::Reporter;
use self::store::{LONGEST, Packet, Store};
use super::decode::FrameDecoder;
use super::playout::{Playout, media_micros};
use super::stretch::ENOUGH;
use crate::error::Error;
use crate::frame::AudioFrame;
use crate::id::{RtpTimestamp, SequenceNumber};
use crate::stats::JitterSecond;
use crate::time::{Duration, Instant};
use crate::voice::codec::{Decode, Deep, PacketInfo};
use crate::voice::opus::Decoder;
use crate::voice::report::Report;

/// Starting, packets are skipped only if that saves more delay than this: 400 ms. What was said before is
/// heard late rather than never, and the delay comes down in the next pauses.
const WORTH_SKIPPING: i64 = 400_000;

/// One RTP stream's way from packets to sound: reordering, loss recovery, adaptive delay, decoding.
///
/// Time is an argument, and any clock will do as long as arrivals and calls for sound use the same.
///
/// ```
/// use voip_core::{AudioFrame, Decoder, Encoder, EncoderConfig, Instant, JitterBuffer};
/// use voip_core::{JitterConfig, RtpTimestamp, SequenceNumber};
///
/// # fn main() -> Result<(), voip_core::Error> {
/// let mut encoder = Encoder::new(&EncoderConfig::default())?;
/// let mut packet = [0; voip_core::MAX_PAYLOAD];
/// let len = encoder.encode(&[0.1; 960], &mut packet)?;
///
/// let mut buffer = JitterBuffer::new(&JitterConfig::default(), Decoder::new()?)?;
/// buffer.insert(Instant::ZERO, SequenceNumber(7), RtpTimestamp(1234), &packet[..len]);
/// let mut block = AudioFrame::SILENCE;
/// buffer.get(Instant::from_micros(3_000), &mut block);
/// assert_eq!(buffer.stats().total_samples, 480);
/// # Ok(())
/// # }
/// ```
pub struct JitterBuffer {
    order: Order,
    store: Store,
    transit: Transit,
    reporter: Reporter,
    decoder: FrameDecoder,
    /// The packet inserted last, if it was one of the stream and new.
    carrier: Option<(SequenceNumber, Place)>,
    /// `None` in silence: before the first packet, and after sound has ended.
    playout: Option<Playout>,
    played: Option<Played>,
    /// Media time that playing passed before it ended last: of what lies before, nothing is said any more.
    passed: i64,
    /// Samples made up in a row while nothing newer came: media time stood still.
    held: usize,
    /// Samples played, and those of them that were silence that was not sent, or may have been.
    taken: u64,
    silent: u64,
    /// Samples made up since the last packet came: loss, or silence that was not sent?
    unexplained: u64,
    max_delay: Duration,
    counts: JitterStats,
    history: History,
    waited: Waited,
}

/// The packet played last.
#[derive(Clone, Copy)]
struct Played {
    sequence: i64,
    /// Media time after its last sample.
    end: i64,
}

impl Played {
    /// True if the sender sent nothing between this and the packet at `next`, for there was only
    /// silence: the numbers follow, the timestamps do not.
    fn silence_until(self, next: Place) -> bool {
        next.sequence == self.sequence + 1 && next.start > self.end
    }
}

#[derive(Default)]
struct Waited {
    packets: u64,
    sum: Duration,
    lately: Duration,
}

impl Waited {
    fn observe(&mut self, wait: Duration) {
        self.lately = if self.packets == 0 { wait } else { (15 * self.lately + wait) / 16 };
        self.packets += 1;
        self.sum += wait;
    }

    fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.sum.as_secs_f64() / self.packets.max(1) as f64)
    }
}

impl JitterBuffer {
    /// An empty buffer in front of a decoder.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for an option out of its
    /// range.
    pub fn new(config: &JitterConfig, decoder: Decoder) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self::with_codec(config, Box::new(decoder)))
    }

    pub(crate) fn with_codec(config: &JitterConfig, codec: Box<dyn Decode>) -> Self {
        JitterBuffer {
            order: Order::default(),
            store: Store::new(),
            transit: Transit::new(config.min_delay..=config.max_delay, config.quality),
            reporter: Reporter::default(),
            decoder: FrameDecoder::new(codec),
            carrier: None,
            playout: None,
            played: None,
            passed: i64::MIN,
            held: 0,
            taken: 0,
            silent: 0,
            unexplained: 0,
            max_delay: config.max_delay,
            counts: JitterStats::default(),
            history: History::new(),
            waited: Waited::default(),
        }
    }

    /// Takes a packet that arrived at `arrival`. Whatever it contains, the worst that happens is
    /// that it is counted and dropped.
    pub fn insert(
        &mut self,
        arrival: Instant,
        sequence: SequenceNumber,
        timestamp: RtpTimestamp,
        payload: &[u8],
    ) {
        self.counts.inserted += 1;
        self.carrier = None;
        let info = self.decoder.inspect(payload);
        let Some(info) = info.filter(|_| payload.len() <= LONGEST) else {
            self.counts.discarded += 1;
            return;
        };
        let place = match self.order.place(arrival, sequence, timestamp) {
            Arrived::New(place) => place,
            Arrived::Duplicate => {
                self.counts.duplicate += 1;
                return;
            }
            Arrived::Stray => {
                self.counts.discarded += 1;
                return;
            }
            Arrived::Restart(place) => {
                self.restart();
                place
            }
        };
        self.carrier = Some((sequence, place));
        let deep = self.decoder.deep(payload);
        let packet = Packet { place, info, deep, repeated: false };
        self.transit.observe(arrival, packet);
        let at = arrival.as_micros() as i64;
        self.reporter.observe(at, place.sequence, at - media_micros(place.start));
        self.explain_gap(place);
        if self.is_too_late(place, info) {
            self.counts.late += 1;
            return;
        }
        if self.store.contains(place.sequence) {
            // It has come already, repeated in a later one.
            return;
        }
        if self.store.is_full() {
            self.drop_first();
        }
        self.store.insert(packet, arrival, payload);
    }

    /// Takes an earlier payload that the packet numbered `carrier`, inserted just before, carries once more; it is
    /// older by `age` samples (RFC 2198). What is not needed any more is ignored.
    pub fn insert_repeated(
        &mut self,
        arrival: Instant,
        carrier: SequenceNumber,
        age: u32,
        payload: &[u8],
    ) {
        let carrier = self.carrier.filter(|(sequence, _)| *sequence == carrier);
        let Some((_, carrier)) = carrier else { return };
        let info = self.decoder.inspect(payload).filter(|_| payload.len() <= LONGEST);
        let Some(info) = info else { return };
        let Some(place) = self.order.repeated(carrier, age, info.samples) else {
            return;
        };
        if self.store.contains(place.sequence) {
            return;
        }
        let packet = Packet { place, info, deep: Deep::default(), repeated: true };
        self.transit.observe(arrival, packet);
        if !self.is_too_late(place, info) && !self.store.is_full() {
            self.store.insert(packet, arrival, payload);
        }
    }

    /// Drops the packet with the earliest sound, unplayed.
    fn drop_first(&mut self) {
        if let Some(dropped) = self.store.drop_first() {
            self.counts.discarded += u64::from(!dropped.repeated);
        }
    }

    fn restart(&mut self) {
        self.counts.restarts += 1;
        self.transit.restart();
        self.reporter = Reporter::default();
        self.store.clear();
        self.stop();
        self.played = None;
        self.passed = i64::MIN;
        self.unexplained = 0;
    }

    /// What was made up since the last packet was silence not sent if the next in sequence starts
    /// later than the last ended, else it was concealed sound.
    fn explain_gap(&mut self, place: Place) {
        let Some(played) = self.played.filter(|p| p.sequence < place.sequence) else { return };
        let unexplained = std::mem::take(&mut self.unexplained);
        if !played.silence_until(place) {
            self.counts.concealed_samples += unexplained;
            self.silent -= unexplained;
        }
    }

    fn is_too_late(&self, place: Place, info: PacketInfo) -> bool {
        let passed = match &self.playout {
            Some(playout) => playout.position() + self.decoder.ready().len() as i64,
            None => self.passed,
        };
        place.start + info.samples as i64 <= passed
    }

    /// The next 10 ms, at `now`. Always a full block of finite samples.
    pub fn get(&mut self, now: Instant, out: &mut AudioFrame) {
        if self.history.called() {
            self.history.push(self.stats());
        }
        self.keep_up();
        self.stop_at_silence();
        if self.playout.is_none() {
            self.start(now);
        }
        let Some(playout) = &mut self.playout else {
            self.make_up(&mut out.0);
            return;
        };
        playout.called(now);
        self.adapt(now);
        self.play(now, &mut out.0);
    }

    /// Brings the delay nearer to what suits the line: a stretch of sound is left out or said again.
    fn adapt(&mut self, now: Instant) {
        let (Some(playout), Some(played)) = (&mut self.playout, self.played) else { return };
        if self.held > 0 {
            // Whether the delay has grown is known when something comes.
            return;
        }
        let wish = playout.wish(&self.transit, played.end);
        if wish == 0 {
            return;
        }
        if playout.should_jump(wish) {
            self.stop();
            self.start(now);
            if let Some(playout) = &mut self.playout {
                playout.called(now);
            }
            return;
        }
        let voice_too = playout.is_time(wish, false);
        if !voice_too && !playout.is_time(wish, true) {
            return;
        }
        self.look_ahead(now);
        let Some(playout) = &mut self.playout else { return };
        let amount = usize::try_from(wish.unsigned_abs()).unwrap_or(usize::MAX);
        if wish < 0 {
            let Some(stretch) = self.decoder.shorter(amount, voice_too) else { return };
            self.decoder.leave_out(stretch);
            playout.stretched(stretch.samples as i64);
            self.counts.removed_samples += stretch.samples as u64;
        } else {
            let Some(stretch) = self.decoder.longer(amount, voice_too) else { return };
            self.decoder.say_again(stretch);
            playout.stretched(-(stretch.samples as i64));
            self.counts.inserted_samples += stretch.samples as u64;
        }
    }

    /// Decodes what follows what is ready, as far as it has come and a stretch needs it.
    fn look_ahead(&mut self, now: Instant) {
        while let Some(playout) = &self.playout
            && self.decoder.ready().len() < ENOUGH
        {
            let end = playout.position() + self.decoder.ready().len() as i64;
            let follows = self.store.first().is_some_and(|first| first.packet.place.start == end);
            if !follows || self.decode_first(now, end).is_err() {
                return;
            }
        }
    }

    /// A reader that was away finds too much: playing starts anew near the end of it.
    fn keep_up(&mut self) {
        let most = self.max_delay + Duration::from_millis(120);
        let Some(playout) = self.playout.as_ref().filter(|_| self.depth() > most) else { return };
        if self.transit.excess_at(playout.offset()) >= WORTH_SKIPPING {
            self.stop();
        }
    }

    fn stop(&mut self) {
        self.decoder.break_off();
        self.end();
    }

    /// Ends playing, all that was ready having been played or dropped.
    fn end(&mut self) {
        let position = self.playout.take().map_or(i64::MIN, |playout| playout.position());
        let played = self.played.map_or(i64::MIN, |played| played.end);
        self.passed = self.passed.max(position).max(played);
    }

    /// Where silence begins that was not sent, playing ends: it starts again with the delay that
    /// suits best.
    fn stop_at_silence(&mut self) {
        let next = self.store.first().map(|slot| slot.packet.place);
        if let (Some(played), Some(next)) = (self.played, next)
            && self.decoder.ready().is_empty()
            && self.playout.as_ref().is_some_and(|p| p.position() < next.start)
            && played.silence_until(next)
        {
            self.stop();
        }
    }

    /// Starts playing once the delay that gives suits the line.
    fn start(&mut self, now: Instant) {
        let offset = |start: i64| now.as_micros() as i64 - media_micros(start);
        while let (Some(first), Some(second)) = (self.store.first(), self.store.second()) {
            let excess = self.transit.excess_at(offset(first.packet.place.start));
            if excess < WORTH_SKIPPING
                || self.transit.should_wait(offset(second.packet.place.start))
            {
                break;
            }
            self.drop_first();
        }
        let Some(first) = self.store.first() else { return };
        if !self.transit.should_wait(offset(first.packet.place.start)) {
            self.playout = Some(Playout::start(first.packet.place.start.max(self.passed)));
        }
    }

    /// By how much later all calls of [`JitterBuffer::get`] should come, for whoever can choose:
    /// less than 10 ms, zero if that would save less than 4 ms of delay. Calls just before packets
    /// usually arrive make them wait for the next call; just after, they need not.
    pub fn best_lag(&self) -> Duration {
        let (Some(playout), Some(played)) = (&self.playout, self.played) else {
            return Duration::ZERO;
        };
        self.transit.best_lag(playout.asking_offset(played.end))
    }

    /// The media time of the sample that will be played next; `None` in silence.
    pub fn playing(&self) -> Option<RtpTimestamp> {
        // Truncation undoes the unwrapping.
        self.playout.as_ref().map(|playout| RtpTimestamp(playout.position() as u32))
    }

    /// The last minute of calls for sound, second by second, oldest first.
    pub fn history(&self) -> impl Iterator<Item = JitterSecond> {
        self.history.seconds()
    }

    /// What to tell the sender of the packets that came since the last time.
    pub(crate) fn take_report(&mut self) -> Option<Report> {
        let takes_deep = self.decoder.takes_deep();
        self.reporter.take().map(|report| Report { takes_deep, ..report })
    }

    /// What happened so far.
    pub fn stats(&self) -> JitterStats {
        JitterStats {
            total_samples: self.taken.saturating_sub(self.silent),
            lost: self.order.lost(),
            jitter: self.transit.jitter(),
            delay: self.waited.lately,
            mean_delay: self.waited.mean(),
            target_delay: self.transit.target(),
            depth: self.depth(),
            ..self.counts
        }
    }

    fn depth(&self) -> Duration {
        let Some(playout) = &self.playout else { return Duration::ZERO };
        let position = playout.position();
        let ready_end = position + self.decoder.ready().len() as i64;
        let end = self.store.end().unwrap_or(ready_end).max(ready_end);
        Duration::from_micros(u64::try_from(media_micros(end - position)).unwrap_or(0))
    }
}
