//! "What is my address?": STUN binding (RFC 8489), the part of it that a tracker answers and a node
//! asks.
//!
//! The response holds XOR-MAPPED-ADDRESS and nothing else, 32 bytes for IPv4 and 44 for IPv6. A
//! request with attributes that must be understood but are not is not answered at all, where the
//! RFC asks for error 420: an answer longer than the question would help those who flood others
//! with answers.

use std::net::SocketAddr;

use stun_types::attribute::{Attribute, AttributeStaticType, Fingerprint, XorMappedAddress};
use stun_types::message::{
    BINDING, Message, MessageClass, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec,
};

const HEADER: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// What a response repeats of its request: 96 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

impl TransactionId {
    fn of(message: &Message<'_>) -> Self {
        let number: u128 = message.transaction_id().into();
        let [_, _, _, _, low @ ..] = number.to_be_bytes();
        TransactionId(low)
    }

    fn number(self) -> u128 {
        self.0.iter().fold(0, |n, &byte| n << 8 | u128::from(byte))
    }
}

/// Whether a datagram is STUN and not DTLS, RTP or RTCP, which share its socket (RFC 7983).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER
        && datagram.first().is_some_and(|&byte| byte < 4)
        && datagram.get(4..8) == Some(&MAGIC_COOKIE)
}

/// Whether it is a STUN message about a binding: of any class, well-formed or not.
pub(crate) fn is_binding(datagram: &[u8]) -> bool {
    // The class lies in the bits 0x0110 of the type (RFC 8489 §5).
    let method = |a: u8, b: u8| u16::from_be_bytes([a, b]) & !0x0110;
    is_stun(datagram) && matches!(*datagram, [a, b, ..] if method(a, b) == 1)
}

/// A binding request without attributes: 20 bytes.
pub fn binding_request(transaction: TransactionId) -> Vec<u8> {
    let class = MessageType::from_class_method(MessageClass::Request, BINDING);
    Message::builder(class, transaction.number().into(), MessageWriteVec::new()).finish()
}

/// The answer to a datagram that came from `from`; `None` if it is no binding request.
pub fn binding_response(datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let request = parse(datagram, MessageClass::Request)?;
    if request.iter_attributes().any(|(_, a)| a.get_type().comprehension_required()) {
        return None;
    }
    let mut response = Message::builder_success(&request, MessageWriteVec::new());
    let canonical = SocketAddr::new(from.ip().to_canonical(), from.port());
    let address = XorMappedAddress::new(canonical, request.transaction_id());
    response.add_attribute(&address).ok()?;
    Some(response.finish())
}

/// The transaction and the address in a successful binding response.
pub fn parse_response(datagram: &[u8]) -> Option<(TransactionId, SocketAddr)> {
    let response = parse(datagram, MessageClass::Success)?;
    let address = response.attribute::<XorMappedAddress>().ok()?;
    Some((TransactionId::of(&response), address.addr(response.transaction_id())))
}

/// Whether a datagram is one whole STUN message that ends with a FINGERPRINT, and that holds (RFC 8489 §14.7).
pub(crate) fn has_fingerprint(datagram: &[u8]) -> bool {
    is_whole(datagram)
        && Message::from_bytes(datagram).is_ok_and(|message| {
            message.iter_attributes().last().is_some_and(|(_, a)| a.get_type() == Fingerprint::TYPE)
        })
}

/// Whether the message is as long as its header says.
fn is_whole(datagram: &[u8]) -> bool {
    let &[_, _, high, low, ..] = datagram else { return false };
    is_stun(datagram) && usize::from(u16::from_be_bytes([high, low])) + HEADER == datagram.len()
}

fn parse(datagram: &[u8], class: MessageClass) -> Option<Message<'_>> {
    if !is_whole(datagram) {
        return None;
    }
    let message = Message::from_bytes(datagram).ok()?;
    (message.has_method(BINDING) && message.has_class(class)).then_some(message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const TRANSACTION: TransactionId =
        TransactionId([0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);

    #[test]
    fn a_request_is_twenty_bytes() {
        let request = binding_request(TRANSACTION);
        assert_eq!(hex::encode(&request), "000100002112a442b7e7a701bc34d686fa87dfae");
        assert!(is_stun(&request));
    }

    /// The addresses and the transaction of RFC 5769 §2.2 and §2.3, without the attributes that a
    /// tracker leaves away.
    #[test]
    fn the_mapped_addresses_of_rfc_5769() {
        let response = |from: &str| {
            let from = from.parse().unwrap();
            let bytes = binding_response(&binding_request(TRANSACTION), from).unwrap();
            assert_eq!(parse_response(&bytes), Some((TRANSACTION, from)));
            hex::encode(bytes)
        };
        assert_eq!(
            response("192.0.2.1:32853"),
            "0101000c2112a442b7e7a701bc34d686fa87dfae002000080001a147e112a643"
        );
        assert_eq!(
            response("[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
            "010100182112a442b7e7a701bc34d686fa87dfae\
             002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
        );
    }

    #[test]
    fn the_sample_response_of_rfc_5769_is_read() {
        let sample = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
                      002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7\
                      80280004c07d4c96";
        let sample = hex::decode(sample).unwrap();
        assert_eq!(
            parse_response(&sample),
            Some((TRANSACTION, "192.0.2.1:32853".parse().unwrap()))
        );
    }

    #[test]
    fn an_ipv4_address_seen_through_an_ipv6_socket_is_told_as_ipv4() {
        let from = "[::ffff:192.0.2.1]:32853".parse().unwrap();
        let bytes = binding_response(&binding_request(TRANSACTION), from).unwrap();
        let told = parse_response(&bytes).unwrap().1;
        assert_eq!(told, "192.0.2.1:32853".parse().unwrap());
    }

    #[test]
    fn only_plain_binding_requests_are_answered() {
        let from = "192.0.2.1:1".parse().unwrap();
        let request = binding_request(TRANSACTION);
        let response = binding_response(&request, from).unwrap();
        assert_eq!(
            binding_response(&response, from),
            None,
            "else two trackers could be set on each other"
        );
        assert_eq!(binding_response(&request[..19], from), None);
        let mut allocate = request.clone();
        allocate[1] = 3;
        assert_eq!(binding_response(&allocate, from), None);
        let change_request = [&request[..], &[0, 3, 0, 4, 0, 0, 0, 6]].concat();
        let change_request = [&[0, 1, 0, 8], &change_request[4..]].concat();
        assert_eq!(binding_response(&change_request, from), None, "RFC 5780 is not offered");
        assert_eq!(parse_response(&request), None);
    }

    proptest! {
        #[test]
        fn garbage_is_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..80), stun: bool) {
            if stun && bytes.len() >= HEADER {
                let length = (bytes.len() - HEADER) as u8;
                bytes[..8].copy_from_slice(&[0, 1, 0, length, 0x21, 0x12, 0xa4, 0x42]);
            }
            let from = "192.0.2.1:1".parse().unwrap();
            prop_assert!(binding_response(&bytes, from).is_none_or(|r| r.len() == 32));
            let _ = parse_response(&bytes);
        }
    }
}
