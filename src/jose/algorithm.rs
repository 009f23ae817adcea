//! The algorithms with which this issuer signs tokens, by their registered names (RFC 7518 §3.1). Excludes algorithms
//! that clouds reject.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Algorithm with which this issuer signs tokens. Excludes EdDSA, PS* and HS*, because AWS and Google reject those
/// algorithms.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumCount,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "UPPERCASE", parse_err_ty = crate::base::ParseProblem, parse_err_fn = unknown)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// Every algorithm, in the order in which documents and metrics list them.
    pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] = [Self::Rs256, Self::Es256];

    /// Returns the algorithm's name, which is the value of `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

const fn unknown(_: &str) -> &'static str {
    "must be RS256 or ES256"
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
