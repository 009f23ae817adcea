//! Interface by which the issuer verifies providers' tokens that authenticate clients; `src/app` implements the
//! interface. A token of our own issuer never authenticates a client.

use crate::store::StoreError;
use crate::verifier::{Requirements, TokenRefusal, VerifiedToken};

/// Verifier of providers' tokens that clients without a secret send. An implementation must never accept a token of our
/// own issuer.
#[async_trait::async_trait]
pub(crate) trait TokenVerifier: Send + Sync + 'static {
    /// Verifies a token with each current provider that has the token's issuer. Returns one verified token for each
    /// provider that accepts the token.
    ///
    /// # Errors
    /// [`StoreError`] if the providers cannot be read. The inner error if no provider accepts the token: of all
    /// rejections, the one that came after the most passed checks.
    async fn verify(
        &self,
        token: &str,
        requirements: &Requirements<'_>,
    ) -> Result<Result<Vec<VerifiedToken>, TokenRefusal>, StoreError>;
}
