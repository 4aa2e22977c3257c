//! What writing and reading one frame of 20 ms costs through the C function over the Rust call.
//!
//! `cargo run --release -p voip-benches --bin ffi_cost -- [frames, default 1500]` prints JSON,
//! microseconds. Two calls go on at the same time, one held by Rust and one by the C library, from the
//! same nodes over loopback. Every 20 ms a frame is written to each and read from each, in turns
//! the one first and the other, with a time limit of zero: the queue has room, and a read is made once
//! the call's descriptor says that the sound is there, so that no wait is measured. The time is the
//! thread's own on the processor: a write wakes the engine, which has a higher priority and may run at once.
//! Whichever is first of the two finds its caches cold: medians are taken of each place, and of both the mean.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]
#![expect(clippy::undocumented_unsafe_blocks, reason = "pointers are to locals all along")]

use std::ffi::CString;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::time::{Duration, Instant};

use voip::*;
use voip_benches::{Pair, bar, quantile, summary};
use voip_core::{Call, EncoderConfig, ErrorKind};

const FRAME: usize = 960;
const FRAME_TIME: Duration = Duration::from_millis(20);
const QUIET: Duration = Duration::from_millis(2);
/// What the C function may cost beyond the Rust call, microseconds.
const BAR: f64 = 2.0;

fn main() {
    let frames = std::env::args().nth(1).map_or(1500, |n| n.parse().unwrap());
    let pair = Pair::start(&EncoderConfig::default());
    let (alice, bob) = pair.call();
    let calls = Calls { alice, bob, c: CPair::start(&pair.tracker.address().to_string()) };
    println!(
        "{}",
        serde_json::json!({
            "one_every_20_ms": calls.measure(frames, 1),
            "five_every_100_ms": calls.measure(frames, 5),
        })
    );
}

/// The call held by Rust and the one held through C.
struct Calls {
    alice: Call,
    bob: Call,
    c: CPair,
}

impl Calls {
    /// Writes and reads so many frames, some in a row.
    fn measure(&self, frames: usize, in_a_row: usize) -> serde_json::Value {
        let Calls { alice, bob, c } = self;
        let (mut written, mut read) = (Costs::default(), Costs::default());
        let frame: Vec<f32> = (0..FRAME).map(|i| 0.3 * (i as f32 * 0.05).sin()).collect();
        let (mut heard, mut c_heard) = (vec![0.0; FRAME], vec![0.0; FRAME]);
        let mut all = vec![0.0; FRAME * in_a_row];
        let ends = [bob.pcm_descriptor().unwrap().as_raw_fd(), c.bob_descriptor()];
        let mut due = Instant::now();
        for turn in 0..frames / in_a_row {
            let c_first = |i: usize| (turn + i).is_multiple_of(2);
            for i in 0..in_a_row {
                written.note(c_first(i), || write(alice, &frame), || c.write(&frame));
            }
            // Both say what they want, and are told when it is there.
            let mut early = [None; 2];
            for c_asks in [!c_first(0), c_first(0)] {
                let asked = if c_asks { c.read(&mut all) } else { read_now(bob, &mut all) };
                early[usize::from(c_asks)] = asked;
            }
            for (fd, _) in ends.into_iter().zip(early).filter(|(_, early)| early.is_none()) {
                wait_readable(fd);
            }
            // The engines have handed it over and are asleep again.
            std::thread::sleep(QUIET);
            if early == [None, None] {
                for i in 0..in_a_row {
                    read.note(c_first(i), || read_now(bob, &mut heard), || c.read(&mut c_heard));
                }
            }
            due += FRAME_TIME * in_a_row as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        serde_json::json!({ "write": written.report("write"), "read": read.report("read") })
    }
}

/// What each took, microseconds: when it was first of the two, and when it was second.
#[derive(Default)]
struct Costs {
    rust: [Vec<f64>; 2],
    c: [Vec<f64>; 2],
}

impl Costs {
    /// Times both, if both could do it.
    fn note(
        &mut self,
        c_first: bool,
        rust: impl FnOnce() -> Option<()>,
        c: impl FnOnce() -> Option<()>,
    ) {
        let (rust, c) = if c_first {
            let c = time(c);
            (time(rust), c)
        } else {
            (time(rust), time(c))
        };
        if let (Some(rust), Some(c)) = (rust, c) {
            self.rust[usize::from(c_first)].push(rust);
            self.c[usize::from(!c_first)].push(c);
        }
    }

