//! Checks and compiles trust policies of NuGet. A policy's criteria decide on a token, and the exchange issues a key of
//! the package owner.

use super::fields::{lifetime, line, packages};
use crate::base::{FieldError, Seconds};
use crate::exchange::spec::TrustPolicySpec;
use crate::policy::Criteria;
use crate::verifier::Provider;

/// Scopes of API keys at a NuGet feed. A trust policy may name any of them.
const SCOPES: [&str; 5] = ["package:pushversion", "package:push", "package:unlist", "package:verify", "all"];

/// Minimum and maximum of `valid_for`, the lifetime of a trust policy's keys.
const LIFETIMES: (Seconds, Seconds) = (Seconds::new(1), Seconds::new(3_600));
/// Default of `valid_for`.
const LIFETIME: Seconds = Seconds::new(900);

/// A trust policy with checked fields and compiled criteria, ready to decide on tokens.
pub struct CompiledTrustPolicy {
    pub(in crate::exchange) spec: TrustPolicySpec,
    pub(in crate::exchange) criteria: Criteria,
    pub(in crate::exchange) packages: Vec<String>,
    pub(in crate::exchange) scopes: Vec<String>,
    pub(in crate::exchange) valid_for: Seconds,
}

impl CompiledTrustPolicy {
    pub(super) fn new(mut spec: TrustPolicySpec, provider: &Provider) -> Result<Self, FieldError> {
        line("name", &spec.name, 64)?;
        line("owner", &spec.owner, 64)?;
        let own = provider.is_own_issuer() && spec.kind == "vela";
        if spec.kind != provider.kind() && !own {
            let problem =
                format!("is {:?}, but the provider {} is of kind {}", spec.kind, provider.name(), provider.kind());
            return Err(FieldError::new("kind", problem));
        }
        let criteria = Criteria::read(provider.kind(), &spec.criteria).map_err(|error| match error.field.as_str() {
            "kind" => error,
            field => FieldError::new(format!("criteria.{field}"), error.problem),
        })?;
        let globs = packages("packages", spec.packages.take())?;
        let plain = |glob: &String| glob.chars().all(|c| c.is_alphanumeric() || matches!(c, '*' | '_' | '.' | '-'));
        if let Some(wrong) = globs.iter().find(|glob| !plain(glob)) {
            let problem = format!("{wrong:?} is not a glob: it may have only letters, digits, *, _, . and -");
            return Err(FieldError::new("packages", problem));
        }
        let scopes = spec.scopes.take().unwrap_or_else(|| vec!["all".to_owned()]);
        if scopes.is_empty() {
            return Err(FieldError::new("scopes", "must hold at least one scope; leave the field out for every scope"));
        }
        if let Some(unknown) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
            let problem = format!("unknown scope {unknown}; must be one of {}", SCOPES.join(", "));
            return Err(FieldError::new("scopes", problem));
        }
        let valid_for = lifetime("valid_for", spec.valid_for, LIFETIME, LIFETIMES)?;
        Ok(Self { criteria, packages: globs, scopes, valid_for, spec })
    }
}
