//! One transaction records a group of waiting tokens. This file decides which of them are issued, and is a pure
//! function of rows that were read under lock, so that no row changes before the group is committed.

use std::collections::BTreeMap;

use crate::base::{BuildId, ClientId, Moment, RequestTokenId};
use crate::store::{Issuance, IssuanceRefusal, TokenKind};

/// State of the client, build and request token that one issuance depends on, as stored before this transaction counts
/// any token.
#[derive(Debug, Clone)]
pub(in crate::store) struct IssuanceState {
    pub(in crate::store) client: ClientId,
    pub(in crate::store) client_disabled: bool,
    pub(in crate::store) client_revision: u64,
    pub(in crate::store) deadline: Moment,
    pub(in crate::store) finished: bool,
    pub(in crate::store) issued: u64,
    pub(in crate::store) token: Option<TokenState>,
    /// Number of the build's tokens that the issuance's rule has allowed so far.
    pub(in crate::store) issued_by_rule: u64,
}

/// State of a request token, as stored before this transaction counts any token.
#[derive(Debug, Clone)]
pub(in crate::store) struct TokenState {
    pub(in crate::store) build: BuildId,
    pub(in crate::store) kind: TokenKind,
    pub(in crate::store) expires_at: Moment,
    pub(in crate::store) ended: bool,
    pub(in crate::store) max_uses: Option<u64>,
    pub(in crate::store) uses: u64,
}

/// Number of tokens that the transaction adds to one count of a build, a request token or a rule, and the limit of that
/// count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Tally {
    /// Number of tokens that the transaction adds to the count.
    pub(in crate::store) added: u64,
    /// Maximum of the count; `None` for no limit.
    pub(in crate::store) limit: Option<u64>,
    /// Latest time at which the counted build or request token must be active.
    pub(in crate::store) now: Moment,
}

/// Decision on a group of issuances that one transaction records: the answer to each issuance, and the number of tokens
/// to add to each count.
#[derive(Debug, Default)]
pub(in crate::store) struct Decision<'g> {
    /// Answers in the order of the group's issuances.
    pub(in crate::store) answers: Vec<Result<(), IssuanceRefusal>>,
    pub(in crate::store) builds: BTreeMap<BuildId, Tally>,
    pub(in crate::store) tokens: BTreeMap<RequestTokenId, Tally>,
    pub(in crate::store) rules: BTreeMap<(BuildId, &'g str), Tally>,
}

/// Decides on the issuances in order: accepts a token if every count that the token adds to has room, and refuses the
/// token otherwise.
pub(in crate::store) fn decide<'g>(
    members: impl Iterator<Item = (&'g Issuance, Option<IssuanceState>)>,
) -> Decision<'g> {
    let mut decision = Decision::default();
    for (issuance, state) in members {
        let answer = match state {
            Some(state) => decision.add(issuance, &state),
            None => Err(IssuanceRefusal::NotActive),
        };
        decision.answers.push(answer);
    }
    decision
}

impl<'g> Decision<'g> {
    fn add(&mut self, issuance: &'g Issuance, state: &IssuanceState) -> Result<(), IssuanceRefusal> {
        let Issuance { row, tokens_per_build, tokens_by_rule, client_revision, now } = issuance;
        if state.client_disabled
            || state.client_revision != *client_revision
            || state.client != row.client_id
            || state.finished
            || state.deadline <= *now
            || !token_is_active(issuance, state.token.as_ref())
        {
            return Err(IssuanceRefusal::NotActive);
        }
        let token = row.request_token_id.zip(state.token.as_ref());
        if let Some((id, token)) = token
            && !fits(self.tokens.get(&id), token.uses, token.max_uses)
        {
            return Err(IssuanceRefusal::TokenUses);
        }
        if !fits(self.builds.get(&row.build_id), state.issued, *tokens_per_build) {
            return Err(IssuanceRefusal::BuildQuota);
        }
        let rule = row.rule.as_deref().map(|rule| (row.build_id, rule));
        if let Some(rule) = rule
            && !fits(self.rules.get(&rule), state.issued_by_rule, *tokens_by_rule)
        {
            return Err(IssuanceRefusal::RuleQuota);
        }
        // Counts are increased only after every limit was checked.
        if let Some((id, token)) = token {
            count(self.tokens.entry(id).or_insert_with(nothing), token.max_uses, *now);
        }
        count(self.builds.entry(row.build_id).or_insert_with(nothing), *tokens_per_build, *now);
        if let Some(rule) = rule {
            count(self.rules.entry(rule).or_insert_with(nothing), *tokens_by_rule, *now);
        }
        Ok(())
    }
}

fn token_is_active(issuance: &Issuance, token: Option<&TokenState>) -> bool {
    match (issuance.row.request_token_id, token) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(_), Some(token)) => {
            token.build == issuance.row.build_id
                && token.kind != TokenKind::Worker
                && !token.ended
                && token.expires_at > issuance.now
        }
    }
}

