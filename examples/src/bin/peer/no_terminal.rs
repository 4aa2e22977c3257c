//! Where the system's own editing of lines has to do.

use std::sync::mpsc::Sender;

use crate::paint::Paint;
use crate::people::Shared;
use crate::phone::Happening;

/// See the module: there is none.
pub(crate) enum Terminal {}

/// Nothing is typed here.
pub(crate) enum Typing {}

impl Terminal {
    pub(crate) fn new(_: Shared, _: Paint) -> Option<(Terminal, Typing)> {
        None
    }

    pub(crate) fn show(&self, _: &str) {
        match *self {}
    }

    pub(crate) fn prompt(&self, _: String) {
        match *self {}
    }
}

impl Typing {
    pub(crate) fn read(self, _: &Sender<Happening>) {
        match self {}
    }
}
