//! Decides on one subject token, for every flow: the providers verify the token, then the first entitlement that
//! accepts the token decides. A token that cannot be evaluated is refused. The code here must never write to the
//! database.

use std::sync::Arc;

use super::entitlements::{Compiled, ProviderEntry, RulesSnapshot, SharedEntitlement};
use super::flow::{
    Accepted, Attempt, Candidate, DecidedBy, EntitlementFlow, ExchangeDecision, Flow, FlowAudience, IssuingFlow,
    Mismatch, Offer,
};
use super::refusal::{ExchangeError, ExchangeRefusal, NotExchanged};
use super::spec::Section;
use super::subject_token::{SubjectToken, not_exchanged, verify};
use crate::verifier::{Check, ClaimForm, Furthest, Provider, Requirements, TokenRefusal, unverified_issuer_of};

impl Attempt<'_> {
    /// Returns the providers of the token's issuer for which `accepts` returns true.
    ///
    /// # Errors
    /// [`NotExchanged`] if there is no such provider.
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

    /// Verifies the token with each provider that the flow returns. If all providers refuse the token, returns one
    /// refusal: the one whose check comes last in the order of checks.
    async fn verify<F: Flow + ?Sized>(&mut self, flow: &F) -> Result<Vec<SubjectToken>, NotExchanged> {
        let mut furthest = Furthest::default();
        let mut unavailable = None;
        let mut tokens = Vec::new();
        for entry in flow.providers(self)? {
            let audience = flow.audience(self.rules, &self.exchange.settings, entry.provider())?;
            let requirements = requirements_of(audience, flow.typed_claims());
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

    async fn check(
        &mut self,
        flow: &dyn EntitlementFlow,
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

    /// Verifies the token, finds the entitlement that accepts the token, and asks the flow which credential to issue.
    ///
    /// # Errors
    /// [`NotExchanged`] if the token is refused, or the evaluation fails.
    pub(super) async fn evaluate(&mut self, flow: &dyn IssuingFlow) -> Result<(ExchangeDecision, Offer), NotExchanged> {
        let decision = self.decide(flow).await?;
        let offer = flow.offer(self, &decision).await?;
        Ok((decision, offer))
    }

    /// Verifies the token, and finds the entitlement that accepts the token.
    ///
    /// # Errors
    /// [`NotExchanged`] if the token is refused, or the evaluation fails.
    pub(super) async fn decide<F: Flow + ?Sized>(&mut self, flow: &F) -> Result<ExchangeDecision, NotExchanged> {
        let mut tokens = self.verify(flow).await?;
        flow.check_tokens(self, &mut tokens).await?;
        match flow.decided_by() {
            DecidedBy::AccessPolicies => self.decide_by_access_policies(flow.name(), tokens),
            DecidedBy::Entitlements(flow) => self.decide_by_entitlements(flow, tokens).await,
        }
    }

    fn decide_by_access_policies(
        &self,
        flow: &'static str,
        tokens: Vec<SubjectToken>,
    ) -> Result<ExchangeDecision, NotExchanged> {
        let known = |token: SubjectToken| {
            let entry = self.rules.entry(token.verified.provider_name())?;
            Some((token, Arc::clone(entry)))
        };
        let Some((subject_token, entry)) = tokens.into_iter().next().and_then(known) else {
            return Err(ExchangeError::Internal(format!("the flow {flow} has no token of a known provider")).into());
        };
        Ok(ExchangeDecision { subject_token, entry, entitlement: None, joined: Vec::new(), pins: None })
    }

    async fn decide_by_entitlements(
        &mut self,
        flow: &dyn EntitlementFlow,
        mut tokens: Vec<SubjectToken>,
    ) -> Result<ExchangeDecision, NotExchanged> {
        let mut first: Option<(Candidate, Accepted)> = None;
        let (mut joined, mut rejected) = (Vec::new(), Vec::new());
        for candidate in flow.candidates(self.rules, &tokens)? {
            if first.as_ref().is_some_and(|(first, _)| !flow.joins(first, &candidate)) {
                continue;
            }
            let Some(token) = tokens.get(candidate.token) else { continue };
            match self.check(flow, &candidate, token).await? {
                Ok(_) if first.is_some() => joined.push(candidate.entitlement),
                Ok(accepted) => first = Some((candidate, accepted)),
                Err(mismatch) => rejected.push((candidate.entitlement, mismatch)),
            }
        }
        let Some((Candidate { entitlement, entry, token, .. }, Accepted { pins })) = first else {
            return Err(refusal_of(rejected).unwrap_or_else(|| flow.no_entitlement(&tokens)).into());
        };
        let row = &entitlement.row;
        let compiled = entitlement.usable(entry.provider())?;
        if let Some(user) =
            compiled.user().into_iter().chain(row.user.as_deref()).find(|user| !self.rules.is_enabled(user))
        {
            return Err(ExchangeRefusal::UserDisabled { user: user.to_owned() }.into());
        }
        let noun = Section::of(row.kind).noun();
        self.trail.passed(Check::Policy, || (format!("a {noun} that accepts the token"), row.name.clone()));
        Ok(ExchangeDecision {
            subject_token: tokens.swap_remove(token),
            entry,
            entitlement: Some(entitlement),
            joined,
            pins,
        })
    }
}

/// Returns what a flow requires of a token. The flow's audience replaces the audience that the provider requires.
fn requirements_of<'a>(audience: FlowAudience<'a>, typed: &'a [(&'static str, ClaimForm)]) -> Requirements<'a> {
    let audience = match audience {
        FlowAudience::Required(audience) => Some(audience),
        FlowAudience::ComparedLater => None,
    };
    Requirements { audience, instead_of_providers: true, typed, ..Requirements::default() }
}

