//! The outcome of evaluating criteria on a token, and the comparisons that all criteria share. Never decides which
//! mismatches a client may read: the criteria of each provider kind do.

use serde_json::{Map, Value};

use crate::base::Moment;

/// Ids of a repository and of its owner that the first matching token determines, and that later tokens must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// Id of the owner, namespace or organisation that the token names; `None` if the operator wrote an id.
    pub owner_id: Option<String>,
    /// Id of the repository or project that the token names; `None` if the operator wrote an id.
    pub repository_id: Option<String>,
}

impl Pins {
    /// Returns a match if the criteria have all ids, or if a token may still determine missing ids at `now`.
    ///
    /// # Errors
    /// [`Unmatched`] if the criteria lack ids and the time `pin_until` has passed.
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

/// Outcome for a token that matches the criteria.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// Ids to store with the criteria, in the transaction that records the exchange; `None` if no id was missing.
    pub pins: Option<Pins>,
}

/// Outcome for a token that does not match the criteria: the first mismatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// Name of the claim that does not match.
    pub claim: String,
    /// Value of the claim that the criteria require.
    pub expected: String,
    /// Value of the claim in the token.
    pub actual: String,
    /// Text that the client with the token may read; `None` if only operators may read about the mismatch.
    pub disclosed: Option<String>,
}

impl Unmatched {
    /// Creates a mismatch that only operators may read.
    pub(super) fn undisclosed(claim: &str, expected: &str, actual: &str) -> Self {
        Self { claim: claim.to_owned(), expected: expected.to_owned(), actual: actual.to_owned(), disclosed: None }
    }

    /// Creates a mismatch that the client with the token may read as `text`.
    pub(super) fn disclosed(claim: &str, expected: &str, actual: &str, text: String) -> Self {
        Self { disclosed: Some(text), ..Self::undisclosed(claim, expected, actual) }
    }

    /// Creates the mismatch for a missing claim, which every token of this kind of provider must have.
    pub(super) fn missing(claim: &str) -> Self {
        let text = format!("The JSON Web Token is missing the required claim '{claim}'.");
        Self::disclosed(claim, "a string", "absent", text)
    }

    /// Creates the mismatch for a token whose environment is not the environment that the policy requires.
    pub(super) fn environment(policy: &str, expected: &str, actual: Option<&str>) -> Self {
        let actual = actual.unwrap_or_default();
        let text = format!("Environment mismatch for policy '{policy}': expected '{expected}', actual '{actual}'");
        Self::disclosed("environment", expected, actual, text)
    }
}

/// Returns the value of a claim that must be a non-empty string.
pub(super) fn required<'a>(claims: &'a Map<String, Value>, claim: &str) -> Result<&'a str, Unmatched> {
    text(claims, claim).ok_or_else(|| Unmatched::missing(claim))
}

/// Returns the value of a claim if the claim is a non-empty string.
pub(super) fn text<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a str> {
    claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Compares two names without regard to upper and lower case.
pub(super) fn same_name(claim: &str, expected: &str, actual: &str) -> Result<(), Unmatched> {
    if expected.to_lowercase() == actual.to_lowercase() {
        return Ok(());
    }
    Err(Unmatched::undisclosed(claim, expected, actual))
}

/// Compares two ids exactly. If the criteria have no id, returns the token's id, which later tokens must have.
pub(super) fn same_id(claim: &str, expected: Option<&str>, actual: &str) -> Result<Option<String>, Unmatched> {
    match expected {
        None => Ok(Some(actual.to_owned())),
        Some(expected) if expected == actual => Ok(None),
        Some(expected) => Err(Unmatched::undisclosed(claim, expected, actual)),
    }
}
