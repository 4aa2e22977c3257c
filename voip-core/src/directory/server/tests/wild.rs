//! Whatever peers do, in whatever order, the server's books balance.

use proptest::prelude::*;

use super::*;

/// What a wild peer may do.
#[derive(Clone, Debug)]
enum Act {
    Connect,
    Register(u8, u8),
    Send(u8, Vec<u8>),
    Ask(u8, u8),
    Close(u8),
    Backlog(u8),
    Wait(u16),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(
        prop_oneof![
            Just(Act::Connect),
            (any::<u8>(), 0u8..4).prop_map(|(c, n)| Act::Register(c, n)),
            (any::<u8>(), prop::collection::vec(any::<u8>(), 0..40))
                .prop_map(|(c, b)| Act::Send(c, b)),
            (any::<u8>(), 0u8..5).prop_map(|(c, q)| Act::Ask(c, q)),
            any::<u8>().prop_map(Act::Close),
            any::<u8>().prop_map(Act::Backlog),
            any::<u16>().prop_map(Act::Wait),
        ],
        0..60,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_the_books_balance(acts in acts()) {
        let mut w = world();
        let mut nonces = BTreeMap::new();
        for act in acts {
            let conn = |n: u8, w: &World| ConnId(u64::from(n) % (w.last_conn + 1));
            match act {
                Act::Connect => {
                    let conn = w.connect();
                    nonces.insert(conn, w.challenge(conn));
                }
                Act::Register(n, key) => {
                    let conn = conn(n, &w);
                    if let Some(&nonce) = nonces.get(&conn) {
                        w.register_record(conn, nonce, key, &w.record(&format!("n{}", n % 3)));
                    }
                }
                Act::Send(n, bytes) => w.raw(conn(n, &w), &bytes),
                Act::Ask(n, question) => {
                    let message = match question {
                        0 => PeerMessage::Leave { id: 1 },
                        1 => PeerMessage::Subscribe { id: 1 },
                        2 => PeerMessage::List { id: 1, after: Some("n0".into()), limit: Some(0) },
                        3 => PeerMessage::Lookup { id: 1, target: Target::Peer(id(n % 4)) },
                        _ => PeerMessage::Ping { id: 1 },
                    };
                    w.say(conn(n, &w), &message);
                }
                Act::Close(n) => w.server.handle_closed(conn(n, &w)),
                Act::Backlog(n) => w.server.handle_backlog(conn(n, &w), usize::MAX),
                Act::Wait(ms) => w.pass(Duration::from_millis(ms.into())),
            }
            w.drain();
            let server = &w.server;
            let registered = server.connections.values().filter(|c| c.registered.is_some()).count();
            prop_assert_eq!(registered as u32, server.registry.len());
            prop_assert_eq!(server.agenda.len(), server.connections.len());
            let counted: u32 = server.per_address.values().sum();
            prop_assert_eq!(counted as usize, server.connections.len());
            prop_assert!(server.subscribers.iter().all(|c| server.connections.contains_key(c)));
        }
    }
}
