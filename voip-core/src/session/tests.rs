#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
use super::path::MAX_ADDED;
use super::*;

struct Pair {
    now: Instant,
    a: Session,
    b: Session,
    /// Bytes of RTP payload that each heard.
    heard: [Vec<IncomingRtp>; 2],
    connected: [bool; 2],
    messages: [Vec<Vec<u8>>; 2],
    closed: [bool; 2],
    /// Delivered once more before each datagram to the same address.
    strays: Vec<Datagram>,
}

type Datagram = (SocketAddr, SocketAddr, Vec<u8>);

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl Pair {
    fn new() -> Pair {
        let now = Instant::from_micros(1_000_000);
        let epoch = Epoch::new(std::time::Instant::now());
        let host = |p| [LocalCandidate::Host(address(p))];
        let (mut a, offer) = Session::offer(now, epoch, SequenceNumber(7), &host(1000)).unwrap();
        let (b, answer) =
            Session::answer(now, epoch, SequenceNumber(9), &host(2000), &offer).unwrap();
        a.accept_answer(now, &answer).unwrap();
        Pair {
            now,
            a,
            b,
            heard: Default::default(),
            connected: [false; 2],
            messages: Default::default(),
            closed: [false; 2],
            strays: Vec::new(),
        }
    }

    fn deliver(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            for i in 0..2 {
                let (from, to) =
                    if i == 0 { (&mut self.a, &mut self.b) } else { (&mut self.b, &mut self.a) };
                while let Some(output) = from.poll() {
                    moved = true;
                    match output {
                        SessionOutput::Transmit { source, destination, contents } => {
                            for (from, at, stray) in &self.strays {
                                if *at == destination {
                                    to.handle_datagram(self.now, *from, *at, stray);
                                }
                            }
                            to.handle_datagram(self.now, source, destination, &contents);
                        }
                        SessionOutput::Connected => self.connected[i] = true,
                        SessionOutput::Rtp(rtp) => self.heard[i].push(rtp),
                        SessionOutput::Message(m) => self.messages[i].push(m),
                        SessionOutput::Closed { by_peer } => self.closed[i] = by_peer,
                        _ => {}
                    }
                }
            }
        }
    }

    fn run(&mut self, micros: u64) {
        let end = self.now + Duration::from_micros(micros);
        self.deliver();
        loop {
            let next = self.a.next_timeout().min(self.b.next_timeout()).max(self.now);
            if next > end {
                break;
            }
            self.now = next;
            self.a.handle_timeout(next);
            self.b.handle_timeout(next);
            self.deliver();
        }
        self.now = end;
    }

    fn say(&mut self, payload: &[u8], timestamp: u32) {
        self.say_with(payload, timestamp, None);
    }

    fn say_with(&mut self, payload: &[u8], timestamp: u32, repeated: Option<(u32, &[u8])>) {
        let timestamp = RtpTimestamp(timestamp);
        let rtp =
            OutgoingRtp { timestamp, payload, repeated, marker: false, level: -30, voice: true };
        self.a.send_rtp(self.now, &rtp);
    }
}

#[test]
fn two_sessions_connect_and_carry_sound_and_messages() {
    let mut pair = Pair::new();
    pair.run(300_000);
    assert_eq!(pair.connected, [true, true]);
    pair.say(b"opus bytes", 960);
    pair.run(20_000);
    let rtp = &pair.heard[1][0];
    assert_eq!(&rtp.payload[..], b"opus bytes");
    assert_eq!(rtp.timestamp, RtpTimestamp(960));
    assert_eq!(rtp.sequence, SequenceNumber(8));
    assert!(pair.b.send_message(pair.now, b"hello"));
    pair.run(100_000);
    assert_eq!(pair.messages[0], [b"hello".to_vec()]);
}

#[test]
fn an_earlier_payload_goes_along_and_is_told_apart() {
    let mut pair = Pair::new();
    pair.run(300_000);
    pair.say(b"one", 960);
    pair.say_with(b"two", 1_920, Some((960, b"one")));
    pair.run(20_000);
    let [one, two] = &pair.heard[1][..] else { panic!("{:?}", pair.heard[1]) };
    assert_eq!((&one.payload[..], one.repeated.len()), (&b"one"[..], 0));
    assert_eq!((&two.payload[..], two.timestamp), (&b"two"[..], RtpTimestamp(1_920)));
    assert_eq!(two.sequence, one.sequence.plus(1));
    assert_eq!((two.repeated[0].age, &two.repeated[0].payload[..]), (960, &b"one"[..]));
    assert_eq!(pair.b.stats().bytes_received, 3 + 1 + 4 + 3 + 3, "headers of RFC 2198 too");
}

