//! The sound cards of a system, and those of a node.

use super::Node;
use crate::device::{AudioDevice, DeviceChoice, DeviceDirection};
use crate::error::{Error, ErrorKind};
use crate::io::driver::Request;
use crate::time::Duration;

/// The microphones and loudspeakers that this system has now. Blocks for at most `timeout`; a
/// sound server that hangs is not waited for any longer.
///
/// # Errors
/// [`ErrorKind::TimedOut`]; [`ErrorKind::System`] without a thread to ask on. A system without any
/// device gives an empty list.
pub fn devices(timeout: Duration) -> Result<Vec<AudioDevice>, Error> {
    crate::io::sound::list(timeout)
}

impl Node {
    /// Uses another microphone or loudspeaker from now on, calls under way included. Returns at
    /// once; [`Event::DeviceChanged`](crate::Event::DeviceChanged) tells what came of it. A device
    /// that is not there is used as soon as it is, and the default until then.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if the node's audio is not `Audio::Devices`;
    /// [`ErrorKind::Closed`].
    pub fn choose_device(
        &self,
        direction: DeviceDirection,
        choice: impl Into<DeviceChoice>,
    ) -> Result<(), Error> {
        if !self.inner.has_devices {
            let message = "this node's sound is not that of sound cards";
            return Err(Error::new(ErrorKind::InvalidState, message));
        }
        self.inner.request(Request::ChooseDevice(direction, choice.into()))
    }
}
