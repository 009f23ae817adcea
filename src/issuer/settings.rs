//! What an operator decided about tokens, as the configuration says it.

use crate::base::Seconds;
use crate::claims::{ExtraClaims, Presets, SubjectFormat};
use crate::policy::IssuancePolicy;

/// What an operator decided about tokens.
#[derive(Debug)]
pub struct IssuerSettings {
    /// Lifetime of a token that asks for none.
    pub default_lifetime: Seconds,
    /// Cap of every lifetime.
    pub max_lifetime: Seconds,
    /// Cap of a build's own deadline.
    pub max_build: Seconds,
    /// How many tokens a build may have; `None` for no limit.
    pub tokens_per_build: Option<u64>,
    /// How a subject is written.
    pub subject: SubjectFormat,
    /// Under which names claims appear.
    pub presets: Presets,
    /// Claims made from templates.
    pub extra: ExtraClaims,
    /// Who gets which audience.
    pub policy: IssuancePolicy,
    /// Is the exchange open, so that the documents name it?
    pub exchange: bool,
}
