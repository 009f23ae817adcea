//! A trusted publisher of RubyGems: criteria decide, and a key for the gem follows.

use serde_json::Value;

use super::gem_name;
use crate::base::{FieldError, Sha256};
use crate::exchange::spec::PublisherSpec;
use crate::policy::Criteria;
use crate::verifier::Provider;

pub(in crate::exchange) struct CompiledPublisher {
    pub(in crate::exchange) spec: PublisherSpec,
    pub(in crate::exchange) criteria: Criteria,
}

impl CompiledPublisher {
    pub(super) fn new(spec: PublisherSpec, provider: &Provider) -> Result<Self, FieldError> {
        gem_name("gem", &spec.gem)?;
        let criteria = Criteria::read(provider.kind(), &spec.criteria).map_err(|error| match error.field.as_str() {
            "kind" => FieldError::new("provider", "is of a kind that trusted publishers can't have"),
            field => FieldError::new(format!("criteria.{field}"), error.problem),
        })?;
        Ok(Self { spec, criteria })
    }
}

/// What a trusted publisher, which has no name of its own, is called: gem, provider, and a digest of its criteria.
pub(in crate::exchange) fn publisher_name(spec: &PublisherSpec) -> String {
    let criteria = Value::Object(spec.criteria.clone()).to_string();
    let digest = Sha256::of(criteria.as_bytes()).to_string();
    format!("{}@{}/{}", spec.gem, spec.provider, digest.get(..12).unwrap_or_default())
}
