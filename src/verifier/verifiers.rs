//! All providers of a service. The exact issuer alone decides whose keys a token is checked with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::verifier::{Text, unverified_issuer};
use super::{
    Explanation, FetchError, Provider, Requirements, Resolver, SystemResolver, TokenRefusal, VerifiedToken, Verifier,
};
use crate::base::{Clock, FieldError};
use crate::jose::peek;

/// Why no verifiers could be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetUpError {
    /// Entries that don't go together.
    #[error(transparent)]
    Entries(#[from] FieldError),
    /// Keys that can't be used, or no way to fetch any.
    #[error("oidc.{provider}: {error}")]
    Keys {
        /// Whose.
        provider: String,
        /// Why.
        error: FetchError,
    },
}

/// The verifiers of several providers, by name.
#[derive(Debug, Default)]
pub struct Verifiers(BTreeMap<String, Verifier>);

impl Verifiers {
    /// Brings them together.
    ///
    /// # Errors
    /// [`FieldError`] as [`Provider::check_all`].
    pub fn new(verifiers: Vec<Verifier>) -> Result<Self, FieldError> {
        Provider::check_all(verifiers.iter().map(Verifier::provider), None)?;
        let named = |verifier: Verifier| (verifier.provider().name().to_owned(), verifier);
        Ok(Self(verifiers.into_iter().map(named).collect()))
    }

    /// With our own issuer's beside them.
    #[must_use]
    pub fn and(mut self, own: Verifier) -> Self {
        self.0.insert(own.provider().name().to_owned(), own);
        self
    }

    /// The verifiers of these providers, each with its keys where it says that they are. Fetches nothing yet.
    ///
    /// # Errors
    /// [`SetUpError`] names the provider.
    pub fn of(providers: Vec<Provider>, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        Self::resolved_by(providers, clock, Arc::new(SystemResolver))
    }

    /// As [`Self::of`], with a resolver of one's own.
    ///
    /// # Errors
    /// [`SetUpError`] names the provider.
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

    /// The verifier of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Verifier> {
        self.0.get(name)
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Every verifier, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Verifier> {
        self.0.values()
    }

    /// Is the token good for the provider of its issuer? Of several entries of that issuer at most one can say so.
    ///
    /// # Errors
    /// [`TokenRefusal`]; where several entries refuse, that of the check that came furthest.
    pub async fn verify(&self, token: &str, requirements: &Requirements<'_>) -> Result<VerifiedToken, TokenRefusal> {
        let mut furthest = None;
        let text = Text::read(token)?;
        // One that was seen is not read again to learn whose it is.
        let remembered = self.0.values().find(|verifier| verifier.remembers(&text));
        let entries = match remembered {
            Some(verifier) => self.entries_of(verifier.provider().issuer()),
            None => self.of_issuer(token)?,
        };
        for verifier in entries {
            match verifier.verify_text(&text, requirements).await {
                Ok(verified) => return Ok(verified),
                Err(refusal) => further(&mut furthest, refusal, ()),
            }
        }
        Err(furthest.map_or_else(|| unknown(token), |(refusal, ())| refusal))
    }

    /// As [`Self::verify`], with every step of the entry that accepted, or that came furthest.
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
        let mut furthest = None;
        for verifier in entries {
            match verifier.explain(token, requirements).await {
                (Ok(verified), explanation) => return (Ok(verified), explanation),
                (Err(refusal), explanation) => further(&mut furthest, refusal, explanation),
            }
        }
        match furthest {
            Some((refusal, explanation)) => (Err(refusal), explanation),
            None => refused(unknown(token)),
        }
    }

    fn entries_of(&self, issuer: &str) -> Vec<&Verifier> {
        self.0.values().filter(|verifier| verifier.provider().issuer() == issuer).collect()
    }

    /// The entries of the issuer that the token names.
    fn of_issuer(&self, token: &str) -> Result<Vec<&Verifier>, TokenRefusal> {
        let issuer = unverified_issuer_of(token)?;
        let entries = self.entries_of(&issuer);
        if entries.is_empty() { Err(TokenRefusal::UnknownIssuer { issuer }) } else { Ok(entries) }
    }
}

/// The issuer that a token names, before anything is known of it: good for choosing whose keys to look at, and for
/// nothing else.
///
/// # Errors
/// [`TokenRefusal`] of a token that is none, or names none.
pub fn unverified_issuer_of(token: &str) -> Result<String, TokenRefusal> {
    let unverified = peek(token).map_err(TokenRefusal::Malformed)?;
    let claims = serde_json::from_slice(unverified.unverified_payload())
        .map_err(|_| TokenRefusal::Malformed(crate::jose::PeekError::Json(crate::jose::Part::Payload)))?;
    unverified_issuer(&claims).map(str::to_owned)
}

fn unknown(token: &str) -> TokenRefusal {
    unverified_issuer_of(token).map_or_else(|refusal| refusal, |issuer| TokenRefusal::UnknownIssuer { issuer })
}

fn further<T>(furthest: &mut Option<(TokenRefusal, T)>, refusal: TokenRefusal, more: T) {
    if furthest.as_ref().is_none_or(|(known, _)| known.check() < refusal.check()) {
        *furthest = Some((refusal, more));
    }
}
