//! The doors: each says which audience is due, whose terms decide, and what they offer. None of them writes anything.

mod forward;
mod grant;
mod nuget;
mod publisher;
mod registry;
mod role;

use std::sync::Arc;

pub use self::forward::{Admitted, ForwardAsk, ForwardCredential};
pub use self::grant::{GrantAskedFor, RequestedToken};
pub use self::registry::{Access, RegistryScope};
use super::presented::Presented;
use super::rule_book::{Entry, RuleBook};
use super::terms::{SharedEntitlement, Terms};
use super::{Declined, Exchange, Refusal};
use crate::base::{Moment, Seconds, Secret};
use crate::policy::{Criteria, Learned, Matched, RulePart, Unmatched};
use crate::store::DoorKind;
use crate::verifier::{Check, ClaimForm, Trail};

/// What is asked, at which door.
#[derive(Debug, Clone)]
pub enum Ask {
    /// RFC 8693.
    Grant(GrantAskedFor),
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
    pub const fn door(&self) -> DoorKind {
        match self {
            Self::Grant(_) => DoorKind::Grant,
            Self::Nuget { .. } => DoorKind::Nuget,
            Self::Publisher | Self::Role { .. } => DoorKind::Rubygems,
            Self::Registry { .. } => DoorKind::Registry,
        }
    }
}

/// What a door offers for a token.
pub(super) struct Offer {
    pub(super) door: DoorKind,
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
    pub(super) presented: Presented,
    pub(super) entry: Arc<Entry>,
    pub(super) entitlement: Option<SharedEntitlement>,
    /// Others that it rests on as well: a publisher is one for each gem.
    pub(super) also: Vec<SharedEntitlement>,
    pub(super) learned: Option<Learned>,
    pub(super) offer: Offer,
}

impl Exchange {
    /// What the door offers for the token, by the book.
    pub(super) async fn judge(
        &self,
        book: &RuleBook,
        ask: &Ask,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, Declined> {
        match ask {
            Ask::Grant(asked) => self.judge_grant(book, asked, token, now, trail).await,
            Ask::Nuget { username } => self.judge_nuget(book, username, token, now, trail).await,
            Ask::Publisher => self.judge_publisher(book, token, now, trail).await,
            Ask::Registry { provider, scopes } => {
                self.judge_registry(book, (provider.as_deref(), scopes), token, now, trail).await
            }
            Ask::Role { role } => self.judge_role(book, role, token, now, trail).await,
        }
    }
}

/// What RubyGems asks of every token's claims.
pub const RUBYGEMS_CLAIMS: [(&str, ClaimForm); 4] =
    [("nbf", ClaimForm::Integer), ("iat", ClaimForm::Integer), ("exp", ClaimForm::Integer), ("jti", ClaimForm::Text)];

/// The terms of an entitlement; where they can't be read it gives nothing, and the operator is told.
fn terms<'a>(entitlement: &'a SharedEntitlement, entry: &Entry) -> Result<&'a Terms, Refusal> {
    entitlement.terms(entry.provider()).map_err(|error| {
        let name = entitlement.row.name.clone();
        tracing::error!(kind = entitlement.row.kind.name(), name, %error, "its terms can't be used: it gives nothing");
        Refusal::Broken { name, problem: error.to_string() }
    })
}

/// Is the user there and enabled?
fn enabled_user(book: &RuleBook, user: &str) -> Result<(), Refusal> {
    match book.users.get(user) {
        Some(row) if row.is_enabled() => Ok(()),
        _ => Err(Refusal::UserDisabled { user: user.to_owned() }),
    }
}

/// Criteria with what was learned, against a token: our own by what it was issued for, a stranger's by its claims.
fn judge_criteria(
    entitlement: &SharedEntitlement,
    criteria: &Criteria,
    presented: &Presented,
    judge: impl FnOnce(&Criteria) -> Result<Matched, Unmatched>,
    now: Moment,
) -> Result<Matched, Unmatched> {
    let row = &entitlement.row;
    let criteria = criteria.clone().with_learned(&row.learned);
    match (&criteria, presented.build_facts()) {
        (Criteria::Build(build), Some(facts)) => {
            build.judge(&row.name, &facts)?.within(&row.name, row.learn_until, now)
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
