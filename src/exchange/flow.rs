//! Steps that all flows share: verify the subject token, and find the first entitlement that accepts the token. A
//! [`Flow`] determines audience, entitlements and credential. The code here must never write to the database.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::entitlements::{Compiled, ProviderEntry, RulesSnapshot, SharedEntitlement};
use super::exchange::Exchange;
use super::refusal::{ExchangeRefusal, NotExchanged};
use super::settings::ExchangeSettings;
use super::spec::Section;
use super::subject_token::{SubjectToken, not_exchanged, verify};
use crate::base::{Moment, Seconds, Secret};
use crate::policy::{CelFailure, Pins, Unmatched};
use crate::verifier::{Check, Furthest, Provider, Requirements, TokenRefusal, Trail, unverified_issuer_of};

/// One evaluation of a subject token against one snapshot of the rules.
pub struct Attempt<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) rules: &'a RulesSnapshot,
    pub(super) token: &'a Secret<String>,
    pub(super) now: Moment,
    pub(super) trail: &'a mut Trail,
}

/// One way through the exchange, such as NuGet's token API. A flow determines which tokens are verified, and which
/// entitlements may accept the tokens.
#[async_trait]
pub trait Flow: Send + Sync {
    /// Stable name of the flow, which labels metrics and is stored with credentials and events.
    fn name(&self) -> &'static str;

    /// Returns the requirements, such as the audience, that a token must meet if this provider verifies the token.
    fn requirements<'a>(
        &'a self,
        rules: &'a RulesSnapshot,
        settings: &'a ExchangeSettings,
        provider: &'a Provider,
    ) -> Requirements<'a>;

    /// Returns the entitlements that may accept the tokens, in the order in which the entitlements are tried. `tokens`
    /// holds the subject token once for each provider that verified the token.
    fn candidates(&self, rules: &RulesSnapshot, tokens: &[SubjectToken]) -> Result<Vec<Candidate>, ExchangeRefusal>;

    /// Checks a verified token against one candidate, such as a grant's condition.
    ///
    /// # Errors
    /// [`NotExchanged`] refuses the whole request; a [`Mismatch`] leaves the decision to the next candidate.
    async fn check(
        &self,
        attempt: &mut Attempt<'_>,
        candidate: &Candidate,
        token: &SubjectToken,
    ) -> Result<Result<Accepted, Mismatch>, NotExchanged>;

    /// Returns the refusal for tokens without any candidate.
    fn no_entitlement(&self, tokens: &[SubjectToken]) -> ExchangeRefusal;

    /// Returns the providers that may verify the token: by default all providers of the token's issuer.
    ///
    /// # Errors
    /// [`NotExchanged`] if no provider may verify the token.
    fn providers(&self, attempt: &Attempt<'_>) -> Result<Vec<Arc<ProviderEntry>>, NotExchanged> {
        attempt.providers_of_issuer(|_| true)
    }

    /// Whether each provider requires a different audience, so that at most one provider accepts the token.
    fn has_audience_per_provider(&self) -> bool {
        false
    }

    /// Checks the verified tokens before any entitlement is tried. A flow may remove tokens that fail the check.
    ///
    /// # Errors
    /// [`NotExchanged`] refuses the request.
    async fn check_tokens(
        &self,
        _attempt: &mut Attempt<'_>,
        _tokens: &mut Vec<SubjectToken>,
    ) -> Result<(), NotExchanged> {
        Ok(())
    }

    /// Whether tokens of untrusted builds are rejected before [`Self::check`] instead of after it.
    fn checks_trust_first(&self) -> bool {
        false
    }

    /// Whether the candidate `other`, which accepts the token as well, joins the decision of the candidate `first`.
    fn joins(&self, _first: &Candidate, _other: &Candidate) -> bool {
        false
    }
}