#[test]
fn what_is_no_redundant_payload_is_dropped() {
    let mut pair = Pair::new();
    pair.run(300_000);
    let redundant = pair.a.repeated_type;
    assert!(redundant.is_some() && redundant != pair.a.payload_type);
    let dropped = pair.b.stats().dropped;
    pair.a.payload_type = redundant;
    for wild in [&b"\xff"[..], b"\xff\xff\xff\xff", b"\x01x", b"\x80\0\0\x09\x6f", b"\x6f"] {
        pair.say(wild, 960);
        pair.run(20_000);
    }
    assert_eq!((pair.heard[1].len(), pair.b.stats().dropped), (0, dropped + 5));
}

/// Where the datagrams go that a session has to send.
fn destinations(session: &mut Session) -> Vec<SocketAddr> {
    let outputs = std::iter::from_fn(|| session.poll());
    let to = |output| match output {
        SessionOutput::Transmit { destination, .. } => Some(destination),
        _ => None,
    };
    outputs.filter_map(to).collect()
}

#[test]
fn an_address_that_a_peer_adds_is_checked_and_what_is_none_is_dropped() {
    let mut pair = Pair::new();
    let ours = candidate_lines(&[LocalCandidate::Host(address(3000))]);
    pair.a.add_candidates(pair.now, &ours);
    pair.run(300_000);
    assert_eq!(pair.a.stats().dropped, 0);
    let wild = ["", "candidate:", "candidate:1 1 udp 1 224.0.0.1 5 typ host", "a=b", "\r\n"];
    pair.a.add_candidates(pair.now, &wild.map(str::to_owned));
    assert_eq!(pair.a.stats().dropped, wild.len() as u64);
    assert!(!destinations(&mut pair.a).contains(&address(3000)), "before it was connected");
    pair.a.add_candidates(pair.now, &ours);
    let mut checked = Vec::new();
    for _ in 0..20 {
        checked.append(&mut destinations(&mut pair.a));
        pair.now = pair.a.next_timeout();
        pair.a.handle_timeout(pair.now);
    }
    assert!(checked.contains(&address(3000)), "{checked:?}");
}

#[test]
fn no_more_addresses_are_taken_than_a_peer_can_have() {
    let mut pair = Pair::new();
    pair.run(300_000);
    for port in 0..=MAX_ADDED as u16 {
        let one = candidate_lines(&[LocalCandidate::Host(address(10_000 + port))]);
        pair.a.add_candidates(pair.now, &one);
    }
    assert_eq!(pair.a.stats().dropped, 1);
    // What is known costs nothing.
    let known = candidate_lines(&[LocalCandidate::Host(address(10_001))]);
    for _ in 0..1_000 {
        pair.a.add_candidates(pair.now, &known);
    }
    assert_eq!((pair.a.stats().dropped, pair.a.added.len()), (1, MAX_ADDED));
    pair.run(15_000_000);
    pair.a.add_candidates(pair.now, &candidate_lines(&[LocalCandidate::Host(address(9_999))]));
    assert_eq!((pair.a.stats().dropped, pair.a.added.len()), (1, MAX_ADDED + 1), "later one more");
}

#[test]
fn closing_one_side_closes_the_other() {
    let mut pair = Pair::new();
    pair.run(300_000);
    pair.a.close(pair.now);
    pair.run(100_000);
    assert!(pair.closed[1], "the other side must hear the close_notify");
    assert!(!pair.closed[0], "whoever closes is not told");
}

