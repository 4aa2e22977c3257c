//! What measurements mean, and what to change: without clocks or sockets.

use super::CheckKind as Kind;
use super::{Check, Verdict, check};
use crate::io::probe::{Mapping, TrackerFindings, Unreached};
use crate::time::{Duration, millis};

/// Of a peer's clock that is off by more a tracker and other peers do not take what it signs.
const CLOCK_OFF_BAD_MS: u64 = 300_000;
const CLOCK_OFF_WARNING_MS: u64 = 60_000;

/// Everything about one tracker but what its datagrams tell of the router.
pub(super) fn tracker(found: &TrackerFindings, mapping: Option<&Mapping>) -> Vec<Check> {
    let name = found.tracker.as_str();
    let mut checks = Vec::new();
    match &found.greeted {
        Ok(took) => {
            checks.push(good(Kind::Tracker, name, format!("answers after {}", words(*took))))
        }
        Err(why) => {
            let advice = how_to_reach(name, why);
            checks.push(check(Kind::Tracker, name, Verdict::Bad, why.to_string(), advice));
        }
    }
    match &found.registered {
        Some(Ok(registered)) => checks.push(good(
            Kind::Registration,
            name,
            format!(
                "accepted, seen as {}, round trip {}",
                registered.observed,
                words(registered.round_trip)
            ),
        )),
        Some(Err(why)) => checks.push(check(
            Kind::Registration,
            name,
            Verdict::Bad,
            why,
            "The tracker can be reached but takes nobody in: see the clock below, wait a minute, or use another one.",
        )),
        None => checks.push(skipped(Kind::Registration, name, "the tracker was not reached")),
    }
    checks.extend(found.clock_ahead_ms.map(|ahead| clock(name, ahead)));
    checks.push(match mapping {
        Some(mapping) => good(
            Kind::Udp,
            name,
            format!("answered after {}, seen as {}", words(mapping.took), mapping.seen),
        ),
        None if found.address.is_none() => skipped(Kind::Udp, name, "the tracker has no address"),
        None if found.greeted.is_err() => {
            skipped(Kind::Udp, name, "no answer, and the tracker was not reached")
        }
        None => udp_blocked(name, found.relays()),
    });
    checks.extend(relay(found));
    checks
}

/// What to change so that a tracker greets.
fn how_to_reach(name: &str, why: &Unreached) -> &'static str {
    match why {
        Unreached::Address(_) => {
            "Write it as host:port, or as tls://host:port where there is TLS; behind that #sha256= with the 64 digits that \
             the tracker prints at its start, or #ca= with a PEM file of certificates of authorities."
        }
        Unreached::Silent(_) => {
            "Check its address and that it runs. If others reach it, a firewall here or there stops TCP to its port: \
             let it through, or use a tracker at port 443."
        }
        Unreached::Untrusted(_) if name.contains("#sha256=") => {
            "Ask who runs the tracker for the address that it prints at its start, and use that if its key was changed. If \
             it was not, somebody sits between you and it: calls would not be heard, but who calls whom would be seen."
        }
        Unreached::Untrusted(_) => {
            "If the tracker made its certificate itself, put #sha256=DIGITS behind its address, as it prints at its start; \
             if an authority of your own did, #ca=FILE. Else use the host that the certificate is for, set this machine's \
             clock if it is wrong, or have who runs the tracker renew the certificate."
        }
        Unreached::TlsRequired => {
            "Put tls:// before its address, and if it made its certificate itself #sha256=DIGITS behind it, as it prints at \
             its start."
        }
        Unreached::NoTls(_) => {
            "Check the port. If it is the tracker's, have who runs it give it a certificate (tracker --tls-self-signed \
             FILE), or leave tls:// out: who calls whom can be seen on the way then."
        }
    }
}

fn udp_blocked(name: &str, relays: bool) -> Check {
    let (verdict, advice) = if relays {
        let advice = "A firewall stops UDP. Calls go by the tracker's relay over TCP, with more delay: let UDP out for \
                      better ones.";
        (Verdict::Warning, advice)
    } else {
        let advice = "A firewall stops UDP, and so all sound: let UDP out, or use a tracker with a relay, which serves \
                      over TCP.";
        (Verdict::Bad, advice)
    };
    check(Kind::Udp, name, verdict, "no answer came back", advice)
}