/// A flow that issues a credential, as opposed to forward authentication.
#[async_trait]
pub trait IssuingFlow: Flow {
    /// Returns the credential that the decision entitles the client to.
    ///
    /// # Errors
    /// [`NotExchanged`] if the request asks for more than the entitlement allows.
    async fn offer(&self, attempt: &mut Attempt<'_>, decision: &Decision) -> Result<Offer, NotExchanged>;
}

/// An entitlement that may accept the subject token, with the provider that verified the token.
pub struct Candidate {
    /// `None` in the registry's flow, where access policies of the configuration decide instead.
    pub(super) entitlement: Option<SharedEntitlement>,
    pub(super) entry: Arc<ProviderEntry>,
    /// Index of the verified token of this provider, in the list of verified tokens.
    pub(super) token: usize,
    pub(super) allow_untrusted: bool,
}

/// Result of a candidate that accepts the token: the ids that the candidate's criteria pin on this use, if any.
#[derive(Default)]
pub struct Accepted {
    pub(super) pins: Option<Pins>,
}

/// Why a candidate, an entitlement, does not accept the token.
pub enum Mismatch {
    /// The token is of an untrusted build, and the entitlement does not allow untrusted builds.
    Untrusted,
    /// A criterion of the trust policy or publisher does not match the token.
    Criteria(Unmatched),
    /// The grant's condition is false for the token, or failed with an error.
    Condition(Option<CelFailure>),
}

/// Result of the evaluation: the verified token, and the entitlement that accepted the token.
pub struct Decision {
    pub(super) subject_token: SubjectToken,
    pub(super) accepted_by: Candidate,
    /// Further entitlements that accepted the token and that the credential depends on.
    pub(super) joined: Vec<Candidate>,
    pub(super) pins: Option<Pins>,
}

/// The credential that a flow issues for a token.
pub struct Offer {
    pub(super) name: String,
    /// User or package owner that the credential belongs to; `None` in flows without owners.
    pub(super) owner: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) packages: Vec<String>,
    pub(super) audience: String,
    pub(super) lifetime: Lifetime,
    pub(super) outlives_build: bool,
    pub(super) single_use: bool,
    pub(super) form: Form,
}

/// Lifetime of a credential that a flow offers.
#[derive(Clone, Copy)]
pub(super) enum Lifetime {
    /// The lifetime of the entitlement, whatever the lifetime of the subject token.
    Fixed(Seconds),
    /// The remaining lifetime of the subject token, and at most this long.
    WithinToken(Seconds),
}

/// Form of a credential that a flow offers: key or access token.
pub(super) enum Form {
    /// An opaque key.
    Key,
    /// An access token (RFC 9068), signed by our own issuer.
    AccessToken {
        /// Claims that the flow adds to the registered claims.
        claims: Map<String, Value>,
        /// Whether the access token grants any access. An access token without access is not recorded: clients may
        /// request such tokens without end.
        grants_access: bool,
    },
}

impl Offer {
    pub(super) fn grants_access(&self) -> bool {
        !matches!(self.form, Form::AccessToken { grants_access: false, .. })
    }
}

impl Attempt<'_> {
    /// Returns the providers of the token's issuer for which `accepts` returns true.
    ///
    /// # Errors
    /// [`NotExchanged`] if the issuer has no such provider.
    pub(super) fn providers_of_issuer(
        &self,
        accepts: impl Fn(&Provider) -> bool,
    ) -> Result<Vec<Arc<ProviderEntry>>, NotExchanged> {
        let issuer = unverified_issuer_of(self.token.expose_secret()).map_err(not_exchanged)?;
        let entries = self.rules.entries_of(&issuer).filter(|entry| accepts(entry.provider()));
        let entries: Vec<_> = entries.map(Arc::clone).collect();
        if entries.is_empty() {
            return Err(not_exchanged(TokenRefusal::UnknownIssuer { issuer }));
        }
        Ok(entries)
    }

    /// Verifies the token by each provider that the flow returns. If all providers refuse the token, returns the
    /// refusal of the provider that got furthest in its checks.
    async fn verify<F: Flow + ?Sized>(&mut self, flow: &F) -> Result<Vec<SubjectToken>, NotExchanged> {
        let mut furthest = Furthest::default();
        let mut unavailable = None;
        let mut tokens = Vec::new();
        for entry in flow.providers(self)? {
            let requirements = flow.requirements(self.rules, &self.exchange.settings, entry.provider());
            match verify(&entry, self.token, &requirements, self.trail).await {
                Ok(verified) => {
                    tokens.push(self.exchange.subject_token(verified, self.token, self.now, self.trail).await?);
                    if flow.has_audience_per_provider() {
                        break;
                    }
                }
                // The token may be good for this provider, even if providers with other audiences refuse the token.
                Err(refusal @ TokenRefusal::KeysUnavailable { .. }) if flow.has_audience_per_provider() => {
                    unavailable = Some(refusal);
                }
                Err(refusal) => furthest.note(refusal.check(), refusal),
            }
        }
        match unavailable.or(furthest.into_inner()) {
            Some(refusal) if tokens.is_empty() => Err(not_exchanged(refusal)),
            _ => Ok(tokens),
        }
    }

    async fn check<F: Flow + ?Sized>(
        &mut self,
        flow: &F,
        candidate: &Candidate,
        token: &SubjectToken,
    ) -> Result<Result<Accepted, Mismatch>, NotExchanged> {
        let untrusted = token.is_untrusted() && !candidate.allow_untrusted;
        if untrusted && flow.checks_trust_first() {
            return Ok(Err(Mismatch::Untrusted));
        }
        let checked = flow.check(self, candidate, token).await?;
        Ok(checked.and_then(|accepted| if untrusted { Err(Mismatch::Untrusted) } else { Ok(accepted) }))
    }

    /// Verifies the token, and finds the entitlement that accepts the token.
    ///
    /// # Errors
    /// [`NotExchanged`] if the token is refused, or the evaluation fails.
    pub(super) async fn decide<F: Flow + ?Sized>(&mut self, flow: &F) -> Result<Decision, NotExchanged> {
        let mut tokens = self.verify(flow).await?;
        flow.check_tokens(self, &mut tokens).await?;
        let mut first: Option<(Candidate, Accepted)> = None;
        let (mut joined, mut rejected) = (Vec::new(), Vec::new());
        for candidate in flow.candidates(self.rules, &tokens)? {
            if first.as_ref().is_some_and(|(first, _)| !flow.joins(first, &candidate)) {
                continue;
            }
            let Some(token) = tokens.get(candidate.token) else { continue };
            match self.check(flow, &candidate, token).await? {
                Ok(_) if first.is_some() => joined.push(candidate),
                Ok(accepted) => first = Some((candidate, accepted)),
                Err(mismatch) => rejected.push((candidate, mismatch)),
            }
        }
        let Some((accepted_by, Accepted { pins })) = first else {
            return Err(refusal_of(rejected).unwrap_or_else(|| flow.no_entitlement(&tokens)).into());
        };
        if let Some(entitlement) = &accepted_by.entitlement {
            let row = &entitlement.row;
            if let Some(user) = row.user.as_ref().filter(|user| !self.rules.is_enabled(user)) {
                return Err(ExchangeRefusal::UserDisabled { user: user.clone() }.into());
            }
            let noun = Section::of(row.kind).noun();
            self.trail.passed(Check::Policy, || (format!("a {noun} that accepts the token"), row.name.clone()));
        }
        Ok(Decision { subject_token: tokens.swap_remove(accepted_by.token), accepted_by, joined, pins })
    }
}

