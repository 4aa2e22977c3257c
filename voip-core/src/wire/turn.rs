//! What a relay and its clients say to each other: TURN (RFC 8656), the part that relays UDP.
//!
//! Requests are signed by long-term credentials (RFC 8489 §9.2) with MESSAGE-INTEGRITY; what is relayed travels as
//! ChannelData or, before a channel is bound, in indications.

use std::net::SocketAddr;

use stun_types::attribute::{
    Attribute, AttributeFromRaw, AttributeStaticType, AttributeType, AttributeWrite, ErrorCode,
    Fingerprint, MessageIntegrity, Nonce, Realm, Username, XorMappedAddress,
};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageWrite,
    MessageWriteExt, MessageWriteVec, Method,
};
use turn_types::AddressFamily;
use turn_types::attribute::{
    ChannelNumber, Data, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport,
    XorPeerAddress, XorRelayedAddress,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, DATA, REFRESH, SEND};

use super::stun::is_stun;

/// What the credentials of a relay of ours are for (RFC 8489 §9.2).
pub(crate) const REALM: &str = "voip";
/// The numbers that channels may have: those of RFC 5766 §11, which coturn's client uses; RFC 8656 §12 has fewer.
pub(crate) const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7ffe;
/// Longer messages are none: a datagram of a peer and what is around it.
pub(crate) const MAX_MESSAGE: usize = 2048;
const HEADER: usize = 20;
const CHANNEL_HEADER: usize = 4;
/// Attributes that must be understood, and are.
const KNOWN: [AttributeType; 12] = [
    Username::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    MessageIntegrity::TYPE,
    RequestedTransport::TYPE,
    RequestedAddressFamily::TYPE,
    Lifetime::TYPE,
    EvenPort::TYPE,
    XorPeerAddress::TYPE,
    ChannelNumber::TYPE,
    Data::TYPE,
    Fingerprint::TYPE,
];

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Allocate,
    Refresh,
    CreatePermission,
    ChannelBind,
}

/// Why a relay refuses (RFC 8489 §14.8, RFC 8656 §19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadRequest,
    Unauthorized,
    Forbidden,
    UnknownAttribute,
    AllocationMismatch,
    StaleNonce,
    FamilyNotSupported,
    WrongCredentials,
    TransportNotSupported,
    FamilyMismatch,
    NoCapacity,
}

impl Refusal {
    const fn code(self) -> u16 {
        match self {
            Refusal::BadRequest => ErrorCode::BAD_REQUEST,
            Refusal::Unauthorized => ErrorCode::UNAUTHORIZED,
            Refusal::Forbidden => ErrorCode::FORBIDDEN,
            Refusal::UnknownAttribute => ErrorCode::UNKNOWN_ATTRIBUTE,
            Refusal::AllocationMismatch => ErrorCode::ALLOCATION_MISMATCH,
            Refusal::StaleNonce => ErrorCode::STALE_NONCE,
            Refusal::FamilyNotSupported => ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED,
            Refusal::WrongCredentials => ErrorCode::WRONG_CREDENTIALS,
            Refusal::TransportNotSupported => ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL,
            Refusal::FamilyMismatch => ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH,
            Refusal::NoCapacity => ErrorCode::INSUFFICIENT_CAPACITY,
        }
    }
}

/// What comes from a client.
pub(crate) enum FromClient<'a> {
    Request(Request<'a>),
    /// Data for a peer whose address is named.
    Send {
        to: SocketAddr,
        data: &'a [u8],
    },
    /// Data for the peer of a channel.
    Channel {
        number: u16,
        data: &'a [u8],
    },
}

/// A request to a relay.
pub(crate) struct Request<'a> {
    pub(crate) asked: Asked,
    message: Message<'a>,
}

impl<'a> FromClient<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if !is_stun(bytes) {
            let (number, data) = channel_data(bytes)?;
            return Some(FromClient::Channel { number, data });
        }
        let message = Message::from_bytes(bytes).ok()?;
        match (message.class(), message.method()) {
            (MessageClass::Indication, SEND) => {
                let to = message.attribute::<XorPeerAddress>().ok()?.addr(message.transaction_id());
                // The attribute's own type would copy what it holds.
                let (offset, data) = message.raw_attribute_and_offset(Data::TYPE)?;
                let start = offset + CHANNEL_HEADER;
                let data = bytes.get(start..start + usize::from(data.length()))?;
                Some(FromClient::Send { to, data })
            }
            (MessageClass::Request, method) => {
                let asked = asked(method)?;
                Some(FromClient::Request(Request { asked, message }))
            }
            _ => None,
        }
    }
}

