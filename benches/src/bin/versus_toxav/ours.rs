//! The measurement of `benches/peers/toxbench.c`, made on this library step by step in the same
//! way: two endpoints in one process, speech both ways, tones one way. The tracker, toxav's bootstrap
//! so to speak, runs in this process too, and what it uses counts.

use std::f64::consts::TAU;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use voip_benches::cpu::{process_seconds, resident_kb};
use voip_benches::{Pair, quantile};
use voip_core::{Call, EncoderConfig, Event, FrameDuration, Node};

use super::shim::Counts;

const RATE: usize = 48_000;
const BLOCK: usize = RATE / 100;
const BURST_MS: usize = 60;
const EVERY_MS: usize = 300;
const LOUD: u16 = 3_000;
const LIMIT: Duration = Duration::from_secs(10);

/// What to measure.
pub(crate) struct Plan {
    /// The last is measured, the others only until the first sound.
    pub(crate) calls: usize,
    /// How long.
    pub(crate) seconds: u64,
    pub(crate) frame: FrameDuration,
    pub(crate) complexity: u8,
    /// What both say over and over, 48 kHz mono.
    pub(crate) speech: Vec<i16>,
}

/// What a call's threads share.
struct Talk<'a> {
    speech: &'a [i16],
    frame_ms: usize,
    talking: AtomicBool,
    measuring: AtomicBool,
    frames_sent: AtomicUsize,
    blocks_heard: AtomicUsize,
    first_audio: Mutex<Option<Instant>>,
    /// When the latest tone was handed over, and how many there were.
    tone: Mutex<(Option<Instant>, usize)>,
    /// Milliseconds, with the time when they were found.
    delays: Mutex<Vec<(Instant, f64)>>,
}

