//! Who is calling: a client by its secret, or the worker of a build by its token.

use super::{Declined, Issuer, Refusal};
use crate::base::{BuildId, ClientId, Secret, Sha256};
use crate::policy::{Client, Scope};
use crate::store::{TokenBearer, TokenKind};

/// What a client sent to say who it is (RFC 7617).
#[derive(Debug, Clone)]
pub struct ClientCredential {
    /// Its id.
    pub id: ClientId,
    /// Its secret.
    pub secret: Secret<String>,
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
    pub(super) async fn client(&self, credential: &ClientCredential, scope: Scope) -> Result<Client, Declined> {
        let now = self.parts.clock.now();
        let presented = credential.secret.digest();
        let stored = self.parts.store.find_client(&self.id, &credential.id).await?;
        // An unknown id costs one comparison too.
        let current = stored.as_ref().map_or_else(|| Sha256::of(b""), |stored| stored.secret.current);
        let previous = stored.as_ref().and_then(|stored| stored.secret.previous);
        let matches = current == presented;
        let matches_previous = previous.is_some_and(|(digest, until)| until > now && digest == presented);
        let client = match stored {
            Some(stored) if (matches || matches_previous) && stored.client.disabled_at.is_none() => stored.client,
            _ => return Err(Refusal::Unauthenticated.into()),
        };
        self.rates.count_client(&client.id)?;
        if !client.has(scope) {
            return Err(Refusal::ForbiddenScope(scope).into());
        }
        Ok(client)
    }

    /// The living worker of this build. A token of another build or kind is as unknown as any.
    pub(super) async fn worker(&self, build: BuildId, token: &Secret<String>) -> Result<TokenBearer, Declined> {
        let now = self.parts.clock.now();
        let bearer = self.parts.store.find_bearer(&self.id, token.digest()).await?;
        match bearer {
            Some(bearer)
                if bearer.token.kind == TokenKind::Worker && bearer.build.id == build && bearer.is_alive(now) =>
            {
                self.rates.count_token(bearer.token.id)?;
                Ok(bearer)
            }
            _ => Err(Refusal::Unauthenticated.into()),
        }
    }
}
