//! Tokens of other libraries, and tokens that a tool forged: fixtures, each beside the command that
//! generated it.

use buildpass::verifier::{ProviderSpec, Requirements};
use serde_json::Value;

use super::forge::{AUDIENCE, ISSUER};
use super::verifiers;

const FOREIGN: &str = include_str!("../../fixtures/foreign/tokens.jsonl");
const FORGED: &str = include_str!("../../fixtures/forged/tokens.txt");
const FORGED_FROM: &str = include_str!("../../fixtures/forged/good.jwt");
const FORGED_KEYS: &str = include_str!("../../fixtures/forged/jwks.json");

fn by(jwks: &str) -> ProviderSpec {
    ProviderSpec {
        kind: "generic".to_owned(),
        issuer: Some(ISSUER.to_owned()),
        jwks: Some(jwks.to_owned()),
        required_audience: Some(AUDIENCE.to_owned()),
        ..ProviderSpec::default()
    }
}

#[tokio::test]
async fn tokens_and_key_sets_of_four_foreign_signers_are_accepted() {
    let mut signers = std::collections::BTreeMap::<String, usize>::new();
    for line in FOREIGN.lines() {
        let made: Value = serde_json::from_str(line).unwrap();
        let (verifiers, _) = verifiers(vec![("foreign", by(&made["jwks"].to_string()))]);
        let result = verifiers.verify(made["token"].as_str().unwrap(), &Requirements::default()).await;
        let verified = result.unwrap_or_else(|refusal| panic!("{} {}: {refusal}", made["signer"], made["alg"]));
        assert_eq!(verified.algorithm().name(), made["alg"].as_str().unwrap());
        *signers.entry(made["signer"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(signers.into_values().collect::<Vec<_>>(), [5, 5, 5, 5]);
}

#[tokio::test]
async fn every_token_that_jwt_hack_forges_is_rejected_with_its_reason() {
    let (verifiers, _) = verifiers(vec![("forged", by(FORGED_KEYS))]);
    verifiers.verify(FORGED_FROM.trim(), &Requirements::default()).await.unwrap();
    let mut table = String::new();
    for (number, token) in FORGED.lines().enumerate() {
        let refusal = verifiers.verify(token, &Requirements::default()).await.map(|_| "accepted").unwrap_err();
        let text = refusal.to_string().replace(char::is_control, "\u{fffd}");
        table.push_str(&format!("{:3} {}: {text}\n", number + 1, refusal.reason()));
    }
    assert_eq!(table.lines().count(), 152);
    insta::assert_snapshot!(table);
}
