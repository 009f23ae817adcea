//! Authenticates clients of the API, by secret or by a provider's token, and the worker of a build, by worker token. An
//! answer never reveals whether a client is unknown or its secret is wrong.

use super::issuer::Issuer;
use super::refusal::{IssueError, IssueRefusal, NotIssued};
use crate::base::{BuildId, ClientId, Secret, Sha256};
use crate::policy::{Client, ClientIdentity, Scope};
use crate::store::{TokenBearer, TokenKind};
use crate::verifier::{self, Requirements};

/// Credential with which a client calls the API, not verified yet.
#[derive(Debug, Clone)]
pub(crate) enum ClientCredential {
    /// Id and secret of the client, sent by HTTP Basic (RFC 7617).
    Secret { id: ClientId, secret: Secret<String> },
    /// Token of a provider, sent as a bearer token (RFC 6750) by a client without a secret.
    Token(Secret<String>),
}

/// Credential of a client or worker that wants to create or revoke the step tokens of a build, not verified yet.
#[derive(Debug, Clone)]
pub(crate) enum TokenCaller {
    /// Credential of the client that registered the build.
    Client(ClientCredential),
    /// Worker token of the worker that runs the build.
    Worker(Secret<String>),
}

impl Issuer {
    /// Authenticates a client, counts one request towards the client's rate, and requires that the client has `scope`.
    ///
    /// # Errors
    /// [`NotIssued`] if the client is not authenticated, exceeds its rate or lacks the scope, or if the server fails.
    pub(crate) async fn client(&self, credential: &ClientCredential, scope: Scope) -> Result<Client, NotIssued> {
        let client = match credential {
            ClientCredential::Secret { id, secret } => self.client_by_secret(id, secret).await?,
            ClientCredential::Token(token) => self.client_by_token(token).await?,
        };
        self.rates.count_client(&client.id)?;
        if !client.has(scope) {
            return Err(IssueRefusal::ForbiddenScope(scope).into());
        }
        Ok(client)
    }

    async fn client_by_secret(&self, id: &ClientId, secret: &Secret<String>) -> Result<Client, NotIssued> {
        let now = self.parts.clock.now();
        let presented = secret.digest();
        let stored = self.parts.store.find_client(&self.id, id).await?;
        // An unknown id costs one comparison too, so that the time of the answer does not reveal which ids exist.
        let current = stored.as_ref().map_or_else(|| Sha256::of(b""), |stored| stored.secret.current);
        let previous = stored.as_ref().and_then(|stored| stored.secret.previous);
        let matches = current == presented;
        let matches_previous = previous.is_some_and(|(digest, until)| until > now && digest == presented);
        match stored.map(|stored| stored.client) {
            // A client that a provider's tokens identify has a stored secret that was never shown, and must not
            // authenticate by secret.
            Some(client)
                if (matches || matches_previous) && client.disabled_at.is_none() && client.identity.is_none() =>
            {
                Ok(client)
            }
            _ => Err(IssueRefusal::Unauthenticated.into()),
        }
    }

    /// Authenticates a client by a provider's token. The token's only audience must be our API. The token is not used
    /// up, since a CI server sends the same token with each request.
    async fn client_by_token(&self, token: &Secret<String>) -> Result<Client, NotIssued> {
        let audience = self.paths.api_audience();
        let requirements =
            Requirements { audience: Some(&audience), instead_of_providers: true, ..Requirements::default() };
        let accepted = match self.parts.token_verifier.verify(token.expose_secret(), &requirements).await? {
            Ok(accepted) => accepted,
            Err(verifier::TokenRefusal::KeysUnavailable { reason, retry_after }) => {
                return Err(IssueError::ProviderKeys { reason, retry_after }.into());
            }
            Err(refusal) => {
                tracing::debug!(reason = refusal.reason(), %refusal, "rejected the token of a client");
                return Err(IssueRefusal::Unauthenticated.into());
            }
        };
        // A client belongs to one provider, but several providers may have the same issuer.
        for verified in &accepted {
            let Some(subject) = verified.claims().subject() else { continue };
            let provider = verified.provider_name().to_owned();
            let identity = ClientIdentity { provider, subject: subject.to_owned() };
            if let Some(client) = self.parts.store.identify_client(&self.id, &identity).await?
                && client.disabled_at.is_none()
            {
                return Ok(client);
            }
        }
        Err(IssueRefusal::Unauthenticated.into())
    }

    /// Authenticates the worker of a running build by worker token. A token of another build, or a request token,
    /// counts as unknown.
    pub(super) async fn worker(&self, build: BuildId, token: &Secret<String>) -> Result<TokenBearer, NotIssued> {
        let now = self.parts.clock.now();
        let bearer = self.parts.store.find_bearer(&self.id, token.digest()).await?;
        match bearer {
            Some(bearer)
                if bearer.token.kind == TokenKind::Worker && bearer.build.id == build && bearer.is_active(now) =>
            {
                self.rates.count_token(bearer.token.id)?;
                Ok(bearer)
            }
            _ => Err(IssueRefusal::Unauthenticated.into()),
        }
    }
}
