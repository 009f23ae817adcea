//! Id types. Each kind of row, request or server has an id type of its own, so that two kinds of ids cannot be
//! confused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entropy::{Entropy, EntropyError};
use super::moment::Moment;

/// Creates a UUIDv7 (RFC 9562 §5.7) from the time `now` and random bytes of `entropy`.
fn uuid_v7(now: Moment, entropy: &dyn Entropy) -> Result<Uuid, EntropyError> {
    let mut random = [0; 10];
    entropy.fill(&mut random)?;
    let millis = u64::try_from(now.unix()).unwrap_or(0).saturating_mul(1_000);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl $name {
            /// Creates a new id at the time `now`. Ids sort by the time of creation.
            ///
            /// # Errors
            /// [`EntropyError`] when the random generator fails.
            pub fn new(now: Moment, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                uuid_v7(now, entropy).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            /// Parses only the hyphenated lower-case form of a UUID, so that each id has a single spelling.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Uuid::try_parse(text).map_err(|_| "not an id")?;
                if id.as_hyphenated().to_string() == text { Ok(Self(id)) } else { Err("not an id") }
            }
        }
    };
}

uuid_id! {
    /// Id of a registered build.
    BuildId
}
uuid_id! {
    /// Id of a request token (of a build or of a step) or of a worker token. The id is not the token's secret.
    RequestTokenId
}
uuid_id! {
    /// Id of an HTTP request. Each log line about the request carries this id.
    RequestId
}
uuid_id! {
    /// Id of one server process of an installation.
    ServerId
}
uuid_id! {
    /// The `jti` of a token that this issuer signed.
    Jti
}
uuid_id! {
    /// Id of an entitlement: a role, a trusted publisher, a trust policy or a grant.
    EntitlementId
}
uuid_id! {
    /// Id of a credential that the exchange issued. An access token carries it as its `jti`.
    CredentialId
}
uuid_id! {
    /// Id of an ID token that was redeemed in the exchange.
    IdTokenId
}
uuid_id! {
    /// Id of a recorded event of the exchange, such as an issued credential or a refusal.
    EventId
}

/// Id of a client of the API: a UUID if a command created the client, a name if the configuration declares the client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// Creates a new id at the time `now`. Ids sort by the time of creation.
    ///
    /// # Errors
    /// [`EntropyError`] when the random generator fails.
    pub fn new(now: Moment, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        Ok(Self(uuid_v7(now, entropy)?.as_hyphenated().to_string()))
    }

    /// Wraps a client's id from the store, the configuration or a request. Does not check that the client exists.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Id by which a row of the database names its issuer. The id is a name and never a URL, because the issuer's URL may
/// change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IssuerId(String);

impl IssuerId {
    /// Returns the id of the issuer that the configuration's section `[issuer]` describes.
    #[must_use]
    pub fn main() -> Self {
        Self("main".to_owned())
    }

    /// Returns the text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
