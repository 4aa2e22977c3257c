//! One mesh, spoken to by hand; whatever is said, it stays within its bounds.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::simulation::{Judge, contact, id, message, ms, secs};
use super::*;
use crate::id::MessageId;
use crate::identity::Identity;
use crate::time::Duration;
use crate::wire::gossip::{Have, MAX_MESSAGE, Priority};
use crate::wire::sealed::Signature;

const START: Instant = Instant::from_micros(1_000_000_000);

struct Bench {
    mesh: Mesh,
    now: Instant,
}

impl Bench {
    fn new() -> Bench {
        let rng = Box::new(ChaCha8Rng::seed_from_u64(1));
        Bench { mesh: Mesh::new(contact(0), rng), now: START }
    }

    /// With neighbours 1 to `n`, all eager.
    fn among(n: usize) -> Bench {
        let mut bench = Bench::new();
        for peer in 1..=n {
            bench.mesh.handle_link_up(bench.now, id(peer));
            bench.hear(peer, neighbor(peer, Priority::Low));
        }
        bench.drain();
        bench
    }

    fn hear(&mut self, from: usize, message: GossipMessage) {
        self.mesh.handle_message(self.now, id(from), &message.to_bytes(), &mut Judge);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.mesh.next_timeout() <= end {
            self.now = self.mesh.next_timeout().max(self.now);
            self.mesh.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.mesh.poll()).collect()
    }

    fn sent_to(&mut self, peer: usize) -> Vec<GossipMessage> {
        let to_peer = |output| match output {
            Output::Send(to, message) if to == id(peer) => Some(message),
            _ => None,
        };
        self.drain().into_iter().filter_map(to_peer).collect()
    }

    fn neighbors(&self) -> Vec<PeerId> {
        self.mesh.neighbors().collect()
    }
}

fn neighbor(n: usize, priority: Priority) -> GossipMessage {
    GossipMessage::Neighbor { contact: contact(n), priority }
}

fn gossip(message: &SignedMessage) -> GossipMessage {
    GossipMessage::Gossip { message: message.clone(), hops: 1 }
}

#[test]
fn who_has_no_room_refuses_unless_the_asker_has_nobody() {
    let mut bench = Bench::among(5);
    bench.mesh.handle_link_up(START, id(6));
    bench.hear(6, neighbor(6, Priority::Low));
    let refused = bench.sent_to(6);
    let is_refusal = |m: &GossipMessage| matches!(m, GossipMessage::NeighborReply { accepted: false, contacts } if !contacts.is_empty());
    assert!(refused.iter().any(is_refusal), "{refused:?}");
    bench.hear(6, neighbor(6, Priority::High));
    let outputs = bench.drain();
    assert!(outputs.contains(&Output::NeighborUp(id(6))));
    let displaced = outputs.iter().find_map(|output| match output {
        Output::NeighborDown(peer) => Some(*peer),
        _ => None,
    });
    let displaced = displaced.unwrap();
    assert!(outputs.contains(&Output::Send(displaced, GossipMessage::Disconnect { alive: true })));
    assert!(outputs.contains(&Output::Close(displaced)));
    assert_eq!(bench.neighbors().len(), 5);
}

#[test]
fn a_lost_neighbour_is_replaced_from_the_passive_view() {
    let mut bench = Bench::among(1);
    bench.hear(1, GossipMessage::ForwardJoin { contact: contact(9), ttl: 3 });
    bench.mesh.handle_link_down(START, id(1));
    bench.pass(ms(1));
    let outputs = bench.drain();
    assert!(outputs.contains(&Output::Open(contact(9))), "{outputs:?}");
    bench.mesh.handle_link_up(bench.now, id(9));
    assert!(bench.sent_to(9).contains(&neighbor(0, Priority::High)));
    bench.hear(9, GossipMessage::NeighborReply { accepted: true, contacts: vec![contact(8)] });
    assert_eq!(bench.neighbors(), [id(9)]);
}

#[test]
fn whoever_cannot_be_reached_is_tried_again() {
    let mut bench = Bench::new();
    bench.mesh.add_contacts(START, vec![contact(7)]);
    let mut opened = 0;
    for _ in 0..60 {
        bench.pass(secs(1));
        for output in bench.drain() {
            if output == Output::Open(contact(7)) {
                opened += 1;
                bench.mesh.handle_link_failed(bench.now, id(7));
            }
        }
    }
    assert!((15..=60).contains(&opened), "{opened}");
}

