//! Alice calls Bob over a tracker that changes one message; Mallory is its accomplice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use voip_core::protocol::{
    FrameReader, Identity, PresenceRecord, Signal, binding_response, frame, is_stun,
};
use voip_core::sim::{Link, NodeKey, NodeOptions, Passing, SimCall, World};
use voip_core::{CallState, ContactState, Duration, EndReason, Event};

use super::edits::{Pool, edits};

const MALLORY: u8 = 3;
/// How long alice lets it ring, and the longest that any of the other times to wait takes with it.
const RING: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(20);
const SOON: Duration = Duration::from_secs(1);
/// How long it rings at Bob, if he does not answer at once.
const MOMENT: Duration = Duration::from_millis(100);

/// Which message: who sends or gets it, what it is, and unless it is the first of that kind, which.
pub type Label = String;

/// A message that passed.
#[derive(Clone, Debug)]
pub struct Message {
    pub label: Label,
    pub text: String,
}

/// What the tracker does to one message.
#[derive(Clone, Debug)]
pub enum Deed {
    /// One of its [`edits`] goes on in its place; it must be the one of that name.
    Edit(usize, String),
    /// It does not go on.
    Withhold,
    /// What is signed in it is signed by Mallory instead, in her name if she is to be the sender, too.
    SignAsMallory { sender: bool },
    /// It goes to Mallory.
    Misdirect,
    /// It goes on, and once more whenever another message to the same peer follows.
    Replay,
    /// Not a message: the reflector tells everybody Mallory's address as their own.
    LieAboutAddresses,
}

/// Whom Alice calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum By {
    Key,
    /// A name that she has pinned.
    Name,
    /// His key, and he knows hers: he lets it ring for a moment, and the path is made meanwhile.
    Contact,
}

/// What Alice sees of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The call goes as ever.
    NoEffect,
    /// The call ends for a reason, or the tracker is lost for one, within a second.
    ToldSoon,
    /// The call ends for a reason, when a time to wait is over.
    ToldLate,
}

/// What Alice sees: how her call went and why it ended, and how long after the deed, or after calling.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub outcome: Outcome,
    pub ended: EndReason,
    pub after: Duration,
}

#[derive(Default)]
struct Tracker {
    pool: Arc<Pool>,
    addresses: Vec<(SocketAddr, &'static str)>,
    deed: Option<(Label, Deed)>,
    done_at: Option<Duration>,
    counts: BTreeMap<String, usize>,
    messages: Vec<Message>,
    replayed: Option<Passing>,
    requests: BTreeMap<SocketAddr, Vec<u8>>,
    /// From whom to whom anything but connectivity checks went.
    media: BTreeSet<(&'static str, &'static str)>,
}

impl Tracker {
    fn name(&self, address: SocketAddr) -> &'static str {
        self.addresses.iter().find(|(a, _)| *a == address).map_or("tracker", |(_, name)| name)
    }

    fn mallory(&self) -> SocketAddr {
        self.addresses.iter().find(|(_, name)| *name == "mallory").unwrap().0
    }

    fn pass(&mut self, now: Duration, passing: Passing) -> Vec<Passing> {
        if passing.is_datagram {
            return self.pass_datagram(now, passing);
        }
        let (from, to) = (self.name(passing.source), self.name(passing.destination));
        let again = self.replayed.clone().filter(|old| old.destination == passing.destination);
        let mut bytes = &passing.contents[..];
        let mut on = Vec::new();
        let mut frames = FrameReader::default();
        while let Some(content) = frames.next(&mut bytes).unwrap() {
            let text = String::from_utf8(content).unwrap();
            let kind = kind(&text);
            let what =
                if to == "tracker" { format!("{from}> {kind}") } else { format!(">{to} {kind}") };
            let count = self.counts.entry(what.clone()).or_default();
            let label = if *count == 0 { what.clone() } else { format!("{what}#{count}") };
            *count += 1;
            self.messages.push(Message { label: label.clone(), text: text.clone() });
            let with = |text: &str| Passing { contents: frame(text.as_bytes()), ..passing.clone() };
            let deed =
                self.deed.as_ref().filter(|(l, _)| *l == label).map(|(_, deed)| deed.clone());
            if deed.is_some() {
                self.done_at = Some(now);
            }
            match deed {
                None | Some(Deed::LieAboutAddresses) => on.push(with(&text)),
                Some(Deed::Withhold) => {}
                Some(Deed::Edit(index, name)) => {
                    let edit = &edits(&text, "", &self.pool)[index];
                    assert_eq!(edit.name(), name);
                    on.push(with(&edit.text));
                }
                Some(Deed::SignAsMallory { sender }) => {
                    on.push(with(&signed_by_mallory(&text, sender, &self.pool)));
                }
                Some(Deed::Misdirect) => {
                    on.push(Passing { destination: self.mallory(), ..with(&text) });
                }
                Some(Deed::Replay) => {
                    self.replayed = Some(with(&text));
                    on.push(with(&text));
                }
            }
        }
        on.extend(again);
        on
    }

