//! `[tokens]`: lifetimes and extra claims of the tokens that this server signs.

use std::collections::BTreeMap;

use super::declare::section;
use super::reader::{Reader, period};
use crate::base::{FieldError, Seconds};
use crate::claims::ExtraClaims;

/// Maximum of `tokens.max_lifetime`, five seconds less than a day. Every verifier then rejects a token after a day,
/// even with a few seconds of leeway.
const LONGEST: Seconds = Seconds::new(86_395);

section! {
    /// Lifetimes and extra claims of the tokens that this server signs.
    pub struct Tokens in ("tokens") {
        /// Lifetime of a token if the token request names no lifetime.
        default_lifetime: Seconds = default r#""5m""#, read period;
        /// Maximum lifetime of a token. At most 86395s, five seconds less than a day.
        max_lifetime: Seconds = default r#""1h""#, read lifetime;
        /// Maximum duration of a build. A build that runs longer receives no more tokens.
        max_build: Seconds = default r#""24h""#, read period;
        /// Extra claims of every signed token, by name. The value is a template with fields of the build: `{ team =
        /// "{properties.team}" }`.
        extra_claims: ExtraClaims = default "{}", read extra_claims;
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Tokens> {
    let tokens = Tokens::read_keys(reader)?;
    if tokens.default_lifetime > tokens.max_lifetime {
        let problem =
            format!("{} is longer than tokens.max_lifetime, {}", tokens.default_lifetime, tokens.max_lifetime);
        reader.refuse("tokens.default_lifetime", problem);
    }
    Some(tokens)
}

fn lifetime(length: Seconds) -> Result<Seconds, &'static str> {
    match period(length)? {
        length if length > LONGEST => Err("must be at most 86395s, five seconds less than a day"),
        length => Ok(length),
    }
}

fn extra_claims(claims: BTreeMap<String, String>) -> Result<ExtraClaims, FieldError> {
    ExtraClaims::compile(&claims)
}