#[test]
fn a_message_is_handed_on_once_and_only_when_valid() {
    let mut bench = Bench::among(3);
    let said = message(START, 9, 1);
    bench.hear(1, gossip(&said));
    bench.hear(2, gossip(&said));
    let outputs = bench.drain();
    let delivered = outputs.iter().filter(|o| matches!(o, Output::Deliver(..))).count();
    assert_eq!(delivered, 1);
    let on = GossipMessage::Gossip { message: said.clone(), hops: 2 };
    assert!(outputs.contains(&Output::Send(id(3), on)));
    assert!(outputs.contains(&Output::Send(id(2), GossipMessage::Prune)));

    let forged = SignedMessage::from_parts(id(9), "1 1".into(), Signature([7; 64])).unwrap();
    let stale = message(START - secs(61), 9, 1);
    for bad in [&forged, &stale] {
        bench.hear(1, gossip(bad));
        bench.hear(1, gossip(bad));
        bench.pass(secs(4));
        let is_about = |output: &Output| match output {
            Output::Send(_, GossipMessage::Gossip { message, .. }) => message == bad,
            Output::Send(_, GossipMessage::IHave { messages, .. }) => {
                messages.iter().any(|have| have.id == bad.id())
            }
            Output::Deliver(message, _) => message == bad,
            _ => false,
        };
        assert!(!bench.drain().iter().any(is_about));
    }
    assert_eq!(bench.mesh.stats().invalid, 2, "the second time without a look");
    assert_eq!(bench.mesh.stats().ignored, 1);
}

#[test]
fn a_message_that_is_announced_and_does_not_come_is_asked_for_of_one_after_the_other() {
    let mut bench = Bench::among(2);
    let said = message(START, 9, 1);
    let announced =
        || GossipMessage::IHave { messages: vec![Have { id: said.id(), hops: 4 }], ask: false };
    bench.hear(1, announced());
    bench.hear(2, announced());
    let graft = GossipMessage::Graft { ids: vec![said.id()] };
    assert!(!bench.sent_to(1).contains(&graft), "it may still come by itself");
    bench.pass(ms(300));
    assert_eq!(bench.sent_to(1).iter().filter(|m| **m == graft).count(), 1);
    bench.pass(ms(650));
    assert!(bench.sent_to(2).contains(&graft));
    bench.hear(2, gossip(&said));
    bench.drain();
    bench.pass(ms(900));
    assert!(!bench.sent_to(1).contains(&graft));
    bench.hear(1, graft);
    assert!(bench.sent_to(1).iter().any(|m| matches!(m, GossipMessage::Gossip { .. })));
}

/// The optimisation of the paper: who announces in seven hops less takes the place of who pushed.
#[test]
fn a_much_shorter_way_takes_the_place_of_a_long_one() {
    let mut bench = Bench::among(2);
    bench.hear(2, GossipMessage::Prune);
    let said = message(START, 9, 1);
    bench.hear(
        2,
        GossipMessage::IHave { messages: vec![Have { id: said.id(), hops: 3 }], ask: false },
    );
    bench.hear(1, GossipMessage::Gossip { message: said, hops: 10 });
    let outputs = bench.drain();
    assert!(outputs.contains(&Output::Send(id(2), GossipMessage::Graft { ids: Vec::new() })));
    assert!(outputs.contains(&Output::Send(id(1), GossipMessage::Prune)));
}

#[test]
fn a_banned_peer_is_refused() {
    let mut bench = Bench::among(2);
    for _ in 0..6 {
        bench.mesh.handle_message(START, id(1), b"{", &mut Judge);
    }
    assert_eq!(bench.neighbors(), [id(2)]);
    assert!(bench.drain().contains(&Output::Close(id(1))));
    bench.mesh.handle_link_up(START, id(1));
    bench.hear(1, neighbor(1, Priority::High));
    assert_eq!(bench.neighbors(), [id(2)]);
    assert_eq!((bench.mesh.stats().banned, bench.mesh.stats().refused), (1, 1));
    bench.mesh.add_contacts(START, vec![contact(1)]);
    bench.pass(secs(5));
    assert!(!bench.drain().contains(&Output::Open(contact(1))));
}

#[test]
fn who_comes_and_goes_without_end_is_refused() {
    let mut bench = Bench::among(1);
    for _ in 0..200 {
        bench.mesh.handle_link_up(START, id(2));
        bench.hear(2, neighbor(2, Priority::High));
        bench.hear(2, GossipMessage::Disconnect { alive: true });
    }
    let ups = bench.drain().iter().filter(|o| **o == Output::NeighborUp(id(2))).count();
    assert_eq!(ups, 10);
    assert_eq!(bench.mesh.stats().banned, 1);
}

#[test]
fn who_leaves_says_so() {
    let mut bench = Bench::among(2);
    bench.mesh.leave(START);
    let outputs = bench.drain();
    assert!(outputs.contains(&Output::Send(id(2), GossipMessage::Disconnect { alive: false })));
    assert!(bench.neighbors().is_empty());
    bench.pass(secs(100));
    assert!(!bench.drain().iter().any(|output| matches!(output, Output::Open(_))));
}

#[test]
fn signatures_hold_for_gossip_only() {
    let alice = Identity::from_secret(&[1; 32]);
    let signed = SignedMessage::sign(&alice, "hello".into()).unwrap();
    assert!(signed.is_signed());
    let other = SignedMessage::from_parts(alice.id(), "hullo".into(), *signed.signature()).unwrap();
    assert!(!other.is_signed());
    let as_offer = alice.sign("offer", &[b"hello"]);
    assert!(!SignedMessage::from_parts(alice.id(), "hello".into(), as_offer).unwrap().is_signed());
}

