//! What the tracker is told: by flags, or in a file whose keys have the names of the flags.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Deserializer};
use voip_core::{Tracker, TrackerBuilder};
use voip_examples::console::{Failure, USAGE};

use crate::whole::Whole;

/// Each is a flag and a key of the file; what is `None` is as the library has it.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The address to listen on; 0.0.0.0 is every IPv4 address of this machine, :: every address
    /// [default: 0.0.0.0]
    #[arg(long, value_name = "IP")]
    host: Option<IpAddr>,
    /// The port to listen on, TCP and UDP; 0 for any that is free [default: 6000]
    #[arg(long)]
    port: Option<Whole<0, 65_535>>,
    /// Listen at this port, too: 443, say, for peers whose networks let nothing else out; give it again for
    /// more, up to 7
    #[arg(long, value_name = "PORT")]
    also_port: Option<Vec<Whole<0, 65_535>>>,
    /// Write every message in and out, by peer
    #[arg(
        short, long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    log: Option<bool>,
    /// Turn away who comes without TLS; UDP is answered either way
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    require_tls: Option<bool>,
    /// Connections at once [default: 10000]
    #[arg(long, value_name = "COUNT")]
    max_connections: Option<Whole<0, { u32::MAX }>>,
    /// Connections at once of one IPv4 address or IPv6 /64 [default: 64]
    #[arg(long, value_name = "COUNT")]
    max_per_address: Option<Whole<1, 1_000_000>>,
    /// New connections a second of one IPv4 address or IPv6 /64, ten seconds' worth at once [default: 10]
    #[arg(long, value_name = "COUNT")]
    connection_rate: Option<Whole<1, 10_000>>,
    /// Requests a second of one connection, five seconds' worth at once [default: 20]
    #[arg(long, value_name = "COUNT")]
    request_rate: Option<Whole<1, 10_000>>,
    /// Answers a second over UDP to one IPv4 /24 or IPv6 /56, four seconds' worth at once [default: 5]
    #[arg(long, value_name = "COUNT")]
    stun_rate: Option<Whole<1, 10_000>>,
    #[command(flatten)]
    tls: Tls,
    #[command(flatten)]
    relay: Relay,
}

/// The certificate; without one there is no TLS.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, expecting = "a table, [tls]")]
struct Tls {
    /// Take TLS with the certificate in this PEM file: the chain, the tracker's own first
    #[arg(long = "tls-cert", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The key of that certificate, a PEM file
    #[arg(long = "tls-key", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Take TLS with a key of the tracker's own, kept in this file and made if it is not there: peers
    /// know it by its hash, which is written at the start
    #[arg(long = "tls-self-signed", value_name = "FILE", conflicts_with = "cert")]
    self_signed: Option<PathBuf>,
}

#[derive(Args, Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, expecting = "a table, [relay]")]
struct Relay {
    /// Relay for peers whose routers let nothing of each other through
    #[arg(
        long = "relay",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    #[serde(deserialize_with = "said")]
    on: Option<bool>,
    /// The address by which the world reaches this machine, if it does not have it itself
    #[arg(long = "relay-address", value_name = "IP")]
    address: Option<IpAddr>,
    /// Bits per second that each of the two peers of a call may relay each way [default: 100000]
    #[arg(long = "relay-bitrate", value_name = "BITS")]
    bitrate: Option<Whole<1_000, 1_000_000_000>>,
    /// Addresses that the relay has for peers at once [default: 1000]
    #[arg(long = "relay-allocations", value_name = "COUNT")]
    allocations: Option<Whole<0, { u32::MAX }>>,
    /// Relay to private and loopback addresses, too
    #[arg(
        long = "relay-private",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    private: Option<bool>,
}

impl Settings {
    /// Reads a file.
    pub(crate) fn read(file: &Path) -> Result<Settings, Failure> {
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
        Settings::parse(&text)
            .map_err(|why| Failure { message: format!("{}{why}", file.display()), status: USAGE })
    }

    /// What a file says. The error is what comes behind the file's name.
    fn parse(text: &str) -> Result<Settings, String> {
        let settings: Settings = toml::from_str(text).map_err(|error| place(text, error))?;
        let Tls { cert, key, self_signed } = &settings.tls;
        if cert.is_some() && self_signed.is_some() {
            return Err(": tls.cert and tls.self_signed: give one of the two".to_owned());
        }
        if cert.is_some() != key.is_some() {
            return Err(": tls.cert and tls.key: one needs the other".to_owned());
        }
        if settings.also_port.as_ref().is_some_and(|ports| ports.len() > 7) {
            return Err(": also_port: 7 are possible".to_owned());
        }
        Ok(settings)
    }