fn asked(method: Method) -> Option<Asked> {
    Some(match method {
        ALLOCATE => Asked::Allocate,
        REFRESH => Asked::Refresh,
        CREATE_PERMISSION => Asked::CreatePermission,
        CHANNEL_BIND => Asked::ChannelBind,
        _ => return None,
    })
}

impl<'a> Request<'a> {
    fn get<A: AttributeFromRaw<'a> + AttributeStaticType>(&'a self) -> Option<A> {
        self.message.attribute::<A>().ok()
    }

    pub(crate) fn transaction(&self) -> u128 {
        self.message.transaction_id().into()
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.message.has_attribute(MessageIntegrity::TYPE)
    }

    pub(crate) fn is_signed_with(&self, key: &Key) -> bool {
        self.message.validate_integrity_with_key(&key.0).is_ok()
    }

    pub(crate) fn username(&self) -> Option<String> {
        self.get::<Username>().map(|name| name.username().to_owned())
    }

    pub(crate) fn nonce(&self) -> Option<String> {
        self.get::<Nonce>().map(|nonce| nonce.nonce().to_owned())
    }

    pub(crate) fn lifetime(&self) -> Option<u32> {
        self.get::<Lifetime>().map(|lifetime| lifetime.seconds())
    }

    /// Whether it asks for an address that relays UDP; `None`: it does not say.
    pub(crate) fn wants_udp(&self) -> Option<bool> {
        self.get::<RequestedTransport>()
            .map(|transport| transport.protocol() == RequestedTransport::UDP)
    }

    /// Whether it asks for an IPv6 address rather than an IPv4 one.
    pub(crate) fn wants_ipv6(&self) -> bool {
        self.get::<RequestedAddressFamily>()
            .is_some_and(|family| family.family() == AddressFamily::IPV6)
    }

    /// Whether it asks for an address with an even port; `Some(true)`: and to keep the next one, too.
    pub(crate) fn even_port(&self) -> Option<bool> {
        self.get::<EvenPort>().map(|even| even.requested())
    }

    pub(crate) fn channel(&self) -> Option<u16> {
        self.get::<ChannelNumber>().map(|channel| channel.channel())
    }

    /// The addresses of peers that it names; `None` if one makes no sense.
    pub(crate) fn peers(&self) -> Option<Vec<SocketAddr>> {
        let of_type = |(_, raw): &(usize, stun_types::attribute::RawAttribute<'_>)| {
            raw.get_type() == XorPeerAddress::TYPE
        };
        let transaction = self.message.transaction_id();
        let address =
            |(_, raw)| XorPeerAddress::from_raw(raw).ok().map(|peer| peer.addr(transaction));
        self.message.iter_attributes().filter(of_type).map(address).collect()
    }

    /// Attributes that would have to be understood.
    fn unknown(&self) -> Vec<AttributeType> {
        let types = self.message.iter_attributes().map(|(_, raw)| raw.get_type());
        types.filter(|of| of.comprehension_required() && !KNOWN.contains(of)).collect()
    }

    pub(crate) fn has_unknown(&self) -> bool {
        !self.unknown().is_empty()
    }

    /// Asks the client to sign, and with which nonce.
    pub(crate) fn challenge(&self, why: Refusal, nonce: &str) -> Option<Vec<u8>> {
        let mut reply = Message::builder_error(&self.message, MessageWriteVec::new());
        // No reason in words: the answer to one who may have forged its address is to be short.
        reply.add_attribute(&ErrorCode::new(why.code(), "").ok()?).ok()?;
        reply.add_attribute(&Realm::new(REALM).ok()?).ok()?;
        reply.add_attribute(&Nonce::new(nonce).ok()?).ok()?;
        Some(reply.finish())
    }

    pub(crate) fn refuse(&self, why: Refusal, key: &Key) -> Option<Vec<u8>> {
        let write = MessageWriteVec::new();
        let mut reply = match why {
            Refusal::UnknownAttribute => {
                Message::unknown_attributes(&self.message, &self.unknown(), write)
            }
            _ => {
                let mut reply = Message::builder_error(&self.message, write);
                reply.add_attribute(&ErrorCode::builder(why.code()).build().ok()?).ok()?;
                reply
            }
        };
        key.sign(&mut reply)?;
        Some(reply.finish())
    }

    /// The answer to an allocation.
    pub(crate) fn allocated(
        &self,
        relayed: SocketAddr,
        mapped: SocketAddr,
        seconds: u32,
        key: &Key,
    ) -> Option<Vec<u8>> {
        let transaction = self.message.transaction_id();
        self.confirm(
            &[
                &XorRelayedAddress::new(relayed, transaction),
                &XorMappedAddress::new(mapped, transaction),
                &Lifetime::new(seconds),
            ],
            key,
        )
    }

    /// The answer to a refresh.
    pub(crate) fn refreshed(&self, seconds: u32, key: &Key) -> Option<Vec<u8>> {
        self.confirm(&[&Lifetime::new(seconds)], key)
    }

    /// The answer to what has none but "yes".
    pub(crate) fn done(&self, key: &Key) -> Option<Vec<u8>> {
        self.confirm(&[], key)
    }

    fn confirm(&self, attributes: &[&dyn AttributeWrite], key: &Key) -> Option<Vec<u8>> {
        let mut reply = Message::builder_success(&self.message, MessageWriteVec::new());
        for attribute in attributes {
            reply.add_attribute(*attribute).ok()?;
        }
        key.sign(&mut reply)?;
        Some(reply.finish())
    }
}

