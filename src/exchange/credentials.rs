//! What is given for a token: a key, or an access token that we sign. Its subject is never one that a build can have.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::flows::{Access, Judgement};
use super::opaque_key::draw_key;
use super::{Exchange, ExchangeError};
use crate::base::{CredentialId, Moment, Secret};
use crate::claims::Window;
use crate::jose::SigningKey;

/// What stands raw in the subject of an access token (RFC 3986 §2.3): a colon never does.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A credential, fresh and recorded.
#[derive(Debug)]
pub struct Granted {
    /// Its id; of a JWT its `jti`.
    pub id: CredentialId,
    /// The credential itself: shown once, kept nowhere.
    pub secret: Secret<String>,
    /// Stable name of the flow.
    pub flow: &'static str,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The one gem that it is for, where it is a RubyGems key for one.
    pub gem: Option<String>,
    /// What a registry's token opens.
    pub access: Vec<Access>,
    /// When it was made.
    pub created_at: Moment,
    /// When it dies at the latest.
    pub expires_at: Moment,
}

/// The claims of an access token (RFC 9068 §2.2), with those of the token that it was given for under a name of their
/// own: no policy that was written for a native token is true of them.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<&'a [Access]>,
    subject_claims: &'a Map<String, Value>,
}

/// Whom what is given stands for.
pub(super) fn subject(judgement: &Judgement) -> String {
    let encode = |text: &str| utf8_percent_encode(text, PART).to_string();
    let subject_token = &judgement.subject_token;
    format!("exchange:{}:{}", encode(subject_token.verified.provider_name()), encode(subject_token.subject()))
}

impl Exchange {
    /// A key, or a JWT signed by this key of ours.
    pub(super) async fn make(
        &self,
        judgement: &Judgement,
        id: CredentialId,
        signer: Option<&Arc<SigningKey>>,
        now: Moment,
        expires_at: Moment,
    ) -> Result<Secret<String>, ExchangeError> {
        let Some(signer) = signer else { return Ok(draw_key(&*self.parts.entropy)?) };
        let (offer, verified) = (&judgement.offer, &judgement.subject_token.verified);
        let registry = offer.access.is_some();
        let window = Window::until(now, expires_at);
        let claims = AccessToken {
            iss: &self.settings.issuer,
            sub: &subject(judgement),
            aud: &offer.audience,
            exp: window.exp.unix(),
            iat: window.iat.unix(),
            nbf: window.nbf.unix(),
            jti: id,
            client_id: verified.provider_name(),
            scope: (!registry && !offer.scopes.is_empty()).then(|| offer.scopes.join(" ")),
            grant: (!registry).then_some(offer.name.as_str()),
            access: offer.access.as_deref(),
            subject_claims: verified.claims().all(),
        };
        let internal =
            |error: &dyn std::fmt::Display| ExchangeError::Internal(format!("claims can't be rendered: {error}"));
        let claims = serde_json::to_vec(&claims).map_err(|error| internal(&error))?;
        let signer = Arc::clone(signer);
        let token = self.parts.pool.run(move || signer.sign_access_token(&claims)).await?;
        let token = token.map_err(|error| ExchangeError::Internal(error.to_string()))?;
        Ok(Secret::new(token))
    }
}
