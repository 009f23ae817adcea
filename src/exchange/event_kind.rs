//! The kinds of the events that the exchange records, apart from changes of rules, which [`super::ChangeKind`] names. A
//! released name must never change: operators select stored events by the name.

use strum::{IntoStaticStr, VariantArray};

/// Kind of an event that the exchange records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum EventKind {
    /// A credential was issued for a subject token.
    CredentialCreated,
    /// A credential was revoked by its holder or by an operator.
    CredentialRevoked,
    /// A token with a good signature was refused.
    ExchangeRefused,
    /// A subject token was revoked by its holder.
    IdTokenRevoked,
    /// An entitlement that lacked ids got the ids that our own issuer knows for the named owner and repository.
    IdsPinned,
    /// A client recorded a published version of a package.
    Published,
}

impl EventKind {
    /// All kinds, sorted by name.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// Stable name of the kind, which is stored with events.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}
