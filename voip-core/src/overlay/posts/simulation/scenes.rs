//! What people see who write to each other while the network does its worst.

use super::*;

fn room() -> Audience {
    Audience::Room("kitchen".into())
}

impl World {
    /// Several authors write at once, in turn to all and to a room; `count` texts each, with a pause after each round.
    fn talk(&mut self, authors: &[usize], count: usize, pause: Duration) -> Vec<TextId> {
        let mut ids = Vec::new();
        for round in 0..count {
            for author in authors {
                let audience = if round % 2 == 0 { Audience::All } else { room() };
                ids.push(self.write(*author, audience, &format!("{round} of {author}")));
            }
            self.run_for(pause);
        }
        ids
    }

    fn histories(&self, n: usize) -> Vec<TextId> {
        let both = [Audience::All, room()];
        let texts = both.iter().flat_map(|a| self.nodes[n].posts.history(a, None, usize::MAX));
        texts.map(|text| text.id).collect()
    }

    /// Everybody has been shown every text of the others, once, each author's in order.
    fn assert_all_shown(&self, ids: &[TextId]) {
        for node in &self.nodes {
            let mut seen: BTreeMap<LogId, Vec<u32>> = BTreeMap::new();
            let mut expected = seen.clone();
            node.texts.iter().for_each(|t| seen.entry(t.id.log_id()).or_default().push(t.id.seq));
            let others = ids.iter().filter(|id| id.author != node.id);
            others.for_each(|id| expected.entry(id.log_id()).or_default().push(id.seq));
            assert_eq!(seen, expected, "{} has missed something", node.id.short());
            assert_eq!(node.missing, 0);
            let stats = node.mesh.stats();
            assert_eq!((stats.flooded, stats.banned, stats.invalid), (0, 0, 0));
            assert_eq!(node.posts.stats().throttled, 0);
        }
    }

    fn are_equal(&self) -> bool {
        let first = self.histories(0);
        (1..self.nodes.len()).all(|n| self.histories(n) == first)
    }

    /// How long until all histories are the same, at most `limit`.
    fn time_until_equal(&mut self, limit: Duration) -> Duration {
        let start = self.now;
        while !self.are_equal() {
            assert!(self.now - start < limit, "not the same after {limit:?}");
            self.run_for(secs(1));
        }
        self.now - start
    }
}

fn lossy_talk(seed: u64, nodes: usize, authors: usize, count: usize) {
    let mut world = World::grown(seed, nodes);
    world.loss = 0.3;
    let authors: Vec<usize> = (0..authors).map(|n| n * (nodes / authors)).collect();
    let sent = world.sent;
    let ids = world.talk(&authors, count, Duration::from_millis(400));
    let took = world.time_until_equal(secs(60));
    world.run_for(secs(2));
    world.assert_all_shown(&ids);
    println!(
        "seed {seed}: {nodes} nodes, {} texts at 30 % loss: equal after {took:?}, {} bytes a node, {} of them exchanges",
        ids.len(),
        (world.sent - sent) / nodes,
        world.exchanged / nodes
    );
}

#[test]
fn everybody_sees_every_text_once_and_in_order_though_links_lose_a_third() {
    lossy_talk(1, 50, 5, 5);
}

#[test]
#[ignore = "takes a minute"]
fn everybody_sees_every_text_at_all_seeds() {
    (2..22).for_each(|seed| lossy_talk(seed, 50, 8, 20));
}

fn away(seed: u64, nodes: usize, time: Duration, count: usize) {
    let mut world = World::grown(seed, nodes);
    let gone = nodes / 2;
    let mut ids = world.talk(&[1, 2], 2, secs(1));
    world.nodes[gone].side = 1;
    ids.extend(world.talk(&[1, 2, 3], count, secs(1)));
    let own = world.write(gone, room(), "is anybody there?");
    ids.push(own);
    let left = time.saturating_sub(secs(count as u64));
    world.run_for(left);
    world.nodes[gone].side = 0;
    world.introduce(gone);
    let took = world.time_until_equal(secs(60));
    world.run_for(secs(2));
    world.assert_all_shown(&ids);
    let late = world.nodes[gone].texts.iter().filter(|text| text.late).count();
    println!("seed {seed}: back after {time:?}: caught up in {took:?}, {late} texts late");
    assert!(late > 0, "what was written meanwhile is late");
}

#[test]
fn who_was_away_for_a_minute_misses_nothing() {
    away(1, 16, secs(60), 10);
}

#[test]
fn who_was_away_for_ten_minutes_misses_nothing() {
    away(2, 10, secs(600), 40);
}

#[test]
#[ignore = "takes a minute"]
fn who_was_away_misses_nothing_at_all_seeds() {
    for seed in 10..16 {
        away(seed, 50, secs(60), 20);
        away(seed, 50, secs(600), 40);
    }
}

fn partition(seed: u64, nodes: usize) {
    let mut world = World::grown(seed, nodes);
    let mut ids = world.talk(&[0, 1], 2, secs(1));
    (nodes / 2..nodes).for_each(|n| world.nodes[n].side = 1);
    ids.extend(world.talk(&[0, 1, nodes - 1, nodes - 2], 10, secs(2)));
    world.run_for(secs(280));
    assert!(!world.are_equal());
    (0..nodes).for_each(|n| world.nodes[n].side = 0);
    (nodes / 2..nodes).for_each(|n| world.introduce(n));
    let took = world.time_until_equal(secs(60));
    world.run_for(secs(2));
    world.assert_all_shown(&ids);
    println!("seed {seed}: {nodes} nodes apart for 5 min: equal {took:?} after");
}

