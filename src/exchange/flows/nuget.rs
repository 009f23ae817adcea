//! NuGet's token API: the policies of the user whom the client names, oldest first; the first that takes the token
//! decides. Who holds no token of ours learns nothing of users and policies.

use std::sync::Arc;

use super::{Judgement, Offer, compiled, judge_criteria, took};
use crate::base::{Moment, Secret};
use crate::exchange::entitlements::RulesSnapshot;
use crate::exchange::entitlements::{Compiled, CompiledTrustPolicy};
use crate::exchange::subject_token::SubjectToken;
use crate::exchange::{Exchange, ExchangeRefusal, NotExchanged};
use crate::policy::Unmatched;
use crate::verifier::{self, Requirements, Trail};

impl Exchange {
    pub(super) async fn judge_nuget(
        &self,
        snapshot: &RulesSnapshot,
        username: &str,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, NotExchanged> {
        let audience = &self.settings.nuget_audience;
        let requirements =
            Requirements { audience: Some(audience), instead_of_providers: true, ..Requirements::default() };
        // The token first, whether there is such a user or not.
        let mut subject_token = self.verify_by_any(snapshot, token, &requirements, now, trail).await?;
        let nameless = subject_token.first().map(id_claim).unwrap_or_default().to_owned();
        subject_token.retain(|one| one.verified.claims().filled(id_claim(one)).is_some());
        if subject_token.is_empty() {
            return Err(ExchangeRefusal::Token(verifier::TokenRefusal::ClaimMissing { claim: nameless }).into());
        }
        let mut unmatched: Vec<(String, Unmatched)> = Vec::new();
        let mut untrusted = false;
        for policy in snapshot.policies(username) {
            let provider = &policy.row.provider;
            let Some(at) = subject_token.iter().position(|one| one.verified.provider_name() == provider) else {
                continue;
            };
            let (Some(one), Some(entry)) = (subject_token.get(at), snapshot.entry(provider)) else { continue };
            let Ok(Compiled::TrustPolicy(compiled)) = compiled(policy, entry) else { continue };
            let (row, claims) = (&policy.row, one.verified.claims().all());
            let by_claims =
                |criteria: &crate::policy::Criteria| criteria.evaluate(&row.name, claims, row.pin_until, now);
            let matched = match judge_criteria(policy, &compiled.criteria, one, by_claims, now) {
                Ok(_) if one.is_untrusted() && !compiled.spec.allow_untrusted => {
                    untrusted = true;
                    continue;
                }
                Ok(matched) => matched,
                Err(why) => {
                    unmatched.push((row.name.clone(), why));
                    continue;
                }
            };
            super::enabled_user(snapshot, username)?;
            took(trail, "trust policy", &row.name);
            let offer = self.nuget_offer(compiled);
            let entry = Arc::clone(entry);
            let subject_token = subject_token.swap_remove(at);
            return Ok(Judgement {
                subject_token,
                entry,
                entitlement: Some(Arc::clone(policy)),
                also: Vec::new(),
                pins: matched.pins,
                offer,
            });
        }
        let asked = username.to_owned();
        Err(match (untrusted, unmatched.is_empty()) {
            (true, _) => ExchangeRefusal::Untrusted,
            (false, true) => ExchangeRefusal::NoEntitlement { what: "trust policy", asked },
            (false, false) => ExchangeRefusal::Criteria(unmatched),
        }
        .into())
    }

    fn nuget_offer(&self, compiled: &CompiledTrustPolicy) -> Offer {
        Offer {
            flow: super::flow_names::NUGET,
            jwt: false,
            name: format!("Trusted publishing: {}", compiled.spec.name),
            owner: Some(compiled.spec.owner.clone()),
            scopes: compiled.scopes.clone(),
            packages: compiled.packages.clone(),
            audience: self.settings.nuget_audience.clone(),
            lifetime: compiled.valid_for,
            ends_with_token: false,
            outlives_build: false,
            single_use: true,
            gem: None,
            access: None,
        }
    }
}

/// The claim that tells tokens of its kind apart, which NuGet asks for.
fn id_claim(subject_token: &SubjectToken) -> &'static str {
    subject_token.verified.provider().token_id()
}
