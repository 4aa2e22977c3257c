//! Whoever reads chooses the phase of its reads by chance; the library moves it to where packets
//! wait least.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Two, ms, secs, tone};
use voip_core::sim::Link;

#[test]
fn wherever_packets_arrive_between_reads_they_soon_wait_little() {
    for delay in 10..20 {
        let link = Link { delay: ms(delay), ..Link::default() };
        let mut two = Two::new(1, link, true);
        let (call, at_bob) = two.connect();
        for node in [two.alice, two.bob] {
            two.world.say(node, &tone(440.0, 30.0));
        }
        two.world.run_for(secs(30));
        for (node, call) in [(two.alice, call), (two.bob, at_bob)] {
            let stats = two.world.stats(node, call).unwrap();
            let wait = stats.stages_ms.buffer;
            assert!(wait < 6.0, "{wait} ms on average on a line of {delay} ms");
            assert_eq!(stats.concealed_pct, 0.0, "{stats:?}");
        }
    }
}
