//! Checks and compiles trusted publishers of RubyGems. A publisher's criteria decide on a token, and the exchange
//! issues a key for the gem.

use serde_json::Value;

use super::fields::gem_name;
use crate::base::{FieldError, Sha256};
use crate::exchange::spec::PublisherSpec;
use crate::policy::Criteria;
use crate::verifier::Provider;

/// A trusted publisher with checked fields and compiled criteria, ready to decide on tokens.
pub struct CompiledPublisher {
    pub(in crate::exchange) spec: PublisherSpec,
    pub(in crate::exchange) criteria: Criteria,
}

impl CompiledPublisher {
    pub(super) fn new(spec: PublisherSpec, provider: &Provider) -> Result<Self, FieldError> {
        gem_name("gem", &spec.gem)?;
        let criteria = Criteria::read(provider.kind(), &spec.criteria).map_err(|error| match error.field.as_str() {
            "kind" => FieldError::new("provider", "is of a kind that trusted publishers do not support"),
            field => FieldError::new(format!("criteria.{field}"), error.problem),
        })?;
        Ok(Self { spec, criteria })
    }
}

/// Returns the name of a trusted publisher: gem, provider, and a digest of the criteria. Operators give publishers no
/// name.
pub(in crate::exchange) fn publisher_name(spec: &PublisherSpec) -> String {
    let criteria = Value::Object(spec.criteria.clone()).to_string();
    let digest = Sha256::of(criteria.as_bytes()).to_string();
    format!("{}@{}/{}", spec.gem, spec.provider, digest.get(..12).unwrap_or_default())
}
