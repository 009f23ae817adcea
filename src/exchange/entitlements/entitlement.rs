//! Stored entitlements of all kinds, each compiled on first use. An entitlement that cannot be compiled must accept no
//! token.

use std::sync::{Arc, OnceLock};

use super::grant::CompiledGrant;
use super::publisher::CompiledPublisher;
use super::role::CompiledRole;
use super::trust_policy::CompiledTrustPolicy;
use crate::base::FieldError;
use crate::exchange::refusal::ExchangeRefusal;
use crate::store::{EntitlementKind, EntitlementRow};
use crate::verifier::Provider;

/// An entitlement with checked fields and compiled conditions, of one of four kinds.
pub enum Compiled {
    /// A grant of the token endpoint or of forward authentication.
    Grant(CompiledGrant),
    /// A trusted publisher of RubyGems.
    Publisher(CompiledPublisher),
    /// An API key role of RubyGems.
    Role(CompiledRole),
    /// A trust policy of NuGet.
    TrustPolicy(CompiledTrustPolicy),
}

impl Compiled {
    /// Compiles the spec of an entitlement of this kind, for tokens that `provider` verifies.
    ///
    /// # Errors
    /// [`FieldError`] names the first invalid field of the spec.
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

    /// Returns the audiences that the entitlement names. Only flows for this kind of entitlement accept tokens for
    /// these audiences.
    pub(in crate::exchange) fn audiences(&self) -> Vec<&str> {
        match self {
            Self::Grant(grant) => vec![&grant.spec.audience],
            Self::Role(role) => role.statements.every_audience().collect(),
            Self::Publisher(_) | Self::TrustPolicy(_) => Vec::new(),
        }
    }

    /// Whether the entitlement accepts tokens of untrusted builds of our own issuer.
    pub(in crate::exchange) fn allows_untrusted(&self) -> bool {
        match self {
            Self::Grant(grant) => grant.spec.allow_untrusted,
            Self::Publisher(publisher) => publisher.spec.allow_untrusted,
            Self::Role(role) => role.spec.allow_untrusted,
            Self::TrustPolicy(policy) => policy.spec.allow_untrusted,
        }
    }

    /// Returns the user of the entitlement; grants have none.
    pub(in crate::exchange) fn user(&self) -> Option<&str> {
        match self {
            Self::Grant(_) => None,
            Self::Publisher(publisher) => Some(&publisher.spec.user),
            Self::Role(role) => Some(&role.spec.user),
            Self::TrustPolicy(policy) => Some(&policy.spec.user),
        }
    }

    /// Whether the entitlement's criteria name a repository or owner without its id. The first accepted token then
    /// determines the id, which later tokens must have.
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

/// A stored entitlement: its row, and its compiled form once the entitlement has been used.
pub(in crate::exchange) struct Entitlement {
    pub(in crate::exchange) row: EntitlementRow,
    compiled: OnceLock<Result<Compiled, FieldError>>,
}

/// A stored entitlement, shared by snapshots of the rules and by requests.
pub(in crate::exchange) type SharedEntitlement = Arc<Entitlement>;

impl Entitlement {
    pub(in crate::exchange) fn new(row: EntitlementRow) -> Self {
        Self { row, compiled: OnceLock::new() }
    }

    /// Returns the compiled entitlement, and compiles the spec on first use. `provider` is the entitlement's provider.
    pub(in crate::exchange) fn compiled(&self, provider: &Provider) -> Result<&Compiled, &FieldError> {
        self.compiled.get_or_init(|| Compiled::read(self.row.kind, &self.row.spec, provider)).as_ref()
    }

    /// Returns the compiled entitlement. If the stored spec is invalid, logs this for the operator and refuses the
    /// request.
    pub(in crate::exchange) fn usable(&self, provider: &Provider) -> Result<&Compiled, ExchangeRefusal> {
        self.compiled(provider).map_err(|error| {
            let name = self.row.name.clone();
            tracing::error!(kind = %self.row.kind, name, %error, "stored entitlement is invalid: it accepts no token");
            ExchangeRefusal::Broken { name, problem: error.to_string() }
        })
    }
}
