//! Writes the claims of an ID token directly into the serialiser. Never builds a map of claims first, which would slow
//! down every issued token.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::audience::Audiences;
use super::build::{Build, BuildStep};
use super::extra::ExtraClaims;
use super::fields::{FieldSource, FieldValue, flag_text};
use super::presets::Presets;
use crate::base::{BuildId, Jti, Moment, Seconds};

/// Maximum size of an ID token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Time by which `nbf` precedes `iat`, so that a verifier with a slow clock accepts a fresh token.
const BACKDATED: Seconds = Seconds::new(5);

/// Names of the claims that every ID token has.
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"];

/// The times of a token: when the token is issued, from when it is valid, and when it expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Time at which the token is issued.
    pub iat: Moment,
    /// Time from which the token is valid.
    pub nbf: Moment,
    /// Time at which the token expires.
    pub exp: Moment,
}

impl Window {
    /// Creates the times of a token that is issued at `now` and valid for `lifetime`.
    #[must_use]
    pub fn new(now: Moment, lifetime: Seconds) -> Self {
        Self::until(now, now + lifetime)
    }

    /// Creates the times of a token that is issued at `now` and expires at `exp`.
    #[must_use]
    pub fn until(now: Moment, exp: Moment) -> Self {
        Self { iat: now, nbf: now - BACKDATED, exp }
    }
}

/// The claims of one ID token. Serialises to the token's payload.
#[derive(Debug, Clone)]
pub struct IdToken<'a> {
    /// Issuer of the token: the value of `iss`.
    pub issuer: &'a str,
    /// Subject of the token: the value of `sub`.
    pub subject: String,
    /// Audiences of the token: the values of `aud`.
    pub audiences: &'a Audiences,
    /// Times of the token: the values of `iat`, `nbf` and `exp`.
    pub window: Window,
    /// Unique id of the token: the value of `jti`; `None` in a preview.
    pub jti: Option<Jti>,
    /// Id that this issuer gave the build.
    pub build_id: BuildId,
    /// Build that the token describes.
    pub build: &'a Build,
    /// Step that the token describes, if the token belongs to a step.
    pub step: Option<&'a BuildStep>,
    /// Presets that give the claims their names.
    pub presets: &'a Presets,
    /// Extra claims of the token, which the operator configured.
    pub extra: &'a ExtraClaims,
}

impl Serialize for IdToken<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iss", self.issuer)?;
        map.serialize_entry("sub", &self.subject)?;
        map.serialize_entry("aud", self.audiences)?;
        map.serialize_entry("exp", &self.window.exp.unix())?;
        map.serialize_entry("iat", &self.window.iat.unix())?;
        map.serialize_entry("nbf", &self.window.nbf.unix())?;
        if let Some(jti) = &self.jti {
            map.serialize_entry("jti", jti)?;
        }
        let source = FieldSource { build: self.build, step: self.step, build_id: Some(self.build_id) };
        self.presets.each(&source, |name, value| match value {
            FieldValue::Flag(flag) => map.serialize_entry(name, flag_text(*flag)),
            FieldValue::Properties(properties) => map.serialize_entry(name, properties),
            FieldValue::Text(text) => map.serialize_entry(name, text),
        })?;
        self.extra.each(self.build, self.step, |name, value| map.serialize_entry(name, value))?;
        map.end()
    }
}

/// Returns the three largest claims of a payload with their sizes in bytes, largest first.
#[must_use]
pub fn largest_claims(payload: &[u8]) -> Vec<(String, usize)> {
    let claims: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(payload).unwrap_or_default();
    let mut sizes: Vec<_> = claims.into_iter().map(|(name, value)| (name, value.to_string().len())).collect();
    sizes.sort_by(|(a, size_a), (b, size_b)| size_b.cmp(size_a).then_with(|| a.cmp(b)));
    sizes.truncate(3);
    sizes
}

/// Returns the names of all claims that a token may have, for the discovery document.
#[must_use]
pub fn claims_supported(presets: &Presets, extra: &ExtraClaims) -> Vec<String> {
    let mut names: Vec<String> = REGISTERED.into_iter().chain(presets.all_names()).map(str::to_owned).collect();
    names.extend(extra.names().map(str::to_owned));
    names
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
