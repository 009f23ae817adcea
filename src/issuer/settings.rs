//! The part of the configuration that an issuer uses, checked and compiled. The settings hold no secret.

use crate::base::Seconds;
use crate::claims::{ExtraClaims, Presets, SubjectFormat};
use crate::policy::IssuancePolicy;

/// Configured settings for ID tokens.
#[derive(Debug)]
pub(crate) struct IssuerSettings {
    /// Lifetime of an ID token if the request names no lifetime.
    pub(crate) default_lifetime: Seconds,
    /// Maximum lifetime of an ID token.
    pub(crate) max_lifetime: Seconds,
    /// Maximum time from the registration of a build to its deadline.
    pub(crate) max_build: Seconds,
    /// Maximum number of ID tokens of one build; `None` for no limit.
    pub(crate) tokens_per_build: Option<u64>,
    /// Maximum number of step tokens of one build that are valid at the same time; `None` for no limit.
    pub(crate) step_tokens_per_build: Option<u64>,
    pub(crate) subject: SubjectFormat,
    /// Names under which the claims of a build appear in ID tokens.
    pub(crate) presets: Presets,
    /// Further claims of ID tokens, rendered from configured templates.
    pub(crate) extra: ExtraClaims,
    pub(crate) policy: IssuancePolicy,
    /// Whether the exchange is enabled, so that the documents list its endpoints.
    pub(crate) exchange: bool,
}
