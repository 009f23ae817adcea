//! The verifier of client tokens as the issuer needs it; the floor `app` implements it.

use crate::store::StoreError;
use crate::verifier::{Requirements, TokenRefusal, VerifiedToken};

/// Verifier of the tokens that clients without a secret send. Never accepts a token of our own issuer.
#[async_trait::async_trait]
pub(crate) trait TokenVerifier: Send + Sync + 'static {
    /// Verifies a token with each current provider of its issuer. Returns one verified token per provider that accepts it.
    ///
    /// # Errors
    /// [`StoreError`] if the providers cannot be read. The inner error is that of the provider that got furthest.
    async fn verify(
        &self,
        token: &str,
        requirements: &Requirements<'_>,
    ) -> Result<Result<Vec<VerifiedToken>, TokenRefusal>, StoreError>;
}