#[test]
fn garbage_truncated_and_replayed_datagrams_change_nothing() {
    let mut pair = Pair::new();
    pair.run(300_000);
    pair.say(b"once", 960);
    let mut captured = Vec::new();
    while let Some(output) = pair.a.poll() {
        if let SessionOutput::Transmit { source, destination, contents } = output {
            captured.push((source, destination, contents));
        }
    }
    for (source, destination, contents) in &captured {
        for len in 0..contents.len() {
            pair.b.handle_datagram(pair.now, *source, *destination, &contents[..len]);
        }
        pair.b.handle_datagram(pair.now, address(6666), *destination, contents);
        let mut flipped = contents.clone();
        *flipped.last_mut().unwrap() ^= 1;
        pair.b.handle_datagram(pair.now, *source, *destination, &flipped);
        for _ in 0..3 {
            pair.b.handle_datagram(pair.now, *source, *destination, contents);
        }
    }
    pair.run(20_000);
    assert_eq!(pair.heard[1].len(), 1, "the packet counts once");
    assert!(pair.b.stats().dropped > 0);
    pair.say(b"still here", 1920);
    pair.run(20_000);
    assert_eq!(pair.heard[1].len(), 2);
}

/// A stranger can send from any address, the peer's own included (RFC 3704).
#[test]
fn rubbish_that_seems_to_come_from_the_peer_changes_nothing() {
    use rand_core::{Rng, SeedableRng};

    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut pair = Pair::new();
    pair.run(300_000);
    let begins: [&[u8]; 8] = [
        &[0x80, 111],
        &[0x81, 200, 0, 6],
        &[20, 254, 253, 0, 0],
        &[21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40],
        &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1],
        &[23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 99],
        &[0x2f, 0, 1],
        &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42],
    ];
    for i in 0..20_000 {
        let mut rubbish = vec![0; random.next_u32() as usize % 200];
        random.fill_bytes(&mut rubbish);
        for (to, from) in rubbish.iter_mut().zip(begins[i % begins.len()]) {
            *to = *from;
        }
        pair.b.handle_datagram(pair.now, address(1000), address(2000), &rubbish);
        if i % 100 == 0 {
            pair.run(1_000);
        }
    }
    pair.say(b"still here", 960);
    pair.run(20_000);
    assert_eq!(pair.heard[1].len(), 1, "{:?}", pair.b.stats());
    assert!(pair.b.send_message(pair.now, b"hello"));
    pair.run(20_000);
    assert_eq!(pair.messages[0].len(), 1);
    assert_eq!(pair.closed, [false; 2]);
}

/// What two sessions have yet to send when both close.
fn last_words() -> Vec<Datagram> {
    let mut pair = Pair::new();
    pair.run(300_000);
    pair.say(b"late", 960);
    pair.a.close(pair.now);
    pair.b.close(pair.now);
    let mut sent = Vec::new();
    for session in [&mut pair.a, &mut pair.b] {
        while let Some(output) = session.poll() {
            if let SessionOutput::Transmit { source, destination, contents } = output {
                sent.push((source, destination, contents));
            }
        }
    }
    sent
}

/// Whoever calls again at once has the same ports, and the line may still hold something.
#[test]
fn what_is_left_of_the_last_connection_does_not_disturb_the_next() {
    let strays = last_words();
    assert!(strays.iter().any(|(_, at, _)| *at == address(1000)));
    assert!(strays.iter().any(|(_, at, _)| *at == address(2000)));
    let mut pair = Pair::new();
    pair.strays = strays;
    pair.run(300_000);
    assert_eq!(pair.connected, [true, true]);
}

#[test]
fn descriptions_are_bounded_and_checked() {
    let epoch = Epoch::new(std::time::Instant::now());
    let host = [LocalCandidate::Host(address(1000))];
    let (_, offer) = Session::offer(Instant::ZERO, epoch, SequenceNumber(0), &host).unwrap();
    let try_offer = |text: &str| {
        Session::answer(Instant::ZERO, epoch, SequenceNumber(0), &host, text).map(|_| ())
    };
    assert!(try_offer(&offer).is_ok());
    assert!(try_offer("").is_err());
    assert!(try_offer("v=0\r\n").is_err());
    assert!(try_offer(&"a=x\r\n".repeat(10_000)).is_err());
    assert!(try_offer(&offer.replace("127.0.0.1 1000", "224.0.0.1 1000")).is_err());
    let line = offer.lines().find(|l| l.starts_with("a=candidate:")).unwrap();
    let many = offer.replace(line, &vec![line; 21].join("\r\n"));
    assert!(try_offer(&many).is_err());
    for cut in (0..offer.len()).step_by(7) {
        let _ = try_offer(&offer[..cut]);
    }
}
