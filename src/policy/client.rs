//! Clients of the API and their permissions: scopes, organisations and audiences. This file has no clock, no store and
//! no HTTP.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::{ClientId, Moment};
use crate::claims::{AudiencePattern, fold_name};

/// Permission that a client of the API may have.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumCount,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(parse_err_ty = crate::base::ParseProblem, parse_err_fn = unknown_scope)]
pub enum Scope {
    /// The client may make all requests of the admin API.
    #[serde(rename = "admin")]
    #[strum(serialize = "admin")]
    Admin,
    /// The client may create request tokens and ID tokens for the client's own builds.
    #[serde(rename = "builds:tokens")]
    #[strum(serialize = "builds:tokens")]
    BuildsTokens,
    /// The client may register, show and finish the client's own builds.
    #[serde(rename = "builds:write")]
    #[strum(serialize = "builds:write")]
    BuildsWrite,
    /// The client may record publications that were made with an API key.
    #[serde(rename = "publications:write")]
    #[strum(serialize = "publications:write")]
    PublicationsWrite,
    /// The client may introspect credentials that the exchange issued.
    #[serde(rename = "tokens:introspect")]
    #[strum(serialize = "tokens:introspect")]
    TokensIntrospect,
}

impl Scope {
    /// Every scope, in the order in which the manual lists the scopes.
    pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] =
        [Self::BuildsWrite, Self::BuildsTokens, Self::TokensIntrospect, Self::PublicationsWrite, Self::Admin];

    /// Scopes of a client that is created without a list of scopes: the scopes that a CI server needs.
    pub const CI_SERVER: [Self; 2] = [Self::BuildsWrite, Self::BuildsTokens];

    /// Returns the name of the scope.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

const fn unknown_scope(_: &str) -> &'static str {
    "must be builds:write, builds:tokens, tokens:introspect, publications:write or admin"
}

/// Pattern that matches organisations: a whole name, or `prefix/*` for everything below `prefix/` at any depth, but not
/// `prefix` itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganizationPattern(String);

impl OrganizationPattern {
    /// Returns the text of the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the pattern matches the organisation `org`, without regard to upper and lower case.
    #[must_use]
    pub fn covers(&self, org: &str) -> bool {
        let (pattern, org) = (fold_name(&self.0), fold_name(org));
        match pattern.strip_suffix('*') {
            Some(prefix) => org.len() > prefix.len() && org.starts_with(prefix),
            None => org == pattern,
        }
    }
}

impl TryFrom<String> for OrganizationPattern {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = text.strip_suffix("/*").unwrap_or(&text);
        if name.is_empty() || name.contains('*') || name.starts_with('/') || name.ends_with('/') {
            return Err("must be a whole organisation name, or prefix/* for everything below prefix/");
        }
        Ok(Self(text))
    }
}

impl FromStr for OrganizationPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<OrganizationPattern> for String {
    fn from(pattern: OrganizationPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for OrganizationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identity of a client that has no secret. The client authenticates by a token of `provider` with the subject
/// `subject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientIdentity {
    /// Name of the provider whose tokens authenticate the client.
    pub provider: String,
    /// Exact value of `sub` in the client's tokens.
    pub subject: String,
}

/// A client of the API, such as a CI server, with its permissions but without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Id with which the client authenticates.
    pub id: ClientId,
    /// Name that operators gave the client.
    pub name: String,
    /// Permissions of the client.
    pub scopes: Vec<Scope>,
    /// Patterns of the organisations that the client may act for. An empty list means all organisations.
    pub organizations: Vec<OrganizationPattern>,
    /// Patterns of the audiences that tokens of the client's builds may have. An empty list means all audiences.
    pub audiences: Vec<AudiencePattern>,
    /// Prefix that is put before the ids in the client's registrations, so that equal ids of two forges stay different.
    pub ids: Option<String>,
    /// Identity by which the client authenticates, if the client has no secret.
    pub identity: Option<ClientIdentity>,
    /// Time at which the client was created.
    pub created_at: Moment,
    /// Time at which the client was disabled; `None` if the client is enabled.
    pub disabled_at: Option<Moment>,
    /// Whether the configuration declares the client, so that no command may change it.
    pub declared: bool,
    /// Revision of the client, which grows with each change of the client's permissions.
    pub revision: u64,
}

impl Client {
    /// Returns whether the client has the permission `scope`.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Returns whether the client may act for the organisation `org`.
    #[must_use]
    pub fn may_act_for(&self, org: &str) -> bool {
        self.organizations.is_empty() || self.organizations.iter().any(|pattern| pattern.covers(org))
    }

    /// Returns whether tokens of the client's builds may have the audience `audience`.
    #[must_use]
    pub fn may_address(&self, audience: &str) -> bool {
        self.audiences.is_empty() || self.audiences.iter().any(|pattern| pattern.matches(audience))
    }
}

/// Checks the name of a client. Operators type the name on command lines, so no name may need quoting.
///
/// # Errors
/// A text that says which names are valid.
pub fn client_name(text: &str) -> Result<(), &'static str> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if starts_well && text.len() <= 100 && text.chars().all(plain) {
        Ok(())
    } else {
        Err(
            "a name must have at most 100 letters, digits, dots, dashes and underscores, and begin with a letter or digit",
        )
    }
}

/// Checks a client's prefix of ids. The prefix must not contain a dot: the prefix `a` with the id `b.1` and the prefix
/// `a.b` with the id `1` would otherwise make the same id.
///
/// # Errors
/// A text that says which prefixes are valid.
pub fn ids_name(text: &str) -> Result<(), &'static str> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if !text.is_empty() && text.len() <= 32 && text.chars().all(plain) {
        Ok(())
    } else {
        Err("a prefix of ids must have at most 32 letters, digits, dashes and underscores")
    }
}
