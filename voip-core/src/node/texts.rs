//! The node in the mesh: whom it is linked to, and texts.

use std::collections::BTreeMap;

use super::{Board, Inner, Node};
use crate::directory::address::is_host_and_port;
use crate::engine::Command;
use crate::error::{Error, ErrorKind};
use crate::io::deadline_after;
use crate::io::driver::Request;
use crate::text::{Audience, Text, TextId};
use crate::time::Duration;

/// What the engine's thread was asked, by number; `None` until it has answered.
pub(super) struct Answers<T> {
    next: u64,
    waiting: BTreeMap<u64, Option<Result<T, Error>>>,
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Answers { next: 0, waiting: BTreeMap::new() }
    }
}

impl<T> Answers<T> {
    fn ask(&mut self) -> u64 {
        self.next += 1;
        self.waiting.insert(self.next, None);
        self.next
    }

    /// Whoever asked may have given up.
    pub(super) fn answer(&mut self, request: u64, result: Result<T, Error>) {
        if let Some(answer) = self.waiting.get_mut(&request) {
            *answer = Some(result);
        }
    }
}

impl Inner {
    /// Asks the engine's thread, and waits for the answer.
    pub(super) fn ask<T>(
        &self,
        answers: impl Fn(&mut Board) -> &mut Answers<T>,
        command: impl FnOnce(u64) -> Command,
        timeout: Duration,
    ) -> Result<T, Error> {
        let request = answers(&mut self.board.lock()).ask();
        let sent = self.request(Request::Command(command(request)));
        let mut board = self.board.lock();
        let unanswered = |board: &mut Board| {
            let is_open = matches!(answers(board).waiting.get(&request), Some(None));
            is_open && !board.closed
        };
        if sent.is_ok() {
            self.changed.wait_while_until(&mut board, unanswered, deadline_after(timeout));
        }
        let answer = answers(&mut board).waiting.remove(&request).flatten();
        let is_closed = board.closed;
        drop(board);
        sent?;
        answer.unwrap_or_else(|| {
            Err(if is_closed {
                Error::closed()
            } else {
                Error::new(ErrorKind::TimedOut, "no answer in time")
            })
        })
    }
}

impl Node {
    /// Links this node to the one that listens at this address, `host:port`, and so to all that it knows. Returns at once; an
    /// address that cannot be reached is tried again, ever more seldom, up to once a minute.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no address; [`ErrorKind::InvalidState`] unless the node takes part in
    /// the mesh ([`NodeBuilder::mesh`](crate::NodeBuilder::mesh)); [`ErrorKind::Closed`].
    pub fn connect(&self, address: &str) -> Result<(), Error> {
        check_node_address("address", address)?;
        self.check_in_mesh()?;
        self.send(Command::Connect { address: address.to_owned() })
    }

    /// Writes a text to a peer, a room or everybody in the mesh. It is kept by everybody there, within bounds, so that who is
    /// away gets it when it is back: the last 1,000 texts or 1 MiB of an author at least. One for a peer only that peer can
    /// read, and [`Event::TextDelivered`](crate::Event::TextDelivered) tells when it has arrived. Waits for the node's own
    /// thread only.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a text that is empty, longer than 8 KiB or with control characters other than line
    /// breaks and tabs, a room's name that is none, oneself; [`ErrorKind::Busy`] for more than 50 texts at once and
    /// 5 a second; [`ErrorKind::InvalidState`] unless the node takes part in the mesh; [`ErrorKind::TimedOut`];
    /// [`ErrorKind::Closed`].
    pub fn send_text(&self, to: &Audience, text: &str, timeout: Duration) -> Result<TextId, Error> {
        self.check_process()?;
        self.check_in_mesh()?;
        let (to, text) = (to.clone(), text.to_owned());
        let command = |request| Command::SendText { request, to, text };
        self.inner.ask(|board| &mut board.texts_sent, command, timeout)
    }

    /// Earlier texts of a room, of all, or with a peer, this node's own included: the last `limit` (1,000 at most), or the
    /// last of those that came before the text `before`. The oldest comes first.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] unless the node takes part in the mesh; [`ErrorKind::TimedOut`]; [`ErrorKind::Closed`].
    pub fn history(
        &self,
        of: &Audience,
        before: Option<TextId>,
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<Text>, Error> {
        self.check_process()?;
        self.check_in_mesh()?;
        let of = of.clone();
        let command = |request| Command::ReadTexts { request, of, before, limit };
        self.inner.ask(|board| &mut board.texts_read, command, timeout)
    }

    fn check_in_mesh(&self) -> Result<(), Error> {
        if self.inner.is_in_mesh {
            return Ok(());
        }
        let message = "this node takes no part in the mesh: say mesh(true) when it is built";
        Err(Error::new(ErrorKind::InvalidState, message))
    }
}

/// Whether it is `host:port`.
pub(super) fn check_node_address(field: &str, address: &str) -> Result<(), Error> {
    if is_host_and_port(address) {
        return Ok(());
    }
    let message = format!("{field}: {address:?} is not host:port");
    Err(Error::new(ErrorKind::InvalidArgument, message))
}
