//! Checks and compiles grants, the entitlements of the token endpoint and of forward authentication. A grant's
//! condition decides on a token, and the exchange issues a key or an access token.

use serde_json::{Map, Value};

use super::fields::{lifetime, line, packages, plain_name, scopes};
use crate::base::{FieldError, Seconds};
use crate::exchange::spec::{GivenToken, GrantSpec};
use crate::policy::GrantCondition;

/// Minimum and maximum of `valid_for`, the lifetime of a grant's credentials.
const LIFETIMES: (Seconds, Seconds) = (Seconds::new(1), Seconds::new(86_400));
/// Default of `valid_for`.
const LIFETIME: Seconds = Seconds::new(1_800);

/// Maximum length of the user name that forward authentication sends to a store, in bytes.
const USER_BYTES: usize = 255;

/// A grant with checked fields and a compiled condition, ready to decide on tokens.
pub struct CompiledGrant {
    pub(in crate::exchange) spec: GrantSpec,
    pub(in crate::exchange) condition: GrantCondition,
    pub(in crate::exchange) packages: Vec<String>,
    pub(in crate::exchange) valid_for: Seconds,
}

impl CompiledGrant {
    pub(super) fn new(mut spec: GrantSpec) -> Result<Self, FieldError> {
        plain_name("name", &spec.name)?;
        line("audience", &spec.audience, 1_024)?;
        scopes("scopes", &spec.scopes)?;
        let globs = packages("packages", spec.packages.take())?;
        let valid_for = lifetime("valid_for", spec.valid_for, LIFETIME, LIFETIMES)?;
        let condition = GrantCondition::new(spec.when.as_deref())?;
        if let Some(user) = &spec.user {
            line("user", user, USER_BYTES)?;
            parts(user).ok_or_else(|| FieldError::new("user", "holds an unbalanced { or }: write a claim as {sub}"))?;
        }
        Ok(Self { condition, packages: globs, valid_for, spec })
    }

    /// Whether each subject token can be exchanged by this grant only once.
    pub(in crate::exchange) fn is_single_use(&self) -> bool {
        self.spec.single_use.unwrap_or(true)
    }

    pub(in crate::exchange) fn issues_access_tokens(&self) -> bool {
        self.spec.token == GivenToken::Jwt
    }

    /// Returns the user name for the store behind the proxy: the template `user`, filled with the token's claims.
    /// Returns `None` without a template, or if a claim is missing or not a string, or the user name is too long or has
    /// control characters.
    pub(in crate::exchange) fn user(&self, claims: &Map<String, Value>) -> Option<String> {
        let mut user = String::new();
        for part in parts(self.spec.user.as_deref()?)? {
            match part {
                (literal, None) => user.push_str(literal),
                (literal, Some(claim)) => {
                    user.push_str(literal);
                    user.push_str(claims.get(claim)?.as_str()?);
                }
            }
        }
        (user.len() <= USER_BYTES && !user.chars().any(char::is_control)).then_some(user)
    }
}

/// Splits a template into literal texts, each with the name of the claim that follows the literal. Returns `None` if
/// braces are unbalanced.
fn parts(template: &str) -> Option<Vec<(&str, Option<&str>)>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (literal, tail) = rest.split_at(at);
        let (claim, after) = tail.strip_prefix('{')?.split_once('}')?;
        parts.push((literal, Some(claim)));
        rest = after;
    }
    parts.push((rest, None));
    Some(parts)
}
