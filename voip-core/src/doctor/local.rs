//! Calls on this machine: with manual PCM, and with its devices.

use super::{Check, CheckKind, DoctorOptions, Verdict, check};
use crate::call::Call;
use crate::device::DeviceChoice;
use crate::error::Error;
use crate::io::Clock;
use crate::node::{Audio, Node, NodeBuilder};
use crate::time::{Duration, Instant, millis};
use crate::tracker::Tracker;

/// A microphone that gives nothing else for a second is silent; it is listened to a little longer.
#[cfg(feature = "devices")]
const LISTEN: Duration = Duration::from_millis(1_600);
/// How long devices may take to open.
#[cfg(feature = "devices")]
const OPEN: Duration = Duration::from_secs(4);
/// One step of writing and reading.
const STEP: Duration = Duration::from_millis(20);

/// Two nodes that call each other.
struct Two {
    #[cfg_attr(not(feature = "devices"), expect(dead_code, reason = "it is kept up"))]
    alice: Node,
    call: Call,
    bob: Node,
    _tracker: Tracker,
}

impl Two {
    fn call(audio: Audio, others: Audio, until: Instant) -> Result<Two, Error> {
        let clock = Clock::new();
        let left = || until.since(clock.now());
        let tracker = Tracker::builder().bind("127.0.0.1:0").start()?;
        let start = |name: &str, audio: Audio, answers: bool| {
            let node: NodeBuilder = Node::builder(name).bind("127.0.0.1:0").audio(audio);
            node.tracker(tracker.address().to_string()).auto_answer(answers).start()
        };
        let alice = start("doctor-a", audio, false)?;
        let bob = start("doctor-b", others, true)?;
        alice.wait_registered(left())?;
        bob.wait_registered(left())?;
        let call = alice.place("doctor-b")?;
        call.wait_connected(left())?;
        Ok(Two { alice, call, bob, _tracker: tracker })
    }
}

pub(super) fn checks(options: &DoctorOptions, until: Instant) -> Vec<Check> {
    let mut checks = vec![loopback(until)];
    checks.extend(devices(options, until));
    checks
}

fn loopback(until: Instant) -> Check {
    let kind = CheckKind::LoopbackCall;
    match first_sound(until) {
        Ok(Some(took)) => {
            let measured = format!("connected, sound heard after {:.0} ms", millis(took));
            check(kind, "", Verdict::Good, measured, "")
        }
        Ok(None) => check(
            kind,
            "",
            Verdict::Bad,
            "connected, but no sound was heard",
            "This machine may be too busy: end other programs and try again.",
        ),
        Err(error) => check(
            kind,
            "",
            Verdict::Bad,
            error.to_string(),
            "A firewall on this machine stops programs from talking to each other on 127.0.0.1, or it is too busy.",
        ),
    }
}

/// From the call's beginning to its first sound.
fn first_sound(until: Instant) -> Result<Option<Duration>, Error> {
    let clock = Clock::new();
    let begun = clock.now();
    let manual = || Audio::Manual { rate: 48_000 };
    let two = Two::call(manual(), manual(), until)?;
    let mut at_bob = None;
    let mut heard = [0.0; 480];
    let mut said = 0;
    while clock.now() < until {
        let block: Vec<f32> = (said..said + 480).map(|i| 0.3 * (i as f32 * 0.06).sin()).collect();
        said += two.call.write(&block, STEP)?;
        if at_bob.is_none() {
            at_bob = two.bob.next_event(Duration::ZERO).and_then(|event| event.call().cloned());
        }
        if let Some(call) = &at_bob {
            // Nothing may be there to read yet.
            let read = call.read(&mut heard, STEP);
            if read.is_ok() && heard.iter().any(|sample| sample.abs() > 0.05) {
                return Ok(Some(clock.now().since(begun)));
            }
        }
    }
    Ok(None)
}

#[cfg(not(feature = "devices"))]
fn devices(options: &DoctorOptions, _: Instant) -> Vec<Check> {
    let why = "this build has no sound cards";
    vec![
        left_out(CheckKind::Microphone, &options.input, why),
        left_out(CheckKind::Loudspeaker, &options.output, why),
    ]
}

fn left_out(kind: CheckKind, choice: &DeviceChoice, why: &str) -> Check {
    let why = if *choice == DeviceChoice::Off { "off" } else { why };
    check(kind, "", Verdict::Skipped, why, "")
}

#[cfg(feature = "devices")]
fn devices(options: &DoctorOptions, until: Instant) -> Vec<Check> {
    let (input, output) = (options.input.clone(), options.output.clone());
    let (no_input, no_output) = (input == DeviceChoice::Off, output == DeviceChoice::Off);
    if no_input && no_output {
        return vec![
            left_out(CheckKind::Microphone, &input, ""),
            left_out(CheckKind::Loudspeaker, &output, ""),
        ];
    }
    let two = match Two::call(Audio::Devices { input, output }, Audio::Null, until) {
        Ok(two) => two,
        Err(error) => {
            let skipped = |kind| {
                check(kind, "", Verdict::Skipped, format!("no call to try it in: {error}"), "")
            };
            return vec![skipped(CheckKind::Microphone), skipped(CheckKind::Loudspeaker)];
        }
    };
    let clock = Clock::new();
    let begun = clock.now();
    let mut opened = None;
    loop {
        let (now, stats) = (clock.now(), two.alice.stats());
        let is_open =
            (no_input || stats.microphone.is_some()) && (no_output || stats.loudspeaker.is_some());
        if is_open && opened.is_none() {
            opened = Some(now);
        }
        let enough = opened.map_or(begun + OPEN, |at| at + LISTEN);
        if now >= enough.min(until) {
            break;
        }
        two.alice.next_event(STEP);
    }
    let (stats, call) = (two.alice.stats(), two.call.stats());
    let microphone = match &stats.microphone {
        _ if no_input => left_out(CheckKind::Microphone, &DeviceChoice::Off, ""),
        Some(device) if call.digital_silence => check(
            CheckKind::Microphone,
            &device.device.name,
            Verdict::Bad,
            "opened, but gives nothing but digital silence",
            "Switch it on, plug it in, or choose another one; see that the system lets this program use it and has not \
             muted it.",
        ),
        Some(device) => check(
            CheckKind::Microphone,
            &device.device.name,
            Verdict::Good,
            format!("{} Hz, level {:.0} dBFS", device.rate, call.level_in_dbfs),
            "",
        ),
        None => check(
            CheckKind::Microphone,
            "",
            Verdict::Bad,
            "none could be opened",
            "Plug one in and see that the system lets this program use it; to only listen, mute your calls.",
        ),
    };
    let loudspeaker = match &stats.loudspeaker {
        _ if no_output => left_out(CheckKind::Loudspeaker, &DeviceChoice::Off, ""),
        Some(device) => check(
            CheckKind::Loudspeaker,
            &device.device.name,
            Verdict::Good,
            format!("{} Hz, delay {:.0} ms", device.rate, device.delay_ms),
            "",
        ),
        None => check(
            CheckKind::Loudspeaker,
            "",
            Verdict::Bad,
            "none could be opened",
            "Plug one in, see that the system's sound service runs, or choose another one.",
        ),
    };
    vec![microphone, loudspeaker]
}
