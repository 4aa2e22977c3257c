//! Targets of the mesh: what is signed there, and what neighbours do to a node.

use super::media::{NoTime, epoch};
use super::{Script, WALL, identity, random};
use crate::engine::{Command, Engine, EngineConfig, LinkKey, Output};
use crate::identity::pins::Pins;
use crate::text::Audience;
use crate::time::{Duration, Instant};
use crate::voice::{Codec, EncoderConfig, JitterConfig};
use crate::wire::bulletin::{Bulletin, Content, Post};
use crate::wire::exchange::Exchange;
use crate::wire::framing::frame;
use crate::wire::gossip::{Contact, GossipMessage, SignedMessage};
use crate::wire::record::{Presence, PresenceRecord};

/// A signed text: what is read is written and read as the same.
pub fn bulletin(body: &str) {
    if let Some(bulletin) = Bulletin::parse(body) {
        assert_eq!(Bulletin::parse(&bulletin.body()), Some(bulletin));
    }
}

/// A node of the mesh: what up to four neighbours send, true and false, what its user does, and time.
pub fn mesh(data: &[u8]) {
    let mut now = Instant::ZERO;
    let config = EngineConfig {
        name: "alice".into(),
        trackers: Vec::new(),
        encoder: EncoderConfig::default(),
        jitter: JitterConfig::default(),
        codec: Codec::StandIn,
        auto_answer: false,
        pins_names: true,
        contacts_only: false,
        ring_timeout: Duration::from_secs(45),
        max_calls: 2,
        relays: Vec::new(),
        mesh: Some(vec!["192.0.2.9:5000".into()]),
        history: Vec::new(),
        relay_only: data.len().is_multiple_of(5),
        epoch: epoch(),
        wall_at_zero: WALL,
    };
    let engine = Engine::new(config, identity(1), Pins::default(), random(), Box::new(NoTime), now);
    let Ok(mut engine) = engine else { return };
    let mut script = Script(data);
    let mut link = None;
    while let (Some(command), Some(argument)) = (script.byte(), script.byte()) {
        let peer = identity(2 + argument % 4);
        let say = |engine: &mut Engine, link: Option<LinkKey>, message: GossipMessage| {
            if let Some(link) = link {
                engine.handle_link_bytes(now, link, &frame(&message.to_bytes()));
            }
        };
        let post = |seq: u8| {
            let at = WALL.plus(now.since(Instant::ZERO));
            let content = Content::Text("hello".into());
            let (name, to) = ("bob".into(), Audience::All);
            let post = Post { log: 1, seq: u32::from(seq), at, name, to, content };
            SignedMessage::sign(&peer, Bulletin::Post(post).body())
        };
        match command % 11 {
            0 => {
                let from = ([192, 0, 2, argument], 5000).into();
                link = engine.accept_link(now, from);
                if let Some(link) = link {
                    engine.handle_link_opened(now, link, peer.id(), from);
                }
            }
            1 => {
                if let Some(link) = link {
                    engine.handle_link_bytes(now, link, script.text());
                }
            }
            2 => {
                let contact = Contact { id: peer.id(), addresses: vec!["192.0.2.3:5000".into()] };
                say(&mut engine, link, GossipMessage::Join { contact });
            }
            3 => {
                let body = String::from_utf8_lossy(script.text()).into_owned();
                if let Some(message) = SignedMessage::sign(&peer, body) {
                    say(&mut engine, link, GossipMessage::Gossip { message, hops: 1 });
                }
            }
            4 => {
                if let Some(message) = post(script.byte().unwrap_or(1)) {
                    say(&mut engine, link, GossipMessage::Gossip { message, hops: 1 });
                }
            }
            5 => {
                let messages = post(script.byte().unwrap_or(1)).into_iter().collect();
                let exchange = match argument & 64 {
                    0 => Exchange::Presences { messages },
                    _ => Exchange::Posts { messages, answered: 1, without: Vec::new() },
                };
                say(&mut engine, link, GossipMessage::Exchange(exchange));
            }
            6 => {
                let record = PresenceRecord::new(peer.id(), "bob", Presence::Busy, WALL);
                let (record, addresses) = (record.seal(&peer), Vec::new());
                let body = Bulletin::Presence { record, addresses }.body();
                if let Some(message) = SignedMessage::sign(&peer, body) {
                    say(&mut engine, link, GossipMessage::Gossip { message, hops: 1 });
                }
            }
            7 => {
                let text = String::from_utf8_lossy(script.text()).into_owned();
                let to = match argument % 3 {
                    0 => Audience::All,
                    1 => Audience::Room(text.clone()),
                    _ => Audience::Peer(peer.id()),
                };
                let of = to.clone();
                engine.handle_command(now, Command::SendText { request: 1, to, text });
                let (before, limit) = (None, usize::from(argument));
                engine.handle_command(now, Command::ReadTexts { request: 2, of, before, limit });
            }
            8 => {
                if let Some(link) = link.take() {
                    engine.handle_link_closed(now, link);
                }
            }
            9 => {
                let address = String::from_utf8_lossy(script.text()).into_owned();
                engine.handle_command(now, Command::Connect { address });
            }
            _ => {
                now += Duration::from_millis(u64::from(argument) * 20);
                engine.handle_timeout(now);
                assert!(engine.next_timeout() > now, "woken in vain");
            }
        }
        let mut outputs = 0;
        while let Some(output) = engine.poll() {
            outputs += 1;
            assert!(outputs < 10_000, "endless {output:?}");
            if let Output::LinkOpen { addresses, .. } = &output {
                assert!(!addresses.is_empty());
            }
        }
    }
}
