//! Names for rows. An id of one kind can't stand where another kind is wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Entropy, EntropyError, Moment};

/// UUIDv7 (RFC 9562 §5.7) from our clock and our entropy.
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
            /// A new id, sorted by time.
            ///
            /// # Errors
            /// [`EntropyError`] when the generator fails.
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

            /// Takes the hyphenated lower-case form alone: one id has one spelling.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Uuid::try_parse(text).map_err(|_| "not an id")?;
                if id.as_hyphenated().to_string() == text { Ok(Self(id)) } else { Err("not an id") }
            }
        }
    };
}

uuid_id! {
    /// One registered build.
    BuildId
}
uuid_id! {
    /// One request token (build-wide, of a step, or a worker's); not the secret itself.
    RequestTokenId
}
uuid_id! {
    /// One HTTP request, so that a caller's complaint finds its line in the log.
    RequestId
}
uuid_id! {
    /// One process among the servers of an installation.
    ServerId
}
uuid_id! {
    /// `jti` of a token of ours.
    Jti
}
uuid_id! {
    /// A role, a trusted publisher, a trust policy or a grant.
    EntitlementId
}
uuid_id! {
    /// A key or an access token that was given for a token; of an access token its `jti`.
    CredentialId
}
uuid_id! {
    /// An ID token that something was given for.
    IdTokenId
}
uuid_id! {
    /// One entry of what operators read.
    EventId
}

/// A client that may call the API: a UUID for one made by command, a name for one declared in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// A new id, sorted by time.
    ///
    /// # Errors
    /// [`EntropyError`] when the generator fails.
    pub fn new(now: Moment, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        Ok(Self(uuid_v7(now, entropy)?.as_hyphenated().to_string()))
    }

    /// An id as it was stored, declared or sent. Unknown ones simply find no row.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
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

/// Which issuer of this installation a row belongs to. A name, never a URL: the URL may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IssuerId(String);

impl IssuerId {
    /// The issuer of the section `[issuer]`.
    #[must_use]
    pub fn main() -> Self {
        Self("main".to_owned())
    }

    /// The id as text.
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
