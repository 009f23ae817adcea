//! Entitlements with their terms checked and compiled: what each takes, and what it gives. A row whose terms can't be
//! read gives nothing.

mod grant;
mod publisher;
mod role;
mod trust_policy;

use std::sync::{Arc, OnceLock};

pub(super) use self::grant::GrantTerms;
pub(super) use self::publisher::{PublisherTerms, publisher_name};
pub(super) use self::role::RoleTerms;
pub(super) use self::trust_policy::TrustPolicyTerms;
use crate::base::{FieldError, Seconds};
use crate::store::{EntitlementKind, EntitlementRow};
use crate::verifier::Provider;

/// What an entitlement takes and gives.
pub(super) enum Terms {
    Grant(GrantTerms),
    Publisher(PublisherTerms),
    Role(RoleTerms),
    TrustPolicy(TrustPolicyTerms),
}

impl Terms {
    /// Reads what was written of this kind, for tokens of this provider.
    ///
    /// # Errors
    /// [`FieldError`] names the first field that can't stand.
    pub(super) fn read(kind: EntitlementKind, spec: &str, provider: &Provider) -> Result<Self, FieldError> {
        match kind {
            EntitlementKind::Grant => GrantTerms::new(written(spec)?).map(Self::Grant),
            EntitlementKind::Publisher => PublisherTerms::new(written(spec)?, provider).map(Self::Publisher),
            EntitlementKind::Role => RoleTerms::new(written(spec)?, provider).map(Self::Role),
            EntitlementKind::TrustPolicy => TrustPolicyTerms::new(written(spec)?, provider).map(Self::TrustPolicy),
        }
    }

    /// The audiences that it claims for its kind of door.
    pub(super) fn audiences(&self) -> Vec<&str> {
        match self {
            Self::Grant(grant) => vec![&grant.written.audience],
            Self::Role(role) => role.statements.every_audience().collect(),
            Self::Publisher(_) | Self::TrustPolicy(_) => Vec::new(),
        }
    }

    /// Does it have names whose ids are to be learned?
    pub(super) fn learns(&self) -> bool {
        match self {
            Self::Publisher(publisher) => publisher.criteria.learns(),
            Self::TrustPolicy(policy) => policy.criteria.learns(),
            Self::Grant(_) | Self::Role(_) => false,
        }
    }
}

fn written<T: serde::de::DeserializeOwned>(spec: &str) -> Result<T, FieldError> {
    serde_json::from_str(spec).map_err(|error| FieldError::new("spec", error.to_string()))
}

/// An entitlement as it stands, its terms read when they are first asked for.
pub(super) struct Entitlement {
    pub(super) row: EntitlementRow,
    terms: OnceLock<Result<Terms, FieldError>>,
}

impl Entitlement {
    pub(super) fn new(row: EntitlementRow) -> Self {
        Self { row, terms: OnceLock::new() }
    }

    /// Its terms for tokens of its provider as that stands.
    pub(super) fn terms(&self, provider: &Provider) -> Result<&Terms, &FieldError> {
        self.terms.get_or_init(|| Terms::read(self.row.kind, &self.row.spec, provider)).as_ref()
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
pub(super) fn plain_name(field: &str, text: &str) -> Result<(), FieldError> {
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
