//! Speaks tones into a virtual microphone and listens to what virtual cards play, with PulseAudio's
//! own tools.

use std::f64::consts::TAU;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::Lab;

const RATE: usize = 48_000;
/// One burst of a tone per so many samples, and its length. Not a multiple of a packet, so that the
/// bursts meet every phase.
const PERIOD: usize = RATE * 777 / 1_000;
const BURST: usize = RATE / 10;
/// Louder than this is a burst, far above the noise between them.
const LOUD: f32 = 0.1;

/// Sound of so many samples lasts, if no stretch as long as a gap is quiet in it.
const LASTING: usize = RATE / 2;
const GAP: usize = RATE / 20;

/// A tool of PulseAudio's, ended with the test.
struct Tool(Child);

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A voice that says bursts of a tone into a card until it is dropped.
pub(crate) struct Voice {
    _player: Tool,
}

impl Voice {
    /// Begins at once; digital noise between the bursts, as a room has it.
    pub(crate) fn say(lab: &Lab, card: &str, hertz: f64) -> Voice {
        Voice::play(lab, card, move |n| {
            let in_burst = n % PERIOD < BURST;
            if in_burst { 0.5 * (TAU * hertz * n as f64 / RATE as f64).sin() } else { 0.0 }
        })
    }

    /// A tone without a pause.
    pub(crate) fn hum(lab: &Lab, card: &str, hertz: f64) -> Voice {
        Voice::play(lab, card, move |n| 0.5 * (TAU * hertz * n as f64 / RATE as f64).sin())
    }

