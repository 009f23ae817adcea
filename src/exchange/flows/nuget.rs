//! NuGet's token API: the policies of the user whom the client names, oldest first; the first that takes the token
//! decides. Who holds no token of ours learns nothing of users and policies.

use std::sync::Arc;

use super::{Judgement, Offer, judge_criteria, terms, took};
use crate::base::{Moment, Secret};
use crate::exchange::presented::Presented;
use crate::exchange::rule_book::RuleBook;
use crate::exchange::terms::{Terms, TrustPolicyTerms};
use crate::exchange::{Declined, Exchange, Refusal};
use crate::policy::Unmatched;
use crate::store::DoorKind;
use crate::verifier::{self, Demand, Trail};

impl Exchange {
    pub(super) async fn judge_nuget(
        &self,
        book: &RuleBook,
        username: &str,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, Declined> {
        let audience = &self.settings.nuget_audience;
        let demand = Demand { audience: Some(audience), instead_of_providers: true, ..Demand::default() };
        // The token first, whether there is such a user or not.
        let mut presented = self.present_to_any(book, token, &demand, now, trail).await?;
        let nameless = presented.first().map(id_claim).unwrap_or_default().to_owned();
        presented.retain(|one| one.verified.claims().filled(id_claim(one)).is_some());
        if presented.is_empty() {
            return Err(Refusal::Token(verifier::Refusal::ClaimMissing { claim: nameless }).into());
        }
        let mut unmatched: Vec<(String, Unmatched)> = Vec::new();
        let mut untrusted = false;
        for policy in book.policies(username) {
            let provider = &policy.row.provider;
            let Some(at) = presented.iter().position(|one| one.verified.provider_name() == provider) else { continue };
            let (Some(one), Some(entry)) = (presented.get(at), book.entry(provider)) else { continue };
            let Ok(Terms::TrustPolicy(terms)) = terms(policy, entry) else { continue };
            let (row, claims) = (&policy.row, one.verified.claims().all());
            let by_claims =
                |criteria: &crate::policy::Criteria| criteria.judge(&row.name, claims, row.learn_until, now);
            let matched = match judge_criteria(policy, &terms.criteria, one, by_claims, now) {
                Ok(_) if one.is_untrusted() && !terms.written.allow_untrusted => {
                    untrusted = true;
                    continue;
                }
                Ok(matched) => matched,
                Err(why) => {
                    unmatched.push((row.name.clone(), why));
                    continue;
                }
            };
            super::enabled_user(book, username)?;
            took(trail, "trust policy", &row.name);
            let offer = self.nuget_offer(terms);
            let entry = Arc::clone(entry);
            let presented = presented.swap_remove(at);
            return Ok(Judgement {
                presented,
                entry,
                entitlement: Some(Arc::clone(policy)),
                also: Vec::new(),
                learned: matched.learned,
                offer,
            });
        }
        let asked = username.to_owned();
        Err(match (untrusted, unmatched.is_empty()) {
            (true, _) => Refusal::Untrusted,
            (false, true) => Refusal::NoEntitlement { what: "trust policy", asked },
            (false, false) => Refusal::Criteria(unmatched),
        }
        .into())
    }

    fn nuget_offer(&self, terms: &TrustPolicyTerms) -> Offer {
        Offer {
            door: DoorKind::Nuget,
            jwt: false,
            name: format!("Trusted publishing: {}", terms.written.name),
            owner: Some(terms.written.owner.clone()),
            scopes: terms.scopes.clone(),
            packages: terms.packages.clone(),
            audience: self.settings.nuget_audience.clone(),
            lifetime: terms.valid_for,
            ends_with_token: false,
            outlives_build: false,
            single_use: true,
            gem: None,
            access: None,
        }
    }
}

/// The claim that tells tokens of its kind apart, which NuGet asks for.
fn id_claim(presented: &Presented) -> &'static str {
    presented.verified.provider().token_id()
}
