//! An ID token's claims, written straight into the serialiser: this is the hot path.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::fields::{FieldSource, FieldValue, flag_text};
use super::{Audiences, Build, BuildStep, ExtraClaims, Presets};
use crate::base::{BuildId, Jti, Moment, Seconds};

/// The largest token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Time that `nbf` lies before `iat`, so that a verifier with a slow clock accepts a fresh token.
const BACKDATED: Seconds = Seconds::new(5);

/// Claims that every token has.
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"];

/// When a token holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it was issued.
    pub iat: Moment,
    /// From when it holds.
    pub nbf: Moment,
    /// Until when it holds.
    pub exp: Moment,
}

impl Window {
    /// The window of a token that is issued now.
    #[must_use]
    pub fn new(now: Moment, lifetime: Seconds) -> Self {
        Self::until(now, now + lifetime)
    }

    /// Returns the window of a token issued at `now` that expires at `exp`.
    #[must_use]
    pub fn until(now: Moment, exp: Moment) -> Self {
        Self { iat: now, nbf: now - BACKDATED, exp }
    }
}

/// The claims of one token. Serialises to its payload.
#[derive(Debug, Clone)]
pub struct IdToken<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `sub`.
    pub subject: String,
    /// `aud`.
    pub audiences: &'a Audiences,
    /// `iat`, `nbf`, `exp`.
    pub window: Window,
    /// `jti`; none in a preview.
    pub jti: Option<Jti>,
    /// Our id of the build.
    pub build_id: BuildId,
    /// The build.
    pub build: &'a Build,
    /// The step, where the token is a step's.
    pub step: Option<&'a BuildStep>,
    /// Under which names claims appear.
    pub presets: &'a Presets,
    /// The operator's own claims.
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

/// The three largest claims of a payload and their sizes in bytes, largest first.
#[must_use]
pub fn largest_claims(payload: &[u8]) -> Vec<(String, usize)> {
    let claims: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(payload).unwrap_or_default();
    let mut sizes: Vec<_> = claims.into_iter().map(|(name, value)| (name, value.to_string().len())).collect();
    sizes.sort_by(|(a, size_a), (b, size_b)| size_b.cmp(size_a).then_with(|| a.cmp(b)));
    sizes.truncate(3);
    sizes
}

/// The names of every claim that a token may have, for discovery.
#[must_use]
pub fn claims_supported(presets: &Presets, extra: &ExtraClaims) -> Vec<String> {
    let mut names: Vec<String> = REGISTERED.into_iter().chain(presets.all_names()).map(str::to_owned).collect();
    names.extend(extra.names().map(str::to_owned));
    names
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
