//! Entitlements with their terms checked and compiled: what each takes, and what it gives. A row whose terms can't be
//! read gives nothing.

mod audiences;
mod cache;
mod changes;
mod grant;
mod publisher;
mod role;
mod snapshot;
mod trust_policy;
mod views;

use std::sync::{Arc, OnceLock};

pub use self::audiences::{AudienceConflict, FlowOfAudience, check_audiences};
pub use self::cache::RulesCache;
pub use self::changes::{
    Applied, ApplyRulesError, Change, ChangeKind, ChangeSet, Precondition, Prune, RuleError, RulesEditor, Section,
};
pub(super) use self::grant::CompiledGrant;
pub(super) use self::publisher::{CompiledPublisher, publisher_name};
pub(super) use self::role::CompiledRole;
pub(super) use self::snapshot::{ProviderEntry, RulesSnapshot};
pub(super) use self::trust_policy::CompiledTrustPolicy;
pub use self::views::{is_same, leave_written, owner, shown_credential, shown_rules};
use crate::base::{FieldError, Seconds};
use crate::store::{EntitlementKind, EntitlementRow};
use crate::verifier::Provider;

/// What an entitlement takes and gives.
pub(super) enum Compiled {
    Grant(CompiledGrant),
    Publisher(CompiledPublisher),
    Role(CompiledRole),
    TrustPolicy(CompiledTrustPolicy),
}

impl Compiled {
    /// Reads what was written of this kind, for tokens of this provider.
    ///
    /// # Errors
    /// [`FieldError`] names the first field that can't stand.
    pub(in crate::exchange) fn read(
        kind: EntitlementKind,
        spec: &str,
        provider: &Provider,
    ) -> Result<Self, FieldError> {
        match kind {
            EntitlementKind::Grant => CompiledGrant::new(parse(spec)?).map(Self::Grant),
            EntitlementKind::Publisher => CompiledPublisher::new(parse(spec)?, provider).map(Self::Publisher),
            EntitlementKind::Role => CompiledRole::new(parse(spec)?, provider).map(Self::Role),
            EntitlementKind::TrustPolicy => CompiledTrustPolicy::new(parse(spec)?, provider).map(Self::TrustPolicy),
        }
    }

    /// The audiences that it claims for its kind of door.
    pub(in crate::exchange) fn audiences(&self) -> Vec<&str> {
        match self {
            Self::Grant(grant) => vec![&grant.spec.audience],
            Self::Role(role) => role.statements.every_audience().collect(),
            Self::Publisher(_) | Self::TrustPolicy(_) => Vec::new(),
        }
    }

    /// Does it have names whose ids are to be learned?
    pub(in crate::exchange) fn pins_ids(&self) -> bool {
        match self {
            Self::Publisher(publisher) => publisher.criteria.has_unpinned_ids(),
            Self::TrustPolicy(policy) => policy.criteria.has_unpinned_ids(),
            Self::Grant(_) | Self::Role(_) => false,
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(spec: &str) -> Result<T, FieldError> {
    serde_json::from_str(spec).map_err(|error| FieldError::new("spec", error.to_string()))
}

/// An entitlement as it stands, its terms read when they are first asked for.
pub(in crate::exchange) struct Entitlement {
    pub(in crate::exchange) row: EntitlementRow,
    compiled: OnceLock<Result<Compiled, FieldError>>,
}

impl Entitlement {
    pub(in crate::exchange) fn new(row: EntitlementRow) -> Self {
        Self { row, compiled: OnceLock::new() }
    }

    /// Its terms for tokens of its provider as that stands.
    pub(in crate::exchange) fn compiled(&self, provider: &Provider) -> Result<&Compiled, &FieldError> {
        self.compiled.get_or_init(|| Compiled::read(self.row.kind, &self.row.spec, provider)).as_ref()
    }
}

/// Entitlements that were asked for most are few; all of them are shared.
pub(super) type SharedEntitlement = Arc<Entitlement>;

/// A lifetime within bounds.
fn lifetime(
    field: &str,
    asked: Option<Seconds>,
    default: Seconds,
    (least, most): (Seconds, Seconds),
) -> Result<Seconds, FieldError> {
    match asked.unwrap_or(default) {
        length if length < least || length > most => {
            Err(FieldError::new(field, format!("must be from {least} to {most}, not {length}")))
        }
        length => Ok(length),
    }
}

/// A name that is typed on command lines and stands in paths.
pub(in crate::exchange) fn plain_name(field: &str, text: &str) -> Result<(), FieldError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) && text != "." && text != ".." {
        return Ok(());
    }
    Err(FieldError::new(field, "must be 1 to 64 letters, digits, dots, hyphens and underscores"))
}

/// The name of a gem, as rubygems.org takes it: one, and no pattern.
fn gem_name(field: &str, text: &str) -> Result<(), FieldError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if text.len() <= 255 && text.chars().all(plain) && text.chars().any(|character| character.is_ascii_alphabetic()) {
        return Ok(());
    }
    Err(FieldError::new(field, format!("{text:?} is no gem's name: letters, digits, dots, hyphens and underscores")))
}

/// Text on one line.
fn line(field: &str, text: &str, longest: usize) -> Result<(), FieldError> {
    if !text.trim().is_empty() && text.len() <= longest && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(FieldError::new(field, format!("must be text of 1 to {longest} bytes on one line")))
}

/// Scopes as RFC 6749 §3.3 spells them, each once.
fn scopes(field: &str, scopes: &[String]) -> Result<(), FieldError> {
    let token = |text: &String| {
        !text.is_empty()
            && text.len() <= 128
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    if let Some(wrong) = scopes.iter().find(|scope| !token(scope)) {
        return Err(FieldError::new(field, format!("{wrong:?} is no scope: printable characters but \" and \\")));
    }
    if scopes.iter().enumerate().any(|(at, scope)| scopes.iter().take(at).any(|other| other == scope)) {
        return Err(FieldError::new(field, "must be unique"));
    }
    if scopes.len() > 64 {
        return Err(FieldError::new(field, "must hold at most 64 scopes"));
    }
    Ok(())
}

/// Globs of package names; `*` alone covers every name.
fn packages(field: &str, globs: Option<Vec<String>>) -> Result<Vec<String>, FieldError> {
    let globs = globs.unwrap_or_else(|| vec!["*".to_owned()]);
    if globs.is_empty() {
        return Err(FieldError::new(field, "must hold one at least; left out, it is every package"));
    }
    for glob in &globs {
        line(field, glob, 255)?;
    }
    if globs.len() > 64 {
        return Err(FieldError::new(field, "must hold at most 64 globs"));
    }
    Ok(globs)
}
