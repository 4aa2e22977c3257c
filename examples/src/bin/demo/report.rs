//! `report.json`: what two peers said about their call, and what their recordings show.
//! `docs/report.md` explains every key.

use std::path::PathBuf;

use serde::Serialize;
use voip_examples::analysis::{Comparison, compare, percentile};
use voip_examples::clip::Clip;
use voip_examples::console::Failure;
use voip_examples::line::{self, CallReport, Line, Packets, StagesMs, What};

use crate::trial::{Outcome, Trial};

/// Sound said this shortly before the end may be on its way when the call ends, seconds.
const ON_ITS_WAY: f64 = 0.5;
/// A window that was heard worse than this does not say when it was heard.
const CLEAR: f64 = 0.5;

/// One side of the call.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<Line>,
    pub(crate) said: PathBuf,
    pub(crate) recording: PathBuf,
}

impl Person {
    /// When the first event of this kind happened.
    fn time(&self, event: &str, wanted: impl Fn(&What) -> bool) -> Result<u64, Failure> {
        let line = self.lines.iter().find(|line| wanted(&line.what));
        let missing = || Failure::new(format_args!("{} never said {event:?}", self.name));
        line.map(|line| line.t_us).ok_or_else(missing)
    }

    fn report(&self) -> Result<&line::Report, Failure> {
        let report = self.lines.iter().find_map(|line| match &line.what {
            What::Report(report) => Some(&**report),
            _ => None,
        });
        report.ok_or_else(|| Failure::new(format_args!("{} gave no report", self.name)))
    }

    fn call(&self) -> Result<&CallReport, Failure> {
        let call = self.report()?.call.as_ref();
        call.ok_or_else(|| Failure::new(format_args!("{} had no call", self.name)))
    }

    fn register_ms(&self) -> Result<f64, Failure> {
        let from = self.time("starting", |what| matches!(what, What::Starting { .. }))?;
        let to = self.time("registered", |what| matches!(what, What::Registered { .. }))?;
        Ok(crate::milliseconds(from, to))
    }

    fn first_audio(&self) -> Result<u64, Failure> {
        self.time("first_audio", |what| matches!(what, What::FirstAudio { .. }))
    }
}

/// The file.
#[derive(Serialize)]
pub(crate) struct Report {
    version: &'static str,
    seconds: f64,
    pub(crate) register_ms: f64,
    pub(crate) ring_ms: f64,
    pub(crate) answer_ms: f64,
    pub(crate) first_audio_ms: f64,
    pub(crate) one_way_ms: OneWay,
    pub(crate) stages_ms: StagesMs,
    pub(crate) packets: Packets,
    pub(crate) loss_pct: f64,
    pub(crate) concealed_pct: f64,
    pub(crate) jitter_ms: f64,
    pub(crate) cpu_ms_per_endpoint_s: Option<f64>,
    pub(crate) rss_mb: Option<f64>,
    pub(crate) sent: Both<PathBuf>,
    pub(crate) heard: Both<f64>,
    pub(crate) line: Option<Outcome>,
    pub(crate) peers: Both<line::Report>,
}

/// Something of each side.
#[derive(Serialize)]
pub(crate) struct Both<T> {
    pub(crate) alice: T,
    pub(crate) bob: T,
}

/// The delay from mouth to ear, by the sound itself.
#[derive(Serialize)]
pub(crate) struct OneWay {
    p50: f64,
    p95: f64,
    pub(crate) to_alice: Spread,
    pub(crate) to_bob: Spread,
}

/// Milliseconds.
#[derive(Serialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let rounded = |percent| round(percentile(values, percent));
        Spread { p50: rounded(50.0), p95: rounded(95.0) }
    }
}

