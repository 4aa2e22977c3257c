//! The report for people.

use voip_examples::bad_line::LineCount;

use crate::report::Report;
use crate::trial::Direction;

pub(crate) fn render(report: &Report) -> String {
    let ms = |value: f64| format!("{value:.1} ms");
    let unknown = || "unknown".to_string();
    let stages = report.stages_ms.named();
    let mut rows = vec![
        ("registered after", ms(report.register_ms)),
        ("rings after", ms(report.ring_ms)),
        ("answered after", ms(report.answer_ms)),
        ("first sound heard after", ms(report.first_audio_ms)),
        ("alice hears bob", heard(report.heard.alice, report.one_way_ms.to_alice.p50)),
        ("  95 % of it within", ms(report.one_way_ms.to_alice.p95)),
        ("bob hears alice", heard(report.heard.bob, report.one_way_ms.to_bob.p50)),
        ("  95 % of it within", ms(report.one_way_ms.to_bob.p95)),
        ("delay by its parts", ms(stages.iter().map(|(_, ms)| ms).sum())),
    ];
    rows.extend(STAGES.iter().zip(stages).map(|(label, (_, value))| (*label, ms(value))));
    let packets = &report.packets;
    rows.extend([
        (
            "packets",
            format!("{} sent, {} received, {} lost", packets.sent, packets.received, packets.lost),
        ),
        ("  recovered by FEC", packets.recovered.to_string()),
        ("  come once more", packets.repeated.to_string()),
        ("made up (concealed)", format!("{:.2} %", report.concealed_pct)),
        ("jitter", ms(report.jitter_ms)),
        (
            "processor, per peer",
            report.cpu_ms_per_endpoint_s.map_or_else(unknown, |v| format!("{v:.1} ms a second")),
        ),
        ("memory, per peer", report.rss_mb.map_or_else(unknown, |v| format!("{v:.0} MB"))),
    ]);
    if let Some(line) = &report.line {
        rows.push(("alice's line to bob", count(&line.to_bob, "bob")));
        rows.push(("bob's line to alice", count(&line.to_alice, "alice")));
    }
    rows.iter().map(|(what, value)| format!("  {what:<26}{value}\n")).collect()
}

fn count(direction: &Direction, listener: &str) -> String {
    let (line, missed) = (direction.line, direction.missed);
    let bottleneck = match line.overflowed {
        0 => String::new(),
        overflowed => format!(", {overflowed} at the bottleneck"),
    };
    let (LineCount { sent, lost, .. }, percent) = (line, direction.loss_pct);
    format!("{lost} of {sent} lost ({percent:.2} %){bottleneck}; {listener} misses {missed}")
}

const STAGES: [&str; 6] =
    ["  capture", "  encode", "  network", "  jitter buffer", "  decode", "  playout"];

fn heard(correlation: f64, delay: f64) -> String {
    format!("{:.1} % alike, {delay:.1} ms later", correlation * 100.0)
}
