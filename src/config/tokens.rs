//! `[tokens]`: how long tokens live, and what else they say.

use std::collections::BTreeMap;

use super::reader::{Reader, table, text};
use crate::base::Seconds;
use crate::claims::ExtraClaims;

/// A token must be refused after a day everywhere, even where a few seconds are added.
const LONGEST: Seconds = Seconds::new(86_395);

/// How long tokens live, and what else they say.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Where the build asks for nothing else.
    pub default_lifetime: Seconds,
    /// The longest that a token may live.
    pub max_lifetime: Seconds,
    /// The longest that a build may run.
    pub max_build: Seconds,
    /// Further claims.
    pub extra_claims: ExtraClaims,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Tokens> {
    let default_lifetime = reader.period("tokens.default_lifetime");
    let max_lifetime = reader.period("tokens.max_lifetime");
    let max_build = reader.period("tokens.max_build");
    let extra_claims = reader.read("tokens.extra_claims", |value| {
        let fields = table(value)?.iter().map(|(name, field)| match text(&field.value) {
            Ok(text) => Ok((name.clone(), text.to_owned())),
            Err(problem) => Err(format!("{name}: {problem}")),
        });
        let fields = fields.collect::<Result<BTreeMap<String, String>, String>>()?;
        ExtraClaims::compile(&fields).map_err(|problem| problem.to_string())
    });
    let (default_lifetime, max_lifetime) = (default_lifetime?, max_lifetime?);
    if max_lifetime > LONGEST {
        reader.refuse("tokens.max_lifetime", "must be at most 86395s, five seconds less than a day");
    }
    if default_lifetime > max_lifetime {
        let problem = format!("{default_lifetime} is longer than tokens.max_lifetime, {max_lifetime}");
        reader.refuse("tokens.default_lifetime", &problem);
    }
    Some(Tokens { default_lifetime, max_lifetime, max_build: max_build?, extra_claims: extra_claims? })
}