impl Report {
    pub(crate) fn new(
        alice: &Person,
        bob: &Person,
        trial: Option<Trial>,
    ) -> Result<Report, Failure> {
        let placed = alice.time("placed", |what| matches!(what, What::Placed { .. }))?;
        let rang = bob.time("incoming", |what| matches!(what, What::Incoming { .. }))?;
        let answered = alice.time("answered", |what| matches!(what, What::Answered { .. }))?;
        let ended = alice.time("ended", |what| matches!(what, What::Ended { .. }))?;
        let (a, b) = (alice.call()?, bob.call()?);
        let (report_a, report_b) = (alice.report()?, bob.report()?);
        let (at_bob, to_bob) = listen(alice, bob, ended)?;
        let (at_alice, to_alice) = listen(bob, alice, ended)?;
        let all = Spread::of(&[to_alice.clone(), to_bob.clone()].concat());
        let connected = report_a.connected_s + report_b.connected_s;
        let cpu = report_a.connected_cpu_ms.zip(report_b.connected_cpu_ms);
        let peers = Both { alice: report_a.clone(), bob: report_b.clone() };
        let line = trial.map(|trial| Outcome::new(trial, &peers)).transpose()?;
        Ok(Report {
            version: voip_core::VERSION,
            seconds: round(report_a.connected_s),
            register_ms: alice.register_ms()?.max(bob.register_ms()?),
            ring_ms: crate::milliseconds(placed, rang),
            answer_ms: crate::milliseconds(placed, answered),
            first_audio_ms: crate::milliseconds(
                placed,
                alice.first_audio()?.max(bob.first_audio()?),
            ),
            one_way_ms: OneWay {
                p50: all.p50,
                p95: all.p95,
                to_alice: Spread::of(&to_alice),
                to_bob: Spread::of(&to_bob),
            },
            stages_ms: mean_stages(&a.stages_ms, &b.stages_ms),
            packets: Packets {
                sent: a.packets.sent + b.packets.sent,
                received: a.packets.received + b.packets.received,
                lost: a.packets.lost + b.packets.lost,
                recovered: a.packets.recovered + b.packets.recovered,
                repeated: a.packets.repeated + b.packets.repeated,
            },
            loss_pct: round(a.loss_pct.max(b.loss_pct)),
            concealed_pct: round(a.concealed_pct.max(b.concealed_pct)),
            jitter_ms: round(a.jitter_ms.max(b.jitter_ms)),
            cpu_ms_per_endpoint_s: cpu.map(|(a, b)| round((a + b) / connected.max(1e-3))),
            rss_mb: report_a.rss_mb.zip(report_b.rss_mb).map(|(a, b)| round(a.max(b))),
            sent: Both { alice: alice.said.clone(), bob: bob.said.clone() },
            heard: Both { alice: round(at_alice.heard), bob: round(at_bob.heard) },
            line,
            peers,
        })
    }
}

/// What `listener` heard of `speaker`, and the delays of the windows that were clearly heard.
fn listen(
    speaker: &Person,
    listener: &Person,
    ended_us: u64,
) -> Result<(Comparison, Vec<f64>), Failure> {
    let unknown = |person: &Person| {
        Failure::new(format_args!("{} does not know when its sound began", person.name))
    };
    let said_at = speaker.report()?.capture_started_us.ok_or_else(|| unknown(speaker))?;
    let played_at = listener.report()?.playout_started_us.ok_or_else(|| unknown(listener))?;
    let sent = Clip::read(&speaker.said).map_err(Failure::new)?;
    let heard = Clip::read(&listener.recording).map_err(Failure::new)?;

    let said_s = (ended_us as f64 - said_at as f64) / 1e6 - ON_ITS_WAY;
    let result = compare(&sent, &heard, said_s.max(0.0));
    let between_starts = (played_at as f64 - said_at as f64) / 1e3;
    let clear = result.windows.iter().filter(|window| window.correlation >= CLEAR);
    let delays = clear.map(|window| window.lag_ms + between_starts).collect();
    Ok((result, delays))
}

fn mean_stages(a: &StagesMs, b: &StagesMs) -> StagesMs {
    let mean = |a: f64, b: f64| round((a + b) / 2.0);
    StagesMs {
        capture: mean(a.capture, b.capture),
        encode: mean(a.encode, b.encode),
        network: mean(a.network, b.network),
        buffer: mean(a.buffer, b.buffer),
        decode: mean(a.decode, b.decode),
        playout: mean(a.playout, b.playout),
    }
}

/// To a thousandth, which is more than is meant.
fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
