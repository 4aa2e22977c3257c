//! Registering, listing, notices; trackers that die and come back; calls that do not care.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{Two, loud_seconds, ms, secs, tone};
use voip_core::sim::{Link, NodeKey, NodeOptions, Passing, SimCall, World};
use voip_core::{CallState, Duration, Event, Presence};

#[test]
fn registering_takes_three_round_trips() {
    let mut world = World::new(1);
    world.set_link(Link { delay: ms(50), ..Link::default() });
    let tracker = world.add_tracker();
    let alice = world.add_node(NodeOptions::new("alice", [tracker])).unwrap();
    world.run_for(ms(299));
    assert_eq!(world.events(alice), []);
    world.run_for(ms(1));
    assert!(matches!(world.events(alice)[..], [Event::Registered { online: 1, .. }]));
}

#[test]
fn who_is_online_is_listed_and_told() {
    let mut two = Two::new(1, Link::default(), true);
    let joined =
        |e: &Event<_>| matches!(e, Event::Joined { peer, online: 2 } if peer.name == "bob");
    assert!(two.world.events(two.alice).iter().any(joined));
    let list = two.world.peers(two.alice).unwrap();
    let names: Vec<_> = list.iter().map(|p| (p.name.as_str(), p.id, p.presence)).collect();
    let (alice, bob) = (two.world.id(two.alice), two.world.id(two.bob));
    let available = Presence::Available;
    assert_eq!(names, [("alice", alice, available), ("bob", bob, available)]);
    two.connect();
    two.world.run_for(secs(1));
    let list = two.world.peers(two.alice).unwrap();
    assert_eq!(list[1].presence, Presence::Busy, "in a call");
}

#[test]
fn a_hundred_peers_are_listed_page_by_page() {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    for i in 0..100 {
        world.add_node(NodeOptions::new(&format!("peer {i:03}"), [tracker])).unwrap();
    }
    let alice = world.add_node(NodeOptions::new("alice", [tracker])).unwrap();
    world.run_for(secs(2));
    let list = world.peers(alice).unwrap();
    assert_eq!(list.len(), 101);
    assert!(list.is_sorted_by_key(|p| p.name.clone()));
}

#[test]
fn a_call_outlives_its_tracker_and_nodes_come_back_to_it() {
    let mut two = Two::new(1, Link::default(), true);
    let (call, _) = two.connect();
    two.world.say(two.alice, &tone(440.0, 30.0));
    two.world.run_for(secs(1));
    two.world.events(two.alice);
    two.world.set_tracker_running(two.tracker, false);
    two.world.run_for(secs(10));
    assert!(matches!(two.world.events(two.alice)[..], [Event::TrackerLost { .. }]), "told once");
    two.world.set_tracker_running(two.tracker, true);
    two.world.run_for(secs(15));
    let registered = |e: &Event<_>| matches!(e, Event::Registered { .. });
    assert!(two.world.events(two.alice).iter().any(registered));
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Connected));
    assert!(loud_seconds(two.world.heard(two.bob)) > 25.9, "no gap");
    two.world.hang_up(two.alice, call);
    two.world.run_for(secs(1));
    two.connect();
}

#[test]
fn hanging_up_reaches_the_peer_without_any_tracker() {
    let mut two = Two::new(1, Link::default(), true);
    let (call, at_bob) = two.connect();
    two.world.set_tracker_running(two.tracker, false);
    two.world.run_for(secs(1));
    two.world.hang_up(two.alice, call);
    assert!(two.end_of(two.bob, at_bob, secs(1)).is_some());
}

#[test]
fn the_second_tracker_does_when_the_first_is_gone() {
    let mut world = World::new(1);
    let trackers = [world.add_tracker(), world.add_tracker()];
    let options = |name: &str| NodeOptions {
        auto_answer: true,
        stand_in_codec: true,
        ..NodeOptions::new(name, trackers)
    };
    let alice = world.add_node(options("alice")).unwrap();
    world.add_node(options("bob")).unwrap();
    world.run_for(secs(1));
    assert_eq!(world.peers(alice).unwrap().len(), 2, "each peer once");
    world.set_tracker_running(trackers[0], false);
    world.run_for(secs(1));
    let call = world.place(alice, "bob");
    world.run_for(secs(6));
    assert_eq!(world.state(alice, call), Some(CallState::Connected));
}

/// One way.
const DELAY: Duration = Duration::from_millis(20);
/// How closely attempts to connect are watched.
const STEP: Duration = Duration::from_millis(5);

/// When something goes to the tracker, and from whose address.
type Asked = Arc<Mutex<Vec<(Duration, SocketAddr)>>>;

/// Two in a call, in which both talk.
struct Talk {
    two: Two,
    calls: [(NodeKey, SimCall); 2],
    asked: Asked,
}

impl Talk {
    fn new(seed: u64) -> Talk {
        let options =
            NodeOptions { stand_in_codec: true, keep_heard: false, ..NodeOptions::new("", []) };
        let link = Link { delay: DELAY, ..Link::default() };
        let mut two = Two::with(seed, link, true, &options);
        let (asked, tracker) = (Asked::default(), two.world.tracker_address(two.tracker));
        let noted = asked.clone();
        two.world.set_middle(move |at, passing: Passing| {
            if passing.destination == tracker {
                noted.lock().unwrap().push((at, passing.source));
            }
            vec![passing]
        });
        let (call, at_bob) = two.connect();
        let calls = [(two.alice, call), (two.bob, at_bob)];
        let mut talk = Talk { two, calls, asked };
        talk.run(secs(10));
        for (node, _) in talk.calls {
            talk.two.world.events(node);
        }
        talk
    }

