//! The issuer's part of the configuration, checked and compiled.

use crate::base::Seconds;
use crate::claims::{ExtraClaims, Presets, SubjectFormat};
use crate::policy::IssuancePolicy;

/// The operator's settings for ID tokens.
#[derive(Debug)]
pub(crate) struct IssuerSettings {
    /// Lifetime of a token if its request names none.
    pub(crate) default_lifetime: Seconds,
    /// Maximum lifetime of a token.
    pub(crate) max_lifetime: Seconds,
    /// Maximum time from the registration of a build to its deadline.
    pub(crate) max_build: Seconds,
    /// Maximum number of tokens of one build. `None` if unlimited.
    pub(crate) tokens_per_build: Option<u64>,
    pub(crate) subject: SubjectFormat,
    /// Names under which claims appear.
    pub(crate) presets: Presets,
    /// Claims rendered from templates.
    pub(crate) extra: ExtraClaims,
    pub(crate) policy: IssuancePolicy,
    /// Whether the exchange is enabled, so that the documents list its endpoints.
    pub(crate) exchange: bool,
}
