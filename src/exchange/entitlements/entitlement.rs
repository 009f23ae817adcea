//! A stored entitlement of any kind, compiled when it is first used. One that cannot be compiled accepts no token.

use std::sync::{Arc, OnceLock};

use super::grant::CompiledGrant;
use super::publisher::CompiledPublisher;
use super::role::CompiledRole;
use super::trust_policy::CompiledTrustPolicy;
use crate::base::FieldError;
use crate::exchange::refusal::ExchangeRefusal;
use crate::store::{EntitlementKind, EntitlementRow};
use crate::verifier::Provider;

/// A compiled entitlement.
pub enum Compiled {
    /// Grant of the token endpoint or of forward auth.
    Grant(CompiledGrant),
    /// A trusted publisher.
    Publisher(CompiledPublisher),
    /// RubyGems API-key role.
    Role(CompiledRole),
    /// A trust policy.
    TrustPolicy(CompiledTrustPolicy),
}

impl Compiled {
    /// Compiles the stored `spec` of this kind for tokens of `provider`.
    ///
    /// # Errors
    /// [`FieldError`] names the first field that is wrong.
    pub(in crate::exchange) fn read(
        kind: EntitlementKind,
        spec: &str,
        provider: &Provider,
    ) -> Result<Self, FieldError> {
        match kind {
            EntitlementKind::Grant => CompiledGrant::new(parse(spec)?).map(Self::Grant),
            EntitlementKind::Publisher => CompiledPublisher::new(parse(spec)?, provider).map(Self::Publisher),
            EntitlementKind::Role => CompiledRole::new(parse(spec)?, provider).map(Self::Role),
            EntitlementKind::TrustPolicy => CompiledTrustPolicy::new(parse(spec)?, provider).map(Self::TrustPolicy),
        }
    }

    /// Audiences that this entitlement claims for its kind of flow.
    pub(in crate::exchange) fn audiences(&self) -> Vec<&str> {
        match self {
            Self::Grant(grant) => vec![&grant.spec.audience],
            Self::Role(role) => role.statements.every_audience().collect(),
            Self::Publisher(_) | Self::TrustPolicy(_) => Vec::new(),
        }
    }

    /// Whether the entitlement accepts tokens of our own untrusted builds.
    pub(in crate::exchange) fn allows_untrusted(&self) -> bool {
        match self {
            Self::Grant(grant) => grant.spec.allow_untrusted,
            Self::Publisher(publisher) => publisher.spec.allow_untrusted,
            Self::Role(role) => role.spec.allow_untrusted,
            Self::TrustPolicy(policy) => policy.spec.allow_untrusted,
        }
    }

    /// Whether its criteria name something without its id, so that the id is pinned on first use.
    pub(in crate::exchange) fn pins_ids(&self) -> bool {
        match self {
            Self::Publisher(publisher) => publisher.criteria.has_unpinned_ids(),
            Self::TrustPolicy(policy) => policy.criteria.has_unpinned_ids(),
            Self::Grant(_) | Self::Role(_) => false,
        }
    }
}

macro_rules! compiled_kinds {
    ($($kind:ident($compiled:ident)),*) => {$(
        impl<'a> TryFrom<&'a Compiled> for &'a $compiled {
            type Error = ();

            fn try_from(compiled: &'a Compiled) -> Result<Self, ()> {
                if let Compiled::$kind(compiled) = compiled { Ok(compiled) } else { Err(()) }
            }
        }
    )*};
}
compiled_kinds!(
    Grant(CompiledGrant),
    Publisher(CompiledPublisher),
    Role(CompiledRole),
    TrustPolicy(CompiledTrustPolicy)
);

fn parse<T: serde::de::DeserializeOwned>(spec: &str) -> Result<T, FieldError> {
    serde_json::from_str(spec).map_err(|error| FieldError::new("spec", error.to_string()))
}

/// A stored entitlement.
pub(in crate::exchange) struct Entitlement {
    pub(in crate::exchange) row: EntitlementRow,
    compiled: OnceLock<Result<Compiled, FieldError>>,
}

/// An entitlement, shared by the snapshots and requests that use it.
pub(in crate::exchange) type SharedEntitlement = Arc<Entitlement>;

impl Entitlement {
    pub(in crate::exchange) fn new(row: EntitlementRow) -> Self {
        Self { row, compiled: OnceLock::new() }
    }

    /// The compiled entitlement, for tokens of its provider.
    pub(in crate::exchange) fn compiled(&self, provider: &Provider) -> Result<&Compiled, &FieldError> {
        self.compiled.get_or_init(|| Compiled::read(self.row.kind, &self.row.spec, provider)).as_ref()
    }

    /// As [`Self::compiled`], for a request: logs an error that an operator must fix.
    pub(in crate::exchange) fn usable(&self, provider: &Provider) -> Result<&Compiled, ExchangeRefusal> {
        self.compiled(provider).map_err(|error| {
            let name = self.row.name.clone();
            tracing::error!(kind = %self.row.kind, name, %error, "stored entitlement is invalid: it accepts no token");
            ExchangeRefusal::Broken { name, problem: error.to_string() }
        })
    }
}
