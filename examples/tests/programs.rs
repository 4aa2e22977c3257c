//! The programs as people use them: built, run, judged by what they print and their exit status.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "programs/harness.rs"]
mod harness;
#[path = "programs/mesh.rs"]
mod mesh;
#[path = "programs/pairing.rs"]
mod pairing;
#[path = "programs/tracker_file.rs"]
mod tracker_file;

use std::fs;
use std::net::{TcpListener, UdpSocket};

use harness::{Outcome, Running, Scratch, run};

fn peer(scratch: &Scratch, tracker: &str, more: &[&str], typed: &str) -> Outcome {
    let fixed = ["--host", "127.0.0.1", "--ephemeral", "--tracker", tracker];
    run("peer", &[&fixed, more].concat(), typed, scratch)
}

/// Runs a tracker; gives its address.
fn tracker(scratch: &Scratch) -> (Running, String) {
    tracker_with(&[], scratch)
}

fn tracker_with(more: &[&str], scratch: &Scratch) -> (Running, String) {
    let fixed = ["--host", "127.0.0.1", "--port", "0"];
    let running = Running::start("tracker", &[&fixed, more].concat(), scratch);
    let line = running.line_with("tracker on ");
    let address = line.trim_start_matches("tracker on ").split(',').next().unwrap().to_string();
    (running, address)
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn help_explains_and_succeeds() {
    let scratch = Scratch::new();
    for (program, word) in [
        ("tracker", "--log"),
        ("peer", "--auto-answer"),
        ("demo", "--seconds"),
        ("doctor", "--json"),
    ] {
        let outcome = run(program, &["--help"], "", &scratch);
        assert_eq!(outcome.status, 0);
        assert!(outcome.stdout.contains(word), "{}", outcome.stdout);
    }
}

#[test]
fn the_doctor_says_what_is_bad_and_its_status_does_too() {
    let scratch = Scratch::new();
    let (_running, address) = tracker(&scratch);
    let off = ["--input", "off", "--output", "off"];
    let look = |more: &[&str]| run("doctor", &[&off[..], more].concat(), "", &scratch);
    let well = look(&["--tracker", &address]);
    assert_eq!(well.status, 0, "{well:?}");
    assert!(well.stdout.contains("[good]    call on this machine"), "{well:?}");
    assert!(well.stdout.contains("[warning] relay by UDP"), "{well:?}");
    let ill = look(&["--tracker", &nobody(), "--json"]);
    assert_eq!(ill.status, 1, "{ill:?}");
    let report: serde_json::Value = serde_json::from_str(&ill.stdout).unwrap();
    let bad = |check: &&serde_json::Value| check["verdict"] == "bad";
    let bad: Vec<_> = report["checks"].as_array().unwrap().iter().filter(bad).collect();
    assert_eq!(bad.len(), 1, "{ill:?}");
    assert_eq!(bad[0]["what"], "tracker");
}

#[test]
fn wrong_numbers_and_options_are_usage_errors() {
    let scratch = Scratch::new();
    for (program, arguments) in [
        ("peer", ["--bitrate", "5"]),
        ("peer", ["--bitrate", "fast"]),
        ("peer", ["--frame-ms", "15"]),
        ("peer", ["--complexity", "11"]),
        ("peer", ["--port", "70000"]),
        ("peer", ["--colour", "red"]),
        ("peer", ["--color", "redly"]),
        ("tracker", ["--port", "-1"]),
        ("tracker", ["--tls-self-signed=a", "--tls-cert"]),
        ("tracker", ["--request-rate", "0"]),
        ("tracker", ["--relay=false", "--relay-private"]),
        ("demo", ["--seconds", "0"]),
        ("demo", ["--loss", "120"]),
        ("demo", ["--loss", "much"]),
        ("demo", ["--jitter", "4000"]),
        ("peer", ["--rate", "0"]),
    ] {
        let outcome = run(program, &arguments, "", &scratch);
        outcome.failed_with(
            2,
            &arguments[1]
                .replace("fast", "bitrate")
                .replace("redly", "--color")
                .replace("red", "--colour")
                .replace("much", "--loss"),
        );
    }
}

#[test]
fn a_name_that_is_no_name_is_a_usage_error() {
    let scratch = Scratch::new();
    peer(&scratch, &nobody(), &["--username", ""], "").failed_with(2, "name");
}

#[test]
fn a_port_in_use_is_named() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    run("tracker", &["--host", "127.0.0.1", "--port", &port], "", &scratch).failed_with(1, &port);

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    peer(&scratch, &nobody(), &["--port", &port], "").failed_with(1, &port);
}

