//! The form of the identity file.
//!
//! ```text
//! # This file is you: whoever has it can speak in your name.
//! voip-identity 1
//! secret <64 hexadecimal digits>
//! public <64 hexadecimal digits>
//! ```
//! Empty lines and lines with `#` are comments. The public key is there to notice damage.

use zeroize::Zeroizing;

use super::Identity;
use crate::id::PeerId;

/// What makes a text no identity file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadText {
    #[error("it does not begin with \"voip-identity 1\"")]
    NotIdentity,
    #[error("it does not begin with \"voip-pins 1\" or \"voip-pins 2\"")]
    NotPins,
    #[error("line {0} makes no sense")]
    Line(usize),
    #[error("the secret key is missing")]
    NoSecret,
    #[error("the public key is not that of the secret key: the file is damaged")]
    Damaged,
    #[error("it has more than {0} lines")]
    TooLong(usize),
}

const HEADING: &str = "voip-identity 1";

/// The lines that count, with their numbers from 1.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(i, line)| (i + 1, line));
    numbered.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
}

impl Identity {
    /// The text of an identity file. Erased when dropped, as it holds the secret.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(hex::encode(self.secret()));
        Zeroizing::new(format!(
            "# This file is you: whoever has it can speak in your name.\n\
             {HEADING}\nsecret {}\npublic {}\n",
            *secret,
            self.id()
        ))
    }

    /// Reads the text of an identity file.
    pub(crate) fn from_text(text: &str) -> Result<Self, BadText> {
        let mut lines = lines(text);
        if lines.next().is_none_or(|(_, line)| line.trim_end() != HEADING) {
            return Err(BadText::NotIdentity);
        }
        let (mut identity, mut public) = (None, None);
        for (number, line) in lines {
            match line.trim_end().split_once(' ') {
                Some(("secret", hex)) if identity.is_none() => {
                    identity = Some(secret_from_hex(hex).ok_or(BadText::Line(number))?);
                }
                Some(("public", hex)) if public.is_none() => {
                    public = Some(hex.parse::<PeerId>().map_err(|_| BadText::Line(number))?);
                }
                _ => return Err(BadText::Line(number)),
            }
        }
        let identity = identity.ok_or(BadText::NoSecret)?;
        if public.is_some_and(|public| public != identity.id()) {
            return Err(BadText::Damaged);
        }
        Ok(identity)
    }
}

fn secret_from_hex(hex: &str) -> Option<Identity> {
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(hex, secret.as_mut()).ok()?;
    Some(Identity::from_secret(&secret))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn text() -> String {
        Identity::from_secret(&[7; 32]).to_text().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let id = Identity::from_secret(&[7; 32]).id();
        assert_eq!(Identity::from_text(&text()).unwrap().id(), id);
        assert_eq!(Identity::from_text(&text().replace('\n', "\r\n\r\n")).unwrap().id(), id);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_says_where() {
        let error = |text: &str| Identity::from_text(text).unwrap_err();
        assert_eq!(error(""), BadText::NotIdentity);
        assert_eq!(error("secret 00"), BadText::NotIdentity);
        assert_eq!(error("voip-identity 1\n"), BadText::NoSecret);
        assert_eq!(error(&text().replace("secret 07", "secret 08")), BadText::Damaged);
        assert_eq!(error(&text().replace("secret 07", "secret 7")), BadText::Line(3));
        assert_eq!(error(&(text() + "something\n")), BadText::Line(5));
        assert_eq!(error(&(text() + &text())), BadText::Line(6));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = Identity::from_text(&text);
            let _ = Identity::from_text(&format!("{HEADING}\n{text}"));
        }
    }
}