fn relay(found: &TrackerFindings) -> Vec<Check> {
    let name = found.tracker.as_str();
    let Some(Ok(registered)) = &found.registered else { return Vec::new() };
    let Some(relay) = &registered.relay else {
        return vec![check(
            Kind::RelayUdp,
            name,
            Verdict::Warning,
            "this tracker offers none",
            "Where two routers let nothing of each other through, calls need one: ask for a tracker with a relay \
             (tracker --relay).",
        )];
    };
    let judged = |kind, result: &Result<Duration, String>, verdict, advice| match result {
        Ok(took) => good(kind, name, format!("gave an address after {}", words(*took))),
        Err(why) => check(kind, name, verdict, why, advice),
    };
    let both = relay.udp.is_err() && relay.tcp.is_err();
    let verdict = if both { Verdict::Bad } else { Verdict::Warning };
    vec![
        judged(
            Kind::RelayUdp,
            &relay.udp,
            verdict,
            "The relay cannot be used by UDP: let UDP out to the tracker's port.",
        ),
        judged(
            Kind::RelayTcp,
            &relay.tcp,
            verdict,
            "The relay cannot be used by TCP, which calls need where UDP is stopped: tell who runs the tracker.",
        ),
    ]
}

/// `ahead` is by how many milliseconds the clock here is ahead of the tracker's.
pub(super) fn clock(name: &str, ahead: i64) -> Check {
    let off = ahead.unsigned_abs();
    let verdict = if off > CLOCK_OFF_BAD_MS {
        Verdict::Bad
    } else if off > CLOCK_OFF_WARNING_MS {
        Verdict::Warning
    } else {
        Verdict::Good
    };
    let which = if ahead < 0 { "behind" } else { "ahead of" };
    let measured = format!("{:.1} s {which} the tracker's", off as f64 / 1_000.0);
    let advice = match verdict {
        Verdict::Good => "",
        _ => {
            "Set the date and time of this machine, best by itself over the network. If they are right, the tracker's \
              are not."
        }
    };
    check(Kind::Clock, name, verdict, measured, advice)
}

/// What a router between here and the trackers does to addresses.
pub(super) fn nat(mapped: &[Mapping], relay: bool) -> Check {
    let kind = |verdict, measured: &str, advice| check(Kind::Nat, "", verdict, measured, advice);
    let Some(first) = mapped.first() else {
        return kind(Verdict::Skipped, "not known: no datagram came back", "");
    };
    let others = mapped.iter().filter(|m| m.to.is_ipv4() == first.to.is_ipv4());
    let others: Vec<_> = others.filter(|m| m.to != first.to).collect();
    if mapped.iter().all(|m| m.is_own) {
        return kind(Verdict::Good, "none: the address seen is this machine's own", "");
    }
    if others.iter().any(|m| m.seen != first.seen) {
        let measured = "gives each destination another address (address-dependent mapping)";
        return if relay {
            kind(
                Verdict::Warning,
                measured,
                "Calls with people behind a router of this kind go by the tracker's relay, with more delay. A mapping \
                 of ports (UPnP) or another router would avoid that.",
            )
        } else {
            kind(
                Verdict::Warning,
                measured,
                "Calls with people behind a router of this kind do not work without a relay: use a tracker that has \
                 one.",
            )
        };
    }
    if others.iter().any(|m| m.to.ip() != first.to.ip()) {
        let measured = "the same address for all destinations (endpoint-independent mapping)";
        return kind(Verdict::Good, measured, "");
    }
    let measured = match others.is_empty() {
        true => "there is one; its kind is not known with one tracker",
        false => "there is one; the same address for two ports of one tracker, more is not known",
    };
    kind(Verdict::Skipped, measured, "Give a second tracker, on another host, to find it out.")
}

fn good(what: Kind, name: &str, measured: String) -> Check {
    check(what, name, Verdict::Good, measured, "")
}

fn skipped(what: Kind, name: &str, why: &str) -> Check {
    check(what, name, Verdict::Skipped, why, "")
}

