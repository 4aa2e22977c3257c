//! How a user writes where a tracker is: `host:port`, or `tls://host:port` with what to trust.

use std::path::PathBuf;

/// Where a tracker is, and by what it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrackerAddress {
    /// To look up.
    pub(crate) host_and_port: String,
    pub(crate) trust: Trust,
}

/// What a connection to a tracker must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nothing: no TLS.
    Plain,
    /// A certificate for its host, by an authority that the system trusts.
    System,
    /// The same, by an authority in this PEM file.
    File(PathBuf),
    /// The key whose SubjectPublicKeyInfo has this SHA-256, whatever the certificate says.
    Key([u8; 32]),
}

impl TrackerAddress {
    /// Reads `host:port`, `tls://host:port`, `tls://host:port#sha256=HEX` or
    /// `tls://host:port#ca=FILE`. Whether there is such a host, only the network knows.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (place, trust) = match text.strip_prefix("tls://") {
            None => (text, Trust::Plain),
            Some(secure) => match secure.split_once('#') {
                None => (secure, Trust::System),
                Some((place, trust)) => (place, parse_trust(trust)?),
            },
        };
        if !is_host_and_port(place) {
            return Err("is not host:port or tls://host:port");
        }
        Ok(TrackerAddress { host_and_port: place.to_owned(), trust })
    }

    /// The host without port, and without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        let host = self.host_and_port.rsplit_once(':').map_or("", |(host, _)| host);
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }
}

fn parse_trust(text: &str) -> Result<Trust, &'static str> {
    match text.split_once('=') {
        Some(("sha256", digits)) => {
            let mut key = [0; 32];
            hex::decode_to_slice(digits, &mut key)
                .map_err(|_| "has a sha256 that is not 64 hexadecimal digits")?;
            Ok(Trust::Key(key))
        }
        Some(("ca", file)) if !file.is_empty() => Ok(Trust::File(file.into())),
        _ => Err("has neither sha256=DIGITS nor ca=FILE behind the #"),
    }
}

pub(crate) fn is_host_and_port(place: &str) -> bool {
    let Some((host, port)) = place.rsplit_once(':') else { return false };
    let of_no_host = |c: char| c.is_whitespace() || c.is_control() || "/@?#".contains(c);
    !host.is_empty() && !host.contains(of_no_host) && port.parse::<u16>().is_ok_and(|p| p > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn trust(text: &str) -> Trust {
        TrackerAddress::parse(text).unwrap().trust
    }

    #[test]
    fn an_address_says_what_to_trust() {
        assert_eq!(trust("example.org:6000"), Trust::Plain);
        assert_eq!(trust("tls://example.org:6000"), Trust::System);
        assert_eq!(
            trust("tls://example.org:6000#ca=/a b/c#d.pem"),
            Trust::File("/a b/c#d.pem".into())
        );
        let pinned = format!("tls://[::1]:6000#sha256={}", "aB".repeat(32));
        assert_eq!(trust(&pinned), Trust::Key([0xab; 32]));
        let address = TrackerAddress::parse(&pinned).unwrap();
        assert_eq!((address.host_and_port.as_str(), address.host()), ("[::1]:6000", "::1"));
        assert_eq!(TrackerAddress::parse("tls://example.org:6000").unwrap().host(), "example.org");
    }

    #[test]
    fn what_is_no_address_is_refused_and_never_taken_for_a_weaker_one() {
        let digits = "a".repeat(63);
        for text in [
            "tls://",
            "tls://example.org",
            "TLS://example.org:6000",
            "https://example.org:6000",
            "example.org:6000#ca=a.pem",
            "tls://example.org:6000#",
            "tls://example.org:6000#ca=",
            "tls://example.org:6000#sha1=00",
            &format!("tls://example.org:6000#sha256={digits}"),
            &format!("tls://example.org:6000#sha256={digits}aa"),
            &format!("tls://example.org:6000#sha256={digits}g"),
        ] {
            assert!(TrackerAddress::parse(text).is_err(), "{text}");
        }
    }
}
