//! Credentials that the exchange issues: opaque keys, and access tokens signed by our own issuer (RFC 9068). An
//! access token must never have a subject that a build's ID token can have.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::exchange::Exchange;
use super::flow::{ExchangeDecision, Form, Offer};
use super::opaque_key::draw_key;
use super::refusal::ExchangeError;
use crate::base::{CredentialId, Moment, Secret};
use crate::claims::Window;
use crate::jose::SigningKey;
use crate::keyring::WorkOf;

/// Characters to escape in a part of a credential's subject: all but the unreserved ones (RFC 3986 §2.3). A colon,
/// which separates the parts, is always escaped.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A credential that the exchange has issued, with the secret for the client.
#[derive(Debug)]
pub struct IssuedCredential {
    /// The key or access token itself. The database holds only the digest of this text.
    pub secret: Secret<String>,
    /// Display name of the credential.
    pub name: String,
    /// Scopes that the credential grants.
    pub scopes: Vec<String>,
    /// Globs of the packages that the credential covers.
    pub packages: Vec<String>,
    /// When the credential was issued.
    pub created_at: Moment,
    /// When the credential expires.
    pub expires_at: Moment,
}

/// Id, signing key and validity of a credential that is about to be issued.
pub(super) struct CredentialDraft {
    pub(super) id: CredentialId,
    pub(super) signer: Option<Arc<SigningKey>>,
    pub(super) now: Moment,
    pub(super) expires_at: Moment,
}

/// Claims of an access token (RFC 9068 §2.2). The subject token's claims are nested in `subject_claims`, so that a
/// policy that was written for ID tokens never matches an access token.
#[derive(Serialize)]
struct AccessToken<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    iat: i64,
    nbf: i64,
    jti: CredentialId,
    client_id: &'a str,
    #[serde(flatten)]
    of_flow: &'a Map<String, Value>,
    subject_claims: &'a Map<String, Value>,
}

/// Returns the subject of a credential: `exchange:PROVIDER:SUBJECT`, with provider and subject of the exchanged token.
pub(super) fn subject(decision: &ExchangeDecision) -> String {
    let encode = |text: &str| utf8_percent_encode(text, PART).to_string();
    let token = &decision.subject_token;
    format!("exchange:{}:{}", encode(token.verified.provider_name()), encode(token.subject()))
}

impl Exchange {
    /// Creates the text of the credential: a random key, or a signed access token.
    ///
    /// # Errors
    /// [`ExchangeError`] if the random generator or the signature fails.
    pub(super) async fn draw_credential(
        &self,
        decision: &ExchangeDecision,
        offer: &Offer,
        draft: &CredentialDraft,
    ) -> Result<Secret<String>, ExchangeError> {
        let (Form::AccessToken { claims: of_flow, .. }, Some(signer)) = (&offer.form, &draft.signer) else {
            return Ok(draw_key(&*self.parts.entropy)?);
        };
        let verified = &decision.subject_token.verified;
        let Window { iat, nbf, exp } = Window::until(draft.now, draft.expires_at);
        let claims = AccessToken {
            iss: &self.settings.issuer,
            sub: &subject(decision),
            aud: &offer.audience,
            exp: exp.unix(),
            iat: iat.unix(),
            nbf: nbf.unix(),
            jti: draft.id,
            client_id: verified.provider_name(),
            of_flow,
            subject_claims: verified.claims().all(),
        };
        let claims = serde_json::to_vec(&claims)
            .map_err(|error| ExchangeError::Internal(format!("cannot serialize the claims: {error}")))?;
        let signer = Arc::clone(signer);
        let key = WorkOf::subject(verified.provider_name(), verified.claims().subject());
        let token = self.parts.pool.run(key, move || signer.sign_access_token(&claims)).await?;
        let token = token.map_err(|error| ExchangeError::Internal(error.to_string()))?;
        Ok(Secret::new(token))
    }
}
