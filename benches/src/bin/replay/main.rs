//! Replays recorded arrivals of packets through the jitter buffer that every call uses, in simulated
//! time: what it plays, and how it decided.
//!
//! `replay --trace T.csv --packets P.pkts --out OUT.raw [--log LOG.csv] [--quality MS] [--repeat N] [--plot OUT.png]`
//!
//! - the trace: CSV `seq,send_ms,arrival_ms`; −1 is a lost packet, a number that comes twice a
//!   duplicate. `send_ms` is for whoever scores and is not looked at here;
//! - the packets, from number 0 on: a length (16 bits, little-endian) and as many bytes of Opus, 20 ms
//!   each at 48 kHz;
//! - out comes raw sound, 48 kHz, 16 bits, mono: a block of 10 ms at 3.7 ms, 13.7 ms and so on;
//! - and a line of CSV for each block: `t_ms,playout_ts,concealed_samples,target_ms,current_ms`;
//! - `--quality` is that of [`JitterConfig`]; with `--repeat` each packet carries the one so many before it once more
//!   (RFC 2198); `--plot` draws what happened.
//!
//! Standard output is JSON: nanoseconds of processor time for each 20 ms of sound, that of a run which
//! only decodes what arrived (`ns_decode`) beside them.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

mod plot;

use std::fmt::Write as _;
use std::fs;

use plot::Tick;
use voip_benches::cpu::thread_nanos;
use voip_core::{AudioFrame, BLOCK, Decoder, Instant, JitterBuffer, JitterConfig, JitterStats};
use voip_core::{RtpTimestamp, SequenceNumber};

const TICKS: u64 = 6_150;
const TICK: u64 = 10_000;
const PHASE: u64 = 3_700;
const FRAME: u32 = 960;
/// The first packet's numbers: both wrap within a minute.
const SEQUENCE: SequenceNumber = SequenceNumber(65_000);
const TIMESTAMP: RtpTimestamp = RtpTimestamp(u32::MAX - 48_000);
/// The trace's zero on the buffer's clock.
const START: u64 = 1_000_000;

struct Arguments {
    trace: String,
    packets: String,
    out: String,
    log: Option<String>,
    quality: Option<String>,
    repeat: Option<String>,
    plot: Option<String>,
}

impl Arguments {
    fn parse() -> Arguments {
        let mut found = [const { None }; 7];
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            let names =
                ["--trace", "--packets", "--out", "--log", "--quality", "--repeat", "--plot"];
            let index = names.iter().position(|n| *n == name);
            let index = index.unwrap_or_else(|| panic!("unknown option {name}"));
            found[index] = args.next();
        }
        let [trace, packets, out, log, quality, repeat, plot] = found;
        let given = |what: Option<String>, name| what.unwrap_or_else(|| panic!("{name} is needed"));
        Arguments {
            trace: given(trace, "--trace"),
            packets: given(packets, "--packets"),
            out: given(out, "--out"),
            log,
            quality,
            repeat,
            plot,
        }
    }
}

/// Microseconds and the packet's number, by time.
fn arrivals(trace: &str) -> Vec<(u64, usize)> {
    let mut arrivals = Vec::new();
    for line in trace.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let at: f64 = fields[2].parse().unwrap();
        if at >= 0.0 {
            arrivals.push(((at * 1e3).round() as u64, fields[0].parse().unwrap()));
        }
    }
    arrivals.sort_by_key(|(at, _)| *at);
    arrivals
}

fn packets(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut packets, mut rest) = (Vec::new(), bytes);
    while let Some((len, after)) = rest.split_first_chunk() {
        let (packet, after) = after.split_at(usize::from(u16::from_le_bytes(*len)));
        packets.push(packet);
        rest = after;
    }
    packets
}

/// How long a packet took, in milliseconds from an arbitrary start.
fn transit((at, number): (u64, usize)) -> f64 {
    at as f64 / 1e3 - 20.0 * number as f64
}

/// What the codec alone takes, per 20 ms.
fn decode_only(arrivals: &[(u64, usize)], packets: &[&[u8]]) -> u64 {
    let mut decoder = Decoder::new().unwrap();
    let mut out = [0.0; 5_760];
    let before = thread_nanos();
    for (_, number) in arrivals {
        decoder.decode(packets[*number], &mut out).unwrap();
    }
    (thread_nanos() - before) / arrivals.len().max(1) as u64
}