#[test]
fn an_unreachable_tracker_is_named() {
    let scratch = Scratch::new();
    let address = nobody();
    peer(&scratch, &address, &[], "").failed_with(1, &address);
}

#[test]
fn a_name_that_somebody_has_is_refused() {
    let scratch = Scratch::new();
    let (_tracker, address) = tracker(&scratch);
    let alice =
        ["--host", "127.0.0.1", "--ephemeral", "--tracker", &address, "--username", "alice"];
    let first = Running::start("peer", &alice, &scratch);
    first.line_with("registered at ");
    run("peer", &alice, "", &scratch).failed_with(1, "name");
}

#[test]
fn peers_register_over_tls_with_the_key_that_the_tracker_tells() {
    let scratch = Scratch::new();
    let file = scratch.path("tracker.pem");
    let options = ["--host", "127.0.0.1", "--port", "0", "--tls-self-signed", &file];
    let arguments = [&options, &["--require-tls"][..]].concat();
    let tracker = Running::start("tracker", &arguments, &scratch);
    let line = tracker.line_with("#sha256=");
    let address = line.split('\'').nth(1).unwrap().replace("HOST", "127.0.0.1");
    let alice =
        ["--host", "127.0.0.1", "--ephemeral", "--tracker", &address, "--username", "alice"];
    Running::start("peer", &alice, &scratch).line_with("registered at tls://");
    tracker.line_with("+ alice");

    let (place, digits) = address.rsplit_once('=').unwrap();
    let wrong = format!("{place}={}", digits.chars().rev().collect::<String>());
    let plain = address.replace("tls://", "").split('#').next().unwrap().to_owned();
    for (address, words) in [(&wrong, digits), (&plain, "takes TLS only")] {
        peer(&scratch, address, &[], "").failed_with(1, words);
    }
}

#[test]
fn calling_somebody_who_is_not_there_fails() {
    let scratch = Scratch::new();
    let (_tracker, address) = tracker(&scratch);
    let outcome = peer(&scratch, &address, &["--username", "alice"], "call zoe\n");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stdout.contains("call with zoe over: no such peer is online"), "{outcome:?}");
}

#[test]
fn wrong_commands_are_explained() {
    let scratch = Scratch::new();
    let (_tracker, address) = tracker(&scratch);
    let outcome = peer(&scratch, &address, &[], "dance\nsend hi\nanswer\nmute\nquit\n");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stdout.contains("error: unknown command \"dance\"; type help"), "{outcome:?}");
    assert!(outcome.stdout.contains("error: no mesh: start this program with"), "{outcome:?}");
    assert_eq!(outcome.stdout.matches("error: there is no call").count(), 2, "{outcome:?}");
}

