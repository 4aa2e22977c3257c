//! Events: all of them, in order, and a descriptor that says when.

use crate::harness::{LIMIT, Pair, await_event, incoming, ms, node, online, tracker};
use voip_core::{Call, Event, Node};

/// That the microphones of these tests are silent, or that nothing came for a while, is told or not, as quick as
/// the machine is.
const SILENCE: &str = "silence";

fn name(event: &Event<Call>) -> &'static str {
    match event {
        Event::Registered { .. } => "registered",
        Event::Joined { .. } => "joined",
        Event::Left { .. } => "left",
        Event::Incoming { .. } => "incoming",
        Event::Ringing { .. } => "ringing",
        Event::Answered { .. } => "answered",
        Event::Connected { .. } => "connected",
        Event::FirstAudio { .. } => "first audio",
        Event::PeerMuted { muted: true, .. } => "muted",
        Event::PeerMuted { .. } => "unmuted",
        Event::MediaSilent { .. } | Event::MediaResumed { .. } => SILENCE,
        Event::Reconnecting { .. } | Event::Reconnected { .. } => SILENCE,
        // Before the first sound or after it.
        Event::VerificationReady { .. } => SILENCE,
        Event::Ended { .. } => "ended",
        _ => "another",
    }
}

/// What happened to calls, up to the end of one.
fn history(node: &Node) -> Vec<&'static str> {
    let mut names = Vec::new();
    await_event(node, |event| {
        if event.call().is_some() && name(&event) != SILENCE {
            names.push(name(&event));
        }
        matches!(event, Event::Ended { .. }).then_some(())
    });
    names
}

#[test]
fn both_ends_are_told_everything_in_order() {
    let pair = Pair::new();
    let at_alice = pair.alice.place("bob").unwrap();
    let at_bob = incoming(&pair.bob);
    at_bob.answer().unwrap();
    for call in [&at_alice, &at_bob] {
        crate::harness::until(call, || call.stats().first_audio_ms.is_some());
    }
    at_alice.set_muted(true);
    at_alice.set_muted(false);
    crate::harness::until(&at_bob, || pair.tracker.stats().relayed >= 3);
    let told = |event| matches!(event, Event::PeerMuted { muted: false, .. }).then_some(());
    let mut at_bobs = Vec::new();
    await_event(&pair.bob, |event| {
        at_bobs.extend(event.call().map(|_| name(&event)).filter(|name| *name != SILENCE));
        told(event)
    });
    at_alice.hang_up();
    at_bobs.extend(history(&pair.bob));
    let begin = ["answered", "connected", "first audio"];
    assert_eq!(history(&pair.alice), [&["ringing"], &begin[..], &["ended"]].concat());
    assert_eq!(at_bobs, [&begin[..], &["muted", "unmuted", "ended"]].concat());
}

#[test]
fn the_handles_within_events_are_the_call() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.connect();
    let connected = |event| match event {
        Event::Connected { call } => Some(call),
        _ => None,
    };
    let in_event = await_event(&pair.alice, connected);
    assert_eq!(in_event, at_alice);
    assert!(std::collections::HashSet::from([in_event]).contains(&at_alice));
    let handle = await_event(&pair.bob, connected);
    drop(at_bob);
    assert_eq!(handle.peer().name, "alice", "a handle out of an event holds as well");
    handle.wait_ended(ms(100)).unwrap_err();
    drop(handle);
    at_alice.wait_ended(LIMIT).unwrap();
}

#[test]
fn who_comes_and_goes_is_told() {
    let tracker = tracker();
    let alice = online(node("alice", &tracker));
    let bob = online(node("bob", &tracker));
    let joined = |event| match event {
        Event::Joined { peer, online } => Some((peer.name, online)),
        _ => None,
    };
    assert_eq!(await_event(&alice, joined), ("bob".into(), 2));
    bob.close();
    let left = |event| match event {
        Event::Left { name, online, .. } => Some((name, online)),
        _ => None,
    };
    assert_eq!(await_event(&alice, left), ("bob".into(), 1));
}

#[test]
fn waiting_for_an_event_ends_with_its_time_limit() {
    let alone = Node::builder("alone").bind("127.0.0.1:0").start().unwrap();
    let before = std::time::Instant::now();
    assert!(alone.next_event(ms(50)).is_none());
    assert!(before.elapsed() >= ms(50));
}

#[cfg(unix)]
#[test]
fn the_descriptor_is_readable_while_events_wait() {
    use polling::{Event as Readiness, Events, PollMode, Poller};

    let tracker = tracker();
    let alice = node("alice", &tracker).start().unwrap();
    let poller = Poller::new().unwrap();
    let descriptor = alice.event_descriptor();
    // SAFETY: the descriptor outlives the poller's use of it: both end with this test.
    unsafe { poller.add_with_mode(&descriptor, Readiness::readable(0), PollMode::Level).unwrap() };
    let readable = |limit| {
        let mut events = Events::new();
        poller.wait(&mut events, Some(limit)).unwrap() > 0
    };
    for bob in ["bob", "boris"] {
        assert!(readable(LIMIT), "an event waits");
        let bob = online(node(bob, &tracker));
        await_event(&alice, |event| matches!(event, Event::Joined { .. }).then_some(()));
        drop(bob);
        await_event(&alice, |event| matches!(event, Event::Left { .. }).then_some(()));
        assert!(alice.next_event(ms(0)).is_none());
        assert!(!readable(ms(0)), "drained");
        assert!(!readable(ms(100)), "and stays so");
        let boring = online(node("boring", &tracker));
        assert!(readable(LIMIT));
        assert!(alice.rest_event_descriptor(), "nobody else may know of it yet");
        assert!(!readable(ms(0)), "though an event waits");
        assert!(!alice.rest_event_descriptor());
        drop(boring);
        assert!(readable(LIMIT), "another came");
        await_event(&alice, |event| matches!(event, Event::Left { .. }).then_some(()));
        let _next = online(node("next", &tracker));
        assert!(readable(LIMIT), "readable again");
        await_event(&alice, |event| matches!(event, Event::Joined { .. }).then_some(()));
    }
    alice.close();
    while alice.next_event(ms(0)).is_some() {}
    assert!(readable(ms(0)), "for good: there is nothing to wait for any more");
    poller.delete(descriptor).unwrap();
}