/// Combines the reasons for which entitlements rejected the token into one refusal. Returns `None` if no entitlement
/// rejected the token.
fn refusal_of(mut rejected: Vec<(SharedEntitlement, Mismatch)>) -> Option<ExchangeRefusal> {
    rejected.sort_by_key(|(entitlement, _)| entitlement.row.place);
    let (mut untrusted, mut criteria, mut conditions) = (false, Vec::new(), Vec::new());
    for (entitlement, mismatch) in rejected {
        let name = entitlement.row.name.clone();
        match mismatch {
            Mismatch::Untrusted => untrusted = true,
            Mismatch::Criteria(unmatched) => criteria.push((name, unmatched)),
            Mismatch::Condition(failure) => conditions.push((name, failure)),
        }
    }
    // The refusal from the latest check explains most: conditions are evaluated after the check for untrusted builds,
    // and criteria before that check.
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
        Some(Self { entitlement: Arc::clone(entitlement), entry, token, allow_untrusted })
    }

    /// Returns the compiled entitlement as a `T`, the type for its kind, such as `CompiledRole` for a role.
    ///
    /// # Errors
    /// [`ExchangeError`] if the entitlement is of another kind than `T`.
    pub(super) fn compiled<'a, T>(&'a self) -> Result<&'a T, ExchangeError>
    where
        &'a T: TryFrom<&'a Compiled>,
    {
        compiled_of(&self.entitlement, self.entry.provider())
    }
}

impl ExchangeDecision {
    /// Returns the compiled entitlement that accepted the token as a `T`, the type for its kind, such as
    /// `CompiledRole`.
    ///
    /// # Errors
    /// [`ExchangeError`] if access policies decided instead of an entitlement, or if the entitlement is of another kind
    /// than `T`.
    pub(super) fn compiled<'a, T>(&'a self) -> Result<&'a T, ExchangeError>
    where
        &'a T: TryFrom<&'a Compiled>,
    {
        let Some(entitlement) = &self.entitlement else {
            return Err(ExchangeError::Internal("no entitlement decided on the token".to_owned()));
        };
        compiled_of(entitlement, self.entry.provider())
    }

    /// Returns the further entitlements that accepted the token and that the credential covers too, compiled as `T`.
    ///
    /// # Errors
    /// [`ExchangeError`] if an entitlement is of another kind than `T`.
    pub(super) fn compiled_joined<'a, T>(&'a self) -> Result<Vec<&'a T>, ExchangeError>
    where
        &'a T: TryFrom<&'a Compiled>,
    {
        self.joined.iter().map(|entitlement| compiled_of(entitlement, self.entry.provider())).collect()
    }
}

/// Returns the compiled entitlement as a `T`. `provider` is the provider that the entitlement names.
///
/// # Errors
/// [`ExchangeError`] if the entitlement is of another kind than `T`.
pub(super) fn compiled_of<'a, T>(
    entitlement: &'a SharedEntitlement,
    provider: &Provider,
) -> Result<&'a T, ExchangeError>
where
    &'a T: TryFrom<&'a Compiled>,
{
    let compiled = entitlement.compiled(provider).ok().and_then(|compiled| compiled.try_into().ok());
    compiled.ok_or_else(|| {
        let row = &entitlement.row;
        ExchangeError::Internal(format!("the {} {:?} is not of the kind that its flow uses", row.kind, row.name))
    })
}
