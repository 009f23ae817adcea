//! RubyGems' roles: the role in the URL decides, by its statements.

use std::sync::Arc;

use super::{Judgement, Offer, RUBYGEMS_CLAIMS, enabled_user, terms, took};
use crate::base::{Moment, Secret};
use crate::exchange::presented::Presented;
use crate::exchange::rule_book::RuleBook;
use crate::exchange::terms::{RoleTerms, Terms};
use crate::exchange::{Declined, Exchange, Refusal};
use crate::store::DoorKind;
use crate::verifier::{Check, Demand, Trail};

impl Exchange {
    pub(super) async fn judge_role(
        &self,
        book: &RuleBook,
        role: &str,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, Declined> {
        let unknown = || Refusal::NoEntitlement { what: "role", asked: role.to_owned() };
        let entitlement = Arc::clone(book.role(role).ok_or_else(unknown)?);
        let entry = Arc::clone(book.entry(&entitlement.row.provider).ok_or_else(unknown)?);
        let Terms::Role(terms) = terms(&entitlement, &entry)? else { return Err(unknown().into()) };
        // The statement that decides says which audience is due, so none is compared before.
        let demand = Demand { instead_of_providers: true, typed: &RUBYGEMS_CLAIMS, ..Demand::default() };
        let presented = self.present(&entry, token, &demand, now, trail).await?;
        self.judge_statements(terms, &presented, trail)?;
        if presented.is_untrusted() && !terms.written.allow_untrusted {
            return Err(Refusal::Untrusted.into());
        }
        enabled_user(book, &terms.written.user)?;
        took(trail, "role", &terms.written.name);
        let jti = presented.verified.claims().text("jti").unwrap_or_default();
        let offer = Offer {
            door: DoorKind::Rubygems,
            jwt: false,
            name: format!("{}-{jti}", terms.written.name),
            owner: Some(terms.written.user.clone()),
            scopes: terms.written.permissions.scopes.clone(),
            packages: vec![terms.gem.clone().unwrap_or_else(|| "*".to_owned())],
            audience: presented.audience().to_owned(),
            lifetime: terms.valid_for,
            ends_with_token: false,
            outlives_build: terms.written.outlives_build,
            single_use: true,
            gem: terms.gem.clone(),
            access: None,
        };
        Ok(Judgement {
            presented,
            entry,
            entitlement: Some(Arc::clone(&entitlement)),
            also: Vec::new(),
            learned: None,
            offer,
        })
    }

    /// The last statement that matches decides; the audience is the one that it names, else the door's own.
    fn judge_statements(&self, terms: &RoleTerms, presented: &Presented, trail: &mut Trail) -> Result<(), Refusal> {
        let claims = presented.verified.claims().all();
        if !trail.is_silent() {
            for found in terms.statements.explain(claims) {
                let text = || (format!("statement {}: {}", found.statement, found.expected), found.actual.clone());
                if found.holds { trail.passed(Check::Policy, text) } else { trail.failed(Check::Policy, text) }
            }
        }
        let statement = terms.statements.evaluate(claims).map_err(Refusal::Statements)?;
        let mut named = terms.statements.audiences(statement).peekable();
        if named.peek().is_none() && presented.audience() != self.settings.rubygems_host {
            let (expected, actual) = (self.settings.rubygems_host.clone(), presented.audience().to_owned());
            return Err(Refusal::Audience { expected, actual });
        }
        Ok(())
    }
}
