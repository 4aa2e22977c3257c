//! The doctor: what is well is said to be, what is broken is named.

use std::net::TcpListener;

use crate::harness::{Folder, shown, tracker};
use voip_core::{
    Check, CheckKind, DeviceChoice, DoctorOptions, Duration, ErrorKind, Report, Tracker, Verdict,
    doctor,
};

fn look(trackers: &[String]) -> Report {
    let options = DoctorOptions::new(trackers).devices(DeviceChoice::Off, DeviceChoice::Off);
    doctor(&options.limit(Duration::from_secs(8))).unwrap()
}

fn verdict(report: &Report, what: CheckKind) -> Verdict {
    let found: Vec<_> = report.checks.iter().filter(|c| c.what == what).collect();
    assert_eq!(found.len(), 1, "{what:?}: {report:?}");
    found[0].verdict
}

#[test]
fn all_is_well_with_a_tracker_that_relays_and_nothing_is_left_there() {
    let relaying = Tracker::builder().bind("127.0.0.1:0").relay(true).relay_private(true);
    let tracker = relaying.start().unwrap();
    let report = look(&[tracker.address().to_string()]);
    assert!(report.is_good());
    let of_devices = [CheckKind::Microphone, CheckKind::Loudspeaker];
    for check in &report.checks {
        let wanted =
            if of_devices.contains(&check.what) { Verdict::Skipped } else { Verdict::Good };
        assert_eq!(check.verdict, wanted, "{check:?}");
    }
    assert_eq!(report.checks.len(), 10);
    while tracker.stats().online > 0 {
        tracker.next_event(Duration::from_secs(1));
    }
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["checks"][0]["what"], "loopback_call");
    assert_eq!(json["checks"][0]["verdict"], "good");
}

#[test]
fn a_tracker_without_a_relay_is_a_warning() {
    let tracker = tracker();
    let report = look(&[tracker.address().to_string()]);
    assert!(report.is_good());
    assert_eq!(verdict(&report, CheckKind::RelayUdp), Verdict::Warning);
}

#[test]
fn a_tracker_that_is_not_there_is_bad_and_the_rest_is_looked_at() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let report = look(&[closed.to_string()]);
    assert!(!report.is_good());
    assert_eq!(verdict(&report, CheckKind::Tracker), Verdict::Bad);
    assert_eq!(verdict(&report, CheckKind::Registration), Verdict::Skipped);
    assert_eq!(verdict(&report, CheckKind::Udp), Verdict::Skipped);
    assert_eq!(verdict(&report, CheckKind::LoopbackCall), Verdict::Good);
    let nameless = look(&["nowhere".into()]);
    assert_eq!(verdict(&nameless, CheckKind::Tracker), Verdict::Bad);
}

/// What stands before a tracker and lets connections through only.
#[test]
fn where_datagrams_do_not_pass_it_is_said() {
    let tracker = tracker();
    let wall = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = wall.local_addr().unwrap().to_string();
    let inside = tracker.address();
    std::thread::spawn(move || {
        while let Ok((outside, _)) = wall.accept() {
            let through = std::net::TcpStream::connect(inside).unwrap();
            for (mut from, mut to) in
                [(outside.try_clone().unwrap(), through.try_clone().unwrap()), (through, outside)]
            {
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
    });
    let report = look(&[address]);
    assert_eq!(verdict(&report, CheckKind::Registration), Verdict::Good);
    assert_eq!(verdict(&report, CheckKind::Udp), Verdict::Bad);
    assert_eq!(verdict(&report, CheckKind::Nat), Verdict::Skipped);
    assert!(!report.is_good());
}

/// The check of that kind.
fn check(report: &Report, what: CheckKind) -> &Check {
    report.checks.iter().find(|check| check.what == what).unwrap()
}

#[test]
fn a_tracker_that_requires_tls_is_looked_at_as_nodes_do() {
    let folder = Folder::new();
    let relaying = Tracker::builder().bind("127.0.0.1:0").relay(true).relay_private(true);
    let relaying = relaying.tls_self_signed(folder.file("tracker.pem")).require_tls(true);
    let tracker = relaying.start().unwrap();
    let address = format!("tls://{}", tracker.address());
    let key = tracker.key_sha256().unwrap();
    let report = look(&[format!("{address}#sha256={key}")]);
    for kind in [CheckKind::Tracker, CheckKind::Registration, CheckKind::Clock, CheckKind::Udp] {
        assert_eq!(verdict(&report, kind), Verdict::Good, "{report:?}");
    }
    assert_eq!(verdict(&report, CheckKind::RelayUdp), Verdict::Good);
    assert_eq!(verdict(&report, CheckKind::RelayTcp), Verdict::Good);
    assert!(tracker.stats().tls >= 2, "the relay in TLS, too: {:?}", tracker.stats());

    let file = shown(&folder.file("tracker.pem"));
    let missing = shown(&folder.file("missing.pem"));
    for (address, measured, advice) in [
        (tracker.address().to_string(), "takes TLS only", "tls://"),
        (format!("{address}#sha256={}", "00".repeat(32)), key, "Ask who runs the tracker"),
        (format!("{address}#ca={file}"), "certificate does not fit", "#sha256=DIGITS"),
        (format!("{address}#ca={missing}"), missing.as_str(), "PEM file"),
        (format!("{address}#sha1=00"), "neither sha256=DIGITS nor ca=FILE", "#sha256="),
    ] {
        let report = look(std::slice::from_ref(&address));
        let check = check(&report, CheckKind::Tracker);
        assert_eq!(check.verdict, Verdict::Bad, "{check:?}");
        assert!(check.measured.contains(measured) && check.advice.contains(advice), "{check:?}");
        assert_eq!(verdict(&report, CheckKind::Registration), Verdict::Skipped);
    }
    while tracker.stats().online > 0 {
        tracker.next_event(Duration::from_secs(1));
    }
}

#[test]
fn a_tracker_without_tls_is_told_apart_from_one_that_is_not_there() {
    let relaying = Tracker::builder().bind("127.0.0.1:0").relay(true).start().unwrap();
    for tracker in [tracker(), relaying] {
        let report = look(&[format!("tls://{}#sha256={}", tracker.address(), "00".repeat(32))]);
        let check = check(&report, CheckKind::Tracker);
        assert_eq!(check.verdict, Verdict::Bad);
        assert!(check.measured.contains("no TLS"), "{check:?}");
        assert!(check.advice.contains("leave tls:// out"), "{check:?}");
        assert_eq!(verdict(&report, CheckKind::Udp), Verdict::Good);
        assert_eq!(tracker.stats().online, 0);
    }
}

#[test]
fn what_listens_but_says_nothing_is_no_tracker_and_time_ends() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = DoctorOptions::new([mute.local_addr().unwrap().to_string()]);
    let options = options.devices(DeviceChoice::Off, DeviceChoice::Off);
    let report = doctor(&options.limit(Duration::from_secs(2))).unwrap();
    assert_eq!(verdict(&report, CheckKind::Tracker), Verdict::Bad);
}

#[test]
fn options_out_of_range_are_refused() {
    let kind = |options: DoctorOptions| doctor(&options).unwrap_err().kind();
    let short = DoctorOptions::default().limit(Duration::from_millis(10));
    assert_eq!(kind(short), ErrorKind::InvalidArgument);
    assert_eq!(kind(DoctorOptions::new(vec!["a:1"; 17])), ErrorKind::InvalidArgument);
}