    fn pass_datagram(&mut self, now: Duration, passing: Passing) -> Vec<Passing> {
        let (from, to) = (self.name(passing.source), self.name(passing.destination));
        if to == "tracker" {
            self.requests.insert(passing.source, passing.contents.clone());
        } else if from == "tracker" && matches!(self.deed, Some((_, Deed::LieAboutAddresses))) {
            self.done_at = self.done_at.or(Some(now));
            let request = &self.requests[&passing.destination];
            let contents = binding_response(request, self.mallory()).unwrap();
            return vec![Passing { contents, ..passing }];
        } else if !is_stun(&passing.contents) {
            self.media.insert((from, to));
        }
        vec![passing]
    }
}

/// `lookup`, or for a signal `signal.offer`.
fn kind(text: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let kind = json["type"].as_str().unwrap_or("?").to_owned();
    let body = json["signal"]["body"].as_str().unwrap_or_default();
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(body) => format!("{kind}.{}", body["kind"].as_str().unwrap_or("?")),
        Err(_) => kind,
    }
}

/// Whether a message holds something signed.
pub fn is_signed(text: &str) -> bool {
    text.contains("\"body\"")
}

fn signed_by_mallory(text: &str, sender: bool, pool: &Pool) -> String {
    let mallory = Identity::from_secret(&[MALLORY; 32]);
    let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
    let place =
        ["/signal", "/record", "/peer/record"].into_iter().find(|p| json.pointer(p).is_some());
    let sealed = json.pointer_mut(place.unwrap()).unwrap();
    let body = sealed["body"].as_str().unwrap();
    let mut signed = match serde_json::from_str::<Signal>(body) {
        Ok(mut signal) => {
            if signal.sdp.is_some() {
                let hers = pool["sdp"].iter().rev().find(|(how, _)| *how == "mallory's").unwrap();
                signal.sdp = serde_json::from_str(&hers.1).unwrap();
            }
            serde_json::to_value(signal.seal(&mallory)).unwrap()
        }
        Err(_) => {
            let record: PresenceRecord = serde_json::from_str(body).unwrap();
            serde_json::to_value(record.seal(&mallory)).unwrap()
        }
    };
    std::mem::swap(sealed, &mut signed);
    if sender && json.get("from").is_some() {
        json["from"] = mallory.id().to_string().into();
    }
    json.to_string()
}

pub struct Scene {
    pub world: World,
    pub alice: NodeKey,
    pub bob: NodeKey,
    pub mallory: NodeKey,
    tracker: Arc<Mutex<Tracker>>,
}

