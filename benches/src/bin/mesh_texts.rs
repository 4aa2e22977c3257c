//! Many real nodes without a tracker, on loopback, that write texts to each other.
//!
//! `cargo run --release -p voip-benches --bin mesh_texts -- [nodes, default 50] [seconds, default 60] [texts a second,
//! default 100]` prints JSON: how many texts came, what was lost, doubled or out of order, how long they took, processor time
//! for each that came (signatures checked, once a node), and the memory of all nodes together in the first and the last
//! quarter of the time. Its exit status is 1 if a text was lost or doubled.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use voip_benches::cpu::{CpuTimes, resident_kb};
use voip_benches::quantile;
use voip_core::{Audience, Event, Node, PeerId};

const LIMIT: Duration = Duration::from_secs(5);
/// What is under way when the last text has been written has so long.
const REST: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|n| n.parse::<u64>().unwrap());
    let count = arguments.next().unwrap_or(50) as usize;
    let seconds = arguments.next().unwrap_or(60);
    let rate = arguments.next().unwrap_or(100);
    let nodes = start(count);
    let is_over = AtomicBool::new(false);
    let begun = Instant::now();
    let before = CpuTimes::now();
    let mut memory = Vec::new();
    let heard: Vec<Heard> = thread::scope(|scope| {
        let readers: Vec<_> =
            nodes.iter().map(|node| scope.spawn(|| read(node, begun, &is_over))).collect();
        for n in 0..seconds * rate {
            let due = Duration::from_nanos(n * 1_000_000_000 / rate);
            thread::sleep(due.saturating_sub(begun.elapsed()));
            let text = format!("{} {}", n / count as u64, begun.elapsed().as_micros());
            nodes[n as usize % count].send_text(&Audience::All, &text, LIMIT).unwrap();
            if n % rate == 0 {
                memory.push(resident_kb());
            }
        }
        thread::sleep(REST);
        is_over.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    let took = begun.elapsed().as_secs_f64();
    let load = CpuTimes::now().since(&before, took, |name| name.starts_with("voip-engine"));
    let written = seconds * rate;
    let expected = written * (count as u64 - 1);
    let sum = |of: fn(&Heard) -> u64| heard.iter().map(of).sum::<u64>();
    let (came, doubled, disordered) = (sum(|h| h.came), sum(|h| h.doubled), sum(|h| h.disordered));
    let delays: Vec<f64> = heard.iter().flat_map(|h| h.delays_ms.iter().copied()).collect();
    let quarter = memory.len().div_ceil(4);
    let mean = |of: &[u64]| of.iter().sum::<u64>() as f64 / of.len() as f64 / 1e3;
    let dropped = nodes.iter().map(|node| node.stats().mesh_messages_dropped).sum::<u64>();
    println!(
        "{}",
        serde_json::json!({
            "nodes": count,
            "written": written,
            "came": came,
            "lost": expected.saturating_sub(came),
            "doubled": doubled,
            "out_of_order": disordered,
            "messages_dropped": dropped,
            "delay_ms": { "p50": quantile(&delays, 0.5), "p99": quantile(&delays, 0.99) },
            "processor_us_per_text_that_came": load.ms_per_s * took * 1e3 / came as f64,
            "memory_mb": { "first_quarter": mean(&memory[..quarter]), "last_quarter": mean(&memory[memory.len() - quarter..]) },
        })
    );
    ExitCode::from(u8::from(came != expected || doubled > 0))
}

/// So many nodes, each of which knows the one before and, soon, everybody.
fn start(count: usize) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for n in 0..count {
        let builder = Node::builder(format!("node {n}")).bind("127.0.0.1:0").mesh(true);
        let builder = match nodes.last() {
            Some(before) => builder.connect(before.local_address().to_string()),
            None => builder,
        };
        nodes.push(builder.start().unwrap());
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while nodes.iter().any(|node| node.peers(LIMIT).unwrap().len() < count) {
        assert!(Instant::now() < deadline, "not all nodes know each other");
        thread::sleep(Duration::from_millis(100));
    }
    nodes
}

/// What one node was told.
#[derive(Default)]
struct Heard {
    came: u64,
    doubled: u64,
    disordered: u64,
    delays_ms: Vec<f64>,
}

fn read(node: &Node, begun: Instant, is_over: &AtomicBool) -> Heard {
    let mut heard = Heard::default();
    let mut last: HashMap<PeerId, u64> = HashMap::new();
    while !is_over.load(Ordering::Relaxed) {
        let Some(event) = node.next_event(Duration::from_millis(100)) else { continue };
        let Event::Text { text } = event else { continue };
        let (number, written_us) = text.text.split_once(' ').unwrap();
        let (number, written_us) =
            (number.parse::<u64>().unwrap() + 1, written_us.parse().unwrap());
        let before = last.insert(text.id.author, number).unwrap_or(0);
        match number.cmp(&(before + 1)) {
            std::cmp::Ordering::Equal => heard.came += 1,
            std::cmp::Ordering::Less => heard.doubled += 1,
            std::cmp::Ordering::Greater => {
                heard.came += 1;
                heard.disordered += 1;
            }
        }
        let delay = begun.elapsed().saturating_sub(Duration::from_micros(written_us));
        heard.delays_ms.push(delay.as_secs_f64() * 1e3);
    }
    heard
}