fn words(took: Duration) -> String {
    format!("{:.1} ms", millis(took))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::probe::{Registered, Relay};

    fn mapping(to: &str, seen: &str, is_own: bool) -> Mapping {
        let (to, seen) = (to.parse().unwrap(), seen.parse().unwrap());
        Mapping { to, seen, is_own, took: Duration::from_millis(20) }
    }

    fn registered(relay: Option<Relay>) -> TrackerFindings {
        let observed = "192.0.2.7:1000".parse().unwrap();
        let round_trip = Duration::from_millis(20);
        TrackerFindings {
            address: Some("203.0.113.1:6000".parse().unwrap()),
            greeted: Ok(round_trip),
            clock_ahead_ms: Some(0),
            registered: Some(Ok(Registered { observed, round_trip, relay })),
            ..TrackerFindings::nothing("t:6000".into())
        }
    }

    fn verdict(checks: &[Check], what: Kind) -> Option<Verdict> {
        checks.iter().find(|check| check.what == what).map(|check| check.verdict)
    }

    #[test]
    fn a_clock_that_is_off_by_an_hour_is_bad_either_way() {
        assert_eq!(clock("t", 59_000).verdict, Verdict::Good);
        assert_eq!(clock("t", -120_000).verdict, Verdict::Warning);
        for ahead in [3_600_000, -3_600_000, i64::MIN, i64::MAX] {
            let check = clock("t", ahead);
            assert_eq!(check.verdict, Verdict::Bad);
            assert!(check.advice.contains("date and time"));
        }
        assert_eq!(clock("t", -3_600_000).measured, "3600.0 s behind the tracker's");
    }

    #[test]
    fn routers_are_told_apart_as_far_as_can_be() {
        let [a, b] = ["203.0.113.1:6000", "198.51.100.1:6000"];
        let [seen, other] = ["192.0.2.7:1000", "192.0.2.7:1001"];
        let known = |mapped: &[Mapping]| nat(mapped, false);
        let same = known(&[mapping(a, seen, false), mapping(b, seen, false)]);
        assert_eq!(same.verdict, Verdict::Good);
        assert!(same.measured.contains("endpoint-independent"));
        let differs = known(&[mapping(a, seen, false), mapping(b, other, false)]);
        assert_eq!(differs.verdict, Verdict::Warning);
        assert!(differs.measured.contains("address-dependent") && differs.advice.contains("relay"));
        let one = known(&[mapping(a, seen, false)]);
        assert_eq!(one.verdict, Verdict::Skipped);
        assert!(one.measured.contains("not known with one tracker"));
        let ports = known(&[mapping(a, seen, false), mapping("203.0.113.1:443", seen, false)]);
        assert_eq!(ports.verdict, Verdict::Skipped);
        let ports = known(&[mapping(a, seen, false), mapping("203.0.113.1:443", other, false)]);
        assert_eq!(ports.verdict, Verdict::Warning);
        assert_eq!(known(&[mapping(a, seen, true)]).verdict, Verdict::Good);
        assert_eq!(known(&[]).verdict, Verdict::Skipped);
        let families =
            known(&[mapping(a, seen, false), mapping("[2001:db8::1]:1", "[2001:db8::2]:1", true)]);
        assert_eq!(families.verdict, Verdict::Skipped, "one of each family tells nothing");
    }

    #[test]
    fn without_datagrams_a_call_needs_a_relay() {
        assert_eq!(verdict(&tracker(&registered(None), None), Kind::Udp), Some(Verdict::Bad));
        let relay = Relay { udp: Err("no answer".into()), tcp: Ok(Duration::from_millis(5)) };
        let checks = tracker(&registered(Some(relay)), None);
        assert_eq!(verdict(&checks, Kind::Udp), Some(Verdict::Warning));
        assert_eq!(verdict(&checks, Kind::RelayUdp), Some(Verdict::Warning));
        assert_eq!(verdict(&checks, Kind::RelayTcp), Some(Verdict::Good));
        let relay = Relay { udp: Err("no".into()), tcp: Err("no".into()) };
        let checks = tracker(&registered(Some(relay)), None);
        assert_eq!(verdict(&checks, Kind::Udp), Some(Verdict::Bad));
        assert_eq!(verdict(&checks, Kind::RelayTcp), Some(Verdict::Bad));
    }

    #[test]
    fn what_is_not_good_has_advice() {
        let mut all = tracker(&TrackerFindings::nothing("t:1".into()), None);
        all.extend(tracker(&registered(None), None));
        for check in all.iter().filter(|check| check.verdict != Verdict::Good) {
            let is_skipped = check.verdict == Verdict::Skipped;
            assert!(is_skipped || check.advice.len() > 20, "{check:?}");
        }
    }
}
