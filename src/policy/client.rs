//! What a client may do: scopes, organisations, audiences. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::{ClientId, Moment};
use crate::claims::{AudiencePattern, fold_name};

/// One right of a client.
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
    /// Everything on the admin listener.
    #[serde(rename = "admin")]
    #[strum(serialize = "admin")]
    Admin,
    /// Tokens for builds of its own.
    #[serde(rename = "builds:tokens")]
    #[strum(serialize = "builds:tokens")]
    BuildsTokens,
    /// Register, show and finish builds.
    #[serde(rename = "builds:write")]
    #[strum(serialize = "builds:write")]
    BuildsWrite,
    /// Record what a key pushed.
    #[serde(rename = "publications:write")]
    #[strum(serialize = "publications:write")]
    PublicationsWrite,
    /// IssuanceRequest whether a credential is good.
    #[serde(rename = "tokens:introspect")]
    #[strum(serialize = "tokens:introspect")]
    TokensIntrospect,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] =
        [Self::BuildsWrite, Self::BuildsTokens, Self::TokensIntrospect, Self::PublicationsWrite, Self::Admin];

    /// A CI server's, where none is named.
    pub const CI_SERVER: [Self; 2] = [Self::BuildsWrite, Self::BuildsTokens];

    /// The scope as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

const fn unknown_scope(_: &str) -> &'static str {
    "must be builds:write, builds:tokens, tokens:introspect, publications:write or admin"
}

/// An organisation by its whole name, or `prefix/*`: everything below `prefix/` at any depth, not `prefix` itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganizationPattern(String);

impl OrganizationPattern {
    /// Does the pattern cover `org`? Names are compared case-folded, as names are bound.
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

/// Who a client without a secret is: whoever brings a token of this provider with this subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientIdentity {
    /// The provider's name.
    pub provider: String,
    /// `sub`, exactly.
    pub subject: String,
}

/// A caller of the API, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The id it authenticates with.
    pub id: ClientId,
    /// The name operators know it by.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Organisations it may act for; none means all.
    pub organizations: Vec<OrganizationPattern>,
    /// Audiences that its builds' tokens may have; none means all.
    pub audiences: Vec<AudiencePattern>,
    /// Name put before the ids that it posts, so that two forges share no id.
    pub ids: Option<String>,
    /// Who it is, where it has no secret.
    pub identity: Option<ClientIdentity>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was disabled, if it was.
    pub disabled_at: Option<Moment>,
    /// Declared in the configuration: no command changes it.
    pub declared: bool,
    /// Grows with each change of what it may do.
    pub revision: u64,
}

impl Client {
    /// Has it this scope?
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// May it act for this organisation?
    #[must_use]
    pub fn may_act_for(&self, org: &str) -> bool {
        self.organizations.is_empty() || self.organizations.iter().any(|pattern| pattern.covers(org))
    }

    /// May tokens of its builds have this audience?
    #[must_use]
    pub fn may_address(&self, audience: &str) -> bool {
        self.audiences.is_empty() || self.audiences.iter().any(|pattern| pattern.matches(audience))
    }
}

/// Is this a client's name? It is typed on command lines and shown in lists, so it needs no quoting anywhere.
///
/// # Errors
/// What a name may be.
pub fn client_name(text: &str) -> Result<(), &'static str> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if starts_well && text.len() <= 100 && text.chars().all(plain) {
        Ok(())
    } else {
        Err("a name has up to 100 letters, digits, dots, dashes and underscores, and begins with a letter or digit")
    }
}

/// Is this a name to put before ids? It has no dot of its own, so that `a` + `b.1` and `a.b` + `1` are never one id.
///
/// # Errors
/// What a name may be.
pub fn ids_name(text: &str) -> Result<(), &'static str> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if !text.is_empty() && text.len() <= 32 && text.chars().all(plain) {
        Ok(())
    } else {
        Err("a name for ids has up to 32 letters, digits, dashes and underscores")
    }
}
