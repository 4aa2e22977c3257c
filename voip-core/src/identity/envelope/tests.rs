#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_128;

use super::*;

const PLACE: Enclosed = Enclosed::Text { log: 1_700_000_000_000, seq: 7 };

fn identity(n: u8) -> Identity {
    Identity::from_secret(&[n; 32])
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// RFC 9180 §A.1.1: the same but for the length of the AEAD's key.
#[test]
fn the_base_mode_of_rfc_9180() {
    let enc = bytes("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
    let secret = bytes("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
    let sealed = bytes(
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
    );
    let opened = DH_KEM_X25519_HKDF_SHA256_AES_128
        .open(
            &EncapsulatedSecret(enc),
            b"Ode on a Grecian Urn",
            b"Count-0",
            &sealed,
            &HpkePrivateKey::from(secret),
        )
        .unwrap();
    assert_eq!(opened, b"Beauty is truth, truth beauty");
}

/// Sealed by a program of its own, in Python, that gives the vector above, too; the ephemeral key is 32 times 3.
#[test]
fn an_envelope_of_another_implementation() {
    let enc = "5dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef22".parse().unwrap();
    let ciphertext = bytes("2ab98f7017d9187e77642f9247e7c62e94cc46d1e94c6d5828");
    let envelope = Envelope { enc, ciphertext };
    let opened = identity(2).open_from(identity(1).id(), PLACE, &envelope).unwrap();
    assert_eq!(opened, "für dich".as_bytes());
}

/// libsodium's test/default/ed25519_convert.c.
#[test]
fn an_ed25519_key_on_the_other_curve() {
    let seed = bytes("421151a459faeade3d247115f94aedae42318124095afabe4d1451a559faedee");
    let identity = Identity::from_secret(&seed.try_into().unwrap());
    let key = agreement_key(identity.id()).unwrap();
    assert_eq!(
        hex::encode(key.0),
        "f1814f0e8ff1043d8a44d25babff3cedcae6c22c3edaa48f857ae70de2baae50"
    );
}

#[test]
fn the_reader_alone_opens_it_from_its_author_and_in_its_place() {
    let (alice, bob, carol) = (identity(1), identity(2), identity(3));
    let envelope = alice.seal_for(bob.id(), PLACE, b"hello").unwrap();
    assert_eq!(bob.open_from(alice.id(), PLACE, &envelope).unwrap(), b"hello");
    assert_eq!(carol.open_from(alice.id(), PLACE, &envelope), None);
    assert_eq!(alice.open_from(alice.id(), PLACE, &envelope), None);
    assert_eq!(bob.open_from(carol.id(), PLACE, &envelope), None);
    for other in [
        Enclosed::Text { log: 1_700_000_000_000, seq: 8 },
        Enclosed::Text { log: 1_700_000_000_001, seq: 7 },
        Enclosed::Receipt { log: 1_700_000_000_000, seq: 7 },
        Enclosed::Note { log: 1_700_000_000_000, seq: 7 },
        Enclosed::Signal,
    ] {
        assert_eq!(bob.open_from(alice.id(), other, &envelope), None);
    }
}

#[test]
fn nothing_is_sealed_for_a_key_of_small_order() {
    let mut small = [0; 32];
    for first in [0, 1] {
        small[0] = first;
        assert!(identity(1).seal_for(PeerId(small), PLACE, b"x").is_none());
    }
    assert!(identity(1).seal_for(PeerId([2; 32]), PLACE, b"x").is_none(), "no point of the curve");
    // Nor opened from one: the agreement would be known to all.
    for u in [0, 1] {
        let mut enc = Bytes32([0; 32]);
        enc.0[0] = u;
        let envelope = Envelope { enc, ciphertext: vec![0; 32] };
        assert_eq!(identity(2).open_from(identity(1).id(), PLACE, &envelope), None);
    }
}

#[test]
fn a_signal_is_sealed_for_its_addressee() {
    let (alice, bob) = (identity(1), identity(2));
    let signal = SealedSignal::from_parts("secret".into(), alice.sign("offer", &[]));
    let envelope = seal_signal(&alice, bob.id(), &signal).unwrap();
    assert_eq!(open_signal(&bob, alice.id(), &envelope), Some(signal));
    assert_eq!(open_signal(&alice, alice.id(), &envelope), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_flipped_bit_is_noticed(text in ".{0,40}", at: prop::sample::Index, bit in 0u32..8) {
        let (alice, bob) = (identity(1), identity(2));
        let mut envelope = alice.seal_for(bob.id(), PLACE, text.as_bytes()).unwrap();
        prop_assert_eq!(
            bob.open_from(alice.id(), PLACE, &envelope),
            Some(text.clone().into_bytes())
        );
        let at = at.index(32 + envelope.ciphertext.len());
        // X25519 ignores the last bit (RFC 7748 §5), but the key schedule has the bytes as they came.
        match at.checked_sub(32) {
            Some(at) => envelope.ciphertext[at] ^= 1 << bit,
            None => envelope.enc.0[at] ^= 1 << bit,
        }
        prop_assert_eq!(bob.open_from(alice.id(), PLACE, &envelope), None);
    }
}