    fn run(&mut self, time: Duration) {
        let end = self.two.world.elapsed() + time;
        while self.two.world.elapsed() < end {
            let part = (end - self.two.world.elapsed()).min(secs(10));
            for (node, _) in self.calls {
                self.two.world.say(node, &tone(440.0, part.as_secs_f32()));
            }
            self.two.world.run_for(part);
        }
    }

    /// Lets time pass; when each began a connection.
    fn attempts(&mut self, time: Duration) -> [Vec<Duration>; 2] {
        let mut attempts = [Vec::new(), Vec::new()];
        let begun =
            |talk: &Talk| talk.calls.map(|(node, _)| talk.two.world.connections_begun(node));
        let (end, mut before) = (self.two.world.elapsed() + time, begun(self));
        while self.two.world.elapsed() < end {
            self.run(STEP);
            let (at, now) = (self.two.world.elapsed(), begun(self));
            for ((attempts, now), before) in attempts.iter_mut().zip(now).zip(before) {
                attempts.extend((before..now).map(|_| at));
            }
            before = now;
        }
        attempts
    }

    fn set_tracker_running(&mut self, running: bool) {
        self.two.world.set_tracker_running(self.two.tracker, running);
    }

    /// How long it takes until each has registered, for at most so long.
    fn registered(&mut self, limit: Duration) -> [Option<Duration>; 2] {
        let begun = self.two.world.elapsed();
        let mut registered = [None; 2];
        while self.two.world.elapsed() - begun < limit {
            self.run(ms(100));
            for ((node, _), registered) in self.calls.iter().zip(&mut registered) {
                let events = self.two.world.events(*node);
                if events.iter().any(|e| matches!(e, Event::Registered { .. })) {
                    *registered = Some(self.two.world.elapsed() - begun);
                }
            }
        }
        registered
    }

    /// Of each side: packets sent, received, lost and late; percent made up; sound put in and left out.
    fn counters(&self) -> [([u64; 6], f64); 2] {
        self.calls.map(|(node, call)| {
            let s = self.two.world.stats(node, call).unwrap();
            let packets = [s.packets_sent, s.packets_received, s.packets_lost, s.packets_late];
            let [sent, received, lost, late] = packets;
            ([sent, received, lost, late, s.stretched_ms, s.skipped_ms], s.concealed_pct)
        })
    }

    /// The call goes on; when it is over there can be another one.
    fn assert_well(mut self) {
        for (node, call) in self.calls {
            assert_eq!(self.two.world.state(node, call), Some(CallState::Connected));
        }
        let [(alice, call), _] = self.calls;
        self.two.world.hang_up(alice, call);
        self.two.world.run_for(secs(1));
        self.two.connect();
    }
}

#[test]
fn a_tracker_that_is_killed_in_mid_call_and_away_for_ten_minutes_is_not_missed() {
    for seed in 1..=2 {
        let mut calm = Talk::new(seed);
        assert!(calm.attempts(secs(600)).iter().all(Vec::is_empty));
        assert_eq!(calm.registered(secs(70)), [None; 2]);
        let mut talk = Talk::new(seed);
        let killed = talk.two.world.elapsed();
        talk.asked.lock().unwrap().clear();
        talk.set_tracker_running(false);
        let attempts = talk.attempts(secs(600));
        for (node, _) in talk.calls {
            let events = talk.two.world.events(node);
            assert!(matches!(events[..], [Event::TrackerLost { .. }]), "told once: {events:?}");
        }
        let asked = talk.asked.lock().unwrap().clone();
        talk.set_tracker_running(true);
        for registered in talk.registered(secs(70)) {
            // The longest pause, and the round trips of connecting and registering.
            assert!(
                registered <= Some(secs(60) + ms(200)) && registered.is_some(),
                "{registered:?}"
            );
        }
        assert_eq!(talk.counters(), calm.counters(), "what a call is without it");
        for ((node, _), attempts) in talk.calls.iter().zip(attempts) {
            // A connection is known to be lost after half a round trip, and refused after a whole one.
            let (mut lost, mut longest) = (killed + DELAY, ms(250));
            for at in &attempts {
                let pause = *at - lost;
                assert!(
                    longest / 2 <= pause && pause <= longest + STEP,
                    "{pause:?} of {longest:?}"
                );
                (lost, longest) = (*at + 2 * DELAY, (2 * longest).min(secs(60)));
            }
            // With all pauses as long, or as short, as can be.
            assert!((15..=27).contains(&attempts.len()), "{} attempts", attempts.len());
            let address = talk.two.world.address(*node);
            let packets = asked.iter().filter(|(_, from)| *from == address).map(|(at, _)| *at);
            let mut times: Vec<_> = packets.chain(attempts.iter().copied()).collect();
            times.sort();
            println!("{} attempts, {} packets", attempts.len(), times.len());
            let busiest = times.windows(11).map(|eleven| eleven[10] - eleven[0]).min();
            assert!(busiest >= Some(secs(5)), "two packets a second at most: ten in {busiest:?}");
        }
        talk.assert_well();
    }
}

#[test]
fn a_tracker_that_is_killed_and_started_at_once_has_everybody_back_within_a_second() {
    let mut calm = Talk::new(1);
    assert_eq!(calm.registered(secs(20)), [None; 2]);
    let mut talk = Talk::new(1);
    talk.set_tracker_running(false);
    talk.set_tracker_running(true);
    for registered in talk.registered(secs(20)) {
        assert!(registered.is_some_and(|after| after <= secs(1)), "{registered:?}");
    }
    assert_eq!(talk.counters(), calm.counters());
    talk.assert_well();
}
