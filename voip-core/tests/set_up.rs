//! How long a call takes from the answer to the first sound, in round trips. From node to node over the tracker it is as
//! far as there and back.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Two, ms, secs, tone};
use voip_core::sim::Link;
use voip_core::{Duration, Event};

const ROUND_TRIP: Duration = Duration::from_millis(100);

#[test]
fn the_callee_is_heard_three_round_trips_after_the_answer_and_the_caller_half_a_one_later() {
    let link = Link { delay: ROUND_TRIP / 2, ..Link::default() };
    let mut two = Two::new(1, link, true);
    two.world.say(two.alice, &tone(440.0, 10.0));
    two.world.say(two.bob, &tone(880.0, 10.0));
    two.world.place(two.alice, "bob");
    let (mut answered, mut first) = (None, Vec::new());
    while first.len() < 2 {
        assert!(two.world.elapsed() < secs(20), "{answered:?} {first:?}");
        two.world.run_for(ms(1));
        let now = two.world.elapsed();
        for node in [two.bob, two.alice] {
            for event in two.world.events(node) {
                match event {
                    Event::Answered { .. } if node == two.bob => answered = Some(now),
                    Event::FirstAudio { .. } => first.push(now - answered.unwrap()),
                    _ => {}
                }
            }
        }
    }
    // A frame of 20 ms has to be full, and a block of 10 ms to be due.
    let block = ms(30);
    assert!(first[0] <= ROUND_TRIP * 3 + block, "{first:?}");
    assert!(first[1] <= ROUND_TRIP * 7 / 2 + block, "{first:?}");
}