impl Scene {
    /// All three are registered, as far as the tracker lets them.
    pub fn new(pool: &Arc<Pool>, deed: Option<(Label, Deed)>, by: By) -> Scene {
        let mut world = World::new(4);
        world.set_link(Link { delay: Duration::from_millis(2), ..Link::default() });
        let evil = Arc::new(Mutex::new(Tracker { pool: pool.clone(), deed, ..Tracker::default() }));
        let middle = evil.clone();
        world.set_middle(move |now, passing| middle.lock().unwrap().pass(now, passing));
        let tracker = world.add_tracker();
        let mut node = |name: &'static str, secret: u8| {
            // Its place in the world is known before it says its first word.
            let address = SocketAddr::from(([10, 1, 0, secret], 5000));
            evil.lock().unwrap().addresses.push((address, name));
            let options = NodeOptions {
                auto_answer: name == "mallory" || name == "bob" && by != By::Contact,
                stand_in_codec: true,
                ring_timeout: RING,
                secret: Some([secret; 32]),
                ..NodeOptions::new(name, [tracker])
            };
            let node = world.add_node(options).unwrap();
            assert_eq!(world.address(node), address);
            node
        };
        let (alice, bob, mallory) = (node("alice", 1), node("bob", 2), node("mallory", MALLORY));
        if by == By::Contact {
            let id = world.id(alice);
            world.set_contact(bob, "alice", id, ContactState::Accepted);
        }
        world.run_for(Duration::from_millis(200));
        Scene { world, alice, bob, mallory, tracker: evil }
    }

    pub fn messages(&self) -> Vec<Message> {
        self.tracker.lock().unwrap().messages.clone()
    }

    /// One of the two calls the other by key, they talk for a moment, the callee hangs up.
    pub fn short_call(&mut self, caller: NodeKey, callee: NodeKey) {
        let id = self.world.id(callee).to_string();
        let call = self.world.place(caller, &id);
        self.world.run_for(Duration::from_millis(200));
        assert_eq!(self.world.state(caller, call), Some(CallState::Connected));
        let there = *self.world.calls(callee).last().unwrap();
        self.world.hang_up(callee, there);
        self.world.run_for(Duration::from_millis(200));
    }

    /// Alice calls Bob. Checks what must hold whatever the tracker does, and says what Alice saw.
    pub fn call(&mut self, by: By) -> Seen {
        let bob = self.world.id(self.bob);
        let lost = |e: &Event<SimCall>| matches!(e, Event::TrackerLost { .. });
        let lost_early = self.events_of_alice().iter().any(lost);
        let call = match by {
            By::Key | By::Contact => self.world.place(self.alice, &bob.to_string()),
            By::Name => {
                self.world.accept_key(self.alice, "bob", bob);
                self.world.place(self.alice, "bob")
            }
        };
        let placed = self.world.elapsed();
        let mut lost_at = lost_early.then_some(placed);
        let mut connected = false;
        let ended = loop {
            self.world.run_for(STEP);
            let now = self.world.elapsed();
            if by == By::Contact && now >= placed + MOMENT {
                self.let_bob_answer();
            }
            if self.events_of_alice().iter().any(lost) {
                lost_at = lost_at.or(Some(now));
            }
            match self.world.state(self.alice, call) {
                Some(CallState::Ended(reason)) => break reason,
                Some(CallState::Connected) if !connected => {
                    connected = true;
                    self.check_that_bob_hears(call);
                }
                _ => assert!(now < placed + PATIENCE, "Alice waits for ever"),
            }
        };
        let now = self.world.elapsed();
        self.world.run_for(STEP * 5);
        self.check_that_mallory_hears_nothing();
        let tracker = self.tracker.lock().unwrap();
        // What was done before the call counts from the call on.
        let done_at = tracker.done_at.unwrap_or(placed).max(placed);
        let told_at = lost_at.map_or(now, |lost| lost.min(now));
        let outcome = if connected && ended == EndReason::PeerHungUp && lost_at.is_none() {
            Outcome::NoEffect
        } else if told_at <= done_at + SOON {
            Outcome::ToldSoon
        } else {
            Outcome::ToldLate
        };
        Seen { outcome, ended, after: now.saturating_sub(done_at) }
    }

    /// Whoever she is shown goes by the name that he signs; Mallory signs whatever is wanted.
    fn events_of_alice(&mut self) -> Vec<Event<SimCall>> {
        let events = self.world.events(self.alice);
        let [alice, bob, mallory] = [self.alice, self.bob, self.mallory].map(|n| self.world.id(n));
        for event in &events {
            if let Event::Joined { peer, .. } | Event::Changed { peer } = event {
                let signed = match &*peer.name {
                    "alice" => [alice, mallory],
                    "bob" => [bob, mallory],
                    _ => [mallory; 2],
                };
                assert!(signed.contains(&peer.id), "{peer:?}");
            }
        }
        events
    }

    fn let_bob_answer(&mut self) {
        for call in self.world.calls(self.bob) {
            if self.world.state(self.bob, call) == Some(CallState::Ringing) {
                self.world.answer(self.bob, call);
            }
        }
    }

    fn check_that_bob_hears(&mut self, call: SimCall) {
        let at_bob = *self.world.calls(self.bob).last().unwrap();
        let tone: Vec<f32> = (0..4_800).map(|i| 0.3 * (i as f32 * 0.06).sin()).collect();
        let before = self.world.heard(self.bob).len();
        self.world.say(self.alice, &tone);
        self.world.run_for(Duration::from_millis(300));
        assert_eq!(self.world.state(self.bob, at_bob), Some(CallState::Connected));
        let heard = &self.world.heard(self.bob)[before..];
        assert!(heard.iter().any(|s| s.abs() > 0.1), "Alice is connected, and Bob hears nothing");
        assert!(self.world.stats(self.alice, call).unwrap().packets_sent > 0);
        self.world.hang_up(self.bob, at_bob);
    }

    fn check_that_mallory_hears_nothing(&self) {
        for call in self.world.calls(self.mallory) {
            let state = self.world.state(self.mallory, call);
            assert_ne!(state, Some(CallState::Connected), "Mallory is connected");
        }
        for (from, to) in &self.tracker.lock().unwrap().media {
            assert!(
                matches!((*from, *to), ("alice", "bob") | ("bob", "alice")),
                "more than connectivity checks from {from} to {to}"
            );
        }
    }
}
