//! Which tokens of a group may leave. Pure: the rows were read under the write lock, and stay as they are until the
//! group is committed.

use std::collections::BTreeMap;

use crate::base::{BuildId, ClientId, Moment, RequestTokenId};
use crate::store::{Issuance, IssuanceRefusal, TokenKind};

/// What the database says of one issuance before its group.
#[derive(Debug, Clone)]
pub(in crate::store) struct Standing {
    pub(in crate::store) client: ClientId,
    pub(in crate::store) client_disabled: bool,
    pub(in crate::store) client_revision: u64,
    pub(in crate::store) deadline: Moment,
    pub(in crate::store) finished: bool,
    pub(in crate::store) issued: u64,
    pub(in crate::store) token: Option<TokenStanding>,
    /// Tokens that the issuance's rule has granted to the build.
    pub(in crate::store) issued_by_rule: u64,
}

/// What the database says of a request token.
#[derive(Debug, Clone)]
pub(in crate::store) struct TokenStanding {
    pub(in crate::store) build: BuildId,
    pub(in crate::store) kind: TokenKind,
    pub(in crate::store) expires_at: Moment,
    pub(in crate::store) ended: bool,
    pub(in crate::store) max_uses: Option<u64>,
    pub(in crate::store) uses: u64,
}

/// What a group takes from one count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Tally {
    /// How many.
    pub(in crate::store) taken: u64,
    /// What the count may not pass; `None` for no limit.
    pub(in crate::store) limit: Option<u64>,
    /// The latest moment at which its holder must be alive.
    pub(in crate::store) now: Moment,
}

/// What a group takes from every count, and what its members are told.
#[derive(Debug, Default)]
pub(in crate::store) struct Decision<'g> {
    /// In the group's order.
    pub(in crate::store) answers: Vec<Result<(), IssuanceRefusal>>,
    pub(in crate::store) builds: BTreeMap<BuildId, Tally>,
    pub(in crate::store) tokens: BTreeMap<RequestTokenId, Tally>,
    pub(in crate::store) rules: BTreeMap<(BuildId, &'g str), Tally>,
}

/// Decides in the group's order: of each count as many as fit are taken, the rest is refused.
pub(in crate::store) fn decide<'g>(members: impl Iterator<Item = (&'g Issuance, Option<Standing>)>) -> Decision<'g> {
    let mut decision = Decision::default();
    for (issuance, standing) in members {
        let answer = match standing {
            Some(standing) => decision.judge(issuance, &standing),
            None => Err(IssuanceRefusal::Dead),
        };
        decision.answers.push(answer);
    }
    decision
}

impl<'g> Decision<'g> {
    fn judge(&mut self, issuance: &'g Issuance, standing: &Standing) -> Result<(), IssuanceRefusal> {
        let Issuance { row, tokens_per_build, tokens_by_rule, client_revision, now } = issuance;
        if standing.client_disabled
            || standing.client_revision != *client_revision
            || standing.client != row.client_id
            || standing.finished
            || standing.deadline <= *now
            || !token_lives(issuance, standing.token.as_ref())
        {
            return Err(IssuanceRefusal::Dead);
        }
        let token = row.request_token_id.zip(standing.token.as_ref());
        if let Some((id, token)) = token
            && !fits(self.tokens.get(&id), token.uses, token.max_uses)
        {
            return Err(IssuanceRefusal::TokenUses);
        }
        if !fits(self.builds.get(&row.build_id), standing.issued, *tokens_per_build) {
            return Err(IssuanceRefusal::BuildQuota);
        }
        let rule = row.rule.as_deref().map(|rule| (row.build_id, rule));
        if let Some(rule) = rule
            && !fits(self.rules.get(&rule), standing.issued_by_rule, *tokens_by_rule)
        {
            return Err(IssuanceRefusal::RuleQuota);
        }
        // All or nothing: no count is taken from before every one has room.
        if let Some((id, token)) = token {
            take(self.tokens.entry(id).or_insert_with(none), token.max_uses, *now);
        }
        take(self.builds.entry(row.build_id).or_insert_with(none), *tokens_per_build, *now);
        if let Some(rule) = rule {
            take(self.rules.entry(rule).or_insert_with(none), *tokens_by_rule, *now);
        }
        Ok(())
    }
}

