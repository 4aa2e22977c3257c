//! A bad line: what becomes of the datagrams of one direction on their way.
//!
//! The one model of all impaired calls, on simulated networks (`sim/`) and on real sockets (`io/`).
//! It decides when each datagram arrives, and whether; who carries it keeps it until then. The fate
//! of a datagram is drawn by its number and kind: how many datagrams a handshake takes does not
//! change which packets of sound are lost, and a better line loses a part of those a worse one loses.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::error::{Error, ErrorKind};
use crate::time::{Duration, Instant};

/// The longest that a datagram waits for its turn at a bottleneck; what would wait longer is
/// dropped.
const QUEUE: Duration = Duration::from_millis(200);
/// The longest delay and the most jitter: what is under way takes memory.
const LONGEST: Duration = Duration::from_secs(10);
/// Bytes of an IPv4 and a UDP header, which take their time at a bottleneck as well.
const HEADERS: usize = 28;

/// What happens to packets on their way, in each direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// One way. Default 0.1 ms.
    pub delay: Duration,
    /// Added to the delay: uniformly 0 to this, each datagram on its own, so they overtake each
    /// other. Default none.
    pub jitter: Duration,
    /// Share of datagrams lost, 0.0 to 1.0, each on its own. Byte streams lose nothing, except
    /// what is sent while a node is cut off. Default none.
    pub loss: f32,
    /// Share of datagrams that come twice. Default none.
    pub duplicate: f32,
    /// A bottleneck of so many bits per second, headers of UDP and IPv4 included, with a queue
    /// that holds 200 ms: what would wait longer is dropped. Default none.
    pub rate: Option<u32>,
}

impl Default for Link {
    fn default() -> Self {
        let delay = Duration::from_micros(100);
        Link { delay, jitter: Duration::ZERO, loss: 0.0, duplicate: 0.0, rate: None }
    }
}

impl Link {
    /// Checks the ranges: shares from 0.0 to 1.0, delay and jitter up to 10 s, a rate of 1 000 bits
    /// per second at least.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`]; the message names the field.
    pub fn validate(&self) -> Result<(), Error> {
        let is_share = |share: &f32| (0.0..=1.0).contains(share);
        let wrong = if !is_share(&self.loss) {
            format!("loss is {}: 0.0 to 1.0 is possible", self.loss)
        } else if !is_share(&self.duplicate) {
            format!("duplicate is {}: 0.0 to 1.0 is possible", self.duplicate)
        } else if self.delay.max(self.jitter) > LONGEST {
            format!("delay is {:?}, jitter {:?}: up to 10 s is possible", self.delay, self.jitter)
        } else if let Some(rate) = self.rate.filter(|rate| *rate < 1_000) {
            format!("rate is {rate}: 1000 and more is possible")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidArgument, wrong))
    }

    /// How many of the first `packets` packets of sound are lost with that seed, bottleneck apart:
    /// for whoever wants a seed that is neither lucky nor unlucky in a short run.
    pub fn sound_lost(&self, seed: u64, packets: u64) -> u64 {
        let mut fates = Fates::new(seed, Kind::Sound);
        (0..packets).map(|_| u64::from(fates.next(self).lost)).sum()
    }
}

/// What a line did to packets of sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineStats {
    /// Sent into it.
    pub sent: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped because the bottleneck's queue was full, or too much was under way.
    pub overflowed: u64,
}

/// What a datagram carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sound,
    Other,
}

impl Kind {
    /// RTP by its first byte (RFC 7983 §7), RTCP not by its payload type (RFC 5761 §4).
    fn of(datagram: &[u8]) -> Kind {
        match datagram {
            [128..=191, kind, ..] if !(192..=223).contains(kind) => Kind::Sound,
            _ => Kind::Other,
        }
    }
}

/// When a datagram arrives that was sent into a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrivals {
    /// `None` if it is lost.
    pub(crate) original: Option<Instant>,
    /// `None` if there is none.
    pub(crate) copy: Option<Instant>,
}

/// One direction of a line.
pub(crate) struct Line {
    link: Link,
    sound: Fates,
    other: Fates,
    /// When the bottleneck has sent what waits there.
    free: Instant,
    stats: LineStats,
}

impl Line {
    pub(crate) fn new(link: Link, seed: u64) -> Line {
        Line {
            link,
            sound: Fates::new(seed, Kind::Sound),
            other: Fates::new(seed, Kind::Other),
            free: Instant::ZERO,
            stats: LineStats::default(),
        }
    }

    /// What happens from now on.
    pub(crate) fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    pub(crate) fn stats(&self) -> LineStats {
        self.stats
    }

    /// When a datagram that is sent now arrives, and when a copy of it does.
    pub(crate) fn send(&mut self, now: Instant, datagram: &[u8]) -> Arrivals {
        let kind = Kind::of(datagram);
        let fates = if kind == Kind::Sound { &mut self.sound } else { &mut self.other };
        let fate = fates.next(&self.link);
        let left = self.pass_bottleneck(now, datagram.len());
        if kind == Kind::Sound {
            self.stats.sent += 1;
            self.stats.lost += u64::from(fate.lost);
            self.stats.overflowed += u64::from(left.is_none() && !fate.lost);
        }
        let arrives = left.filter(|_| !fate.lost).map(|left| left + self.link.delay);
        let copied = arrives.filter(|_| fate.duplicated);
        Arrivals {
            original: arrives.map(|at| at + fate.jitter),
            copy: copied.map(|at| at + fate.jitter_of_copy),
        }
    }

