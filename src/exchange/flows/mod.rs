//! The doors: each says which audience is due, whose terms decide, and what they offer. None of them writes anything.

mod forward_auth;
mod nuget;
mod registry;
mod rubygems_publisher;
mod rubygems_role;
mod token_exchange;

use std::sync::Arc;

pub use self::forward_auth::{Admitted, ForwardCredential, ForwardRequest};
pub use self::registry::{Access, RegistryScope};
pub use self::token_exchange::{RequestedToken, TokenExchangeRequest};
use super::entitlements::{Compiled, SharedEntitlement};
use super::entitlements::{ProviderEntry, RulesSnapshot};
use super::subject_token::SubjectToken;
use super::{Exchange, ExchangeRefusal, NotExchanged};
use crate::base::{Moment, Seconds, Secret};
use crate::policy::{Criteria, Matched, Pins, RulePart, Unmatched};
use crate::verifier::{Check, ClaimForm, Trail};

/// The flows' stable names, as credentials and events store them.
pub(super) mod flow_names {
    pub(in crate::exchange) const GRANT: &str = "grant";
    pub(in crate::exchange) const NUGET: &str = "nuget";
    pub(in crate::exchange) const REGISTRY: &str = "registry";
    pub(in crate::exchange) const RUBYGEMS: &str = "rubygems";
}

/// What is asked, at which door.
#[derive(Debug, Clone)]
pub enum Ask {
    /// RFC 8693.
    Grant(TokenExchangeRequest),
    /// NuGet's token API, for a user.
    Nuget {
        /// Whom the client names.
        username: String,
    },
    /// RubyGems' trusted publishers.
    Publisher,
    /// A registry's token endpoint.
    Registry {
        /// The provider whose token it is, where the client names one.
        provider: Option<String>,
        /// What is to be done, where the client says so.
        scopes: Vec<RegistryScope>,
    },
    /// A role of RubyGems.
    Role {
        /// The role's token.
        role: String,
    },
}

impl Ask {
    /// The kind of door.
    #[must_use]
    pub const fn flow(&self) -> &'static str {
        match self {
            Self::Grant(_) => flow_names::GRANT,
            Self::Nuget { .. } => flow_names::NUGET,
            Self::Publisher | Self::Role { .. } => flow_names::RUBYGEMS,
            Self::Registry { .. } => flow_names::REGISTRY,
        }
    }
}

/// What a door offers for a token.
pub(super) struct Offer {
    pub(super) flow: &'static str,
    /// An access token that we sign, or a key.
    pub(super) jwt: bool,
    pub(super) name: String,
    pub(super) owner: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) packages: Vec<String>,
    pub(super) audience: String,
    pub(super) lifetime: Seconds,
    /// Does it end with the token that it is given for?
    pub(super) ends_with_token: bool,
    pub(super) outlives_build: bool,
    pub(super) single_use: bool,
    /// The gem of a RubyGems key that is for one.
    pub(super) gem: Option<String>,
    /// What a registry's token opens.
    pub(super) access: Option<Vec<Access>>,
}

impl Offer {
    /// Is it a registry's token to which no policy opens anything?
    pub(super) fn opens_nothing(&self) -> bool {
        self.access.as_ref().is_some_and(Vec::is_empty)
    }
}

/// A token that a door took, and what it offers for it.
pub(super) struct Judgement {
    pub(super) subject_token: SubjectToken,
    pub(super) entry: Arc<ProviderEntry>,
    pub(super) entitlement: Option<SharedEntitlement>,
    /// Others that it rests on as well: a publisher is one for each gem.
    pub(super) also: Vec<SharedEntitlement>,
    pub(super) pins: Option<Pins>,
    pub(super) offer: Offer,
}

impl Exchange {
    /// What the door offers for the token, by the book.
    pub(super) async fn judge(
        &self,
        snapshot: &RulesSnapshot,
        ask: &Ask,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, NotExchanged> {
        match ask {
            Ask::Grant(asked) => self.judge_grant(snapshot, asked, token, now, trail).await,
            Ask::Nuget { username } => self.judge_nuget(snapshot, username, token, now, trail).await,
            Ask::Publisher => self.judge_publisher(snapshot, token, now, trail).await,
            Ask::Registry { provider, scopes } => {
                self.judge_registry(snapshot, (provider.as_deref(), scopes), token, now, trail).await
            }
            Ask::Role { role } => self.judge_role(snapshot, role, token, now, trail).await,
        }
    }
}

/// What RubyGems asks of every token's claims.
pub const RUBYGEMS_CLAIMS: [(&str, ClaimForm); 4] =
    [("nbf", ClaimForm::Integer), ("iat", ClaimForm::Integer), ("exp", ClaimForm::Integer), ("jti", ClaimForm::Text)];

/// The terms of an entitlement; where they can't be read it gives nothing, and the operator is told.
fn compiled<'a>(entitlement: &'a SharedEntitlement, entry: &ProviderEntry) -> Result<&'a Compiled, ExchangeRefusal> {
    entitlement.compiled(entry.provider()).map_err(|error| {
        let name = entitlement.row.name.clone();
        tracing::error!(kind = %entitlement.row.kind, name, %error, "its terms can't be used: it gives nothing");
        ExchangeRefusal::Broken { name, problem: error.to_string() }
    })
}

/// Is the user there and enabled?
fn enabled_user(snapshot: &RulesSnapshot, user: &str) -> Result<(), ExchangeRefusal> {
    match snapshot.users.get(user) {
        Some(row) if row.is_enabled() => Ok(()),
        _ => Err(ExchangeRefusal::UserDisabled { user: user.to_owned() }),
    }
}

/// Criteria with what was learned, against a token: our own by what it was issued for, a stranger's by its claims.
fn judge_criteria(
    entitlement: &SharedEntitlement,
    criteria: &Criteria,
    subject_token: &SubjectToken,
    judge: impl FnOnce(&Criteria) -> Result<Matched, Unmatched>,
    now: Moment,
) -> Result<Matched, Unmatched> {
    let row = &entitlement.row;
    let criteria = criteria.clone().with_pins(&row.pins);
    match (&criteria, subject_token.build_facts()) {
        (Criteria::Build(build), Some(facts)) => {
            build.evaluate(&row.name, &facts)?.into_match(&row.name, row.pin_until, now)
        }
        _ => judge(&criteria),
    }
}

/// Notes a policy that took the token.
fn took(trail: &mut Trail, what: &str, name: &str) {
    trail.passed(Check::Policy, || (format!("a {what} that takes the token"), name.to_owned()));
}

/// Notes a part of a condition, under the words that say whose it is, with what it found.
fn note_part(trail: &mut Trail, expected: String, part: &RulePart) {
    let text = || (expected, part.found());
    if part.answer == Ok(true) { trail.passed(Check::Policy, text) } else { trail.failed(Check::Policy, text) }
}