fn token_lives(issuance: &Issuance, token: Option<&TokenStanding>) -> bool {
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

/// Is there room for one more?
fn fits(tally: Option<&Tally>, before: u64, limit: Option<u64>) -> bool {
    let count = before.saturating_add(tally.map_or(0, |tally| tally.taken));
    limit.is_none_or(|limit| count < limit)
}

fn none() -> Tally {
    Tally { taken: 0, limit: Some(0), now: Moment::from_unix(i64::MIN) }
}

/// Members may come with different limits, when the configuration changed between them. Each was held to its own;
/// what the count may not pass at the end is the largest.
fn take(tally: &mut Tally, limit: Option<u64>, now: Moment) {
    tally.taken += 1;
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

    fn wish(quota: Option<u64>) -> Issuance {
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

    fn standing() -> Standing {
        Standing {
            client: ClientId::from_text("ci"),
            client_disabled: false,
            client_revision: 0,
            deadline: Moment::from_unix(101),
            finished: false,
            issued: 7,
            token: Some(TokenStanding {
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
    fn of_a_group_as_many_as_fit_are_taken_in_its_order() {
        let wishes = vec![wish(Some(10)); 5];
        let decision = decide(wishes.iter().map(|wish| (wish, Some(standing()))));
        let refused = Err(IssuanceRefusal::BuildQuota);
        assert_eq!(decision.answers, [Ok(()), Ok(()), Ok(()), refused, refused]);
        assert_eq!(decision.builds[&build(1)], Tally { taken: 3, limit: Some(10), now: NOW });
        assert_eq!(decision.rules[&(build(1), "r")].taken, 3);
    }

    #[test]
    fn members_with_different_limits_are_each_held_to_their_own() {
        let wishes = [wish(Some(8)), wish(Some(8)), wish(Some(10)), wish(None), wish(Some(10))];
        let decision = decide(wishes.iter().map(|wish| (wish, Some(standing()))));
        let refused = Err(IssuanceRefusal::BuildQuota);
        assert_eq!(decision.answers, [Ok(()), refused, Ok(()), Ok(()), refused]);
        assert_eq!(decision.builds[&build(1)], Tally { taken: 3, limit: None, now: NOW });
    }

    #[test]
    fn life_is_judged_by_every_row_that_can_end_it() {
        type Spoil = fn(&mut Standing);
        let spoils: [Spoil; 10] = [
            |standing| standing.client_disabled = true,
            |standing| standing.client_revision = 1,
            |standing| standing.client = ClientId::from_text("other"),
            |standing| standing.deadline = NOW,
            |standing| standing.finished = true,
            |standing| standing.token = None,
            |standing| standing.token.as_mut().unwrap().build = build(2),
            |standing| standing.token.as_mut().unwrap().kind = TokenKind::Worker,
            |standing| standing.token.as_mut().unwrap().expires_at = NOW,
            |standing| standing.token.as_mut().unwrap().ended = true,
        ];
        let wish = wish(None);
        assert_eq!(decide([(&wish, Some(standing()))].into_iter()).answers, [Ok(())]);
        for (at, spoil) in spoils.iter().enumerate() {
            let mut spoiled = standing();
            spoil(&mut spoiled);
            let decision = decide([(&wish, Some(spoiled))].into_iter());
            assert_eq!(decision.answers, [Err(IssuanceRefusal::Dead)], "spoil {at}");
            assert!(decision.builds.is_empty() && decision.tokens.is_empty() && decision.rules.is_empty());
        }
        assert_eq!(decide([(&wish, None)].into_iter()).answers, [Err(IssuanceRefusal::Dead)]);
    }
}
