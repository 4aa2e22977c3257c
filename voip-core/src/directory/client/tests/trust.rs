//! What a client makes of somebody at the tracker's address who is not the tracker.

use super::*;

fn untrusted() -> Loss {
    Loss::Untrusted("another key".to_owned())
}

/// Fails to connect, and gives when the next attempt is made.
fn fail(client: &mut Client, now: Instant, loss: Loss) -> Instant {
    client.handle_timeout(now, WALL);
    client.handle_failed(now, loss);
    client.next_timeout()
}

#[test]
fn distrust_is_told_once_even_after_another_loss_and_again_after_a_registration() {
    let mut client = client(1, "alice");
    let mut now = fail(&mut client, Instant::ZERO, Loss::Unreachable);
    assert_eq!(events(&mut client), [Event::Lost(Loss::Unreachable)]);
    now = fail(&mut client, now, untrusted());
    assert_eq!(events(&mut client), [Event::Lost(untrusted())]);
    for loss in [untrusted(), Loss::Unreachable, untrusted()] {
        now = fail(&mut client, now, loss);
        assert_eq!(events(&mut client), []);
    }
    let mut client = registered();
    client.handle_closed(now);
    now = client.next_timeout();
    fail(&mut client, now, untrusted());
    assert_eq!(events(&mut client), [Event::Lost(Loss::Closed), Event::Lost(untrusted())]);
}

#[test]
fn whoever_is_not_trusted_is_asked_ever_more_seldom() {
    let (mut client, mut now) = (client(1, "alice"), Instant::ZERO);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let next = fail(&mut client, now, untrusted());
        pauses.push(next - now);
        now = next;
    }
    assert!(pauses[0] <= FIRST_PAUSE && pauses[11] >= LONGEST_PAUSE / 2, "{pauses:?}");
}

#[test]
fn who_leaves_meanwhile_has_left() {
    let mut client = client(1, "alice");
    client.handle_timeout(Instant::ZERO, WALL);
    client.leave(Instant::ZERO);
    client.handle_failed(Instant::ZERO, untrusted());
    assert!(client.is_stopped());
    assert_eq!(events(&mut client), []);
}

#[test]
fn a_pair_with_oneself_or_a_forged_one_is_nobody() {
    let mut client = registered();
    let mut forged = entry(2, "bob", WALL);
    forged.record.signature = Signature([7; 64]);
    let expired = entry(2, "bob", UnixMillis(WALL.0 - 900_000));
    for peer in [forged, expired, entry(1, "alice", WALL)] {
        say(&mut client, &TrackerMessage::Paired { peer });
        assert_eq!(events(&mut client), [Event::Paired { peer: None }]);
    }
    say(&mut client, &TrackerMessage::Paired { peer: entry(2, "bob", WALL) });
    let heard = events(&mut client);
    assert!(matches!(&heard[..], [Event::Paired { peer: Some(peer) }] if peer.name == "bob"));
}
