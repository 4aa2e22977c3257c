//! What the user could read before: by conversation and time, and from the disk.

use std::collections::{BTreeMap, BTreeSet};

use super::log::Stored;
use super::{Event, Posts, Text, Way};
use crate::id::PeerId;
use crate::time::{Instant, UnixMillis};
use crate::wire::bulletin::{
    Audience, Bulletin, Content, Enclosed, Envelope, Post, Receipt, TextId,
};
use crate::wire::exchange::LogId;
use crate::wire::gossip::SignedMessage;

/// Texts in the order of their authors' clocks.
#[derive(Debug, Default)]
pub(crate) struct History {
    conversations: BTreeMap<Audience, BTreeSet<(UnixMillis, TextId)>>,
}

impl History {
    fn insert(&mut self, id: TextId, at: UnixMillis, conversation: Audience) {
        self.conversations.entry(conversation).or_default().insert((at, id));
    }

    pub(crate) fn remove(&mut self, id: TextId, stored: &Stored) {
        if let Some(conversation) = &stored.conversation
            && let Some(texts) = self.conversations.get_mut(conversation)
        {
            texts.remove(&(stored.at, id));
            if texts.is_empty() {
                self.conversations.remove(conversation);
            }
        }
    }
}

impl Posts {
    /// The last texts, the newest last, of a conversation with all, in a room, or with one peer, both ways; with `before`,
    /// those before that one.
    pub(crate) fn history(
        &self,
        conversation: &Audience,
        before: Option<TextId>,
        limit: usize,
    ) -> Vec<Text> {
        let Some(texts) = self.history.conversations.get(conversation) else { return Vec::new() };
        let end = match before.map(|id| (self.shelf.get(id), id)) {
            Some((Some(stored), id)) => Some((stored.at, id)),
            Some((None, _)) => return Vec::new(),
            None => None,
        };
        let until = end.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let last = texts.range((std::ops::Bound::Unbounded, until)).rev();
        let read = |(_, id): &(UnixMillis, TextId)| self.read(*id, self.shelf.get(*id)?);
        let mut found: Vec<Text> = last.filter_map(read).take(limit).collect();
        found.reverse();
        found
    }

    /// All conversations of which there are texts.
    #[cfg(test)]
    pub(crate) fn conversations(&self) -> impl Iterator<Item = &Audience> {
        self.history.conversations.keys()
    }

    /// What was stored before, at the start. Nothing of it is shown again, and texts for this node of which there is no
    /// receipt get one.
    pub(crate) fn load(&mut self, now: Instant, wall: UnixMillis, messages: &[SignedMessage]) {
        let me = self.identity.id();
        let (mut posts, mut notes) = (Vec::new(), BTreeMap::new());
        for message in messages {
            match message.open() {
                Ok(Bulletin::Post(post)) => posts.push((post.id(message.author()), message, post)),
                Ok(Bulletin::Note { log, seq, sealed }) if message.author() == me => {
                    notes.insert((log, seq), sealed);
                }
                Ok(_) => self.stats.malformed += 1,
                Err(error) => self.count_bad(error),
            }
        }
        // Receipts after what they are for, be the order on disk what it may.
        posts.sort_by_key(|(id, _, post)| (matches!(post.content, Content::Receipt(_)), *id));
        for (_, message, post) in posts {
            self.put(now, wall, message, post, Way::Disk);
        }
        for ((log, seq), sealed) in notes {
            self.take_note(log, seq, &sealed);
        }
        self.trim(now, wall, me);
        for log_id in self.shelf.log_ids() {
            let Some(log) = self.shelf.log_mut(log_id) else { continue };
            let Some(head) = log.head(log_id) else { continue };
            (log.shown, log.whole_from) = (head.last, head.last);
            let from = Some(Audience::Peer(log_id.author));
            let is_due = |stored: &&Stored| stored.conversation == from && !stored.is_acknowledged;
            for (seq, _) in log.posts.iter().filter(|(_, stored)| is_due(stored)) {
                self.receipts.add(now, log_id, *seq, *seq);
            }
        }
    }

    /// What this node has sealed for others.
    fn take_note(&mut self, log: u64, seq: u32, sealed: &Envelope) {
        let me = self.identity.id();
        let id = TextId { author: me, log, seq };
        let opened = self.identity.open_from(me, Enclosed::Note { log, seq }, sealed);
        let (Some(bytes), Some(stored)) = (opened, self.shelf.get(id)) else { return };
        if stored.conversation.is_some() {
            if let Ok(text) = String::from_utf8(bytes) {
                self.shelf.set_plain(id, text);
            }
        } else if let Some(Bulletin::Post(Post { to: Audience::Peer(peer), .. })) =
            Bulletin::parse(stored.message.body())
            && let Some(receipt) = Receipt::parse(&bytes)
        {
            self.acknowledge(peer, peer, &receipt);
        }
    }

    /// Makes a text part of the history.
    pub(super) fn index(&mut self, id: TextId) {
        if let Some(stored) = self.shelf.get(id)
            && let Some(conversation) = &stored.conversation
        {
            self.history.insert(id, stored.at, conversation.clone());
        }
    }

    /// Shows a text to the user.
    pub(super) fn show(&mut self, now: Instant, id: TextId) {
        let me = self.identity.id();
        let Some(stored) = self.shelf.get(id) else { return };
        if stored.conversation.is_none() || id.author == me {
            return self.index(id);
        }
        let Some(text) = self.read(id, stored) else {
            self.stats.unreadable += 1;
            return;
        };
        self.index(id);
        if matches!(text.to, Audience::Peer(_)) {
            let LogId { author, log } = id.log_id();
            let whole_from = self.shelf.log(id.log_id()).map_or(0, |log| log.whole_from);
            self.receipts.add(now, LogId { author, log }, id.seq, whole_from);
        }
        self.event(Event::Text(text));
    }

    /// `None` if this node cannot read it.
    fn read(&self, id: TextId, stored: &Stored) -> Option<Text> {
        let Some(Bulletin::Post(post)) = Bulletin::parse(stored.message.body()) else {
            return None;
        };
        let text = match (post.content, &stored.plain) {
            (Content::Text(text), _) => text,
            (_, Some(plain)) => plain.clone(),
            (Content::Sealed(envelope), None) => self.open_text(id.author, id, &envelope)?,
            (Content::Receipt(_), None) => return None,
        };
        let (name, to, at) = (post.name, post.to, post.at);
        Some(Text { id, name, to, text, at, late: stored.is_late })
    }

    fn open_text(&self, author: PeerId, id: TextId, envelope: &Envelope) -> Option<String> {
        let what = Enclosed::Text { log: id.log, seq: id.seq };
        let text = String::from_utf8(self.identity.open_from(author, what, envelope)?).ok()?;
        crate::wire::bulletin::is_text(&text).then_some(text)
    }
}