    /// These, and where there is none the file's.
    pub(crate) fn over(self, file: Settings) -> Settings {
        Settings {
            host: self.host.or(file.host),
            port: self.port.or(file.port),
            also_port: self.also_port.or(file.also_port),
            log: self.log.or(file.log),
            require_tls: self.require_tls.or(file.require_tls),
            max_connections: self.max_connections.or(file.max_connections),
            max_per_address: self.max_per_address.or(file.max_per_address),
            connection_rate: self.connection_rate.or(file.connection_rate),
            request_rate: self.request_rate.or(file.request_rate),
            stun_rate: self.stun_rate.or(file.stun_rate),
            tls: if self.tls.is_given() { self.tls } else { file.tls },
            relay: Relay {
                on: self.relay.on.or(file.relay.on),
                address: self.relay.address.or(file.relay.address),
                bitrate: self.relay.bitrate.or(file.relay.bitrate),
                allocations: self.relay.allocations.or(file.relay.allocations),
                private: self.relay.private.or(file.relay.private),
            },
        }
    }

    /// A flag of the relay, if there is one.
    pub(crate) fn relay_option(&self) -> Option<String> {
        self.relay.option().map(|option| format!("--relay-{option}"))
    }

    pub(crate) fn relays(&self) -> bool {
        self.relay.on == Some(true)
    }

    pub(crate) fn builder(&self) -> TrackerBuilder {
        let host = self.host.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let at = |port: Whole<0, 65_535>| SocketAddr::new(host, port.get() as u16).to_string();
        let mut builder = Tracker::builder().bind(at(self.port.unwrap_or(Whole::new(6000))));
        for port in self.also_port.iter().flatten() {
            builder = builder.also_bind(at(*port));
        }
        builder = builder.wire_log(self.log == Some(true));
        builder = builder.require_tls(self.require_tls == Some(true));
        if let Some(most) = self.max_connections {
            builder = builder.max_connections(most.get() as usize);
        }
        if let Some(most) = self.max_per_address {
            builder = builder.max_per_address(most.get());
        }
        if let Some(rate) = self.connection_rate {
            builder = builder.connection_rate(rate.get());
        }
        if let Some(rate) = self.request_rate {
            builder = builder.request_rate(rate.get());
        }
        if let Some(rate) = self.stun_rate {
            builder = builder.stun_rate(rate.get());
        }
        let builder = self.tls.applied(builder);
        if self.relays() { self.relay.applied(builder) } else { builder }
    }
}

impl Tls {
    fn is_given(&self) -> bool {
        self.cert.is_some() || self.self_signed.is_some()
    }

    fn applied(&self, builder: TrackerBuilder) -> TrackerBuilder {
        match self {
            Tls { cert: Some(chain), key: Some(key), .. } => builder.tls(chain, key),
            Tls { self_signed: Some(file), .. } => builder.tls_self_signed(file),
            _ => builder,
        }
    }
}

impl Relay {
    /// The name of one that is set, beside `on`.
    fn option(&self) -> Option<&'static str> {
        let set = [
            ("address", self.address.is_some()),
            ("bitrate", self.bitrate.is_some()),
            ("allocations", self.allocations.is_some()),
            ("private", self.private.is_some()),
        ];
        set.into_iter().find_map(|(name, is_set)| is_set.then_some(name))
    }

    fn applied(&self, builder: TrackerBuilder) -> TrackerBuilder {
        let mut builder = builder.relay(true).relay_private(self.private == Some(true));
        if let Some(address) = self.address {
            builder = builder.relay_address(address.to_string());
        }
        if let Some(bits) = self.bitrate {
            builder = builder.relay_bitrate(bits.get());
        }
        if let Some(most) = self.allocations {
            builder = builder.relay_allocations(most.get() as usize);
        }
        builder
    }
}

/// So that a table which is there says whether it is to be used.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    bool::deserialize(deserializer).map(Some)
}

/// Where and what, on one line.
fn place(text: &str, mut error: toml::de::Error) -> String {
    let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
    // Without the text it tells the key instead of drawing the line.
    error.set_input(None);
    let what = error.to_string().trim_end().replace('\n', ", ");
    line.map_or_else(|| format!(": {what}"), |line| format!(", line {line}: {what}"))
}

#[cfg(test)]
#[path = "settings/tests.rs"]
mod tests;
