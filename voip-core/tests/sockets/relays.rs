//! Calls that go by relays: the tracker's own, and coturn's.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use voip_core::{Audio, Call, Node, NodeBuilder, Tracker};

use crate::harness::{LIMIT, incoming, node, online, tone, until};

/// Two who let each other know no address, in a call in which both are heard: their ends.
fn relayed(tracker: &Tracker, options: impl Fn(NodeBuilder) -> NodeBuilder) -> [(Node, Call); 2] {
    let person = |name: &str| {
        let builder = node(name, tracker).audio(Audio::Manual { rate: 48_000 }).relay_only(true);
        online(options(builder))
    };
    let (alice, bob) = (person("alice"), person("bob"));
    let at_alice = alice.place("bob").unwrap();
    let at_bob = incoming(&bob);
    at_bob.answer().unwrap();
    let ends = [(alice, at_alice), (bob, at_bob)];
    for (_, call) in &ends {
        call.wait_connected(LIMIT).unwrap();
    }
    for (from, to) in [(0, 1), (1, 0)] {
        let mut sound = tone(440.0, 48_000, 2.0).into_iter();
        let mut heard = [0.0f32; 480];
        until(&ends[to].1, || {
            let block: Vec<f32> = sound.by_ref().take(480).collect();
            ends[from].1.write(&block, LIMIT).unwrap();
            ends[to].1.read(&mut heard, LIMIT).unwrap();
            heard.iter().any(|sample| sample.abs() > 0.1)
        });
    }
    ends
}

#[test]
fn a_call_by_the_trackers_relay_shows_neither_side_an_address_of_the_other() {
    let tracker = Tracker::builder().bind("127.0.0.1:0").relay_private(true).start().unwrap();
    let ends = relayed(&tracker, |builder| builder);
    let own = ends.each_ref().map(|(node, _)| node.local_address().port());
    for (_, call) in &ends {
        until(call, || call.stats().path.is_some());
        let (local, remote) = call.stats().path.unwrap();
        assert!(!own.contains(&local.port()) && !own.contains(&remote.port()), "{local} {remote}");
    }
    let stats = tracker.stats();
    assert!(stats.relay_allocations == 2 && stats.relay_packets > 10, "{stats:?}");
    ends.iter().for_each(|(_, call)| call.hang_up());
    while tracker.stats().relay_allocations > 0 {
        tracker.next_event(voip_core::Duration::from_millis(10));
    }
}

/// coturn's server.
struct Coturn(Child);

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Coturn {
    fn start() -> (Coturn, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = "-n --no-tls --no-dtls --no-cli -L 127.0.0.1 -E 127.0.0.1 --allow-loopback-peers \
                       --lt-cred-mech -u user:password -r voip --log-file /dev/null -p";
        let server = Command::new("turnserver")
            .args(options.split_ascii_whitespace())
            .arg(port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let coturn = Coturn(server);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        (coturn, port)
    }
}

#[test]
#[ignore = "needs coturn"]
fn calls_go_by_coturn_over_datagrams_and_connections() {
    let (_coturn, port) = Coturn::start();
    let tracker = Tracker::builder().bind("127.0.0.1:0").start().unwrap();
    for transport in ["udp", "tcp"] {
        let uri = format!("turn:127.0.0.1:{port}?transport={transport}");
        let ends = relayed(&tracker, |builder| builder.turn_server(&uri, "user", "password"));
        ends.iter().for_each(|(_, call)| call.hang_up());
    }
}
