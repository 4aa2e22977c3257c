//! A node says nothing to anybody who does not show the credentials of a call, whatever he sends and whenever.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{Chance, Two, ms, secs};
use voip_core::CallState;
use voip_core::protocol::{TransactionId, binding_request, binding_response, is_stun};
use voip_core::sim::{Link, Passing};

fn stranger() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 7], 4000))
}

/// What somebody sees who sits on the line.
#[derive(Default)]
struct Seen {
    datagrams: Vec<Vec<u8>>,
    to_stranger: Vec<Vec<u8>>,
}

/// Alice and Bob, who answers when told to.
fn watched(link: Link) -> (Two, Arc<Mutex<Seen>>) {
    let mut two = Two::new(3, link, false);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let watcher = seen.clone();
    two.world.set_middle(move |_, passing| {
        let mut seen = watcher.lock().unwrap();
        if passing.destination == stranger() {
            seen.to_stranger.push(passing.contents.clone());
        } else if passing.is_datagram {
            seen.datagrams.push(passing.contents.clone());
        }
        vec![passing]
    });
    (two, seen)
}

/// Every sort of datagram: questions, answers and errors of STUN, what begins like DTLS, RTP and RTCP, noise, and
/// what has passed between the two.
fn shot(chance: &mut Chance, seen: &[Vec<u8>]) -> Vec<u8> {
    let request = binding_request(TransactionId(chance.bytes(12).try_into().unwrap()));
    let length = 1 + chance.below(1_200);
    let mut noise = chance.bytes(length);
    match chance.below(9) {
        0 => request,
        1 => binding_response(&request, stranger()).unwrap(),
        2 => [&[1, 17], &request[2..]].concat(),
        // A name that is none.
        3 => [&[0, 1, 0, 8], &request[4..], &[0, 6, 0, 4], &chance.bytes(4)[..]].concat(),
        4 | 5 if !seen.is_empty() => seen[chance.below(seen.len())].clone(),
        6 => {
            noise[0] = [22, 21, 23, 128, 129][chance.below(5)];
            noise
        }
        _ => noise,
    }
}

#[test]
fn strangers_get_no_answer_in_any_state_of_a_call() {
    let (mut two, seen) = watched(Link { delay: ms(30), ..Link::default() });
    let mut chance = Chance::new(9);
    let mut sent = 0;
    let mut bother = |two: &mut Two, steps: usize| {
        for _ in 0..steps {
            for node in [two.alice, two.bob] {
                let contents = shot(&mut chance, &seen.lock().unwrap().datagrams);
                sent += contents.len();
                let (source, destination) = (stranger(), two.world.address(node));
                two.world.inject(Passing { source, destination, is_datagram: true, contents });
            }
            two.world.run_for(ms(2));
        }
    };
    bother(&mut two, 500);
    let call = two.world.place(two.alice, "bob");
    bother(&mut two, 500);
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Ringing));
    let at_bob = two.world.calls(two.bob)[0];
    two.world.answer(two.bob, at_bob);
    bother(&mut two, 1_500);
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Connected));
    two.world.hang_up(two.alice, call);
    bother(&mut two, 1_000);
    assert!(sent > 1_000_000);
    assert_eq!(seen.lock().unwrap().to_stranger, Vec::<Vec<u8>>::new());
}

/// Who can stop datagrams and send them on from elsewhere has checks that hold: they are answered, and checked back as
/// often as RFC 8445 §14.3 says, which is all that can be brought upon somebody.
#[test]
fn a_check_that_comes_from_elsewhere_brings_a_few_checks_and_no_sound() {
    for diverted in [1usize, 2, 3, 5, 10] {
        let (mut two, _) = watched(Link { delay: ms(30), ..Link::default() });
        let bob = two.world.address(two.bob);
        let brought = Arc::new(Mutex::new(Vec::new()));
        let brought_by = brought.clone();
        let mut left = diverted;
        two.world.set_middle(move |_, passing: Passing| {
            if passing.destination == stranger() {
                brought_by.lock().unwrap().push(passing.contents.clone());
            }
            let is_check = is_stun(&passing.contents) && passing.contents[..2] == [0, 1];
            if left > 0 && passing.is_datagram && passing.destination == bob && is_check {
                left -= 1;
                return vec![Passing { source: stranger(), ..passing }];
            }
            vec![passing]
        });
        two.world.place(two.alice, "bob");
        two.world.run_for(ms(500));
        let at_bob = two.world.calls(two.bob)[0];
        two.world.answer(two.bob, at_bob);
        two.world.run_for(secs(60));
        let brought = brought.lock().unwrap();
        assert!(brought.iter().all(|datagram: &Vec<u8>| is_stun(datagram)), "more than checks");
        let bytes: usize = brought.iter().map(Vec::len).sum();
        assert!((1..=20).contains(&brought.len()), "{} checks", brought.len());
        assert!(bytes <= 2_000, "{bytes} bytes");
    }
}
