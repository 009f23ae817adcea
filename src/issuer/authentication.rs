//! Who is calling: a client by its secret or by a provider's token, or the worker of a build by its token.

use super::issuer::Issuer;
use super::refusal::{IssueError, IssueRefusal, NotIssued};
use crate::base::{BuildId, ClientId, Secret, Sha256};
use crate::policy::{Client, ClientIdentity, Scope};
use crate::store::{TokenBearer, TokenKind};
use crate::verifier::{self, Requirements};

/// What a client sent to say who it is.
#[derive(Debug, Clone)]
pub enum ClientCredential {
    /// Its id and secret (RFC 7617).
    Secret {
        /// Its id.
        id: ClientId,
        /// Its secret.
        secret: Secret<String>,
    },
    /// A token of a provider (RFC 6750), of a client that has no secret.
    Token(Secret<String>),
}

/// Who may make and end the step tokens of a build.
#[derive(Debug, Clone)]
pub enum TokenCaller {
    /// The client that registered the build.
    Client(ClientCredential),
    /// The worker that runs it.
    Worker(Secret<String>),
}

impl Issuer {
    /// The client of this credential, if it has this scope; counts one request of its rate.
    ///
    /// # Errors
    /// [`NotIssued`]: not authenticated, scope, rate, or a fault of ours.
    pub async fn client(&self, credential: &ClientCredential, scope: Scope) -> Result<Client, NotIssued> {
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
        let subject_token = secret.digest();
        let stored = self.parts.store.find_client(&self.id, id).await?;
        // An unknown id costs one comparison too.
        let current = stored.as_ref().map_or_else(|| Sha256::of(b""), |stored| stored.secret.current);
        let previous = stored.as_ref().and_then(|stored| stored.secret.previous);
        let matches = current == subject_token;
        let matches_previous = previous.is_some_and(|(digest, until)| until > now && digest == subject_token);
        match stored.map(|stored| stored.client) {
            // The secret in the row of a client that has none was never shown to anybody.
            Some(client)
                if (matches || matches_previous) && client.disabled_at.is_none() && client.identity.is_none() =>
            {
                Ok(client)
            }
            _ => Err(IssueRefusal::Unauthenticated.into()),
        }
    }

    /// A token of a provider for our API alone, whose subject is a client's. Nothing is spent: a CI server sends one
    /// token as often as it calls.
    async fn client_by_token(&self, token: &Secret<String>) -> Result<Client, NotIssued> {
        let audience = self.paths.api_audience();
        let requirements =
            Requirements { audience: Some(&audience), instead_of_providers: true, ..Requirements::default() };
        let taken = match self.parts.judge.verify(token.expose_secret(), &requirements).await? {
            Ok(taken) => taken,
            Err(verifier::TokenRefusal::KeysUnavailable { reason, retry_after }) => {
                return Err(IssueError::ProviderKeys { reason, retry_after }.into());
            }
            Err(refusal) => {
                tracing::debug!(reason = refusal.reason(), %refusal, "a client's token was not taken");
                return Err(IssueRefusal::Unauthenticated.into());
            }
        };
        // A client is of one entry, and two may be of one issuer.
        for verified in &taken {
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

    /// The living worker of this build. A token of another build or kind is as unknown as any.
    pub(super) async fn worker(&self, build: BuildId, token: &Secret<String>) -> Result<TokenBearer, NotIssued> {
        let now = self.parts.clock.now();
        let bearer = self.parts.store.find_bearer(&self.id, token.digest()).await?;
        match bearer {
            Some(bearer)
                if bearer.token.kind == TokenKind::Worker && bearer.build.id == build && bearer.is_alive(now) =>
            {
                self.rates.count_token(bearer.token.id)?;
                Ok(bearer)
            }
            _ => Err(IssueRefusal::Unauthenticated.into()),
        }
    }
}