fn main() {
    let arguments = Arguments::parse();
    let bytes = fs::read(&arguments.packets).unwrap();
    let packets = packets(&bytes);
    let arrivals = arrivals(&fs::read_to_string(&arguments.trace).unwrap());
    let mut config = JitterConfig::default();
    if let Some(quality) = &arguments.quality {
        config.quality = quality.parse().unwrap();
    }
    let repeat = arguments.repeat.as_ref().map(|distance| distance.parse().unwrap());
    let mut buffer = JitterBuffer::new(&config, Decoder::new().unwrap()).unwrap();
    let (mut sound, mut log) = (Vec::new(), String::new());
    log.push_str("t_ms,playout_ts,concealed_samples,target_ms,current_ms\n");
    let (mut inserting, mut getting, mut next) = (0, 0, 0);
    let (mut before, mut ticks) = (JitterStats::default(), Vec::new());
    let fastest = arrivals.iter().map(|a| transit(*a)).fold(f64::MAX, f64::min);
    for tick in 0..TICKS {
        let now = tick * TICK + PHASE;
        let began = thread_nanos();
        while let Some((at, number)) = arrivals.get(next).filter(|(at, _)| *at <= now) {
            let n = *number as u32;
            let arrival = Instant::from_micros(START + at);
            let (sequence, timestamp) = (SEQUENCE.plus(n as u16), TIMESTAMP.plus(n * FRAME));
            buffer.insert(arrival, sequence, timestamp, packets[*number]);
            if let Some(earlier) = repeat.and_then(|distance: usize| number.checked_sub(distance)) {
                let age = (number - earlier) as u32 * FRAME;
                buffer.insert_repeated(arrival, sequence, age, packets[earlier]);
            }
            next += 1;
        }
        let inserted = thread_nanos();
        let mut block = AudioFrame::SILENCE;
        buffer.get(Instant::from_micros(START + now), &mut block);
        getting += thread_nanos() - inserted;
        inserting += inserted - began;
        sound.extend(block.0.iter().flat_map(|s| ((s * 32_768.0).round() as i16).to_le_bytes()));
        let stats = buffer.stats();
        let (target, current) = (stats.target_delay, stats.delay);
        let [target, current] = [target, current].map(|d| d.as_secs_f64() * 1e3);
        let played = buffer.playing().map(|at| at.distance_from(TIMESTAMP));
        let tick = Tick {
            target,
            delay: played
                .filter(|_| next < arrivals.len())
                .map(|at| now as f64 / 1e3 - (at - BLOCK as i64) as f64 / 48.0 - fastest),
            concealed: stats.concealed_samples - before.concealed_samples,
            inserted: stats.inserted_samples - before.inserted_samples,
            removed: stats.removed_samples - before.removed_samples,
        };
        let (at, played, concealed) = (now as f64 / 1e3, played.unwrap_or(-1), tick.concealed);
        writeln!(log, "{at:.1},{played},{concealed},{target:.1},{current:.1}").unwrap();
        ticks.push(tick);
        before = stats;
    }
    fs::write(&arguments.out, sound).unwrap();
    if let Some(path) = &arguments.log {
        fs::write(path, log).unwrap();
    }
    if let Some(path) = &arguments.plot {
        let late = |a: &(u64, usize)| (a.0 as f64 / 1e6, transit(*a) - fastest);
        let arrivals: Vec<_> = arrivals.iter().map(late).collect();
        plot::draw(path, &arrivals, &ticks, TICK as f64 / 1e6).unwrap();
    }
    let stats = buffer.stats();
    let per_packet = |nanos: u64| nanos / (TICKS / 2);
    println!(
        "{}",
        serde_json::json!({
            "ns_insert": per_packet(inserting),
            "ns_get": per_packet(getting),
            "ns_decode": decode_only(&arrivals, &packets),
            "concealed": stats.concealed_samples,
            "concealed_pct": stats.concealed_percent(),
            "delay_ms": stats.mean_delay.as_secs_f64() * 1e3,
            "recovered": stats.recovered,
            "repeated": stats.repeated,
            "rebuilt_pct": 100.0 * stats.rebuilt_samples as f64 / stats.total_samples as f64,
            "late": stats.late,
            "inserted_samples": stats.inserted_samples,
            "removed_samples": stats.removed_samples,
        })
    );
}
