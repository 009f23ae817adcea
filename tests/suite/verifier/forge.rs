//! Test issuer: valid tokens, and tokens that are invalid in exactly one way.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::START;

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "registry.example";

/// Test keys of each kind, with the kids `rsa`, `p256` and `p384`.
pub(crate) struct Forge {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Forge {
    pub(crate) fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
        }
    }

    /// Public members of the RSA key.
    pub(crate) fn rsa_jwk(&self) -> Value {
        let half = self.rsa.public_key();
        let n = base64url(half.modulus().big_endian_without_leading_zero());
        let e = base64url(half.exponent().big_endian_without_leading_zero());
        json!({ "kty": "RSA", "kid": "rsa", "n": n, "e": e })
    }

    fn ec_jwk(kid: &str, curve: &str, pair: &EcdsaKeyPair) -> Value {
        let (x, y) = pair.public_key().as_ref()[1..].split_at((pair.public_key().as_ref().len() - 1) / 2);
        json!({ "kty": "EC", "kid": kid, "crv": curve, "x": base64url(x), "y": base64url(y) })
    }

    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [
            self.rsa_jwk(),
            Self::ec_jwk("p256", "P-256", &self.p256),
            Self::ec_jwk("p384", "P-384", &self.p384),
        ] })
    }

    /// Signs these bytes. Returns an empty signature for an algorithm without a key.
    pub(crate) fn signature(&self, algorithm: &str, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let mut rsa = vec![0; self.rsa.public_modulus_len()];
        match algorithm {
            "RS256" => self.rsa.sign(&RSA_PKCS1_SHA256, &random, input, &mut rsa).unwrap(),
            "RS384" => self.rsa.sign(&RSA_PKCS1_SHA384, &random, input, &mut rsa).unwrap(),
            "RS512" => self.rsa.sign(&RSA_PKCS1_SHA512, &random, input, &mut rsa).unwrap(),
            "ES256" => return self.p256.sign(&random, input).unwrap().as_ref().to_vec(),
            "ES384" => return self.p384.sign(&random, input).unwrap().as_ref().to_vec(),
            _ => return Vec::new(),
        }
        rsa
    }

    /// Token of exactly these texts, signed with `algorithm` whatever the header says.
    pub(crate) fn seal(&self, algorithm: &str, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", base64url(header), base64url(payload));
        let signature = base64url(self.signature(algorithm, input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// Token with this header and these claims.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        self.seal(header["alg"].as_str().unwrap_or_default(), &header.to_string(), &claims.to_string())
    }

    /// Valid RS256 token with these claims changed or added; `null` removes a claim.
    pub(crate) fn with_claims(&self, changed: Value) -> String {
        self.token(&header("RS256"), &claims_with(changed))
    }

    /// Valid RS256 token with these header members changed or added.
    pub(crate) fn with_header(&self, changed: Value) -> String {
        let mut header = header("RS256");
        merge(&mut header, changed);
        self.seal("RS256", &header.to_string(), &good().to_string())
    }

    pub(crate) fn good_token(&self) -> String {
        self.token(&header("RS256"), &good())
    }
}

/// Header of a valid token.
pub(crate) fn header(algorithm: &str) -> Value {
    let kid = match algorithm {
        "ES256" => "p256",
        "ES384" => "p384",
        _ => "rsa",
    };
    json!({ "typ": "JWT", "alg": algorithm, "kid": kid })
}

/// Claims of a valid token.
pub(crate) fn good() -> Value {
    let now = START.unix();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "repo:acme/app", "jti": "0191", "iat": now, "nbf": now, "exp": now + 300,
        "repository": "acme/app", "actor": "octocat",
    })
}

pub(crate) fn claims_with(changed: Value) -> Value {
    let mut claims = good();
    merge(&mut claims, changed);
    claims
}

fn merge(into: &mut Value, changed: Value) {
    let into = into.as_object_mut().unwrap();
    for (name, value) in changed.as_object().unwrap().clone() {
        if value.is_null() {
            into.remove(&name)
        } else {
            into.insert(name, value)
        };
    }
}
