//! Wycheproof's vectors: what every library of the field is judged by.

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

#[test]
fn es256_agrees_with_wycheproof() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut judged = 0;
    for group in &set.test_groups {
        let point: &[u8] = group.key.key.as_ref();
        let (x, y) = point[1..].split_at(32);
        let key = VerificationKey::new(&PublicKey::p256(x, y).unwrap()).unwrap();
        for test in &group.tests {
            let accepted = key.signed(&test.msg, &URL_SAFE_NO_PAD.encode(&test.sig));
            assert!(agrees(test.result, accepted), "{}: {}", test.tc_id, test.comment);
            judged += 1;
        }
    }
    assert_eq!(judged, set.number_of_tests);
}

/// Where we differ on purpose: keys whose exponent is not 65537, or whose size we don't take.
#[test]
fn rs256_agrees_with_wycheproof_on_every_key_that_we_take() {
    let (mut judged, mut refused) = (0, 0);
    for name in [
        rsa_pkcs1_verify::TestName::Rsa2048Sha256,
        rsa_pkcs1_verify::TestName::Rsa3072Sha256,
        rsa_pkcs1_verify::TestName::Rsa4096Sha256,
        rsa_pkcs1_verify::TestName::Rsa8192Sha256,
    ] {
        let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let Ok(public) = PublicKey::rsa(&group.key.n, &group.key.e) else {
                let size_is_ours = (2048..=4096).contains(&group.key_size);
                assert!(!size_is_ours || group.key.e.as_ref() as &[u8] != [1, 0, 1], "{}", group.key_size);
                refused += group.tests.len();
                continue;
            };
            let key = VerificationKey::new(&public).unwrap();
            for test in &group.tests {
                let accepted = key.signed(&test.msg, &URL_SAFE_NO_PAD.encode(&test.sig));
                assert!(agrees(test.result, accepted), "{}: {}", test.tc_id, test.comment);
                judged += 1;
            }
        }
    }
    assert!(judged > 700, "{judged} were judged, {refused} refused with their keys");
    assert!(refused > 0, "a key of 8192 bits is refused");
}

#[test]
fn weak_keys_are_no_keys() {
    let modulus = [&[0xc5][..], &[0x5a; 254], &[0x01]].concat();
    assert!(PublicKey::rsa(&modulus, &[1, 0, 1]).is_ok());
    assert!(PublicKey::rsa(&[&[0, 0][..], &modulus].concat(), &[0, 1, 0, 1]).is_ok());
    for (what, n, e) in [
        ("exponent 1", &modulus[..], &[1][..]),
        ("exponent 3", &modulus[..], &[3][..]),
        ("exponent 65535", &modulus[..], &[255, 255][..]),
        ("512 bits", &modulus[..64], &[1, 0, 1][..]),
        ("2040 bits", &modulus[1..], &[1, 0, 1][..]),
        ("an even modulus", &[&modulus[..255], &[2]].concat()[..], &[1, 0, 1][..]),
        ("nothing", &[][..], &[1, 0, 1][..]),
    ] {
        assert!(PublicKey::rsa(n, e).is_err(), "{what}");
    }
    assert!(PublicKey::p256(&[1; 32], &[2; 32]).is_err(), "a point off the curve");
    assert!(PublicKey::p256(&[0; 32], &[0; 32]).is_err(), "the origin");
    assert!(PublicKey::p256(&[1; 31], &[2; 32]).is_err(), "a short coordinate");
}

/// RFC 7638 §3.1.
#[test]
fn a_thumbprint_is_that_of_the_rfc() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok\
             njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6\
             qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa\
             pJzKnqDKgw";
    let key = PublicKey::rsa(&URL_SAFE_NO_PAD.decode(n).unwrap(), &[1, 0, 1]).unwrap();
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}
