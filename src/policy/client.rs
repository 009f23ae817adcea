//! Clients of the API and their permissions: scopes, organisations, audiences. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::{ClientId, Moment};
use crate::claims::{AudiencePattern, fold_name};

/// Permission of a client of the API.
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
    /// All requests of the admin listener.
    #[serde(rename = "admin")]
    #[strum(serialize = "admin")]
    Admin,
    /// Issue tokens for the client's own builds.
    #[serde(rename = "builds:tokens")]
    #[strum(serialize = "builds:tokens")]
    BuildsTokens,
    /// Register, show and finish builds of the client.
    #[serde(rename = "builds:write")]
    #[strum(serialize = "builds:write")]
    BuildsWrite,
    /// Record a publication that an API key made.
    #[serde(rename = "publications:write")]
    #[strum(serialize = "publications:write")]
    PublicationsWrite,
    /// Introspect credentials that the exchange issued.
    #[serde(rename = "tokens:introspect")]
    #[strum(serialize = "tokens:introspect")]
    TokensIntrospect,
}

impl Scope {
    /// Every scope, in the order of the manual.
    pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] =
        [Self::BuildsWrite, Self::BuildsTokens, Self::TokensIntrospect, Self::PublicationsWrite, Self::Admin];

    /// Scopes of a CI server whose client names none.
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

/// Pattern of organisations: a whole name, or `prefix/*` for everything below `prefix/` at any depth, without `prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganizationPattern(String);

impl OrganizationPattern {
    /// Returns whether the pattern matches `org` without regard to case.
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

/// Identity of a client without a secret. A token of this provider with this subject authenticates the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientIdentity {
    /// Name of the provider.
    pub provider: String,
    /// Exact value of `sub`.
    pub subject: String,
}

/// A client of the API, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Id with which the client authenticates.
    pub id: ClientId,
    /// Name that operators gave the client.
    pub name: String,
    /// Permissions of the client.
    pub scopes: Vec<Scope>,
    /// Organisations that the client may act for. Empty means all.
    pub organizations: Vec<OrganizationPattern>,
    /// Audiences that tokens of the client's builds may have. Empty means all.
    pub audiences: Vec<AudiencePattern>,
    /// Prefix of the ids that the client registers, so that two forges share no id.
    pub ids: Option<String>,
    /// Identity of the client, if it has no secret.
    pub identity: Option<ClientIdentity>,
    /// Time at which the client was created.
    pub created_at: Moment,
    /// Time at which the client was disabled, if it was.
    pub disabled_at: Option<Moment>,
    /// Whether the configuration declares the client, so that no command may change it.
    pub declared: bool,
    /// Revision, which grows with each change of the client's permissions.
    pub revision: u64,
}

impl Client {
    /// Returns whether the client has this scope.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Returns whether the client may act for this organisation.
    #[must_use]
    pub fn may_act_for(&self, org: &str) -> bool {
        self.organizations.is_empty() || self.organizations.iter().any(|pattern| pattern.covers(org))
    }

    /// Returns whether tokens of the client's builds may have this audience.
    #[must_use]
    pub fn may_address(&self, audience: &str) -> bool {
        self.audiences.is_empty() || self.audiences.iter().any(|pattern| pattern.matches(audience))
    }
}

/// Checks a client's name. Names are typed on command lines, so none may need quoting.
///
/// # Errors
/// Says which names are valid.
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

/// Checks a prefix of ids. It must not contain a dot, so that `a` with `b.1` and `a.b` with `1` are different ids.
///
/// # Errors
/// Says which prefixes are valid.
pub fn ids_name(text: &str) -> Result<(), &'static str> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if !text.is_empty() && text.len() <= 32 && text.chars().all(plain) {
        Ok(())
    } else {
        Err("a prefix of ids must have at most 32 letters, digits, dashes and underscores")
    }
}
