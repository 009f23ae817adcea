//! Statements of RubyGems' roles: every operator, and which documents are rejected.

use buildpass::policy::{Statements, StatementsDenied, StatementsSpec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const ISSUER: &str = "https://ci.example.com";

fn spec(statements: Value) -> StatementsSpec {
    serde_json::from_value(json!({ "statements": statements })).unwrap()
}

fn compiled(statements: Value) -> Statements {
    Statements::new(&spec(statements), ISSUER).map_err(|error| error.to_string()).unwrap()
}

fn claims(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn one(operator: &str, value: Value) -> Statements {
    compiled(json!([{ "effect": "allow", "conditions": [{ "operator": operator, "claim": "c", "value": value }] }]))
}

/// Evaluates one allow statement with this condition on a claim. `null` means that the claim is absent.
fn holds(operator: &str, value: Value, claim: &Value) -> Result<usize, StatementsDenied> {
    let mut all = json!({ "c": claim });
    if claim.is_null() {
        all = json!({});
    }
    one(operator, value).evaluate(&claims(&all))
}

#[test]
fn string_equals_matches_the_same_string_and_no_other_type() {
    assert_eq!(holds("string_equals", json!("a"), &json!("a")), Ok(1));
    for claim in [json!("A"), json!("a "), json!(["a"]), json!(1), json!(true), json!({}), json!(null)] {
        assert_eq!(holds("string_equals", json!("a"), &claim), Err(StatementsDenied::None), "{claim}");
    }
    let null = one("string_equals", json!("a")).evaluate(&claims(&json!({ "c": null })));
    assert_eq!(null, Err(StatementsDenied::None));
}

#[test]
fn string_matches_searches_with_rubys_line_anchors() {
    for (pattern, claim, found) in [
        ("b", "abc", true),
        ("^b$", "abc", false),
        ("^b$", "a\nb\nc", true),
        ("\\Ab\\z", "a\nb\nc", false),
        ("\\Arefs/tags/v[0-9.]+\\z", "refs/tags/v1.2", true),
        ("\\Arefs/tags/v[0-9.]+\\z", "refs/tags/v1.2\nx", false),
        ("A", "a", false),
        ("(?:a|b)c", "bc", true),
        ("\\(\\?", "(?", true),
        (".", "ü", true),
    ] {
        let held = holds("string_matches", json!(pattern), &json!(claim));
        assert_eq!(held.is_ok(), found, "{pattern} {claim:?}");
    }
    assert_eq!(holds("string_matches", json!("a"), &json!(null)), Err(StatementsDenied::None));
}

/// RubyGems' server answers 500 here.
#[test]
fn string_matches_on_a_claim_that_is_not_a_string_denies_whatever_else_matches() {
    let both = compiled(json!([
        { "effect": "allow", "conditions": [{ "operator": "string_equals", "claim": "ok", "value": "yes" }] },
        { "effect": "allow", "conditions": [{ "operator": "string_matches", "claim": "c", "value": "1" }] },
    ]));
    for value in [json!(1), json!(["1"]), json!(true), json!({ "a": 1 })] {
        let denied = both.evaluate(&claims(&json!({ "ok": "yes", "c": value }))).unwrap_err();
        assert_eq!(denied, StatementsDenied::NotText { statement: 2, claim: "c".to_owned() });
    }
    for absent in [json!({ "ok": "yes" }), json!({ "ok": "yes", "c": null })] {
        assert_eq!(both.evaluate(&claims(&absent)), Ok(1), "{absent}");
    }
}

#[test]
fn the_further_operators_compare_without_case_in_a_list_and_within_a_segment() {
    assert_eq!(holds("string_equals_ignore_case", json!("Acme/App"), &json!("aCME/aPP")), Ok(1));
    assert!(holds("string_equals_ignore_case", json!("Acme"), &json!(["acme"])).is_err());
    assert_eq!(holds("string_in", json!(["a", "b"]), &json!("b")), Ok(1));
    assert!(holds("string_in", json!(["a", "b"]), &json!("c")).is_err());
    assert!(holds("string_in", json!(["a"]), &json!(["a"])).is_err());
    for (pattern, claim, covers) in [
        ("acme/*", "acme/app", true),
        ("acme/*", "acme/app/x", false),
        ("refs/tags/v*", "refs/tags/v1.2", true),
        ("*", "a:b", false),
        ("*@*", "a@b", true),
        ("acme/*", "evil.acme/app", false),
    ] {
        assert_eq!(holds("glob", json!(pattern), &json!(claim)).is_ok(), covers, "{pattern} {claim}");
    }
}

#[test]
fn the_last_statement_that_matches_decides_and_none_denies() {
    let of = |effect: &str, claim: &str| json!({ "effect": effect, "conditions": [{ "operator": "string_equals", "claim": claim, "value": "x" }] });
    let all = claims(&json!({ "a": "x", "b": "x" }));
    let decide = |statements: Value| compiled(statements).evaluate(&all);
    assert_eq!(decide(json!([of("deny", "a"), of("allow", "b")])), Ok(2), "not deny before all");
    assert_eq!(
        decide(json!([of("allow", "a"), of("deny", "b")])),
        Err(StatementsDenied::Explicit { statement: 2 }),
        "not the first"
    );
    assert_eq!(decide(json!([of("allow", "a"), of("deny", "missing")])), Ok(1));
    assert_eq!(decide(json!([of("allow", "missing")])), Err(StatementsDenied::None));
    let all_hold = json!([{ "effect": "allow", "conditions": [
        { "operator": "string_equals", "claim": "a", "value": "x" },
        { "operator": "string_equals", "claim": "b", "value": "y" },
    ] }]);
    assert_eq!(decide(all_hold), Err(StatementsDenied::None), "every condition must hold");
}

#[test]
fn an_invalid_statement_is_rejected_by_its_field() {
    let good = json!({ "operator": "string_equals", "claim": "aud", "value": "x" });
    let with = |changed: Value| {
        let mut condition = good.clone();
        for (name, value) in changed.as_object().unwrap() {
            condition[name] = value.clone();
        }
        json!([{ "effect": "allow", "conditions": [good, condition] }])
    };
    let mut table = String::new();
    for statements in [
        json!([]),
        json!([{ "effect": "allow", "conditions": [] }]),
        json!([{ "effect": "Allow", "conditions": [good] }]),
        json!([{ "effect": "allow", "principal": { "oidc": "https://evil.example" }, "conditions": [good] }]),
        with(json!({ "operator": "string_is" })),
        with(json!({ "claim": "" })),
        with(json!({ "value": 1 })),
        with(json!({ "value": null })),
        with(json!({ "operator": "string_in", "value": [] })),
        with(json!({ "operator": "string_in", "value": "x" })),
        with(json!({ "operator": "string_matches", "value": "(" })),
        with(json!({ "operator": "string_matches", "value": "(?i)x" })),
        with(json!({ "operator": "string_matches", "value": "(?<name>x)" })),
        with(json!({ "operator": "string_matches", "value": "x{1000}{1000}" })),
    ] {
        table.push_str(&Statements::new(&spec(statements), ISSUER).err().unwrap().to_string());
        table.push('\n');
    }
    insta::assert_snapshot!(table);
    for unknown in [json!({ "statements": [], "version": 1 }), json!({ "statements": [{ "effect": "allow" }] })] {
        assert!(serde_json::from_value::<StatementsSpec>(unknown).is_err());
    }
    let principal = |oidc: &str| json!([{ "effect": "allow", "principal": { "oidc": oidc }, "conditions": [good] }]);
    assert!(Statements::new(&spec(principal("")), ISSUER).is_ok(), "a blank principal is the provider's");
    assert!(Statements::new(&spec(principal(ISSUER)), ISSUER).is_ok());
}

#[test]
fn likely_mistakes_have_warnings() {
    let known = ["aud".to_owned(), "ref".to_owned()];
    let of = |effect: &str, operator: &str, claim: &str, value: &str| json!({ "effect": effect, "conditions": [{ "operator": operator, "claim": claim, "value": value }] });
    let warned = |statements: Value| compiled(statements).warnings(Some(&known)).len();
    assert_eq!(warned(json!([of("allow", "string_equals", "aud", "x")])), 0);
    assert_eq!(warned(json!([of("allow", "string_equals", "reff", "x")])), 1);
    assert_eq!(warned(json!([of("allow", "string_matches", "ref", "main")])), 1);
    for anchored in ["^main$", "\\Amain\\z", "\\A(a|b)\\z"] {
        assert_eq!(warned(json!([of("allow", "string_matches", "ref", anchored)])), 0, "{anchored}");
    }
    for loose in ["\\Amain", "^a|b$", "main\\$"] {
        assert_eq!(warned(json!([of("allow", "string_matches", "ref", loose)])), 1, "{loose}");
    }
    let (allow, deny) = (of("allow", "string_equals", "aud", "x"), of("deny", "string_equals", "ref", "x"));
    assert_eq!(warned(json!([allow, deny])), 0);
    assert_eq!(warned(json!([deny, allow])), 1);
    assert!(compiled(json!([of("allow", "string_equals", "any", "x")])).warnings(None).is_empty());
}

#[test]
fn statements_list_their_audiences_and_the_results_of_their_conditions() {
    let statements = compiled(json!([{ "effect": "allow", "conditions": [
        { "operator": "string_equals", "claim": "aud", "value": "gems.example.com" },
        { "operator": "string_matches", "claim": "aud", "value": "other" },
        { "operator": "string_equals", "claim": "ref", "value": "main" },
    ] }]));
    assert_eq!(statements.audiences(1).collect::<Vec<_>>(), ["gems.example.com"]);
    assert_eq!(statements.audiences(2).count(), 0);
    let found = statements.explain(&claims(&json!({ "aud": "gems.example.com", "ref": 5 })));
    assert_eq!(found.iter().map(|found| found.holds).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!((found[2].expected.as_str(), found[2].actual.as_str()), ("ref string_equals \"main\"", "5"));
}

proptest! {
    /// The last statement that matches decides.
    #[test]
    fn no_statement_before_the_last_that_matches_changes_anything(
        made in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..8),
    ) {
        let statements: Vec<Value> = made.iter().map(|(allow, matches)| json!({
            "effect": if *allow { "allow" } else { "deny" },
            "conditions": [{ "operator": "string_equals", "claim": "c", "value": if *matches { "x" } else { "y" } }],
        })).collect();
        let last = made.iter().rposition(|(_, matches)| *matches);
        let expected = match last {
            None => Err(StatementsDenied::None),
            Some(at) if made[at].0 => Ok(at + 1),
            Some(at) => Err(StatementsDenied::Explicit { statement: at + 1 }),
        };
        prop_assert_eq!(compiled(json!(statements)).evaluate(&claims(&json!({ "c": "x" }))), expected);
    }
}
