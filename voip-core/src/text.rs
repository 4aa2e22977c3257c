//! Texts between nodes of the mesh.

use serde::{Deserialize, Serialize};

use crate::id::PeerId;
use crate::time::UnixMillis;

/// For whom a text is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody in the mesh.
    All,
    /// Everybody who reads the room of this name: 1 to 64 bytes of UTF-8 without control characters. Its texts are not
    /// secret: everybody in the mesh hands them on, and can read them.
    Room(String),
    /// One peer; nobody else can read it.
    Peer(PeerId),
}

/// Which text: each has another one. Those of one author are in order within a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextId {
    /// Who has written it.
    pub author: PeerId,
    /// When the author's program began to write, in milliseconds since 1970: each run of it is another log.
    pub log: u64,
    /// Its place in the log, from 1 on.
    pub seq: u32,
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Text {
    /// Which.
    pub id: TextId,
    /// What the author calls itself.
    pub name: String,
    /// For whom.
    pub to: Audience,
    /// What it says: up to 8 KiB of UTF-8 without control characters, but for line breaks and tabs.
    pub text: String,
    /// When it was written, by the author's clock.
    pub at: UnixMillis,
    /// It was written more than half a minute ago, while this node was away or did not get it. Only a late text may come
    /// out of order.
    pub late: bool,
}
