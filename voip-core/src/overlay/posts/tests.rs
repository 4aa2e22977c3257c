#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::simulation::{identity, random, secs, wall};
use super::*;
use crate::wire::exchange::{Head, MAX_WANTS, Page};
use crate::wire::sealed::Signature;

const NOW: Instant = Instant::from_micros(5_000_000_000);

fn posts(n: usize) -> Posts {
    Posts::new(identity(n), &format!("node {n}"), random(n as u64))
}

fn post(n: usize, log: u64, seq: u32, text: &str) -> SignedMessage {
    let at = wall(NOW);
    let content = Content::Text(text.to_owned());
    let post = Post { log, seq, at, name: format!("node {n}"), to: Audience::All, content };
    SignedMessage::sign(&identity(n), Bulletin::Post(post).body()).unwrap()
}

/// Where signatures do not matter, because they were checked before.
fn unsigned(n: usize, log: u64, seq: u32, len: usize) -> SignedMessage {
    let at = UnixMillis(wall(NOW).0 + u64::from(seq));
    let content = Content::Text("x".repeat(len));
    let post = Post { log, seq, at, name: "n".into(), to: Audience::All, content };
    let mut author = PeerId([0; 32]);
    author.0[..8].copy_from_slice(&(n as u64).to_le_bytes());
    SignedMessage::from_parts(author, Bulletin::Post(post).body(), Signature([0; 64])).unwrap()
}

/// As a mesh does it.
fn gossip(posts: &mut Posts, now: Instant, message: &SignedMessage) -> Verdict {
    let verdict = posts.judge(now, wall(now), message);
    if verdict == Verdict::Accept {
        posts.handle_delivered(now, wall(now), message);
    }
    verdict
}

fn outputs(posts: &mut Posts) -> Vec<Output> {
    std::iter::from_fn(|| posts.poll()).collect()
}

fn shown(outputs: &[Output]) -> Vec<u32> {
    let seq = |output: &Output| match output {
        Output::Event(Event::Text(text)) => Some(text.id.seq),
        _ => None,
    };
    outputs.iter().filter_map(seq).collect()
}

fn missing(outputs: &[Output]) -> u32 {
    let count = |output: &Output| match output {
        Output::Event(Event::Missing { count, .. }) => *count,
        _ => 0,
    };
    outputs.iter().map(count).sum()
}

fn advance(posts: &mut Posts, until: Instant) -> Vec<Output> {
    let mut all = outputs(posts);
    while posts.next_timeout() <= until {
        let now = posts.next_timeout();
        posts.handle_timeout(now, wall(now));
        all.extend(outputs(posts));
    }
    all
}

#[test]
fn what_is_out_of_order_waits_and_what_is_seen_twice_is_shown_once() {
    let mut bob = posts(2);
    for seq in [2, 1, 4, 2, 3] {
        gossip(&mut bob, NOW, &post(1, 7, seq, "hi"));
    }
    assert_eq!(shown(&outputs(&mut bob)), [1, 2, 3, 4]);
    assert_eq!(bob.stats(), PostsStats { duplicates: 1, ..PostsStats::default() });
    assert_eq!(bob.next_timeout(), Instant::FAR_FUTURE);
}