/// Runs it; the same keys as toxbench.
pub(crate) fn measure(plan: &Plan) -> Value {
    let rss_base = resident_kb();
    let encoder = EncoderConfig {
        complexity: plan.complexity,
        frame: plan.frame,
        ..EncoderConfig::default()
    };
    let begun = Instant::now();
    let pair = Pair::answering_by_hand(&encoder);
    let online = begun.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    let (mut answered, mut first_audio) = (Vec::new(), Vec::new());
    let mut result = Value::Null;
    for i in 0..plan.calls {
        let talk = Talk::new(&plan.speech, plan.frame.millis() as usize);
        let placed = Instant::now();
        let at_alice = pair.alice.place("bob").expect("a call");
        let at_bob = ringing(&pair.bob);
        at_bob.answer().expect("an answer");
        at_alice.wait_answered(LIMIT).expect("an answered call");
        answered.push(ms(placed.elapsed()));
        std::thread::scope(|scope| {
            scope.spawn(|| talk.speak(&at_alice, true));
            scope.spawn(|| talk.speak(&at_bob, false));
            scope.spawn(|| talk.hear(&at_alice, false));
            scope.spawn(|| talk.hear(&at_bob, true));
            first_audio.push(ms(talk.wait_for_sound() - placed));
            if i + 1 == plan.calls {
                result = talk.measure(plan.seconds, &at_alice, &at_bob, rss_base);
            } else {
                std::thread::sleep(Duration::from_millis(500));
            }
            talk.talking.store(false, Relaxed);
        });
        at_alice.hang_up();
        at_bob.wait_ended(LIMIT).expect("the end");
        std::thread::sleep(Duration::from_millis(500));
    }
    result["online_ms"] = json!(ms(online));
    result["answered_ms"] = json!(answered);
    result["first_audio_ms"] = json!(first_audio);
    result
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn ringing(node: &Node) -> Call {
    loop {
        if let Event::Incoming { call } = node.next_event(LIMIT).expect("an incoming call") {
            return call;
        }
    }
}

impl Talk<'_> {
    fn new(speech: &[i16], frame_ms: usize) -> Talk<'_> {
        Talk {
            speech,
            frame_ms,
            talking: AtomicBool::new(true),
            measuring: AtomicBool::new(false),
            frames_sent: AtomicUsize::new(0),
            blocks_heard: AtomicUsize::new(0),
            first_audio: Mutex::default(),
            tone: Mutex::default(),
            delays: Mutex::default(),
        }
    }

    fn wait_for_sound(&self) -> Instant {
        let begun = Instant::now();
        loop {
            if let Some(heard) = *self.first_audio.lock().unwrap() {
                return heard;
            }
            assert!(begun.elapsed() < LIMIT, "no sound");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn measure(&self, seconds: u64, at_alice: &Call, at_bob: &Call, rss_base: u64) -> Value {
        std::thread::sleep(Duration::from_secs(2));
        let (wire, cpu, from) = (Counts::now(), process_seconds(), Instant::now());
        let (sent, heard) = (self.frames_sent.load(Relaxed), self.blocks_heard.load(Relaxed));
        self.measuring.store(true, Relaxed);
        std::thread::sleep(Duration::from_secs(seconds));
        self.measuring.store(false, Relaxed);
        let (cpu, lasted) = (process_seconds() - cpu, from.elapsed().as_secs_f64());
        let wire = Counts::now().since(&wire);
        let rss = resident_kb().saturating_sub(rss_base) as f64 / 2.0;
        let sent = self.frames_sent.load(Relaxed) - sent;
        let heard = self.blocks_heard.load(Relaxed) - heard;
        // Published every 200 ms.
        std::thread::sleep(Duration::from_millis(300));
        let (alice, bob) = (at_alice.stats(), at_bob.stats());
        let delays = self.delays.lock().unwrap();
        let each: Vec<f64> = delays.iter().map(|d| d.1).collect();
        json!({
            "one_way_ms": each,
            "one_way_ms_by_minute": by_minute(&delays, from),
            // Each second of a call is two endpoint-seconds.
            "cpu_ms_per_s": cpu / lasted / 2.0 * 1e3,
            "rss_kb": rss,
            "frames_sent": sent,
            "frames_heard": heard * 10 / self.frame_ms,
            "packets_per_s": wire.datagrams as f64 / lasted / 2.0,
            // IPv4 and UDP headers included.
            "wire_kbit_per_s":
                (wire.bytes + 28 * wire.datagrams) as f64 * 8.0 / 1000.0 / lasted / 2.0,
            "dropped_pct": 100.0 * wire.dropped as f64 / wire.datagrams.max(1) as f64,
            "concealed_pct": (alice.concealed_pct + bob.concealed_pct) / 2.0,
            "loss_pct": (alice.loss_pct + bob.loss_pct) / 2.0,
        })
    }

    /// Speech in real time, frame by frame; Alice's with tones, Bob's half the clip later.
    fn speak(&self, call: &Call, with_tones: bool) {
        let samples = RATE * self.frame_ms / 1000;
        let (every, length) = (EVERY_MS / self.frame_ms, BURST_MS / self.frame_ms);
        let mut pcm = vec![0i16; samples];
        let mut phase = 0.0f64;
        let begin = if with_tones { 0 } else { self.speech.len() / 2 };
        let mut speech = self.speech.iter().cycle().skip(begin);
        let mut next = Instant::now();
        for frame in 0.. {
            if !self.talking.load(Relaxed) {
                return;
            }
            let tone = with_tones && frame >= every && frame % every < length;
            for sample in &mut pcm {
                *sample = speech.next().copied().unwrap_or(0);
                if tone {
                    *sample += (12_000.0 * phase.sin()) as i16;
                }
                phase = if tone { phase + TAU * 1000.0 / RATE as f64 } else { 0.0 };
            }
            if tone && frame % every == 0 {
                let mut latest = self.tone.lock().unwrap();
                *latest = (Some(Instant::now()), latest.1 + 1);
            }
            call.write_i16(&pcm, LIMIT).expect("a written frame");
            if with_tones {
                self.frames_sent.fetch_add(1, Relaxed);
            }
            next += Duration::from_millis(self.frame_ms as u64);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }

    /// Reads blocks of 10 ms; notes the delay of the latest tone when its first loud sample comes
    /// after 200 ms of quiet.
    fn hear(&self, call: &Call, for_tones: bool) {
        let mut block = [0i16; BLOCK];
        let (mut quiet_until, mut last_found) = (Instant::now(), 0);
        while self.talking.load(Relaxed) {
            call.read_i16(&mut block, LIMIT).expect("a read block");
            let t = Instant::now();
            if !for_tones {
                continue;
            }
            if block.iter().any(|s| *s != 0) {
                self.first_audio.lock().unwrap().get_or_insert(t);
            }
            self.blocks_heard.fetch_add(1, Relaxed);
            for (i, _) in block.iter().enumerate().filter(|(_, s)| s.unsigned_abs() > LOUD) {
                let at = t + Duration::from_micros(i as u64 * 1_000 / 48);
                let (said, tones) = *self.tone.lock().unwrap();
                if let Some(said) = said.filter(|_| at > quiet_until && tones != last_found) {
                    last_found = tones;
                    if self.measuring.load(Relaxed) {
                        self.delays.lock().unwrap().push((t, ms(t - said)));
                    }
                }
                quiet_until = at + Duration::from_millis(200);
            }
        }
    }
}

/// Medians of each minute: whether the delay grows.
fn by_minute(delays: &[(Instant, f64)], from: Instant) -> Vec<f64> {
    let minute = |t: &Instant| t.saturating_duration_since(from).as_secs() / 60;
    let last = delays.last().map_or(0, |(t, _)| minute(t));
    let of = |m| delays.iter().filter(|(t, _)| minute(t) == m).map(|(_, d)| *d).collect::<Vec<_>>();
    (0..=last).map(|m| quantile(&of(m), 0.5)).collect()
}
