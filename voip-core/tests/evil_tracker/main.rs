//! A tracker that lies: it changes every part of every message in turn, withholds, repeats and misdirects them, and
//! has a peer of its own to put in the place of the right one. Whatever it does, nobody but Bob is ever connected to
//! Alice, nothing but connectivity checks reaches another, and Alice is told.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, unreachable_pub)]

mod edits;
mod scene;

use std::collections::BTreeSet;
use std::sync::Arc;

use voip_core::{Duration, EndReason};

use edits::{Pool, collect, edits};
use scene::{By, Deed, Label, Message, Outcome, Scene, Seen, is_signed};

/// All messages of a call that nobody disturbs, and values of other calls to exchange theirs for.
fn undisturbed(by: By) -> (Vec<Message>, Arc<Pool>) {
    let mut pool = Pool::new();
    let mut others = Scene::new(&Arc::default(), None, By::Key);
    others.short_call(others.bob, others.mallory);
    others.short_call(others.mallory, others.bob);
    for message in others.messages() {
        let hers = message.label.starts_with("mallory>");
        collect(&message.text, if hers { "mallory's" } else { "another's" }, &mut pool);
    }
    let pool = Arc::new(pool);
    let mut scene = Scene::new(&pool, None, by);
    assert_eq!(scene.call(by).outcome, Outcome::NoEffect);
    let of_mallory = |m: &Message| m.label.contains("mallory");
    let messages = scene.messages().into_iter().filter(|m| !of_mallory(m));
    // The goodbye is told by the session, too.
    (messages.take_while(|m| m.label != "bob> signal.bye").collect(), pool)
}