#[test]
fn forged_early_and_malformed_posts_are_not_taken_and_counted() {
    let mut bob = posts(2);
    let good = post(1, 7, 1, "hi");
    let stolen = SignedMessage::from_parts(identity(3).id(), good.body().into(), *good.signature());
    assert_eq!(gossip(&mut bob, NOW, &stolen.unwrap()), Verdict::Reject);
    let bent = good.body().replace("hi", "ho");
    let bent = SignedMessage::from_parts(good.author(), bent, *good.signature()).unwrap();
    assert_eq!(gossip(&mut bob, NOW, &bent), Verdict::Reject);
    let bad = SignedMessage::sign(&identity(1), "{}".into()).unwrap();
    assert_eq!(gossip(&mut bob, NOW, &bad), Verdict::Reject);
    let later = SignedMessage::sign(&identity(1), r#"{"type":"dance"}"#.into()).unwrap();
    assert_eq!(gossip(&mut bob, NOW, &later), Verdict::Ignore);
    let early = bob.judge(NOW, UnixMillis(wall(NOW).0 - 300_001), &good);
    assert_eq!(early, Verdict::Ignore);
    let expected = PostsStats { forged: 2, malformed: 1, early: 1, ..PostsStats::default() };
    assert_eq!(bob.stats(), expected);
    assert!(outputs(&mut bob).is_empty());
}

#[test]
fn of_two_posts_in_one_place_the_first_counts_and_nobody_is_blamed() {
    let mut bob = posts(2);
    assert_eq!(gossip(&mut bob, NOW, &post(1, 7, 1, "yes")), Verdict::Accept);
    assert_eq!(gossip(&mut bob, NOW, &post(1, 7, 1, "no")), Verdict::Ignore);
    assert_eq!(gossip(&mut bob, NOW, &post(1, 7, 1, "yes")), Verdict::Ignore);
    assert_eq!((bob.stats().forks, bob.stats().duplicates), (1, 1));
    assert_eq!(bob.history(&Audience::All, None, 9).first().unwrap().text, "yes");
}

#[test]
fn a_gap_is_asked_for_and_given_up_after_half_a_minute() {
    let (mut bob, carol) = (posts(2), identity(3).id());
    bob.handle_neighbor_up(NOW, carol);
    gossip(&mut bob, NOW, &post(1, 7, 1, "hi"));
    gossip(&mut bob, NOW, &post(1, 7, 4, "hi"));
    let soon = advance(&mut bob, NOW + secs(1));
    let log = LogId { author: identity(1).id(), log: 7 };
    let want = Exchange::Want { spans: vec![Span { log, from: 2, to: 3 }] };
    assert!(soon.contains(&Output::Send(carol, want)), "{soon:?}");
    assert_eq!(shown(&soon), [1]);
    assert!(shown(&advance(&mut bob, NOW + secs(29))).is_empty());
    let then = advance(&mut bob, NOW + secs(31));
    assert_eq!((missing(&then), shown(&then)), (2, vec![4]));
    // What comes all the same is shown, too.
    gossip(&mut bob, NOW + secs(40), &post(1, 7, 2, "hi"));
    assert_eq!(shown(&outputs(&mut bob)), [2]);
    assert_eq!(bob.stats().missing, 2);
}

#[test]
fn a_gap_is_given_up_when_all_neighbours_say_that_they_have_nothing() {
    let (mut bob, carol, dave) = (posts(2), identity(3).id(), identity(4).id());
    bob.handle_neighbor_up(NOW, carol);
    bob.handle_neighbor_up(NOW, dave);
    gossip(&mut bob, NOW, &post(1, 7, 4, "hi"));
    let mut asked = Vec::new();
    for n in 1..30 {
        let now = NOW + Duration::from_millis(n * 100);
        for output in advance(&mut bob, now) {
            if let Output::Send(peer, Exchange::Want { spans }) = output {
                asked.push(peer);
                let none = Exchange::Posts { messages: vec![], answered: 1, without: spans };
                bob.handle_exchange(now, wall(now), peer, &none);
            }
        }
        if asked.len() == 2 {
            break;
        }
        assert!(bob.stats().missing == 0);
    }
    asked.sort_unstable();
    let mut both = vec![carol, dave];
    both.sort_unstable();
    assert_eq!(asked, both);
    let then = outputs(&mut bob);
    assert_eq!((missing(&then), shown(&then)), (3, vec![4]));
}

#[test]
fn a_neighbour_may_have_nothing_of_what_it_has_told_about() {
    let (mut bob, carol) = (posts(2), identity(3).id());
    bob.handle_neighbor_up(NOW, carol);
    let log = LogId { author: identity(1).id(), log: 7 };
    let heads = vec![Head { log, first: 1, last: 3, holes: 0 }];
    bob.handle_exchange(NOW, wall(NOW), carol, &Exchange::Heads { logs: heads, page: None });
    let without = vec![Span { log, from: 1, to: MAX_SEQ }];
    let none = Exchange::Posts { messages: Vec::new(), answered: 1, without };
    bob.handle_exchange(NOW, wall(NOW), carol, &none);
    let then = advance(&mut bob, NOW + secs(20));
    let is_want = |output: &&Output| matches!(output, Output::Send(_, Exchange::Want { .. }));
    assert_eq!(then.iter().filter(is_want).count(), 1, "it is not asked again");
}

/// An answer about one gap says nothing about the next, of which nobody was asked.
#[test]
fn the_next_gap_has_its_own_time() {
    let (mut bob, carol) = (posts(2), identity(3).id());
    bob.handle_neighbor_up(NOW, carol);
    [1, 3, 5].iter().for_each(|seq| {
        gossip(&mut bob, NOW, &post(1, 7, *seq, "hi"));
    });
    let log = LogId { author: identity(1).id(), log: 7 };
    let heads = vec![Head { log, first: 1, last: 3, holes: 0 }];
    bob.handle_exchange(NOW, wall(NOW), carol, &Exchange::Heads { logs: heads, page: None });
    let answer =
        Exchange::Posts { messages: vec![post(1, 7, 2, "hi")], answered: 1, without: Vec::new() };
    bob.handle_exchange(NOW, wall(NOW), carol, &answer);
    let then = outputs(&mut bob);
    assert_eq!((shown(&then), missing(&then)), (vec![1, 2, 3], 0));
    gossip(&mut bob, NOW, &post(1, 7, 4, "hi"));
    assert_eq!(shown(&outputs(&mut bob)), [4, 5]);
}

#[test]
fn a_neighbour_can_give_only_what_was_asked_for_and_is_signed() {
    let (mut bob, carol) = (posts(2), identity(3).id());
    bob.handle_neighbor_up(NOW, carol);
    let give = |messages| Exchange::Posts { messages, answered: 1, without: Vec::new() };
    bob.handle_exchange(NOW, wall(NOW), carol, &give(vec![post(1, 7, 1, "hi")]));
    assert_eq!(bob.stats().unexpected, 1);
    let log = LogId { author: identity(1).id(), log: 7 };
    let heads = vec![Head { log, first: 1, last: 3, holes: 0 }];
    bob.handle_exchange(NOW, wall(NOW), carol, &Exchange::Heads { logs: heads, page: None });
    let forged = SignedMessage::from_parts(
        log.author,
        post(1, 7, 2, "hi").body().into(),
        Signature([0; 64]),
    );
    let answer = give(vec![post(1, 7, 1, "hi"), forged.unwrap(), post(1, 7, 3, "hi")]);
    bob.handle_exchange(NOW, wall(NOW), carol, &answer);
    assert_eq!(bob.stats().forged, 1);
    assert_eq!(shown(&outputs(&mut bob)), [1], "nothing more of it is believed");
    let late = advance(&mut bob, NOW + secs(20));
    assert!(!late.iter().any(|o| matches!(o, Output::Send(_, Exchange::Want { .. }))));
}

#[test]
fn an_author_that_says_too_much_is_not_listened_to() {
    let mut bob = posts(2);
    let accepted = (1..=2_000)
        .filter(|seq| {
            let message = unsigned(1, 7, *seq, 10);
            let Some(Bulletin::Post(post)) = Bulletin::parse(message.body()) else { return false };
            let verdict = bob.judge_post(NOW, wall(NOW + secs(9)), &message, &post);
            if verdict == Verdict::Accept {
                bob.handle_delivered(NOW, wall(NOW + secs(9)), &message);
            }
            verdict == Verdict::Accept
        })
        .count();
    assert_eq!(accepted, 1_201, "the first one makes the author known");
    assert_eq!(bob.stats().overtalked, 799);
    assert!(bob.shelf.is_consistent());
}

#[test]
fn an_author_without_end_has_its_last_posts_kept() {
    let mut bob = posts(2);
    let other = unsigned(5, 1, 1, 10);
    bob.handle_delivered(NOW, wall(NOW + secs(99)), &other);
    for seq in 1..=3_000 {
        bob.handle_delivered(NOW, wall(NOW + secs(99)), &unsigned(1, 7, seq, 10));
        outputs(&mut bob);
    }
    assert_eq!(bob.shelf.size().0, shelf::MAX_POSTS_OF_AUTHOR + 1, "others lose nothing");
    for seq in 3_001..=3_400 {
        bob.handle_delivered(NOW, wall(NOW + secs(99)), &unsigned(1, 7, seq, 8_000));
    }
    assert!(bob.shelf.is_consistent());
    assert!(bob.shelf.size().1 <= shelf::MAX_BYTES_OF_AUTHOR + 2_000);
    assert_eq!(shown(&outputs(&mut bob)).len(), 400, "but all are shown");
    assert_eq!(bob.judge_place(&unsigned(1, 7, 1, 10)), Place::Gone);
    // In holes, backwards, in new logs without end.
    for log in 8..40 {
        (1..=40).rev().for_each(|n| {
            bob.handle_delivered(NOW, wall(NOW + secs(99)), &unsigned(1, log, n * 3, 10));
        });
    }
    assert!(bob.shelf.is_consistent());
    assert_eq!(bob.judge_place(&unsigned(1, 7, 3_400, 10)), Place::Gone);
    assert_eq!(bob.gaps.len(), bob.alarms.len());
}

#[test]
fn authors_without_end_fit_too_and_what_has_gone_does_not_come_back() {
    let mut bob = posts(2);
    for n in 0..27_000 {
        bob.handle_delivered(
            NOW,
            wall(NOW).plus(Duration::from_millis(n as u64)),
            &unsigned(n, 7, 1 + n as u32, 1),
        );
        outputs(&mut bob);
    }
    assert!(bob.shelf.is_consistent());
    assert_eq!(bob.shelf.size().0, shelf::MAX_POSTS);
    for n in [0, 100, 5_000, 6_999] {
        assert_eq!(bob.judge_place(&unsigned(n, 7, 1 + n as u32, 1)), Place::Gone, "{n}");
    }
    assert!(bob.gaps.len() <= shelf::MAX_POSTS && bob.gaps.len() == bob.alarms.len());
    assert!(bob.reconciler.is_bounded());
}

impl Posts {
    fn judge_place(&self, message: &SignedMessage) -> Place {
        let Some(Bulletin::Post(post)) = Bulletin::parse(message.body()) else { panic!("no post") };
        self.shelf.place(post.id(message.author()), message.id(), post.at)
    }
}

#[test]
fn what_was_stored_is_there_again_after_a_restart() {
    let (mut alice, mut bob) = (posts(1), posts(2));
    let (to_bob, to_alice) = (Audience::Peer(identity(2).id()), Audience::Peer(identity(1).id()));
    let now = NOW;
    alice.write(now, wall(now), Audience::All, "for all").unwrap();
    let direct = alice.write(now, wall(now), to_bob.clone(), "for bob").unwrap();
    let (mut on_disk, mut to_deliver) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..3 {
        let now = now + secs(round);
        for (n, node) in [&mut alice, &mut bob].into_iter().enumerate() {
            for message in std::mem::take(&mut to_deliver[n]) {
                gossip(node, now, &message);
            }
            for output in advance(node, now + secs(1)) {
                match output {
                    Output::Store(message) => on_disk[n].push(message),
                    Output::Broadcast(message) => to_deliver[1 - n].push(message),
                    _ => {}
                }
            }
        }
    }
    assert!(alice.unacknowledged().is_empty());
    let [alices, bobs] = on_disk;
    let mut again = posts(1);
    again.load(now, wall(now), &alices);
    assert!(outputs(&mut again).is_empty());
    assert_eq!(again.history(&to_bob, None, 9), alice.history(&to_bob, None, 9));
    assert_eq!(again.history(&Audience::All, None, 9).len(), 1);
    assert!(again.unacknowledged().is_empty());
    let next = again.write(now, wall(now), Audience::All, "again").unwrap();
    assert!(next.log > direct.log && next.seq == 1, "a new log");
    // Who has said that it has a text does not say so again; who has not, does.
    let mut again = posts(2);
    again.load(now, wall(now), &bobs);
    assert_eq!(again.history(&to_alice, None, 9).first().unwrap().text, "for bob");
    assert_eq!(again.next_timeout(), Instant::FAR_FUTURE);
    let mut forgetful = posts(2);
    bobs.iter().filter(|m| m.author() == identity(2).id()).for_each(|m| assert!(m.is_signed()));
    let received: Vec<_> = bobs.into_iter().filter(|m| m.author() != identity(2).id()).collect();
    forgetful.load(now, wall(now), &received);
    let sent = advance(&mut forgetful, now + secs(1));
    assert!(sent.iter().any(|output| matches!(output, Output::Broadcast(_))));
}

#[test]
fn what_may_not_be_written_is_refused() {
    let mut alice = posts(1);
    let mut write = |to, text: &str| alice.write(NOW, wall(NOW), to, text).map(|_| ());
    let long = "x".repeat(8 * 1024 + 1);
    assert_eq!(write(Audience::All, ""), Err(WriteError::BadText));
    assert_eq!(write(Audience::All, "a\u{7}"), Err(WriteError::BadText));
    assert_eq!(write(Audience::All, &long), Err(WriteError::BadText));
    assert_eq!(write(Audience::All, &"\"".repeat(8_000)), Err(WriteError::TooLong));
    assert_eq!(write(Audience::Room("a\u{202e}".into()), "a"), Err(WriteError::BadRoom));
    assert_eq!(write(Audience::Peer(identity(1).id()), "a"), Err(WriteError::ToOneself));
    assert_eq!(write(Audience::Peer(PeerId([0; 32])), "a"), Err(WriteError::BadKey));
    let written = (0..100).filter(|_| write(Audience::All, "a\n\tb").is_ok()).count();
    assert!((40..=50).contains(&written), "{written}");
    let history = alice.history(&Audience::All, None, 100);
    assert_eq!(
        history.iter().map(|t| t.id.seq).collect::<Vec<_>>(),
        (1..=written as u32).collect::<Vec<_>>()
    );
}

#[test]
fn history_goes_back_page_by_page() {
    let mut bob = posts(2);
    (1..=25)
        .for_each(|seq| bob.handle_delivered(NOW, wall(NOW + secs(9)), &unsigned(1, 7, seq, 5)));
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let page = bob.history(&Audience::All, before, 10);
        let Some(first) = page.first() else { break };
        before = Some(first.id);
        pages.push(page.iter().map(|t| t.id.seq).collect::<Vec<_>>());
    }
    assert_eq!(pages, [(16..=25).collect::<Vec<_>>(), (6..=15).collect(), (1..=5).collect()]);
    assert!(bob.history(&Audience::Room("other".into()), None, 10).is_empty());
}

