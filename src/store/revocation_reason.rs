//! The reasons for which credentials are revoked, each with the text that is stored. A released text must never change:
//! rows and downstream servers hold it.

use strum::{Display, IntoStaticStr, VariantArray};

/// Reason for which a credential is revoked, stored as a text in the credential's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, VariantArray)]
pub enum RevocationReason {
    /// The build of the subject token finished.
    #[strum(serialize = "the build finished")]
    BuildFinished,
    /// The client that registered the build of the subject token was disabled.
    #[strum(serialize = "the client of the build was disabled")]
    ClientDisabled,
    /// An operator or a holder revoked the credential itself.
    #[strum(serialize = "the credential was revoked")]
    CredentialRevoked,
    /// The entitlement under which the credential was issued was changed.
    #[strum(serialize = "the entitlement was changed")]
    EntitlementChanged,
    /// The entitlement under which the credential was issued was deleted.
    #[strum(serialize = "the entitlement was deleted")]
    EntitlementDeleted,
    /// The subject token that was redeemed for the credential was revoked.
    #[strum(serialize = "the ID token was revoked")]
    IdTokenRevoked,
    /// The provider that verified the subject token was changed.
    #[strum(serialize = "the provider was changed")]
    ProviderChanged,
    /// The provider that verified the subject token was deleted.
    #[strum(serialize = "the provider was deleted")]
    ProviderDeleted,
    /// Our signing key that signed the credential or the subject token was revoked.
    #[strum(serialize = "the signing key was revoked")]
    SigningKeyRevoked,
    /// The user of the credential was deleted.
    #[strum(serialize = "the user was deleted")]
    UserDeleted,
    /// The user of the credential was disabled.
    #[strum(serialize = "the user was disabled")]
    UserDisabled,
}

impl RevocationReason {
    /// All reasons, sorted by name.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;
}