    /// Whoever carries the datagrams had no room for one that was to arrive.
    pub(crate) fn overflow(&mut self, datagram: &[u8]) {
        self.stats.overflowed += u64::from(Kind::of(datagram) == Kind::Sound);
    }

    /// When a datagram of that length has left the bottleneck; `None` if its queue is full.
    fn pass_bottleneck(&mut self, now: Instant, len: usize) -> Option<Instant> {
        let Some(rate) = self.link.rate else { return Some(now) };
        if self.free.since(now) > QUEUE {
            return None;
        }
        let bits = ((len + HEADERS) * 8) as f64;
        self.free = self.free.max(now) + Duration::from_secs_f64(bits / f64::from(rate.max(1)));
        Some(self.free)
    }
}

/// What happens to one datagram.
struct Fate {
    lost: bool,
    duplicated: bool,
    jitter: Duration,
    jitter_of_copy: Duration,
}

/// Draws fates. Each takes as many numbers, whatever the link is.
struct Fates(ChaCha8Rng);

impl Fates {
    fn new(seed: u64, kind: Kind) -> Fates {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(kind as u64);
        Fates(random)
    }

    fn next(&mut self, link: &Link) -> Fate {
        Fate {
            lost: self.unit() < f64::from(link.loss),
            duplicated: self.unit() < f64::from(link.duplicate),
            jitter: link.jitter.mul_f64(self.unit()),
            jitter_of_copy: link.jitter.mul_f64(self.unit()),
        }
    }

    /// From 0.0 up to but not 1.0.
    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: [u8; 172] = [0x80; 172];
    const STUN: [u8; 172] = [0; 172];

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Arrivals of packets of sound sent every 20 ms, milliseconds after their sending.
    fn delays(line: &mut Line, packets: u64) -> Vec<f64> {
        let mut delays = Vec::new();
        for n in 0..packets {
            let now = Instant::ZERO + ms(1_000 + 20 * n);
            let Arrivals { original, copy } = line.send(now, &RTP);
            let delay = |at: Instant| at.since(now).as_secs_f64() * 1e3;
            delays.extend(original.into_iter().chain(copy).map(delay));
        }
        delays
    }

    #[test]
    fn as_much_is_lost_and_doubled_as_was_asked() {
        let link = Link { loss: 0.05, duplicate: 0.1, ..Link::default() };
        let mut line = Line::new(link, 1);
        let arrived = delays(&mut line, 100_000).len() as f64;
        let LineStats { sent, lost, overflowed } = line.stats();
        assert_eq!((sent, overflowed), (100_000, 0));
        assert!((4_800..5_200).contains(&lost), "{lost}");
        assert_eq!(lost, link.sound_lost(1, 100_000));
        let twice = arrived - (sent - lost) as f64;
        assert!((twice / (sent - lost) as f64 - 0.1).abs() < 0.005, "{twice}");
    }

    #[test]
    fn jitter_is_uniform_and_overtakes() {
        let link = Link { delay: ms(10), jitter: ms(40), ..Link::default() };
        let delays = delays(&mut Line::new(link, 1), 100_000);
        assert!(delays.iter().all(|d| (10.0..50.0).contains(d)));
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        assert!((mean - 30.0).abs() < 0.3, "{mean}");
        let overtaken = delays.windows(2).filter(|d| d[0] > d[1] + 20.0).count();
        // 20 ms later and still earlier: an eighth of all pairs.
        assert!((12_000..13_000).contains(&overtaken), "{overtaken}");
    }

    #[test]
    fn the_fate_of_sound_does_not_depend_on_what_else_is_sent() {
        let link = Link { jitter: ms(40), loss: 0.3, ..Link::default() };
        let (mut alone, mut among) = (Line::new(link, 7), Line::new(link, 7));
        let now = Instant::ZERO + ms(1_000);
        for n in 0..1_000 {
            for _ in 0..n % 3 {
                among.send(now, &STUN);
            }
            assert_eq!(alone.send(now, &RTP), among.send(now, &RTP));
        }
        assert_eq!(alone.stats(), among.stats());
        assert_ne!(delays(&mut alone, 100), delays(&mut Line::new(link, 8), 100), "seeds differ");
    }

    #[test]
    fn a_bottleneck_delays_then_drops_and_its_queue_is_finite() {
        // 200 bytes every 20 ms are 80 kbit/s.
        let mut wide = Line::new(Link { rate: Some(80_000), ..Link::default() }, 1);
        assert!(delays(&mut wide, 1_000).iter().all(|d| (20.0..20.2).contains(d)));
        let mut narrow = Line::new(Link { rate: Some(40_000), ..Link::default() }, 1);
        let delays = delays(&mut narrow, 1_000);
        assert!(delays.iter().all(|d| *d <= 240.2), "{delays:?}");
        assert!((500..=506).contains(&delays.len()), "half of it passes: {}", delays.len());
        assert_eq!(narrow.stats().overflowed, 1_000 - delays.len() as u64);
    }
}