/// Much at once is asked for and given in pieces that fit.
#[test]
fn many_logs_and_long_ones_are_exchanged_in_pages() {
    let (mut bob, mut carol) = (posts(2), posts(3));
    let (at_bob, at_carol) = (identity(2).id(), identity(3).id());
    let mut messages = Vec::new();
    for n in 10..410 {
        messages.push(post(n, 7, 1, "hi"));
    }
    (1..=60).for_each(|seq| messages.push(post(5, 7, seq, &"x".repeat(4_000))));
    messages.iter().for_each(|m| bob.handle_delivered(NOW, wall(NOW), m));
    bob.handle_neighbor_up(NOW, at_carol);
    carol.handle_neighbor_up(NOW, at_bob);
    let (mut now, mut seen) = (NOW, Vec::new());
    while now < NOW + secs(10) && seen.len() < messages.len() {
        now += Duration::from_millis(50);
        for output in advance(&mut bob, now) {
            if let Output::Send(_, exchange) = output {
                assert!(exchange.is_valid());
                carol.handle_exchange(now, wall(now), at_bob, &exchange);
            }
        }
        for output in advance(&mut carol, now) {
            match output {
                Output::Send(_, exchange) => {
                    assert!(exchange.is_valid());
                    bob.handle_exchange(now, wall(now), at_carol, &exchange);
                }
                Output::Event(Event::Text(text)) => seen.push(text.id),
                _ => {}
            }
        }
    }
    println!("{} posts in {:?}", seen.len(), now - NOW);
    assert_eq!(seen.len(), messages.len());
    assert_eq!(carol.stats(), PostsStats::default());
    let spans = vec![Span { log: LogId { author: at_bob, log: 1 }, from: 1, to: 9 }; MAX_WANTS];
    (0..200).for_each(|_| {
        bob.handle_exchange(now, wall(now), at_carol, &Exchange::Want { spans: spans.clone() })
    });
    assert!(bob.stats().throttled >= 150, "who asks too much is not answered");
}

