//! Signed tokens equal those that jsonwebtoken signs.

use buildpass::base::SystemEntropy;
use buildpass::jose::{Algorithm, PrivateKey, SigningKey, VerificationKey, peek};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

fn claims() -> Value {
    json!({"aud": "a", "exp": 4_000_000_000_u64, "iss": "https://ci.example.com", "sub": "repo:a/ü:\"x\"", "n": {"b": [1, 2]}})
}

/// jsonwebtoken's header has the same members in the same order if these three are set.
fn header(key: &SigningKey, alg: jsonwebtoken::Algorithm) -> Header {
    let mut header = Header::new(alg);
    header.kid = Some(key.kid().to_owned());
    header
}

/// The PKCS#1 key within a PKCS#8 one, because jsonwebtoken signs with PKCS#1 only.
fn pkcs1(private: &PrivateKey) -> Vec<u8> {
    use rsa::pkcs1::EncodeRsaPrivateKey;
    use rsa::pkcs8::DecodePrivateKey;
    rsa::PrivateKey::from_pkcs8_der(private.pkcs8()).unwrap().to_pkcs1_der().unwrap().as_bytes().to_vec()
}

#[test]
fn an_rs256_token_equals_jsonwebtokens_byte_for_byte() {
    let private = PrivateKey::generate(Algorithm::Rs256, 2048, &SystemEntropy).unwrap();
    let key = SigningKey::from_private(&private).unwrap();
    let ours = key.sign(serde_json::to_string(&claims()).unwrap().as_bytes()).unwrap();
    VerificationKey::from_jwk(key.jwk()).unwrap().check(&peek(&ours).unwrap()).unwrap();
    let header = header(&key, jsonwebtoken::Algorithm::RS256);
    let theirs = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_rsa_der(&pkcs1(&private))).unwrap();
    assert_eq!(ours, theirs);
}

#[test]
fn an_es256_signing_input_equals_jsonwebtokens_which_accepts_the_signature() {
    let private = PrivateKey::generate(Algorithm::Es256, 0, &SystemEntropy).unwrap();
    let key = SigningKey::from_private(&private).unwrap();
    let ours = key.sign(serde_json::to_string(&claims()).unwrap().as_bytes()).unwrap();
    VerificationKey::from_jwk(key.jwk()).unwrap().check(&peek(&ours).unwrap()).unwrap();
    let header = header(&key, jsonwebtoken::Algorithm::ES256);
    let theirs = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_ec_der(private.pkcs8())).unwrap();
    let input = |token: &str| token.rsplit_once('.').unwrap().0.to_owned();
    assert_eq!(input(&ours), input(&theirs));
    assert_ne!(ours, theirs, "ECDSA is randomised");
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(serde_json::to_value(key.jwk()).unwrap()).unwrap();
    let mut validation = Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&["a"]);
    let decoded = jsonwebtoken::decode::<Value>(&ours, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).unwrap();
    assert_eq!(decoded.claims, claims());
    VerificationKey::from_jwk(key.jwk()).unwrap().check(&peek(&theirs).unwrap()).unwrap();
}
