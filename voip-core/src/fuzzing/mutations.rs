//! The fuzz targets without a fuzzer: seeds of each, changed at random, the same for the same number.

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::TARGETS;
use crate::wire::stun::{TransactionId, binding_request};

/// The longest input.
const LONGEST: usize = 4096;
/// Values at the edges of what numbers can be, and what texts are made of.
const INTERESTING: &[&[u8]] = &[
    &[0],
    &[0xff],
    &[0x7f, 0xff],
    &[0x80, 0],
    &[0xff; 4],
    &[0; 8],
    b"null",
    b"\"",
    b"{\"type\":",
    b"\"id\":1,",
    b"[]",
    b"-1",
    b"18446744073709551616",
    b"\r\n",
    b"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n",
    "\u{202e}".as_bytes(),
];

struct Mutator(ChaCha8Rng);

impl Mutator {
    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit.max(1) as u64) as usize
    }

    fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..self.below(8) {
            self.mutate(&mut input, seeds);
        }
        input.truncate(LONGEST);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let end = (at + self.below(32)).min(input.len());
        match self.below(8) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.below(256) as u8,
            2 => drop(input.drain(at..end)),
            3 => {
                let copied = input[at..end].to_vec();
                input.splice(at..at, copied);
            }
            4 => {
                let with = INTERESTING[self.below(INTERESTING.len())];
                input.splice(at..end, with.iter().copied());
            }
            5 => {
                let with = INTERESTING[self.below(INTERESTING.len())];
                input.splice(at..at, with.iter().copied());
            }
            6 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let noise = self.below(16);
                let noise: Vec<u8> = (0..noise).map(|_| self.below(256) as u8).collect();
                input.splice(at..at, noise);
            }
        }
    }
}

/// The seeds in `fuzz/seeds` of a target, and some that all have.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    files.sort();
    let mut seeds: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    // Commands of scripts, each with an argument.
    seeds.push((0..64).flat_map(|i| [i % 17, i]).collect());
    seeds.push(binding_request(TransactionId([7; 12])));
    seeds.push(Vec::new());
    seeds
}

fn run(target: &str, feed: fn(&[u8]), count: usize) {
    let seeds = seeds(target);
    for seed in &seeds {
        feed(seed);
    }
    for number in 0..count {
        let mut mutator = Mutator(ChaCha8Rng::seed_from_u64(number as u64));
        let input = mutator.input(&seeds);
        let fed = std::panic::catch_unwind(|| feed(&input));
        assert!(fed.is_ok(), "{target}, input {number}: {}", input.escape_ascii());
    }
}

#[test]
fn each_target_is_in_the_list_and_has_seeds() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(fuzz.join(folder)).unwrap();
        let path = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().path();
        let mut names: Vec<_> = entries
            .map(|entry| path(entry).file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let targets: Vec<_> = TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("seeds"), targets);
}

#[test]
fn a_few_changed_inputs_are_borne() {
    for (target, feed) in TARGETS {
        run(target, feed, 200);
    }
}

#[test]
#[ignore = "a hundred thousand inputs for each target take minutes"]
fn a_hundred_thousand_changed_inputs_are_borne() {
    std::thread::scope(|scope| {
        for (target, feed) in TARGETS {
            scope.spawn(move || run(target, feed, 100_000));
        }
    });
}
