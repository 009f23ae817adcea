//! Tests with Wycheproof's test vectors of signatures, and with weak keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wycheproof::{TestResult, ecdsa, rsa_pkcs1_verify};

use super::*;

fn agrees(result: TestResult, accepted: bool) -> bool {
    match result {
        TestResult::Acceptable => true,
        TestResult::Invalid => !accepted,
        TestResult::Valid => accepted,
    }
}

fn ready(public: &PublicKey) -> VerificationKey {
    VerificationKey::new(public, public.algorithms().to_vec()).unwrap()
}

#[test]
fn ecdsa_agrees_with_wycheproof() {
    for (name, algorithm) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, SignatureAlgorithm::Es256),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, SignatureAlgorithm::Es384),
    ] {
        let set = ecdsa::TestSet::load(name).unwrap();
        let mut checked = 0;
        for group in &set.test_groups {
            let point: &[u8] = group.key.key.as_ref();
            let (x, y) = point[1..].split_at(point.len() / 2);
            let public = if x.len() == 32 { PublicKey::p256(x, y) } else { PublicKey::p384(x, y) };
            let key = ready(&public.unwrap());
            for test in &group.tests {
                let accepted = key.is_signature(algorithm, &test.msg, &URL_SAFE_NO_PAD.encode(&test.sig));
                assert!(agrees(test.result, accepted), "{algorithm} {}: {}", test.tc_id, test.comment);
                checked += 1;
            }
        }
        assert_eq!(checked, set.number_of_tests);
    }
}

/// Every RSA key of Wycheproof's vectors is accepted: the smallest has 2048 bits, the largest 8192.
#[test]
fn rsa_agrees_with_wycheproof() {
    use rsa_pkcs1_verify::TestName::{
        Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa3072Sha384, Rsa3072Sha512, Rsa4096Sha256,
        Rsa4096Sha384, Rsa4096Sha512, Rsa8192Sha256, Rsa8192Sha384, Rsa8192Sha512,
    };
    let names = [
        (SignatureAlgorithm::Rs256, [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256]),
        (SignatureAlgorithm::Rs384, [Rsa2048Sha384, Rsa3072Sha384, Rsa4096Sha384, Rsa8192Sha384]),
        (SignatureAlgorithm::Rs512, [Rsa2048Sha512, Rsa3072Sha512, Rsa4096Sha512, Rsa8192Sha512]),
    ];
    for (algorithm, name) in names.into_iter().flat_map(|(algorithm, names)| names.map(|name| (algorithm, name))) {
        let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
        let mut checked = 0;
        for group in &set.test_groups {
            let key = ready(&PublicKey::rsa(&group.key.n, &group.key.e).unwrap());
            for test in &group.tests {
                let accepted = key.is_signature(algorithm, &test.msg, &URL_SAFE_NO_PAD.encode(&test.sig));
                assert!(agrees(test.result, accepted), "{algorithm} {}: {}", test.tc_id, test.comment);
                checked += 1;
            }
        }
        assert_eq!(checked, set.number_of_tests, "{algorithm}");
    }
}

#[test]
fn a_weak_key_is_rejected() {
    let modulus = [&[0xc5][..], &[0x5a; 254], &[0x01]].concat();
    assert!(PublicKey::rsa(&modulus, &[1, 0, 1]).is_ok());
    assert!(PublicKey::rsa(&[&[0, 0][..], &modulus].concat(), &[0, 1, 0, 1]).is_ok());
    for (what, n, e) in [
        ("exponent 1", &modulus[..], &[1][..]),
        ("exponent 2", &modulus[..], &[2][..]),
        ("exponent 0", &modulus[..], &[0, 0][..]),
        ("an exponent of 64 bits", &modulus[..], &[255; 8][..]),
        ("512 bits", &modulus[..64], &[1, 0, 1][..]),
        ("2040 bits", &modulus[1..], &[1, 0, 1][..]),
        ("an even modulus", &[&modulus[..255], &[2]].concat()[..], &[1, 0, 1][..]),
        ("nothing", &[][..], &[1, 0, 1][..]),
    ] {
        assert!(PublicKey::rsa(n, e).is_err(), "{what}");
    }
    assert!(Jwk::of(PublicKey::rsa(&modulus, &[3]).unwrap()).is_err(), "usable, but not published");
    assert!(PublicKey::p384(&[1; 48], &[2; 48]).is_err(), "a point off the larger curve");
    assert!(PublicKey::p256(&[1; 32], &[2; 32]).is_err(), "a point off the curve");
    assert!(PublicKey::p256(&[0; 32], &[0; 32]).is_err(), "the origin");
    assert!(PublicKey::p256(&[1; 31], &[2; 32]).is_err(), "a short coordinate");
}

/// Uses the key of the example in RFC 7638 §3.1.
#[test]
fn a_thumbprint_matches_the_example_of_the_rfc() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok\
             njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6\
             qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa\
             pJzKnqDKgw";
    let key = PublicKey::rsa(&URL_SAFE_NO_PAD.decode(n).unwrap(), &[1, 0, 1]).unwrap();
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}