#[test]
fn a_script_lists_who_is_there() {
    let scratch = Scratch::new();
    let (_tracker, address) = tracker(&scratch);
    let bob = ["--host", "127.0.0.1", "--ephemeral", "--tracker", &address, "--username", "bob"];
    let running = Running::start("peer", &bob, &scratch);
    running.line_with("registered at ");
    let outcome = peer(&scratch, &address, &["--json", "--username", "alice"], "peers\nquit\n");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let lines = outcome.stdout.lines().map(|l| serde_json::from_str(l).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    assert_eq!(lines[0]["event"], "starting");
    assert_eq!(lines.last().unwrap()["event"], "report");
    assert!(lines.iter().all(|line| line["t_us"].as_u64() > Some(1_500_000_000_000_000)));
}

#[test]
fn words_are_compared_and_the_blocked_do_not_ring() {
    let scratch = Scratch::new();
    let (_tracker, address) = tracker(&scratch);
    let start = |name, more: &[&str]| {
        let fixed = ["--host", "127.0.0.1", "--ephemeral", "--tracker", &address];
        let heard = scratch.path(&format!("{name}.wav"));
        let who = ["--username", name, "--record", &heard];
        let running = Running::start("peer", &[&fixed, &who[..], more].concat(), &scratch);
        running.line_with("registered");
        running
    };
    let mut bob = start("bob", &[]);
    let mut alice = start("alice", &[]);
    bob.type_line("block alice");
    bob.line_with("error: nobody called alice has been in a call with you");
    alice.type_line("call bob");
    bob.line_with("alice (");
    bob.type_line("answer");
    let words =
        |line: String| line.rsplit_once("with ").unwrap().1.split_once(": ").unwrap().1.to_owned();
    let at_alice = words(alice.line_with("words to compare with bob"));
    assert_eq!(words(bob.line_with("words to compare with alice")), at_alice);
    bob.type_line("verify");
    bob.line_with(&format!("  words          {at_alice}"));
    let number = bob.line_with("safety number");
    alice.type_line("verify");
    assert_eq!(alice.line_with("safety number"), number);
    bob.type_line("verified alice");
    bob.line_with("is verified");
    bob.type_line("block alice");
    bob.line_with("is blocked");
    alice.line_with("call with bob over");
    alice.type_line("call bob");
    alice.line_with("it rings at bob");
    alice.type_line("hangup");
    alice.line_with("call with bob over");
    bob.type_line("contacts");
    bob.line_with("  alice                blocked");
    bob.type_line("unblock alice");
    bob.line_with("is seen");
    alice.type_line("call bob");
    bob.line_with("alice (");
    alice.type_line("hangup");
    bob.line_with("missed");
    bob.type_line("accept alice");
    bob.line_with("is accepted");
}

#[test]
fn a_tracker_that_is_killed_and_started_again_at_once_is_not_missed() {
    let scratch = Scratch::new();
    let (running, address) = tracker(&scratch);
    let start = |name, more: &[&str]| {
        let fixed = ["--host", "127.0.0.1", "--ephemeral", "--tracker", &address];
        let heard = scratch.path(&format!("{name}.wav"));
        let who = ["--username", name, "--record", &heard];
        let running = Running::start("peer", &[&fixed, &who[..], more].concat(), &scratch);
        running.line_with("registered");
        running
    };
    let bob = start("bob", &["--auto-answer"]);
    let mut alice = start("alice", &[]);
    alice.type_line("call bob");
    alice.line_with("connected with bob");
    bob.line_with("connected with alice");
    // With SIGKILL.
    drop(running);
    let port = address.rsplit_once(':').unwrap().1;
    let again = Running::start("tracker", &["--host", "127.0.0.1", "--port", port], &scratch);
    again.line_with("tracker on ");
    for peer in [&alice, &bob] {
        peer.line_with("registered");
    }
    alice.type_line("verify");
    alice.line_with("safety number");
    alice.type_line("hangup");
    bob.line_with("call with alice over: the peer hung up");
    alice.type_line("call bob");
    alice.line_with("connected with bob");
}

#[test]
fn push_to_talk_begins_every_call_muted() {
    let scratch = Scratch::new();
    let (_tracker, address) = tracker(&scratch);
    let start = |name, more: &[&str]| {
        let heard = scratch.path(&format!("{name}.wav"));
        let fixed = ["--host", "127.0.0.1", "--ephemeral", "--tracker", &address];
        let who = ["--username", name, "--record", &heard];
        let running = Running::start("peer", &[&fixed, &who[..], more].concat(), &scratch);
        running.line_with("registered");
        running
    };
    let bob = start("bob", &["--auto-answer"]);
    let mut alice = start("alice", &["--json"]);
    let sent = |stats: &str| {
        let stats: serde_json::Value = serde_json::from_str(stats).unwrap();
        stats.pointer("/call/packets/sent").unwrap().as_u64().unwrap()
    };
    alice.type_line("ptt on");
    alice.type_line("call bob");
    bob.line_with("alice muted");
    alice.type_line("");
    bob.line_with("alice unmuted");
    // She hangs up in the middle of a word.
    alice.type_line("hangup");
    alice.line_with("ended");
    bob.line_with("over");

    alice.type_line("call bob");
    alice.line_with("first_audio");
    bob.line_with("alice muted");
    alice.type_line("quit");
    assert_eq!(sent(&alice.line_with("\"report\"")), 0, "packets sent");
}

#[test]
fn sound_files_that_cannot_be_used_are_named() {
    let scratch = Scratch::new();
    let text = scratch.path("text.wav");
    fs::write(&text, "this is no sound").unwrap();
    let missing = scratch.path("missing.wav");
    let folderless = scratch.path("nowhere/heard.wav");
    for (option, file) in [("--wav", &missing), ("--wav", &text), ("--record", &folderless)] {
        peer(&scratch, &nobody(), &[option, file], "").failed_with(1, file);
    }
}

#[test]
fn an_identity_file_that_is_none_is_named() {
    let scratch = Scratch::new();
    let file = scratch.path("alice.key");
    fs::write(&file, "not a key").unwrap();
    let arguments = ["--tracker", &nobody(), "--identity", &file];
    run("peer", &arguments, "", &scratch).failed_with(1, &file);
}

#[test]
fn too_little_loss_to_count_is_a_usage_error() {
    let scratch = Scratch::new();
    run("demo", &["--loss=0.2"], "", &scratch).failed_with(2, "0.2 %");
}

#[test]
fn the_demo_over_a_bad_line_counts_what_was_lost() {
    let scratch = Scratch::new();
    let out = scratch.path("demo");
    let options = ["--seconds", "4", "--loss=5", "--jitter=40", "--out", &out];
    let outcome = run("demo", &options, "", &scratch);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let text = fs::read_to_string(format!("{out}/report.json")).unwrap();
    let line = &serde_json::from_str::<serde_json::Value>(&text).unwrap()["line"];
    assert_eq!(line["void"], serde_json::Value::Null, "{text}");
    assert_eq!(line["asked"]["jitter_ms"], 40, "{text}");
    for direction in ["to_alice", "to_bob"] {
        let loss = line[direction]["loss_pct"].as_f64().unwrap();
        assert!((4.0..=6.0).contains(&loss), "{text}");
        assert!(line[direction]["received"].as_u64() > Some(150), "{text}");
    }
}

#[test]
fn the_demo_measures_a_call() {
    let scratch = Scratch::new();
    let out = scratch.path("demo");
    let outcome = run("demo", &["--seconds", "4", "--out", &out], "", &scratch);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let text = fs::read_to_string(format!("{out}/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    for key in [
        "/register_ms",
        "/ring_ms",
        "/answer_ms",
        "/first_audio_ms",
        "/one_way_ms/p50",
        "/one_way_ms/p95",
        "/stages_ms/capture",
        "/stages_ms/encode",
        "/stages_ms/network",
        "/stages_ms/buffer",
        "/stages_ms/decode",
        "/stages_ms/playout",
        "/packets/sent",
        "/packets/received",
        "/packets/lost",
        "/concealed_pct",
        "/loss_pct",
        "/jitter_ms",
        "/heard/alice",
        "/heard/bob",
    ] {
        let value = report.pointer(key).and_then(serde_json::Value::as_f64);
        assert!(value.is_some_and(f64::is_finite), "{key} in {text}");
    }
    for who in ["alice", "bob"] {
        assert!(report["heard"][who].as_f64() > Some(0.8), "{text}");
        assert!(fs::metadata(report["sent"][who].as_str().unwrap()).unwrap().is_file());
        let heard = hound::WavReader::open(format!("{out}/{who}_heard.wav")).unwrap();
        let seconds = f64::from(heard.duration()) / f64::from(heard.spec().sample_rate);
        assert!((3.5..6.0).contains(&seconds), "{who} recorded {seconds} s");
    }
    assert!(report["packets"]["sent"].as_u64() >= Some(2 * 4 * 45), "{text}");
    let picture = fs::read(format!("{out}/waveforms.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
}
