//! Whole numbers of a range, on the command line and in a file.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    pub(crate) const fn new(value: u32) -> Self {
        assert!(MIN <= value && value <= MAX);
        Whole(value)
    }

    pub(crate) fn get(self) -> u32 {
        self.0
    }

    fn within(value: i64) -> Result<Self, String> {
        let fitting = u32::try_from(value).ok().filter(|value| (MIN..=MAX).contains(value));
        fitting.map(Whole).ok_or_else(|| format!("{value} is out of range, {MIN} to {MAX}"))
    }
}

impl<const MIN: u32, const MAX: u32> FromStr for Whole<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = text.parse().map_err(|_| format!("not a whole number from {MIN} to {MAX}"))?;
        Self::within(value)
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InRange<const MIN: u32, const MAX: u32>;

        impl<const MIN: u32, const MAX: u32> Visitor<'_> for InRange<MIN, MAX> {
            type Value = Whole<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Whole::within(value).map_err(E::custom)
            }
        }

        deserializer.deserialize_i64(InRange)
    }
}
