//! Ten thousand datagrams of rubbish at a node in a call: dropped and counted, the call goes on, and
//! nothing grows. In a program of its own, as it looks at the memory of the whole process.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "common/chance.rs"]
mod chance;
#[path = "sockets/harness.rs"]
mod harness;

use std::net::UdpSocket;

use chance::Chance;
use harness::{LIMIT, Pair, end_of, purity, say_and_hear, tone, until};
use voip_core::{CallState, protocol};

const COUNT: usize = 10_000;
/// So many every 10 ms.
const AT_ONCE: usize = 50;

/// Rubbish that begins like RTP, RTCP, DTLS, STUN (RFC 7983), or like nothing; some of it is cut
/// short, some repeats what was sent before.
fn rubbish(chance: &mut Chance, sent: &[Vec<u8>]) -> Vec<u8> {
    let length = chance.below(1_400);
    let mut datagram = chance.bytes(length);
    let begin: &[u8] = match chance.below(6) {
        0 => &[0x80, 111],
        1 => &[0x81, 200, 0, 6],
        2 => &[22, 254, 253, 0, 0],
        3 => return protocol::binding_request(protocol::TransactionId([7; 12])),
        4 if !sent.is_empty() => {
            let again = &sent[chance.below(sent.len())];
            return again[..chance.below(again.len() + 1)].to_vec();
        }
        _ => &[],
    };
    for (to, from) in datagram.iter_mut().zip(begin) {
        *to = *from;
    }
    datagram
}

/// Resident memory in bytes, where the system tells.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[test]
fn rubbish_is_dropped_and_counted_and_nothing_grows() {
    let pair = Pair::manual(48_000);
    let (at_alice, at_bob) = pair.connect();
    // What is made once is made now.
    say_and_hear(&at_alice, &at_bob, &tone(500.0, 48_000, 0.5));
    let target = pair.bob.local_address();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (mut chance, mut sent) = (Chance::new(0x5eed), Vec::new());
    for _ in 0..100 {
        sent.push(rubbish(&mut chance, &sent));
    }
    let before = memory();
    let mut heard = vec![0.0; 480 * (COUNT / AT_ONCE + 60)];
    std::thread::scope(|scope| {
        let sound = tone(500.0, 48_000, heard.len() as f32 / 48_000.0);
        let alice = at_alice.clone();
        scope.spawn(move || alice.write(&sound, LIMIT).unwrap());
        for (i, block) in heard.chunks_mut(480).enumerate() {
            at_bob.read(block, LIMIT).unwrap();
            for _ in 0..if i < COUNT / AT_ONCE { AT_ONCE } else { 0 } {
                stranger.send_to(&rubbish(&mut chance, &sent), target).unwrap();
            }
        }
    });
    if let (Some(before), Some(after)) = (before, memory()) {
        let grown = after.saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes more than before");
    }
    let last = &heard[heard.len() - 14_400..];
    assert!(purity(last, 500.0, 48_000) > 0.8, "{}", purity(last, 500.0, 48_000));
    assert_eq!(at_bob.state(), CallState::Connected);
    // The rest is what its socket had no room for.
    until(&at_bob, || pair.bob.stats().datagrams_dropped >= COUNT as u64 * 3 / 4);
    assert_eq!(at_bob.stats().dropped, 0, "none was taken for the call's");
    at_alice.hang_up();
    end_of(&at_bob);
    let _again = pair.connect();
}