/// One of few authors, logs and numbers, so that they meet.
fn place() -> impl Strategy<Value = (usize, u64, u32)> {
    let seq = prop_oneof![1u32..12, Just(MAX_SEQ), Just(MAX_SEQ - 1)];
    (10usize..13, prop_oneof![1u64..7, Just(u64::MAX)], seq)
}

fn span() -> impl Strategy<Value = Span> {
    (place(), 0u32..5).prop_map(|((n, log, seq), more)| {
        let log = LogId { author: identity(n).id(), log };
        Span { log, from: seq, to: seq.saturating_add(more).min(MAX_SEQ) }
    })
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let spans = || prop::collection::vec(span(), 0..4);
    let posts = prop::collection::vec(place(), 0..4).prop_map(|places| {
        places.iter().map(|(n, log, seq)| post(*n, *log, *seq, "hi")).collect::<Vec<_>>()
    });
    let page = prop::option::of((prop::option::of(span()), any::<bool>()));
    prop_oneof![
        (spans(), page).prop_map(|(spans, page)| {
            let head = |s: &Span| Head { log: s.log, first: s.from, last: s.to, holes: 0 };
            let mut logs: Vec<Head> = spans.iter().map(head).collect();
            logs.sort_by_key(|head| head.log);
            let page = page.map(|(after, more)| Page { after: after.map(|s| s.log), more });
            Exchange::Heads { logs, page }
        }),
        spans().prop_map(|spans| Exchange::Want { spans }),
        (posts, 0u16..5, spans()).prop_map(|(messages, answered, without)| Exchange::Posts {
            messages,
            answered,
            without
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// Whatever neighbours say, nothing panics, no text is shown twice, and the books are right.
    #[test]
    fn whatever_neighbours_say(steps in prop::collection::vec((0u64..3_000, 0usize..3, exchange(), place()), 1..40)) {
        let mut bob = posts(2);
        let (mut now, mut texts) = (NOW, BTreeSet::new());
        for (pause, from, exchange, (n, log, seq)) in steps {
            now += Duration::from_millis(pause);
            let from = identity(20 + from).id();
            if exchange.is_valid() {
                bob.handle_exchange(now, wall(now), from, &exchange);
            } else {
                bob.handle_neighbor_up(now, from);
            }
            if seq % 3 == 0 {
                gossip(&mut bob, now, &post(n, log, seq, "hi"));
            }
            for output in advance(&mut bob, now) {
                match output {
                    Output::Event(Event::Text(text)) => prop_assert!(texts.insert(text.id)),
                    Output::Send(_, exchange) => prop_assert!(exchange.is_valid()),
                    _ => {}
                }
            }
            prop_assert!(bob.shelf.is_consistent() && bob.reconciler.is_bounded());
            prop_assert_eq!(bob.gaps.len(), bob.alarms.len());
        }
        prop_assert!(bob.history(&Audience::All, None, 1_000).len() <= texts.len());
    }
}