/// The key of long-term credentials.
#[derive(Clone)]
pub(crate) struct Key(IntegrityKey);

impl Key {
    pub(crate) fn new(username: &str, password: &str) -> Self {
        let credentials =
            LongTermKeyCredentials::new(username.to_owned(), password.to_owned(), REALM.to_owned());
        Key(credentials.make_key(IntegrityAlgorithm::Sha1))
    }

    pub(crate) fn sign(&self, message: &mut MessageWriteVec) -> Option<()> {
        message.add_message_integrity_with_key(&self.0, IntegrityAlgorithm::Sha1).ok()
    }
}

/// Data of a peer for a client that has bound no channel to it.
pub(crate) fn data_indication(from: SocketAddr, data: &[u8]) -> Option<Vec<u8>> {
    let mut message =
        Message::builder_indication(DATA, MessageWriteVec::with_capacity(HEADER + 36 + data.len()));
    let transaction = message.transaction_id();
    message.add_attribute(&XorPeerAddress::new(from, transaction)).ok()?;
    message.add_attribute(&Data::new(data)).ok()?;
    Some(message.finish())
}

/// A channel's number and what came over it.
pub(crate) fn channel_data(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let &[n1, n2, l1, l2, ref rest @ ..] = bytes else { return None };
    let number = u16::from_be_bytes([n1, n2]);
    let data = rest.get(..usize::from(u16::from_be_bytes([l1, l2])))?;
    CHANNELS.contains(&number).then_some((number, data))
}

/// Data for a channel; over a stream it fills whole words (RFC 8656 §12.5).
pub(crate) fn write_channel_data(number: u16, data: &[u8], is_stream: bool) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let data = data.get(..usize::from(length)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(CHANNEL_HEADER + data.len() + 3);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(data);
    if is_stream {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// What stands at the beginning of a stream of messages (RFC 8656 §12.5, RFC 8489 §6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    /// Not all of one message.
    Part,
    /// A message of so many bytes.
    Whole(usize),
    /// No message of a relay: what follows cannot be told apart either.
    Foreign,
}

pub(crate) fn framed(stream: &[u8]) -> Framed {
    let &[a, b, l1, l2, ref rest @ ..] = stream else { return Framed::Part };
    let length = usize::from(u16::from_be_bytes([l1, l2]));
    let whole = if CHANNELS.contains(&u16::from_be_bytes([a, b])) {
        (CHANNEL_HEADER + length).next_multiple_of(4)
    } else if a < 0x40 && (rest.len() < 4 || rest.starts_with(&[0x21, 0x12, 0xa4, 0x42])) {
        HEADER + length
    } else {
        return Framed::Foreign;
    };
    match whole {
        whole if whole > MAX_MESSAGE => Framed::Foreign,
        whole if whole > stream.len() => Framed::Part,
        whole => Framed::Whole(whole),
    }
}
