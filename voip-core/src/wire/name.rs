//! What may be a peer's name.
//!
//! A name is compared byte by byte and never normalised: Unicode's tables change with its versions,
//! and a client in another language would need the same ones to agree with us. The key is what
//! identifies a peer; the name is what people type. What could make two names look the same
//! while nobody can see why (control, invisible and direction-changing characters, spaces other
//! than U+0020) is not allowed at all.

/// The longest name, in bytes of UTF-8.
pub const MAX_NAME: usize = 64;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing at all.
    #[error("the name is empty")]
    Empty,
    /// More than [`MAX_NAME`] bytes.
    #[error("the name is longer than 64 bytes")]
    TooLong,
    /// A space at the beginning or the end.
    #[error("the name begins or ends with a space")]
    OuterSpace,
    /// A character that cannot be seen, or that moves others about.
    #[error("the name has the character {0:?}, which cannot be seen")]
    Invisible(char),
}

/// Checks that `name` may be a peer's name.
pub fn check_name(name: &str) -> Result<(), BadName> {
    if name.is_empty() {
        return Err(BadName::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(BadName::TooLong);
    }
    if name.starts_with(' ') || name.ends_with(' ') {
        return Err(BadName::OuterSpace);
    }
    match name.chars().find(|&c| is_invisible(c)) {
        Some(c) => Err(BadName::Invisible(c)),
        None => Ok(()),
    }
}

fn is_invisible(c: char) -> bool {
    let formats = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    c.is_control() || formats || (c.is_whitespace() && c != ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_people_use_are_names() {
        for name in ["a", "alice", "Ana María", "user-6001", "Ольга", "小林", "🎙 studio", "#1"]
        {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        assert_eq!(check_name(&"x".repeat(64)), Ok(()));
    }

    #[test]
    fn what_cannot_be_told_apart_is_no_name() {
        assert_eq!(check_name(""), Err(BadName::Empty));
        assert_eq!(check_name(&"é".repeat(33)), Err(BadName::TooLong));
        assert_eq!(check_name(" bob"), Err(BadName::OuterSpace));
        assert_eq!(check_name("bob "), Err(BadName::OuterSpace));
        for c in ['\0', '\n', '\u{7f}', '\u{85}', '\u{a0}', '\u{200b}', '\u{202e}', '\u{2066}'] {
            assert_eq!(check_name(&format!("bo{c}b")), Err(BadName::Invisible(c)));
        }
    }
}