    fn play(lab: &Lab, card: &str, tone: impl Fn(usize) -> f64 + Send + 'static) -> Voice {
        let mut player = lab
            .tool("pacat")
            .args(["--raw", "--format=float32le", "--rate=48000", "--channels=1"])
            .args([&format!("--device={card}"), "--latency-msec=20"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = player.stdin.take().unwrap();
        thread::spawn(move || {
            let (mut n, mut noise) = (0, 1_u32);
            loop {
                let mut bytes = Vec::with_capacity(4 * 480);
                for _ in 0..480 {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let hiss = (f64::from(noise >> 16) / 32_768.0 - 1.0) * 1e-3;
                    bytes.extend_from_slice(&((tone(n) + hiss) as f32).to_le_bytes());
                    n += 1;
                }
                // The pipe paces this; it closes when the player ends.
                if input.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        Voice { _player: Tool(player) }
    }
}

/// Listens to what a card plays.
pub(crate) struct Ear {
    recorder: Tool,
    heard: Receiver<(Instant, Vec<f32>)>,
}

/// A recording on the test's clock.
pub(crate) struct Heard {
    samples: Vec<f32>,
    began: Instant,
}

impl Ear {
    pub(crate) fn open(lab: &Lab, card: &str) -> Ear {
        let mut recorder = lab
            .tool("parec")
            .args(["--raw", "--format=float32le", "--rate=48000", "--channels=1"])
            .args([&format!("--device={card}.monitor"), "--latency-msec=5"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = recorder.stdout.take().unwrap();
        let (sender, heard) = channel();
        thread::spawn(move || {
            let (mut bytes, mut buffer) = (Vec::new(), [0; 16_384]);
            while let Ok(count) = output.read(&mut buffer)
                && count > 0
            {
                let now = Instant::now();
                bytes.extend_from_slice(&buffer[..count]);
                let whole = bytes.len() / 4 * 4;
                let samples = bytes[..whole].chunks_exact(4);
                let samples = samples.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                if sender.send((now, samples.collect())).is_err() {
                    return;
                }
                bytes.drain(..whole);
            }
        });
        Ear { recorder: Tool(recorder), heard }
    }

    /// Waits for the first loud sound; when it came.
    pub(crate) fn wait_for_sound(&self, limit: Duration) -> Option<Instant> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (at, samples) = self.heard.recv_timeout(left).ok()?;
            if samples.iter().any(|s| s.abs() > LOUD) {
                return Some(at);
            }
        }
    }

    /// Waits for loud sound that comes after `start` and goes on without a gap: what was said long ago
    /// and is played late is none. When it began.
    pub(crate) fn wait_for_lasting_sound(
        &self,
        start: Instant,
        limit: Duration,
    ) -> Option<Instant> {
        let (mut since, mut lasted, mut quiet) = (None, 0, 0);
        loop {
            let left = (start + limit).saturating_duration_since(Instant::now());
            let (at, samples) = self.heard.recv_timeout(left).ok()?;
            if at < start {
                continue;
            }
            for sample in samples {
                if sample.abs() > LOUD {
                    quiet = 0;
                    since.get_or_insert(at);
                } else {
                    quiet += 1;
                }
                if quiet > GAP {
                    (since, lasted) = (None, 0);
                }
                lasted += usize::from(since.is_some());
                if lasted >= LASTING {
                    return since;
                }
            }
        }
    }

    /// Ends the recording.
    pub(crate) fn close(self) -> Heard {
        drop(self.recorder);
        let (mut samples, mut began) = (Vec::new(), None);
        for (at, more) in self.heard.iter() {
            samples.extend_from_slice(&more);
            // A chunk can be late, never early: the earliest says when the recording began.
            let start = at - Duration::from_secs_f64(samples.len() as f64 / RATE as f64);
            began = Some(began.map_or(start, |b: Instant| b.min(start)));
        }
        Heard { samples, began: began.unwrap_or_else(Instant::now) }
    }
}

impl Heard {
    /// When bursts begin.
    pub(crate) fn onsets(&self) -> Vec<Instant> {
        let (mut onsets, mut last) = (Vec::new(), None);
        for (n, sample) in self.samples.iter().enumerate() {
            if sample.abs() > LOUD {
                if last.is_none_or(|last| n - last > RATE * 3 / 10) {
                    onsets.push(self.began + Duration::from_secs_f64(n as f64 / RATE as f64));
                }
                last = Some(n);
            }
        }
        onsets
    }

    /// The part of the bursts that are a tone of `hertz` and hardly anything else, from 30 ms to 80 ms
    /// in each.
    pub(crate) fn pure_bursts(&self, hertz: f64) -> f64 {
        let at = |onset: Instant| ((onset - self.began).as_secs_f64() * RATE as f64) as usize;
        let middles = self.onsets().into_iter().map(|onset| {
            let start = at(onset) + RATE * 3 / 100;
            self.samples.get(start..start + RATE / 20).unwrap_or_default()
        });
        let whole: Vec<_> = middles.filter(|middle| !middle.is_empty()).collect();
        let pure = whole.iter().filter(|middle| tone(middle, hertz) > 0.95).count();
        pure as f64 / whole.len().max(1) as f64
    }
}

/// The part of the power that is a tone of `hertz`.
fn tone(samples: &[f32], hertz: f64) -> f64 {
    let (mut s, mut c, mut power) = (0.0, 0.0, 0.0);
    for (n, &x) in samples.iter().enumerate() {
        let angle = TAU * hertz * n as f64 / RATE as f64;
        s += f64::from(x) * angle.sin();
        c += f64::from(x) * angle.cos();
        power += f64::from(x * x);
    }
    2.0 * (s * s + c * c) / samples.len() as f64 / power
}

/// Milliseconds from each burst said to the same one heard, within half a second.
pub(crate) fn delays(said: &Heard, heard: &Heard) -> Vec<f64> {
    let heard = heard.onsets();
    let half = Duration::from_millis(500);
    let after = |said: Instant| heard.iter().find(|h| **h > said && **h < said + half);
    let pairs = said.onsets().into_iter().filter_map(|s| Some((s, *after(s)?)));
    pairs.map(|(said, heard)| (heard - said).as_secs_f64() * 1e3).collect()
}
