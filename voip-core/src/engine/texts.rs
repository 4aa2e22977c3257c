//! Texts over the mesh: what the user writes, and what `overlay::posts` wants done.

use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::overlay::posts::{self, WriteError};
use crate::text::{Audience, Text, TextId};
use crate::time::Instant;

use super::{Engine, Output};

/// Texts of a page of history.
pub(crate) const MAX_HISTORY: usize = 1_000;

impl Engine {
    /// The user writes: the answer is an [`Output::TextSent`] of the same number.
    pub(super) fn send_text(&mut self, now: Instant, request: u64, to: Audience, text: &str) {
        let wall = self.wall(now);
        let result = match &mut self.posts {
            Some(posts) => posts.write(now, wall, to, text).map_err(explain),
            None => Err(outside()),
        };
        self.drain_posts(now);
        self.outputs.push_back(Output::TextSent { request, result });
    }

    /// The user reads: the answer is an [`Output::Texts`] of the same number.
    pub(super) fn read_texts(
        &mut self,
        request: u64,
        of: &Audience,
        before: Option<TextId>,
        limit: usize,
    ) {
        let limit = limit.min(MAX_HISTORY);
        let texts = self.posts.as_ref().map(|posts| posts.history(of, before, limit));
        let result = texts.ok_or_else(outside);
        self.outputs.push_back(Output::Texts { request, result });
    }

    pub(super) fn handle_posts_timeout(&mut self, now: Instant) {
        let wall = self.wall(now);
        if let Some(posts) = &mut self.posts {
            posts.handle_timeout(now, wall);
        }
        self.drain_posts(now);
    }

    /// Carries out what the texts want.
    pub(super) fn drain_posts(&mut self, now: Instant) {
        while let Some(output) = self.posts.as_mut().and_then(posts::Posts::poll) {
            match output {
                posts::Output::Broadcast(message) => {
                    if let Some(node) = &mut self.mesh {
                        node.mesh.broadcast(now, message);
                    }
                }
                posts::Output::Send(peer, exchange) => {
                    if let Some(node) = &mut self.mesh {
                        node.mesh.send_exchange(peer, exchange);
                    }
                }
                posts::Output::Store(message) => {
                    self.outputs.push_back(Output::KeepText(message));
                }
                posts::Output::Event(event) => self.handle_posts_event(event),
            }
        }
    }

    fn handle_posts_event(&mut self, event: posts::Event) {
        match event {
            posts::Event::Text(text) if self.is_to_be_told(&text) => {
                self.emit(Event::Text { text });
            }
            posts::Event::Text(_) => {}
            posts::Event::Missing { author, count, .. } => {
                self.emit(Event::TextsMissing { author, count });
            }
            posts::Event::Delivered { by, ids } => self.emit(Event::TextDelivered { to: by, ids }),
        }
    }

    /// Of others, and not of somebody whom the user has blocked.
    fn is_to_be_told(&self, text: &Text) -> bool {
        let author = text.id.author;
        author != self.id() && !self.pins.is_blocked(&text.name, author)
    }
}

fn outside() -> Error {
    Error::new(ErrorKind::InvalidState, "this node takes no part in the mesh")
}

fn explain(error: WriteError) -> Error {
    let kind = match error {
        WriteError::TooFast => ErrorKind::Busy,
        _ => ErrorKind::InvalidArgument,
    };
    Error::new(kind, format!("text: {error}"))
}