/// What a wild peer and a wild network may do.
#[derive(Clone, Debug)]
enum Act {
    Up(usize),
    Down(usize),
    Failed(usize),
    Hear(usize, GossipMessage),
    Bytes(usize, Vec<u8>),
    Contacts(Vec<usize>),
    Say,
    Wait(u32),
}

fn any_message() -> impl Strategy<Value = GossipMessage> {
    let peer = || 0..40_usize;
    let contacts = || prop::collection::vec(peer().prop_map(contact), 0..=16);
    let an_id = || (0..20_u8).prop_map(|n| MessageId([n; 16]));
    let have = || (an_id(), any::<u16>()).prop_map(|(id, hops)| Have { id, hops });
    let priority = prop_oneof![Just(Priority::High), Just(Priority::Low)];
    let signed =
        (peer(), 0..4_u64, 0..100_u64, any::<bool>()).prop_map(|(author, n, age, good)| {
            let said = message(START - secs(age), author, n);
            let bad =
                || SignedMessage::from_parts(id(author), "x".into(), Signature([n as u8; 64]));
            if good { said } else { bad().unwrap() }
        });
    prop_oneof![
        peer().prop_map(|n| GossipMessage::Join { contact: contact(n) }),
        (peer(), 0..=6_u8)
            .prop_map(|(n, ttl)| GossipMessage::ForwardJoin { contact: contact(n), ttl }),
        (peer(), priority)
            .prop_map(|(n, priority)| GossipMessage::Neighbor { contact: contact(n), priority }),
        (any::<bool>(), contacts())
            .prop_map(|(accepted, contacts)| GossipMessage::NeighborReply { accepted, contacts }),
        any::<bool>().prop_map(|alive| GossipMessage::Disconnect { alive }),
        (0..9_u32, contacts(), 0..=6_u8)
            .prop_map(|(walk, contacts, ttl)| { GossipMessage::Shuffle { walk, contacts, ttl } }),
        (0..9_u32, contacts())
            .prop_map(|(walk, contacts)| GossipMessage::ShuffleReply { walk, contacts }),
        (signed, any::<u16>()).prop_map(|(message, hops)| GossipMessage::Gossip { message, hops }),
        (prop::collection::vec(have(), 0..=64), any::<bool>())
            .prop_map(|(messages, ask)| GossipMessage::IHave { messages, ask }),
        prop::collection::vec(an_id(), 0..=64).prop_map(|ids| GossipMessage::Graft { ids }),
        Just(GossipMessage::Prune),
        any::<u32>().prop_map(|n| GossipMessage::Ping { n }),
        (0..9_u32).prop_map(|n| GossipMessage::Pong { n }),
        Just(GossipMessage::Unknown),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let peer = || 0..40_usize;
    let act = prop_oneof![
        3 => peer().prop_map(Act::Up),
        1 => peer().prop_map(Act::Down),
        1 => peer().prop_map(Act::Failed),
        // Who asks to be neighbours in its own name, so that there are some.
        3 => peer().prop_map(|n| Act::Hear(n, neighbor(n, Priority::High))),
        9 => (peer(), any_message()).prop_map(|(n, message)| Act::Hear(n, message)),
        1 => (peer(), prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(n, b)| Act::Bytes(n, b)),
        1 => prop::collection::vec(peer(), 0..40).prop_map(Act::Contacts),
        1 => Just(Act::Say),
        2 => (0..20_000_u32).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_said_the_mesh_keeps_its_bounds(acts in acts()) {
        let (mut bench, mut said) = (Bench::new(), 0);
        for act in acts {
            let now = bench.now;
            match act {
                Act::Up(n) => bench.mesh.handle_link_up(now, id(n)),
                Act::Down(n) => bench.mesh.handle_link_down(now, id(n)),
                Act::Failed(n) => bench.mesh.handle_link_failed(now, id(n)),
                Act::Hear(n, message) => bench.hear(n, message),
                Act::Bytes(n, bytes) => bench.mesh.handle_message(now, id(n), &bytes, &mut Judge),
                Act::Contacts(all) => {
                    bench.mesh.add_contacts(now, all.into_iter().map(contact).collect());
                }
                Act::Say => {
                    said += 1;
                    bench.mesh.broadcast(now, message(now, 0, said));
                }
                // Panics if time does not go on.
                Act::Wait(millis) => {
                    let end = now + ms(millis.into());
                    let mut wakes = 0;
                    while bench.mesh.next_timeout() <= end {
                        bench.now = bench.mesh.next_timeout().max(bench.now);
                        bench.mesh.handle_timeout(bench.now);
                        wakes += 1;
                        prop_assert!(wakes < 2_000, "{wakes} wakes");
                    }
                    bench.now = end;
                }
            }
            prop_assert!(bench.mesh.is_bounded());
            for output in bench.drain() {
                if let Output::Send(to, message) = output {
                    prop_assert!(message.is_valid() && message.to_bytes().len() <= MAX_MESSAGE);
                    prop_assert!(to != id(0));
                }
            }
        }
    }
}
