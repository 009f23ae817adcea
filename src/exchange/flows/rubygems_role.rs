//! RubyGems' roles: the role in the URL decides, by its statements.

use std::sync::Arc;

use super::{Judgement, Offer, RUBYGEMS_CLAIMS, compiled, enabled_user, took};
use crate::base::{Moment, Secret};
use crate::exchange::entitlements::RulesSnapshot;
use crate::exchange::entitlements::{Compiled, CompiledRole};
use crate::exchange::subject_token::SubjectToken;
use crate::exchange::{Exchange, ExchangeRefusal, NotExchanged};
use crate::verifier::{Check, Requirements, Trail};

impl Exchange {
    pub(super) async fn judge_role(
        &self,
        snapshot: &RulesSnapshot,
        role: &str,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, NotExchanged> {
        let unknown = || ExchangeRefusal::NoEntitlement { what: "role", asked: role.to_owned() };
        let entitlement = Arc::clone(snapshot.role(role).ok_or_else(unknown)?);
        let entry = Arc::clone(snapshot.entry(&entitlement.row.provider).ok_or_else(unknown)?);
        let Compiled::Role(compiled) = compiled(&entitlement, &entry)? else { return Err(unknown().into()) };
        // The statement that decides says which audience is due, so none is compared before.
        let requirements =
            Requirements { instead_of_providers: true, typed: &RUBYGEMS_CLAIMS, ..Requirements::default() };
        let subject_token = self.present(&entry, token, &requirements, now, trail).await?;
        self.judge_statements(compiled, &subject_token, trail)?;
        if subject_token.is_untrusted() && !compiled.spec.allow_untrusted {
            return Err(ExchangeRefusal::Untrusted.into());
        }
        enabled_user(snapshot, &compiled.spec.user)?;
        took(trail, "role", &compiled.spec.name);
        let jti = subject_token.verified.claims().text("jti").unwrap_or_default();
        let offer = Offer {
            flow: super::flow_names::RUBYGEMS,
            jwt: false,
            name: format!("{}-{jti}", compiled.spec.name),
            owner: Some(compiled.spec.user.clone()),
            scopes: compiled.spec.permissions.scopes.clone(),
            packages: vec![compiled.gem.clone().unwrap_or_else(|| "*".to_owned())],
            audience: subject_token.audience().to_owned(),
            lifetime: compiled.valid_for,
            ends_with_token: false,
            outlives_build: compiled.spec.outlives_build,
            single_use: true,
            gem: compiled.gem.clone(),
            access: None,
        };
        Ok(Judgement {
            subject_token,
            entry,
            entitlement: Some(Arc::clone(&entitlement)),
            also: Vec::new(),
            pins: None,
            offer,
        })
    }

    /// The last statement that matches decides; the audience is the one that it names, else the door's own.
    fn judge_statements(
        &self,
        compiled: &CompiledRole,
        subject_token: &SubjectToken,
        trail: &mut Trail,
    ) -> Result<(), ExchangeRefusal> {
        let claims = subject_token.verified.claims().all();
        if !trail.is_silent() {
            for found in compiled.statements.explain(claims) {
                let text = || (format!("statement {}: {}", found.statement, found.expected), found.actual.clone());
                if found.holds { trail.passed(Check::Policy, text) } else { trail.failed(Check::Policy, text) }
            }
        }
        let statement = compiled.statements.evaluate(claims).map_err(ExchangeRefusal::Statements)?;
        let mut named = compiled.statements.audiences(statement).peekable();
        if named.peek().is_none() && subject_token.audience() != self.settings.rubygems_host {
            let (expected, actual) = (self.settings.rubygems_host.clone(), subject_token.audience().to_owned());
            return Err(ExchangeRefusal::Audience { expected, actual });
        }
        Ok(())
    }
}
