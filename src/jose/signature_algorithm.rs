//! The algorithms of the signatures that the verifier checks, by their registered names (RFC 7518 §3.1). This issuer
//! signs with only some of these algorithms: those of [`Algorithm`].

use serde::{Deserialize, Serialize};

use super::algorithm::Algorithm;

/// Algorithm of a signature that the verifier checks.
///
/// Excludes `none`, HS* (whose key would have to be secret, but a key set is public), and PS* and EdDSA (with which no
/// CI issuer signs).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Deserialize,
    Serialize,
    strum::Display,
    strum::EnumCount,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "UPPERCASE", parse_err_ty = crate::base::ParseProblem, parse_err_fn = unknown)]
#[serde(rename_all = "UPPERCASE")]
pub enum SignatureAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl SignatureAlgorithm {
    /// Every algorithm, in the order in which documents list them.
    pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] =
        [Self::Rs256, Self::Rs384, Self::Rs512, Self::Es256, Self::Es384];

    /// Returns the algorithm's name, which is the value of `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Converts to the type of the crate `jsonwebtoken`, which checks signatures.
    pub(super) const fn to_jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Rs384 => jsonwebtoken::Algorithm::RS384,
            Self::Rs512 => jsonwebtoken::Algorithm::RS512,
        }
    }
}

impl From<Algorithm> for SignatureAlgorithm {
    fn from(ours: Algorithm) -> Self {
        match ours {
            Algorithm::Es256 => Self::Es256,
            Algorithm::Rs256 => Self::Rs256,
        }
    }
}

const fn unknown(_: &str) -> &'static str {
    "must be RS256, RS384, RS512, ES256 or ES384"
}
