//! The verifiers of all providers of a service. Only the exact issuer in a token selects the provider whose keys verify
//! the token.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::furthest::Furthest;
use super::verifier::{Text, unverified_issuer};
use super::{
    Explanation, FetchError, Provider, Requirements, Resolver, SystemResolver, TokenRefusal, VerifiedToken, Verifier,
};
use crate::base::{Clock, FieldError};
use crate::jose::peek;

/// Error returned when the verifiers of several providers cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetUpError {
    /// Two providers conflict, as [`Provider::check_all`] says.
    #[error(transparent)]
    Entries(#[from] FieldError),
    /// The configured keys of a provider are unusable, or the connection for fetching the keys cannot be set up.
    #[error("oidc.{provider}: {error}")]
    Keys {
        /// Name of the provider with the unusable keys or connection.
        provider: String,
        /// Why the provider's keys could not be fetched.
        error: FetchError,
    },
}

/// The verifiers of several providers, by the provider's name.
#[derive(Debug, Default)]
pub struct Verifiers(BTreeMap<String, Verifier>);

impl Verifiers {
    /// Combines the verifiers of providers that do not conflict.
    ///
    /// # Errors
    /// [`FieldError`] if two providers conflict, as [`Provider::check_all`] says.
    pub fn new(verifiers: Vec<Verifier>) -> Result<Self, FieldError> {
        Provider::check_all(verifiers.iter().map(Verifier::provider), None)?;
        let named = |verifier: Verifier| (verifier.provider().name().to_owned(), verifier);
        Ok(Self(verifiers.into_iter().map(named).collect()))
    }

    /// Adds the verifier of our own issuer.
    #[must_use]
    pub fn and(mut self, own: Verifier) -> Self {
        self.0.insert(own.provider().name().to_owned(), own);
        self
    }

    /// Creates a verifier for each provider, with the key source that the provider's configuration names. Fetches
    /// nothing yet.
    ///
    /// # Errors
    /// [`SetUpError`] names the first provider for which no verifier can be created.
    pub fn of(providers: Vec<Provider>, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        Self::resolved_by(providers, clock, Arc::new(SystemResolver))
    }

    /// Creates verifiers as [`Self::of`] does, which resolve host names by `resolver`.
    ///
    /// # Errors
    /// [`SetUpError`] names the first provider for which no verifier can be created.
    pub fn resolved_by(
        providers: Vec<Provider>,
        clock: Arc<dyn Clock>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, SetUpError> {
        let verifier = |provider: Provider| {
            let keys = provider
                .source(&clock, &resolver)
                .map_err(|error| SetUpError::Keys { provider: provider.name().to_owned(), error })?;
            Ok(Verifier::new(provider, keys, Arc::clone(&clock)))
        };
        let verifiers = providers.into_iter().map(verifier).collect::<Result<Vec<_>, SetUpError>>()?;
        Ok(Self::new(verifiers)?)
    }

    /// Returns the verifier of the provider with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Verifier> {
        self.0.get(name)
    }

    /// Returns the names of all providers, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns all verifiers, in alphabetical order of the providers' names.
    pub fn iter(&self) -> impl Iterator<Item = &Verifier> {
        self.0.values()
    }

    /// Verifies a token with the provider of the token's issuer. If several providers share the issuer, at most one of
    /// them can accept the token.
    ///
    /// # Errors
    /// [`TokenRefusal`] for the check that failed. If several providers reject the token, returns the refusal by the
    /// latest check.
    pub async fn verify(&self, token: &str, requirements: &Requirements<'_>) -> Result<VerifiedToken, TokenRefusal> {
        let mut furthest = Furthest::default();
        let text = Text::read(token)?;
        // A cached token is not parsed again to find the issuer.
        let cached = self.0.values().find(|verifier| verifier.has_cached(&text));
        let entries = match cached {
            Some(verifier) => self.entries_of(verifier.provider().issuer()),
            None => self.of_issuer(token)?,
        };
        for verifier in entries {
            match verifier.verify_text(&text, requirements).await {
                Ok(verified) => return Ok(verified),
                Err(refusal) => furthest.note(refusal.check(), refusal),
            }
        }
        Err(furthest.into_inner().unwrap_or_else(|| unknown(token)))
    }

    /// Verifies a token as [`Self::verify`] does, and explains the checks of the provider that accepted the token, or
    /// of the provider that rejected the token at the latest check.
    pub async fn explain(
        &self,
        token: &str,
        requirements: &Requirements<'_>,
    ) -> (Result<VerifiedToken, TokenRefusal>, Explanation) {
        let refused = |refusal: TokenRefusal| {
            let mut explanation = Explanation::default();
            explanation.refused(&refusal);
            (Err(refusal), explanation)
        };
        let entries = match self.of_issuer(token) {
            Ok(entries) => entries,
            Err(refusal) => return refused(refusal),
        };
        let mut furthest = Furthest::default();
        for verifier in entries {
            match verifier.explain(token, requirements).await {
                (Ok(verified), explanation) => return (Ok(verified), explanation),
                (Err(refusal), explanation) => furthest.note(refusal.check(), (refusal, explanation)),
            }
        }
        match furthest.into_inner() {
            Some((refusal, explanation)) => (Err(refusal), explanation),
            None => refused(unknown(token)),
        }
    }

    fn entries_of(&self, issuer: &str) -> Vec<&Verifier> {
        self.0.values().filter(|verifier| verifier.provider().issuer() == issuer).collect()
    }

    /// Returns the verifiers of all providers with the issuer that the token names.
    fn of_issuer(&self, token: &str) -> Result<Vec<&Verifier>, TokenRefusal> {
        let issuer = unverified_issuer_of(token)?;
        let entries = self.entries_of(&issuer);
        if entries.is_empty() { Err(TokenRefusal::UnknownIssuer { issuer }) } else { Ok(entries) }
    }
}

/// Returns the issuer of an unverified token. The result may only be used to select the provider whose keys verify the
/// token.
///
/// # Errors
/// [`TokenRefusal`] if the text is not a token or has no `iss`.
pub fn unverified_issuer_of(token: &str) -> Result<String, TokenRefusal> {
    let unverified = peek(token).map_err(TokenRefusal::Malformed)?;
    let claims = serde_json::from_slice(unverified.unverified_payload())
        .map_err(|_| TokenRefusal::Malformed(crate::jose::PeekError::Json(crate::jose::Part::Payload)))?;
    unverified_issuer(&claims).map(str::to_owned)
}

fn unknown(token: &str) -> TokenRefusal {
    unverified_issuer_of(token).map_or_else(|refusal| refusal, |issuer| TokenRefusal::UnknownIssuer { issuer })
}