    fn report(&self, what: &str) -> serde_json::Value {
        let typical =
            |costs: &[Vec<f64>; 2]| costs.iter().map(|c| quantile(c, 0.5)).sum::<f64>() / 2.0;
        let of_places = |costs: &[Vec<f64>; 2]| serde_json::json!({ "first": summary(&costs[0]), "second": summary(&costs[1]) });
        serde_json::json!({
            "rust_us": of_places(&self.rust),
            "c_us": of_places(&self.c),
            "over": bar(
                &format!("{what} of 20 ms through C over Rust, medians"),
                "µs",
                typical(&self.c) - typical(&self.rust),
                BAR,
                "looking up the handle; with one frame at a time also fetching the code and the table into cold caches",
            ),
        })
    }
}

fn time(work: impl FnOnce() -> Option<()>) -> Option<f64> {
    let begun = processor_time();
    let done = work();
    let took = processor_time() - begun;
    done.map(|()| took)
}

/// Of this thread, microseconds.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn write(call: &Call, frame: &[f32]) -> Option<()> {
    (call.write(frame, Duration::ZERO).unwrap() == FRAME).then_some(())
}

fn read_now(call: &Call, heard: &mut [f32]) -> Option<()> {
    match call.read(heard, Duration::ZERO) {
        Ok(()) => Some(()),
        Err(error) if error.kind() == ErrorKind::TimedOut => None,
        Err(error) => panic!("{error}"),
    }
}

fn wait_readable(fd: RawFd) {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    assert_eq!(unsafe { libc::poll(&raw mut poll, 1, 1000) }, 1, "no sound within a second");
}

/// Two nodes and a call, all held through the C library.
struct CPair {
    nodes: [*mut voip_node; 2],
    alice: *mut voip_call,
    bob: *mut voip_call,
}

impl CPair {
    fn start(tracker: &str) -> CPair {
        let nodes = ["carol", "dave"].map(|name| c_node(name, tracker));
        let (mut alice, mut bob): (_, *mut voip_call) = (ptr::null_mut(), ptr::null_mut());
        unsafe {
            let target = CString::new("dave").unwrap();
            ok(voip_node_place(nodes[0], target.as_ptr(), &raw mut alice));
            let mut event: voip_event = std::mem::zeroed();
            event.size = size_of::<voip_event>();
            while bob.is_null() {
                ok(voip_node_next_event(nodes[1], &raw mut event, 10_000));
                if event.kind == voip_event_kind::VOIP_EVENT_INCOMING {
                    bob = event.call;
                }
            }
        }
        ok(voip_call_answer(bob));
        ok(voip_call_wait_connected(alice, 10_000));
        ok(voip_call_wait_connected(bob, 10_000));
        CPair { nodes, alice, bob }
    }

    fn bob_descriptor(&self) -> RawFd {
        let mut fd = -1;
        ok(unsafe { voip_call_pcm_descriptor(self.bob, &raw mut fd) });
        fd
    }

    fn write(&self, frame: &[f32]) -> Option<()> {
        let mut written = 0;
        let status = unsafe {
            voip_call_write_f32(self.alice, frame.as_ptr(), frame.len(), 0, &raw mut written)
        };
        ok(status);
        (written == FRAME).then_some(())
    }

    fn read(&self, heard: &mut [f32]) -> Option<()> {
        match unsafe { voip_call_read_f32(self.bob, heard.as_mut_ptr(), heard.len(), 0) } {
            voip_status::VOIP_TIMED_OUT => None,
            status => {
                ok(status);
                Some(())
            }
        }
    }
}

impl Drop for CPair {
    fn drop(&mut self) {
        for node in self.nodes {
            ok(voip_node_free(node));
        }
    }
}

fn c_node(name: &str, tracker: &str) -> *mut voip_node {
    let text = |text: &str| CString::new(text).unwrap();
    let (mut builder, mut node) = (ptr::null_mut(), ptr::null_mut());
    unsafe {
        ok(voip_node_builder_new(text(name).as_ptr(), &raw mut builder));
        ok(voip_node_builder_tracker(builder, text(tracker).as_ptr()));
        ok(voip_node_builder_bind(builder, text("127.0.0.1:0").as_ptr()));
        ok(voip_node_builder_audio_manual(builder, 48_000));
        ok(voip_node_builder_start(builder, &raw mut node));
    }
    ok(voip_node_builder_free(builder));
    ok(voip_node_wait_registered(node, 5_000));
    node
}

fn ok(status: voip_status) {
    assert_eq!(status, voip_status::VOIP_OK, "voip_last_error has the words");
}
