//! What the programs share: the lines they write, the measuring of sound, and small helpers.

pub mod analysis;
pub mod bad_line;
pub mod clip;
pub mod command;
pub mod console;
pub mod data_folder;
pub mod line;
pub mod process;
pub mod waveform;

/// The README's call compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