#[test]
fn two_halves_that_were_apart_for_five_minutes_have_the_same_within_one() {
    partition(3, 16);
}

#[test]
#[ignore = "takes a minute"]
fn two_halves_have_the_same_at_all_seeds() {
    (4..8).for_each(|seed| partition(seed, 50));
}

#[test]
fn a_newcomer_gets_what_was_written_before_it_came() {
    let mut world = World::grown(4, 8);
    let ids = world.talk(&[0, 1], 60, Duration::from_millis(250));
    world.run_for(secs(60));
    world.add();
    world.time_until_equal(secs(20));
    world.assert_all_shown(&ids);
}

/// So many texts of a length come from the disk of one node, and everybody gets them.
fn from_one_disk(nodes: usize, authors: usize, count: usize, len: usize) {
    let mut world = World::grown(8, nodes);
    let text = "x".repeat(len);
    let mut messages = Vec::new();
    for author in 0..authors {
        let mut posts = Posts::new(identity(1_000 + author), "author", random(1));
        for n in 0..count {
            let now = Instant::ZERO + secs(n as u64);
            posts.write(now, wall(now), room(), &text).unwrap();
            messages.extend(std::iter::from_fn(|| posts.poll()).filter_map(
                |output| match output {
                    Output::Store(message) => Some(message),
                    _ => None,
                },
            ));
        }
    }
    let exchanged = world.exchanged;
    // The others hear of it with the next round, within a minute.
    world.nodes[0].posts.load(world.now, wall(world.now), &messages);
    let took = world.time_until_equal(secs(300));
    let bytes: usize = messages.iter().map(|message| message.body().len()).sum();
    println!(
        "{} texts, {bytes} bytes, from one to {nodes} nodes: {took:?}, {} bytes a node",
        messages.len(),
        (world.exchanged - exchanged) / nodes
    );
    for node in &world.nodes {
        let stats = node.mesh.stats();
        assert_eq!((stats.flooded, stats.banned), (0, 0));
        let expected =
            PostsStats { duplicates: node.posts.stats().duplicates, ..PostsStats::default() };
        assert_eq!(node.posts.stats(), expected);
    }
}

#[test]
fn what_one_node_has_comes_to_all() {
    from_one_disk(6, 2, 300, 100);
}

#[test]
#[ignore = "takes a minute"]
fn much_that_one_node_has_comes_to_all() {
    from_one_disk(20, 10, 1_000, 400);
}

#[test]
fn a_direct_text_is_read_by_its_reader_alone_and_acknowledged_once() {
    let mut world = World::grown(5, 12);
    world.loss = 0.2;
    world.log = Some(Vec::new());
    let (alice, bob) = (world.nodes[0].id, world.nodes[7].id);
    let secret = "the cake is in the cellar";
    let ids: Vec<TextId> =
        (0..3).map(|n| world.write(0, Audience::Peer(bob), &format!("{secret} {n}"))).collect();
    assert_eq!(world.nodes[0].posts.unacknowledged(), ids);
    world.run_for(secs(60));
    let read: Vec<&str> = world.nodes[7].texts.iter().map(|t| t.text.as_str()).collect();
    assert_eq!(read, [0, 1, 2].map(|n| format!("{secret} {n}")));
    assert_eq!(world.nodes[0].delivered, ids, "each once");
    assert!(world.nodes[0].posts.unacknowledged().is_empty());
    let history = world.nodes[0].posts.history(&Audience::Peer(bob), None, 10);
    assert_eq!(history.len(), 3);
    assert!(history.iter().all(|text| text.text.starts_with(secret)), "one's own words");
    assert_eq!(world.nodes[7].posts.history(&Audience::Peer(alice), None, 10).len(), 3);
    for (n, node) in world.nodes.iter().enumerate() {
        assert!(n == 7 || node.texts.is_empty());
        assert!(n == 0 || n == 7 || node.posts.conversations().next().is_none());
        assert!(node.stored.iter().all(|m| !m.body().contains("cake")));
    }
    let mut sent = world.log.unwrap().into_iter();
    assert!(sent.all(|bytes| !bytes.windows(4).any(|part| part == b"cake")));
}

#[test]
fn the_same_seed_gives_the_same_traffic_but_for_what_is_sealed() {
    let run = || {
        let mut world = World::grown(6, 10);
        world.loss = 0.3;
        world.talk(&[1, 2], 3, secs(1));
        world.run_for(secs(20));
        (world.sent, world.exchanged)
    };
    assert_eq!(run(), run());
}

/// A calm mesh does not talk much about what everybody has.
#[test]
fn who_has_everything_is_quiet() {
    let mut world = World::grown(7, 16);
    world.talk(&[0, 1, 2, 3], 10, secs(1));
    world.run_for(secs(120));
    let before = (world.exchanged, world.exchanges);
    world.run_for(secs(600));
    let (bytes, messages) = (world.exchanged - before.0, world.exchanges - before.1);
    println!("{} bytes, {} messages a node and minute", bytes / 160, messages / 160);
    assert!(messages / 160 <= 3 && bytes / 160 < 2_000);
}
