//! The commands `pair` and `unpair`, and what comes of them.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use voip_core::{CallState, Peer};
use voip_examples::line::What;

use crate::phone::{Happening, Phone};

/// How long the one who is to call may take.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// Where the wait for a peer stands.
#[derive(Default)]
pub(crate) enum Pairing {
    #[default]
    Over,
    Waits,
    /// There is one, who is to call. Dropped, nobody looks whether it does.
    ToBeCalled {
        _until_dropped: Sender<()>,
    },
}

impl Phone<'_, '_> {
    pub(crate) fn pair(&mut self) -> Result<(), String> {
        let talks = |call: &voip_core::Call| !matches!(call.state(), CallState::Ended(_));
        if self.call.as_ref().is_some_and(talks) {
            return Err("you are in a call; type hangup first".into());
        }
        self.node.pair().map_err(|e| e.to_string())?;
        self.pairing = Pairing::Waits;
        self.screen.show(&What::Pairing);
        Ok(())
    }

    pub(crate) fn unpair(&mut self) -> Result<(), String> {
        self.stop_pairing();
        self.screen.say("not waiting for a peer");
        Ok(())
    }

    /// Waits for nobody, or has whom it waited for.
    pub(crate) fn stop_pairing(&mut self) {
        if let Pairing::Waits = std::mem::take(&mut self.pairing) {
            // A node that is closed waits for nobody.
            let _ = self.node.unpair();
        }
    }

    pub(crate) fn paired(&mut self, peer: &Peer, calls: bool) {
        // Unless it was taken back, or a call came in between.
        if !matches!(self.pairing, Pairing::Waits) {
            return;
        }
        if calls {
            self.pairing = Pairing::Over;
            if let Err(message) = self.place(&peer.id.to_string(), &peer.name) {
                self.complain(message);
            }
            return;
        }
        let (stop, stopped) = channel();
        let sender = self.sender.clone();
        self.threads.spawn(move || {
            if stopped.recv_timeout(CALL_WITHIN) == Err(RecvTimeoutError::Timeout) {
                let _ = sender.send(Happening::NotCalled);
            }
        });
        self.pairing = Pairing::ToBeCalled { _until_dropped: stop };
    }

    /// Time is up for the one who was to call: it may have found somebody else.
    pub(crate) fn not_called(&mut self) {
        if matches!(self.pairing, Pairing::ToBeCalled { .. })
            && let Err(message) = self.pair()
        {
            self.complain(message);
        }
    }
}