/// Returns whether the limit has room for one more token.
fn fits(tally: Option<&Tally>, before: u64, limit: Option<u64>) -> bool {
    let total = before.saturating_add(tally.map_or(0, |tally| tally.added));
    limit.is_none_or(|limit| total < limit)
}

fn nothing() -> Tally {
    Tally { added: 0, limit: Some(0), now: Moment::from_unix(i64::MIN) }
}

/// Adds one token to a count. Two tokens of a group may have different limits for the same count, if the configuration
/// changed between them. Each token was checked against its own limit; the SQL statement checks the sum against the
/// largest limit.
fn count(tally: &mut Tally, limit: Option<u64>, now: Moment) {
    tally.added += 1;
    tally.limit = tally.limit.zip(limit).map(|(one, other)| one.max(other));
    tally.now = tally.now.max(now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Entropy, EntropyError, Jti, Sha256};
    use crate::jose::Algorithm;
    use crate::store::AuditRow;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    const NOW: Moment = Moment::from_unix(100);

    fn build(n: u8) -> BuildId {
        BuildId::new(NOW, &Fixed(n)).unwrap()
    }

    fn issuance(quota: Option<u64>) -> Issuance {
        let row = AuditRow {
            jti: Jti::new(NOW, &Fixed(1)).unwrap(),
            issued_at: NOW,
            expires_at: NOW,
            build_id: build(1),
            client_id: ClientId::from_text("ci"),
            request_token_id: Some(RequestTokenId::new(NOW, &Fixed(1)).unwrap()),
            rule: Some("r".to_owned()),
            org: String::new(),
            repo: String::new(),
            number: 1,
            step: None,
            subject: String::new(),
            audiences: vec![],
            alg: Algorithm::Es256,
            kid: String::new(),
            token_sha256: Sha256::of(b""),
            peer: None,
            claims: String::new(),
        };
        Issuance { row, tokens_per_build: quota, tokens_by_rule: None, client_revision: 0, now: NOW }
    }

    fn state() -> IssuanceState {
        IssuanceState {
            client: ClientId::from_text("ci"),
            client_disabled: false,
            client_revision: 0,
            deadline: Moment::from_unix(101),
            finished: false,
            issued: 7,
            token: Some(TokenState {
                build: build(1),
                kind: TokenKind::Build,
                expires_at: Moment::from_unix(101),
                ended: false,
                max_uses: None,
                uses: 0,
            }),
            issued_by_rule: 0,
        }
    }

    #[test]
    fn of_a_group_as_many_as_fit_are_accepted_in_its_order() {
        let wishes = vec![issuance(Some(10)); 5];
        let decision = decide(wishes.iter().map(|wish| (wish, Some(state()))));
        let refused = Err(IssuanceRefusal::BuildQuota);
        assert_eq!(decision.answers, [Ok(()), Ok(()), Ok(()), refused, refused]);
        assert_eq!(decision.builds[&build(1)], Tally { added: 3, limit: Some(10), now: NOW });
        assert_eq!(decision.rules[&(build(1), "r")].added, 3);
    }

    #[test]
    fn members_with_different_limits_are_each_checked_against_their_own() {
        let wishes = [issuance(Some(8)), issuance(Some(8)), issuance(Some(10)), issuance(None), issuance(Some(10))];
        let decision = decide(wishes.iter().map(|wish| (wish, Some(state()))));
        let refused = Err(IssuanceRefusal::BuildQuota);
        assert_eq!(decision.answers, [Ok(()), refused, Ok(()), Ok(()), refused]);
        assert_eq!(decision.builds[&build(1)], Tally { added: 3, limit: None, now: NOW });
    }

    #[test]
    fn every_row_that_a_token_depends_on_is_checked() {
        type Spoil = fn(&mut IssuanceState);
        let spoils: [Spoil; 10] = [
            |state| state.client_disabled = true,
            |state| state.client_revision = 1,
            |state| state.client = ClientId::from_text("other"),
            |state| state.deadline = NOW,
            |state| state.finished = true,
            |state| state.token = None,
            |state| state.token.as_mut().unwrap().build = build(2),
            |state| state.token.as_mut().unwrap().kind = TokenKind::Worker,
            |state| state.token.as_mut().unwrap().expires_at = NOW,
            |state| state.token.as_mut().unwrap().ended = true,
        ];
        let wish = issuance(None);
        assert_eq!(decide([(&wish, Some(state()))].into_iter()).answers, [Ok(())]);
        for (at, spoil) in spoils.iter().enumerate() {
            let mut spoiled = state();
            spoil(&mut spoiled);
            let decision = decide([(&wish, Some(spoiled))].into_iter());
            assert_eq!(decision.answers, [Err(IssuanceRefusal::NotActive)], "spoil {at}");
            assert!(decision.builds.is_empty() && decision.tokens.is_empty() && decision.rules.is_empty());
        }
        assert_eq!(decide([(&wish, None)].into_iter()).answers, [Err(IssuanceRefusal::NotActive)]);
    }
}