/// Combines the mismatches of all candidates that rejected the token into one refusal. Returns `None` without
/// candidates.
fn refusal_of(mut rejected: Vec<(Candidate, Mismatch)>) -> Option<ExchangeRefusal> {
    let place = |candidate: &Candidate| candidate.entitlement.as_ref().map(|entitlement| entitlement.row.place);
    rejected.sort_by_key(|(candidate, _)| place(candidate));
    let (mut untrusted, mut criteria, mut conditions) = (false, Vec::new(), Vec::new());
    for (candidate, mismatch) in rejected {
        let name = candidate.entitlement.map(|entitlement| entitlement.row.name.clone()).unwrap_or_default();
        match mismatch {
            Mismatch::Untrusted => untrusted = true,
            Mismatch::Criteria(unmatched) => criteria.push((name, unmatched)),
            Mismatch::Condition(failure) => conditions.push((name, failure)),
        }
    }
    // Conditions are evaluated after the check for untrusted builds, criteria before: the last check explains most.
    if !conditions.is_empty() {
        return Some(ExchangeRefusal::Condition(conditions));
    }
    if untrusted {
        return Some(ExchangeRefusal::Untrusted);
    }
    (!criteria.is_empty()).then_some(ExchangeRefusal::Criteria(criteria))
}

impl Candidate {
    /// Pairs an entitlement with the token that the entitlement's provider verified. Returns `None` if this provider
    /// did not verify the token, or the stored entitlement is invalid.
    pub(super) fn new(rules: &RulesSnapshot, entitlement: &SharedEntitlement, tokens: &[SubjectToken]) -> Option<Self> {
        let provider = &entitlement.row.provider;
        let token = tokens.iter().position(|token| token.verified.provider_name() == provider)?;
        let entry = Arc::clone(rules.entry(provider)?);
        let allow_untrusted = entitlement.usable(entry.provider()).ok()?.allows_untrusted();
        Some(Self { entitlement: Some(Arc::clone(entitlement)), entry, token, allow_untrusted })
    }

    /// Returns the candidate's compiled entitlement.
    ///
    /// # Errors
    /// [`ExchangeRefusal`] if the entitlement is of another kind than `T`, or the candidate has none.
    pub(super) fn compiled<'a, T>(&'a self) -> Result<&'a T, ExchangeRefusal>
    where
        &'a T: TryFrom<&'a Compiled>,
    {
        let compiled = self.entitlement.as_ref().and_then(|known| known.compiled(self.entry.provider()).ok());
        compiled.and_then(|compiled| compiled.try_into().ok()).ok_or(ExchangeRefusal::Credential)
    }
}
