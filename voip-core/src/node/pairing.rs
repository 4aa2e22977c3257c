//! Two who do not know each other's name.

use super::Node;
use crate::engine::Command;
use crate::error::Error;

impl Node {
    /// Waits for somebody who waits for somebody, too, at any of the trackers: they are handed to each other, first come,
    /// first served, and [`Event::Paired`](crate::Event::Paired) tells both. Returns at once; does nothing if this node
    /// waits already. It waits until somebody comes or [`Node::unpair`], and again at a tracker that was lost and is back.
    ///
    /// Nothing else happens by itself: the side whose event says so calls the other's key
    /// ([`Node::place`]), and the other lets itself be called. Whoever is not called within ten
    /// seconds should ask again: the other may have met somebody at another tracker, given up, or blocked this node. Whom
    /// this node has blocked, strangers with [`NodeBuilder::contacts_only`](crate::NodeBuilder::contacts_only) and
    /// names pinned to other keys are passed over: it asks again by itself after one to three seconds.
    ///
    /// [`Event::PairingFailed`](crate::Event::PairingFailed) tells that it has no tracker
    /// ([`ErrorKind::TrackerUnreachable`](crate::ErrorKind::TrackerUnreachable)), or that all are of older versions, which
    /// cannot pair ([`ErrorKind::InvalidState`](crate::ErrorKind::InvalidState)).
    ///
    /// # Errors
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn pair(&self) -> Result<(), Error> {
        self.check_process()?;
        self.send(Command::Pair)
    }

    /// Waits for nobody any more. Nothing happens if it did not. An [`Event::Paired`](crate::Event::Paired) may be among
    /// the events already.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn unpair(&self) -> Result<(), Error> {
        self.check_process()?;
        self.send(Command::Unpair)
    }
}
