//! How a client lives with what a tracker allows.

use super::*;

/// The numbers of the registrations sent, and the presence that each tells of.
fn registrations(client: &mut Client) -> Vec<(u32, Presence)> {
    std::iter::from_fn(|| client.poll())
        .filter_map(|output| match output {
            Output::Send(bytes) => match PeerMessage::parse(&bytes[4..]).unwrap() {
                PeerMessage::Register { id, record, .. } => {
                    Some((id, record.open().unwrap().presence))
                }
                _ => None,
            },
            Output::Event(_) => None,
            output => panic!("the connection is to be kept: {output:?}"),
        })
        .collect()
}

fn too_many(id: u32) -> TrackerMessage {
    let code = ErrorCode::RateLimited;
    TrackerMessage::Error { id: Some(id), code, message: String::new() }
}

#[test]
fn a_renewal_too_many_is_made_again_a_second_or_two_later() {
    let mut client = registered();
    client.set_presence(Instant::ZERO, WALL, Presence::Busy);
    let (id, _) = registrations(&mut client)[0];
    say(&mut client, &too_many(id));
    let at = client.next_timeout();
    assert!((SECOND..=2 * SECOND).contains(&(at - Instant::ZERO)), "{at:?}");
    client.set_presence(Instant::ZERO, WALL, Presence::Available);
    assert_eq!(registrations(&mut client), [], "waits");
    client.handle_timeout(at, WALL);
    let [(id, Presence::Available)] = registrations(&mut client)[..] else { panic!("says it") };
    let observed = "192.0.2.1:1".parse().unwrap();
    say(&mut client, &TrackerMessage::Registered { id, observed, online: 2, relay: false });
    assert_eq!(registrations(&mut client), []);
    assert!(client.is_registered());
    client.handle_timeout(at + 2 * SECOND, WALL);
    assert_eq!(registrations(&mut client), [], "not before the record's half life");
}

#[test]
fn a_renewal_refused_for_another_reason_ends_the_connection() {
    let mut client = registered();
    client.set_presence(Instant::ZERO, WALL, Presence::Busy);
    let (id, _) = registrations(&mut client)[0];
    let code = ErrorCode::ClockSkew;
    say(&mut client, &TrackerMessage::Error { id: Some(id), code, message: String::new() });
    assert_eq!(events(&mut client), [Event::RegistrationRefused(code)]);
    assert!(!client.is_registered());
}

#[test]
fn a_renewal_refused_after_the_goodbye_brings_nobody_back() {
    let mut client = registered();
    client.set_presence(Instant::ZERO, WALL, Presence::Busy);
    let (id, _) = registrations(&mut client)[0];
    client.leave(Instant::ZERO);
    say(&mut client, &too_many(id));
    say(&mut client, &TrackerMessage::Goodbye { id: id + 1 });
    assert!(client.is_stopped());
    assert_eq!(events(&mut client), []);
}

#[test]
fn five_thousand_peers_are_listed_without_a_pause() {
    let mut w = World::new(vec![client(1, "alice")]);
    w.delay = Duration::ZERO;
    w.pass(SECOND);
    let wall = w.wall();
    for n in 1..5000u32 {
        let conn = ConnId(u64::from(n) + 100);
        let from = SocketAddr::from((std::net::Ipv4Addr::from_bits(n << 8), 5000));
        let local = "203.0.113.1:6000".parse().unwrap();
        w.server.handle_connected(w.now, wall, conn, from, local);
        let greeting = std::iter::from_fn(|| w.server.poll()).find_map(|output| match output {
            ServerOutput::Send { bytes, .. } => TrackerMessage::parse(&bytes[4..]).ok(),
            _ => None,
        });
        let Some(TrackerMessage::Hello { nonce, .. }) = greeting else { panic!("{greeting:?}") };
        let mut secret = [9; 32];
        secret[..4].copy_from_slice(&n.to_be_bytes());
        let peer = Identity::from_secret(&secret);
        let record =
            PresenceRecord::new(peer.id(), &format!("peer {n}"), Presence::Available, wall)
                .seal(&peer);
        let signature = peer.sign_registration(&nonce, &record);
        let register = PeerMessage::Register { id: 1, version: 1, record, signature };
        w.server.handle_bytes(w.now, wall, conn, &register.to_frame());
        while w.server.poll().is_some() {}
    }
    let (mut after, mut listed) = (None, 0);
    loop {
        w.clients[0].0.list(w.now, 1, after);
        w.pass(Duration::ZERO);
        match w.events(0).pop() {
            Some(Event::Peers { peers, next, .. }) => {
                listed += peers.len();
                after = next;
            }
            other => panic!("after {listed}: {other:?}"),
        }
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, 5000);
}

#[test]
fn a_fickle_peer_stays_connected_and_its_last_word_is_heard() {
    let mut w = alice_and_bob();
    for step in 0..40 {
        let presence = if step % 2 == 0 { Presence::Busy } else { Presence::Away };
        let (now, wall) = (w.now, w.wall());
        w.clients[1].0.set_presence(now, wall, presence);
        w.pass(Duration::from_millis(250));
    }
    w.pass(3 * SECOND);
    let events = w.events(0);
    assert!((6..=18).contains(&events.len()), "five at once, then one a second: {events:?}");
    let Some(Event::Changed { peer }) = events.last() else { panic!("{events:?}") };
    assert_eq!(peer.presence, Presence::Away);
    assert_eq!((w.events(1), w.clients[1].0.stats().connections), (vec![], 1));
}
