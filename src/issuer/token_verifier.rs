//! The verifier of client tokens, as the issuer needs it; `app` supplies it.

use crate::store::StoreError;
use crate::verifier::{Requirements, TokenRefusal, VerifiedToken};

/// Who verifies the tokens of clients without a secret, by the providers that stand. Never takes one of our own.
#[async_trait::async_trait]
pub trait TokenVerifier: Send + Sync + 'static {
    /// The token as each provider of its issuer took it that finds it good, and what the door demands.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error as the provider's verifier says that got furthest, where none took it.
    async fn verify(
        &self,
        token: &str,
        requirements: &Requirements<'_>,
    ) -> Result<Result<Vec<VerifiedToken>, TokenRefusal>, StoreError>;
}
