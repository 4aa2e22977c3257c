//! Texts: the commands `connect`, `send`, `msg`, `all`, `room`, `rooms` and `history`, and what others write.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use voip_core::{
    Audience, Call, Contact, ContactState, Error, ErrorKind, Event, PeerId, Text, TextId,
};
use voip_examples::line::{What, Which, Written};

use crate::phone::Phone;

/// How long the node's own thread may take.
const ASK: Duration = Duration::from_secs(2);
/// Texts that `history` shows.
const PAGE: usize = 50;
/// Texts of the user's own that are remembered until they have come.
const MAX_UNDER_WAY: usize = 1_000;
/// The room to begin with.
const FIRST_ROOM: &str = "general";

/// What there is to know of rooms and texts.
pub(crate) struct Texts {
    room: String,
    /// Texts for one peer that this node's user has written, until they have come, and their order.
    under_way: HashMap<TextId, String>,
    order: VecDeque<TextId>,
    delivered: HashSet<TextId>,
}

impl Default for Texts {
    fn default() -> Self {
        Texts {
            room: FIRST_ROOM.into(),
            under_way: HashMap::new(),
            order: VecDeque::new(),
            delivered: HashSet::new(),
        }
    }
}

impl Phone<'_, '_> {
    pub(crate) fn connect(&self, address: &str) -> Result<(), String> {
        self.node.connect(address).map_err(explain)?;
        self.screen.say(&format!("linking to {address}; whoever is there will be named here"));
        Ok(())
    }

    pub(crate) fn send(&mut self, text: &str) -> Result<(), String> {
        self.write(Audience::Room(self.texts.room.clone()), text)
    }

    pub(crate) fn message(&mut self, typed: &str) -> Result<(), String> {
        let people = self.people.lock();
        let (peer, text) = people.part(typed)?;
        drop(people);
        self.write(Audience::Peer(peer), text)
    }

    pub(crate) fn write(&mut self, to: Audience, text: &str) -> Result<(), String> {
        let id = self.node.send_text(&to, text, ASK).map_err(explain)?;
        if let Audience::Peer(_) = to {
            self.texts.remember(id, text);
        }
        self.screen.show(&What::Sent(Written {
            which: id.into(),
            name: self.node.name().to_owned(),
            to,
            text: text.to_owned(),
            at_ms: voip_examples::process::unix_micros() / 1_000,
            late: false,
            delivered: false,
        }));
        Ok(())
    }

    pub(crate) fn room(&mut self, name: Option<String>) -> Result<(), String> {
        if let Some(name) = name {
            let name = name.trim_start_matches('#').to_owned();
            voip_core::protocol::check_name(&name).map_err(|e| format!("room: {e}"))?;
            self.texts.room = name;
        }
        let room = self.texts.room.clone();
        self.people.lock().note_room(&room);
        self.screen.in_room(&room);
        self.screen.show(&What::Room { room });
        Ok(())
    }

    pub(crate) fn rooms(&self) {
        let rooms = self.people.lock().rooms().iter().cloned().collect();
        self.screen.show(&What::Rooms { rooms, active: self.texts.room.clone() });
    }

    pub(crate) fn history(&self, of: Option<&str>) -> Result<(), String> {
        let of = match of {
            None => Audience::Room(self.texts.room.clone()),
            Some("all") => Audience::All,
            Some(of) => self.conversation(of)?,
        };
        let texts = self.node.history(&of, None, PAGE, ASK).map_err(explain)?;
        let texts = texts.into_iter().map(|text| {
            let delivered = self.texts.delivered.contains(&text.id);
            Written { delivered, ..Written::from(text) }
        });
        self.screen.show(&What::History { of, texts: texts.collect() });
        Ok(())
    }

    /// `#ROOM`, or somebody's name, or else that of a room.
    fn conversation(&self, of: &str) -> Result<Audience, String> {
        let people = self.people.lock();
        let room = of.strip_prefix('#').unwrap_or(of).to_owned();
        match people.find(of) {
            Ok(peer) => Ok(Audience::Peer(peer)),
            Err(_) if of.starts_with('#') || people.rooms().contains(of) => {
                Ok(Audience::Room(room))
            }
            Err(why) => Err(why),
        }
    }

    /// What the node tells of texts; `None` if it is something else.
    pub(crate) fn text_event(&mut self, event: &Event<Call>) -> Option<What> {
        match event {
            Event::Text { text } => {
                self.note(text);
                Some(What::Text(Written::from(text.clone())))
            }
            Event::TextDelivered { to, ids } => {
                let said = ids.iter().filter_map(|id| self.texts.arrived(*id)).collect();
                let texts = ids.iter().copied().map(Which::from).collect();
                let name = self.people.lock().name(*to);
                Some(What::Delivered { name, id: to.to_string(), texts, said })
            }
            Event::TextsMissing { author, count } => {
                let name = self.people.lock().name(*author);
                Some(What::TextsMissing { name, id: author.to_string(), count: *count })
            }
            Event::HistoryFailed { error } => {
                Some(What::HistoryFailed { error: error.to_string() })
            }
            _ => None,
        }
    }

    fn note(&self, text: &Text) {
        let mut people = self.people.lock();
        people.meet(text.id.author, &text.name);
        if let Audience::Room(room) = &text.to {
            people.note_room(room);
        }
    }

    /// Whether the user wants to hear nothing of somebody.
    pub(crate) fn is_blocked(&self, id: PeerId) -> bool {
        let blocks = |c: &Contact| c.id == id && c.state == ContactState::Blocked;
        self.node.contacts().iter().any(blocks)
    }
}

fn explain(error: Error) -> String {
    match error.kind() {
        ErrorKind::InvalidState => "no mesh: start this program with --mesh or --connect".into(),
        _ => error.to_string(),
    }
}

impl Texts {
    pub(crate) fn room(&self) -> &str {
        &self.room
    }

    fn remember(&mut self, id: TextId, text: &str) {
        if self.order.len() >= MAX_UNDER_WAY
            && let Some(oldest) = self.order.pop_front()
        {
            self.under_way.remove(&oldest);
            self.delivered.remove(&oldest);
        }
        self.order.push_back(id);
        self.under_way.insert(id, text.to_owned());
    }

    /// What it said.
    fn arrived(&mut self, id: TextId) -> Option<String> {
        let text = self.under_way.remove(&id)?;
        self.delivered.insert(id);
        Some(text)
    }
}