/// Plays every scene; what came of each.
fn play(by: By, pool: &Arc<Pool>, deeds: &[(Label, Deed)]) -> Vec<Seen> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let part = deeds.len().div_ceil(threads).max(1);
    let play = |deed: &(Label, Deed)| Scene::new(pool, Some(deed.clone()), by).call(by);
    std::thread::scope(|scope| {
        let threads: Vec<_> = deeds
            .chunks(part)
            .map(|part| scope.spawn(move || part.iter().map(play).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    })
}

/// Messages on which nothing of this call hangs: the first pings, notices, confirmations, renewals, Bob's own questions, and the news
/// that it rings there, for he answers at once.
const BYSTANDERS: [&str; 24] = [
    ">alice pong",
    ">bob pong",
    "alice> ping",
    "bob> ping",
    ">alice changed",
    ">alice joined",
    ">alice joined#1",
    ">alice registered#1",
    ">alice relayed",
    ">alice subscribed",
    ">bob changed",
    ">bob found",
    ">bob joined",
    ">bob registered#1",
    ">bob relayed",
    ">bob relayed#1",
    ">bob subscribed",
    ">alice signal.ringing",
    "alice> register#1",
    "alice> subscribe",
    "bob> lookup",
    "bob> register#1",
    "bob> signal.ringing",
    "bob> subscribe",
];

/// What may be changed in other messages so that a call goes as ever: what the tracker says of itself and of its own
/// knowledge, and hints. A field that is new here is one that nobody checks.
const NO_EFFECT: [&str; 15] = [
    ">alice found peer.record", // another that Bob has signed
    ">alice found peer.since",
    ">alice hello time",
    ">alice hello version",
    ">alice registered observed",
    ">alice registered online",
    ">alice signal.answer from", // a hint: whoever signed the body is in the body
    ">bob hello time",
    ">bob hello version",
    ">bob registered observed",
    ">bob registered online",
    ">bob signal.offer from",
    "alice> lookup peer", // the same twice
    "alice> signal.offer id",
    "bob> signal.answer id",
];

/// What may be changed so that Alice has to wait until a time is over, as if the message were withheld: what makes
/// of it an answer to no question, a message of another version, a true one of another call, or (on the way to the
/// tracker) one that it does not hand on.
const AS_WITHHELD: [&str; 18] = [
    ">alice found id",
    ">alice found type",
    ">alice hello type",
    ">alice registered id",
    ">alice registered type",
    ">alice signal.answer signal", // a whole one that Bob has signed for another
    ">alice signal.answer type",
    ">bob registered id",
    ">bob registered type",
    "alice> lookup id",
    "alice> register id",
    "bob> register id",
    "bob> signal.answer id",
    "bob> signal.answer signal",
    "bob> signal.answer signal.body",
    "bob> signal.answer signal.signature",
    "bob> signal.answer to",
    "bob> signal.answer type",
];

fn is_offer(label: &str) -> bool {
    label.ends_with("signal.offer")
}

#[test]
fn every_part_of_every_message_is_changed() {
    let (messages, pool) = undisturbed(By::Key);
    let mut deeds = Vec::new();
    for Message { label, text } in messages {
        let names = edits(&text, "", &pool).into_iter().map(|edit| edit.name());
        deeds.extend(names.enumerate().map(|(i, name)| (label.clone(), Deed::Edit(i, name))));
    }
    assert!(deeds.len() > 1_500, "{} scenes", deeds.len());
    let (mut no_effect, mut late) = (BTreeSet::new(), BTreeSet::new());
    for ((label, deed), seen) in deeds.iter().zip(play(By::Key, &pool, &deeds)) {
        let Deed::Edit(_, name) = deed else { continue };
        let path = format!("{label} {}", name.split(' ').next().unwrap());
        match seen.outcome {
            _ if BYSTANDERS.contains(&label.as_str()) => {}
            Outcome::NoEffect => {
                no_effect.insert(path);
            }
            // Bob drops it, and can tell nobody.
            Outcome::ToldLate if is_offer(label) => {}
            Outcome::ToldLate => {
                late.insert(path);
            }
            Outcome::ToldSoon => {}
        }
    }
    assert_eq!(no_effect, NO_EFFECT.map(str::to_owned).into());
    assert_eq!(late, AS_WITHHELD.map(str::to_owned).into());
}

/// What may be changed in the message that makes a contact's path while it rings, so that the call goes as without it:
/// hints, and what makes of it nothing that is for Alice.
const AS_WITHOUT_EARLY_PATH: [&str; 9] = [
    ">alice signal.progress from",
    ">alice signal.progress signal", // a whole one that Bob has signed for another
    ">alice signal.progress type",
    "bob> signal.progress id",
    "bob> signal.progress signal",
    "bob> signal.progress signal.body",
    "bob> signal.progress signal.signature",
    "bob> signal.progress to",
    "bob> signal.progress type",
];

/// What may be changed in it so that Bob's connection to the tracker ends, and his answer does not come.
const ENDS_BOBS_CONNECTION: [&str; 1] = ["bob> signal.progress id"];

#[test]
fn every_part_of_an_early_description_is_changed() {
    let (messages, pool) = undisturbed(By::Contact);
    let mut deeds = Vec::new();
    for Message { label, text } in messages.iter().filter(|m| m.label.ends_with("progress")) {
        let names = edits(text, "", &pool).into_iter().map(|edit| edit.name());
        deeds.extend(names.enumerate().map(|(i, name)| (label.clone(), Deed::Edit(i, name))));
        let whole = [Deed::Withhold, Deed::Replay, Deed::Misdirect];
        deeds.extend(whole.map(|deed| (label.clone(), deed)));
        let hers = [false, true].map(|sender| Deed::SignAsMallory { sender });
        deeds.extend(hers.map(|deed| (label.clone(), deed)));
    }
    assert!(deeds.len() > 200, "{} scenes", deeds.len());
    let (mut no_effect, mut late) = (BTreeSet::new(), BTreeSet::new());
    for ((label, deed), seen) in deeds.iter().zip(play(By::Contact, &pool, &deeds)) {
        let path = |name: &str| format!("{label} {}", name.split(' ').next().unwrap());
        match (deed, seen.outcome) {
            (Deed::Edit(_, name), Outcome::NoEffect) => {
                no_effect.insert(path(name));
            }
            (Deed::Edit(_, name), Outcome::ToldLate) => {
                late.insert(path(name));
            }
            (Deed::Edit(..), Outcome::ToldSoon) => {}
            (deed, outcome) => {
                // The tracker's word for it, and a signature that is not that sender's.
                let sender = |d: &Deed| matches!(d, Deed::SignAsMallory { sender: true });
                let told = matches!(deed, Deed::SignAsMallory { .. })
                    && (label.starts_with("bob>") || !sender(deed));
                let expected = if told { Outcome::ToldSoon } else { Outcome::NoEffect };
                assert_eq!(outcome, expected, "{label} {deed:?}: {seen:?}");
            }
        }
    }
    assert_eq!(no_effect, AS_WITHOUT_EARLY_PATH.map(str::to_owned).into());
    assert_eq!(late, ENDS_BOBS_CONNECTION.map(str::to_owned).into());
}

#[test]
fn messages_are_withheld_repeated_misdirected_and_signed_by_another() {
    for by in [By::Key, By::Name] {
        let (messages, pool) = undisturbed(by);
        let mut deeds = vec![(String::new(), Deed::LieAboutAddresses)];
        for Message { label, text } in messages {
            let mut all = vec![Deed::Withhold, Deed::Replay, Deed::Misdirect];
            if is_signed(&text) {
                all.extend([false, true].map(|sender| Deed::SignAsMallory { sender }));
            }
            deeds.extend(all.into_iter().map(|deed| (label.clone(), deed)));
        }
        for ((label, deed), seen) in deeds.iter().zip(play(by, &pool, &deeds)) {
            let found = (seen.outcome, seen.ended);
            assert_eq!(found, expected(by, label, deed), "{by:?}: {label}, {deed:?}: {seen:?}");
            let longest = Duration::from_millis(5_020);
            assert!(seen.after <= longest, "{by:?}: {label}, {deed:?}: {seen:?}");
        }
    }
}

/// What comes of a whole message that is withheld, repeated, goes to Mallory, or is hers.
fn expected(by: By, label: &str, deed: &Deed) -> (Outcome, EndReason) {
    use EndReason::{KeyChanged, NoAnswer, PeerHungUp, Protocol, TrackerUnreachable, UnknownPeer};
    use Outcome::{NoEffect, ToldLate, ToldSoon};

    let no_effect = (NoEffect, PeerHungUp);
    let (side, what) = label.split_once(' ').unwrap_or_default();
    let is_missing = matches!(deed, Deed::Withhold | Deed::Misdirect);
    match (side, what, deed) {
        (_, _, Deed::Replay | Deed::LieAboutAddresses) => no_effect,
        // The tracker's word for it, and a signature that is not that sender's.
        (_, "signal.ringing" | "signal.answer", Deed::SignAsMallory { sender: false })
        | ("bob>", "signal.ringing" | "signal.answer", Deed::SignAsMallory { .. }) => {
            (ToldSoon, Protocol)
        }
        // Alice loses the tracker, and has it back before she calls or while she talks.
        ("alice>", "register" | "register#1", Deed::SignAsMallory { .. }) => (ToldSoon, PeerHungUp),
        (_, "found", Deed::SignAsMallory { .. }) if side == ">alice" => {
            (ToldSoon, if by == By::Name { KeyChanged } else { UnknownPeer })
        }
        _ if BYSTANDERS.contains(&label) => no_effect,
        (">bob", "hello", _) | ("bob>", "register", _) => (ToldSoon, UnknownPeer),
        (_, "hello" | "register" | "lookup" | "found", _) | (">alice", "registered", _)
            if is_missing =>
        {
            (ToldLate, TrackerUnreachable)
        }
        _ => (ToldLate, NoAnswer),
    }
}
