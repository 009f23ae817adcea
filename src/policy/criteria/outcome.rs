//! The outcome of evaluating criteria, and the comparisons that all kinds share. Never decides which mismatches the
//! holder of a token may read: each kind says so.

use serde_json::{Map, Value};

use crate::base::Moment;

/// Ids of a repository and its owner that a token's first use pins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// Id of the owner, namespace or organisation.
    pub owner_id: Option<String>,
    /// Id of the repository or project.
    pub repository_id: Option<String>,
}

impl Pins {
    /// Turns the ids into a match, if none is missing from the criteria or the missing ones may still be pinned.
    ///
    /// # Errors
    /// [`Unmatched`] if ids are missing from the criteria and `pin_until` has passed.
    pub fn into_match(self, policy: &str, pin_until: Option<Moment>, now: Moment) -> Result<Matched, Unmatched> {
        if self == Self::default() {
            return Ok(Matched { pins: None });
        }
        if pin_until.is_some_and(|until| now < until) {
            return Ok(Matched { pins: Some(self) });
        }
        let text = format!(
            "The policy '{policy}' has expired. Sign in and renew the trust policy on the Trusted Publishing page."
        );
        Err(Unmatched::disclosed("ids", "ids pinned within 7 days", "none", text))
    }
}

/// A token that matches the criteria.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// Ids that the redemption must pin in its own transaction.
    pub pins: Option<Pins>,
}

/// A token that does not match the criteria.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// Name of the claim that differs.
    pub claim: String,
    /// Value that the criteria require.
    pub expected: String,
    /// Value of the token's claim.
    pub actual: String,
    /// Text for the holder of the token. `None` if it would disclose what exists.
    pub disclosed: Option<String>,
}

impl Unmatched {
    /// A mismatch that only the operator may read.
    pub(super) fn undisclosed(claim: &str, expected: &str, actual: &str) -> Self {
        Self { claim: claim.to_owned(), expected: expected.to_owned(), actual: actual.to_owned(), disclosed: None }
    }

    /// A mismatch that the holder may read as `text`.
    pub(super) fn disclosed(claim: &str, expected: &str, actual: &str, text: String) -> Self {
        Self { disclosed: Some(text), ..Self::undisclosed(claim, expected, actual) }
    }

    /// A missing claim that every token of the kind must have.
    pub(super) fn missing(claim: &str) -> Self {
        let text = format!("The JSON Web Token is missing the required claim '{claim}'.");
        Self::disclosed(claim, "a string", "absent", text)
    }

    /// An environment that differs from that of the policy.
    pub(super) fn environment(policy: &str, expected: &str, actual: Option<&str>) -> Self {
        let actual = actual.unwrap_or_default();
        let text = format!("Environment mismatch for policy '{policy}': expected '{expected}', actual '{actual}'");
        Self::disclosed("environment", expected, actual, text)
    }
}

/// A claim that must be a non-empty string.
pub(super) fn required<'a>(claims: &'a Map<String, Value>, claim: &str) -> Result<&'a str, Unmatched> {
    text(claims, claim).ok_or_else(|| Unmatched::missing(claim))
}

/// A claim that is a non-empty string.
pub(super) fn text<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a str> {
    claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Compares names without regard to case.
pub(super) fn same_name(claim: &str, expected: &str, actual: &str) -> Result<(), Unmatched> {
    if expected.to_lowercase() == actual.to_lowercase() {
        return Ok(());
    }
    Err(Unmatched::undisclosed(claim, expected, actual))
}

/// Compares ids exactly. Returns the id to pin if the criteria have none yet.
pub(super) fn same_id(claim: &str, expected: Option<&str>, actual: &str) -> Result<Option<String>, Unmatched> {
    match expected {
        None => Ok(Some(actual.to_owned())),
        Some(expected) if expected == actual => Ok(None),
        Some(expected) => Err(Unmatched::undisclosed(claim, expected, actual)),
    }
}
