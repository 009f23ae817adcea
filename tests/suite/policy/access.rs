//! Access policies: how rules decide, and what a rule does that cannot be evaluated.

use buildpass::policy::{
    AccessDefault, AccessDenied, AccessPolicy, AccessPolicySpec, AccessRequest, CelFailure, RepositoryPolicies,
    registry_actions,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The example of the decision record for access policies.
const SEED: &str = r#"identity.oidc.claims.repository == "myorg/myrepo" &&
       identity.oidc.claims.actor == "github-actions[bot]" &&
       request.action in ["put-manifest", "put-blob"]"#;

fn policy(default: AccessDefault, rules: &[&str]) -> AccessPolicy {
    AccessPolicy::new(AccessPolicySpec {
        default,
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        providers: vec!["github".to_owned()],
        allow_untrusted: false,
    })
    .unwrap()
}

fn claims(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn seeds() -> Map<String, Value> {
    claims(json!({ "repository": "myorg/myrepo", "actor": "github-actions[bot]" }))
}

fn put(claims: &Map<String, Value>) -> AccessRequest<'_> {
    AccessRequest { provider: "github", claims, untrusted: false, action: "put-manifest", repository: "myapp" }
}

#[test]
fn the_example_rule_allows_and_each_part_negated_denies_and_names_its_claim() {
    let policy = policy(AccessDefault::Deny, &[SEED]);
    let good = seeds();
    assert_eq!(policy.decide(&put(&good)), Ok(()));
    assert!(policy.explain(&put(&good)).iter().all(|part| part.answer == Ok(true)));
    let mut impostor = good.clone();
    impostor["repository"] = json!("evil/myrepo");
    let mut somebody = good.clone();
    somebody["actor"] = json!("octocat");
    let read = AccessRequest { action: "get-blob", ..put(&good) };
    for (request, named) in [
        (put(&impostor), r#"identity.oidc.claims.repository = "evil/myrepo""#),
        (put(&somebody), r#"identity.oidc.claims.actor = "octocat""#),
        (read, r#"request.action = "get-blob""#),
    ] {
        assert_eq!(policy.decide(&request), Err(AccessDenied::NoRule));
        let parts = policy.explain(&request);
        let failed: Vec<_> = parts.iter().filter(|part| part.answer != Ok(true)).collect();
        assert_eq!((parts.len(), failed.len()), (3, 1), "exactly one part does not hold");
        assert_eq!(failed[0].found(), named);
    }
}

#[test]
fn in_deny_mode_the_first_true_rule_allows_and_in_allow_mode_it_denies() {
    let good = seeds();
    let (yes, no) = ("request.action == 'put-manifest'", "request.action == 'x'");
    let decide = |default, rules: &[&str]| policy(default, rules).decide(&put(&good));
    assert_eq!(decide(AccessDefault::Deny, &[no, yes]), Ok(()));
    assert_eq!(decide(AccessDefault::Deny, &[no]), Err(AccessDenied::NoRule));
    assert_eq!(decide(AccessDefault::Deny, &[]), Err(AccessDenied::NoRule));
    assert_eq!(decide(AccessDefault::Allow, &[no]), Ok(()));
    assert_eq!(decide(AccessDefault::Allow, &[no, yes]), Err(AccessDenied::Rule { rule: 2 }));
    assert_eq!(AccessPolicySpec::default().default, AccessDefault::Deny);
}

#[test]
fn a_rule_that_cannot_be_evaluated_denies_in_both_modes_and_is_named() {
    let good = claims(json!({ "flag": "x", "n": 5, "groups": ["a"] }));
    for (rule, failure) in [
        ("identity.oidc.claims.missing == 'x'", CelFailure::MissingKey),
        ("identity.oidc.claims.flag", CelFailure::NotBoolean),
        ("identity.oidc.claims.flag > 3", CelFailure::WrongType),
        ("identity.oidc.claims.groups[7] == 'a'", CelFailure::OutOfRange),
        ("identity.oidc.claims.n / (identity.oidc.claims.n - 5) == 1", CelFailure::Arithmetic),
    ] {
        for default in [AccessDefault::Deny, AccessDefault::Allow] {
            let rules = ["request.action == 'x'", rule, "true"];
            let denied = policy(default, &rules).decide(&put(&good)).unwrap_err();
            assert_eq!(denied, AccessDenied::Indeterminate { rule: 2, failure }, "{rule}");
        }
    }
}

#[test]
fn claims_have_their_json_types_and_absent_ones_can_be_tested_for() {
    let all = claims(json!({
        "n": 5, "negative": -2, "half": 0.5, "yes": true, "nothing": null, "groups": ["dev", "ops"],
        "kubernetes.io": { "namespace": "ci", "pod": { "name": "x" } }, "x-y": "z",
    }));
    for rule in [
        "identity.oidc.claims.n + 1 == 6",
        "identity.oidc.claims.negative < 0",
        "identity.oidc.claims.half < 1.0",
        "identity.oidc.claims.yes",
        "identity.oidc.claims.nothing == null",
        "'ops' in identity.oidc.claims.groups",
        "identity.oidc.claims.groups.exists(group, group.startsWith('d'))",
        "identity.oidc.claims['kubernetes.io'].namespace == 'ci'",
        "identity.oidc.claims['kubernetes.io'].pod.name.matches('^x$')",
        "identity.oidc.claims['x-y'] == 'z'",
        "!has(identity.oidc.claims.missing)",
        "has(identity.oidc.claims.n) && identity.oidc.claims.n == 5",
        "identity.oidc.provider_name == 'github' && request.repository == 'myapp'",
    ] {
        assert_eq!(policy(AccessDefault::Deny, &[rule]).decide(&put(&all)), Ok(()), "{rule}");
    }
}

#[test]
fn a_token_with_too_many_claims_is_denied_in_both_modes() {
    let long: Vec<String> = (0..201).map(|number| number.to_string()).collect();
    for (value, taken) in [(json!(long[..200]), true), (json!(long), false), (json!({ "deep": [long] }), false)] {
        let many = claims(json!({ "groups": value }));
        let decided = policy(AccessDefault::Allow, &["request.action == 'x'"]).decide(&put(&many));
        assert_eq!(decided.is_ok(), taken);
        if let Err(denied) = decided {
            assert_eq!(denied, AccessDenied::Indeterminate { rule: 1, failure: CelFailure::TooLarge });
        }
    }
}

#[test]
fn an_invalid_rule_is_rejected_with_its_number_and_place() {
    let nested = format!("{}true{}", "(".repeat(40), ")".repeat(40));
    let wide = vec!["request.action == 'x'"; 400].join(" || ");
    let chain = format!("identity.oidc.claims.groups{}.size() > 0", ".map(x, [x, x])".repeat(4));
    let heavy = format!("identity.oidc.claims.groups.all(g, {})", vec!["g == 'x'"; 20].join(" || "));
    let cases = [
        "",
        "request.acton == 'x'",
        "identity.oidc.claim.repository == 'x'",
        "identity.certificate.common_names == []",
        "request.action ==",
        "request.action == 5",
        "request.action",
        "identity.oidc.claims.x.matches(request.action)",
        "identity.oidc.claims.x.matches('(')",
        nested.as_str(),
        wide.as_str(),
        chain.as_str(),
        heavy.as_str(),
    ];
    let mut table = String::new();
    for case in cases {
        let spec = AccessPolicySpec { rules: vec!["true".to_owned(), case.to_owned()], ..AccessPolicySpec::default() };
        let error = AccessPolicy::new(spec).unwrap_err();
        assert_eq!(error.rule, 2);
        let text = error.to_string();
        table.push_str(text.lines().next().unwrap());
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_policy_accepts_tokens_of_its_providers_only() {
    let good = seeds();
    let open = policy(AccessDefault::Allow, &[]);
    let denied = open.decide(&AccessRequest { provider: "self", ..put(&good) }).unwrap_err();
    let (expected, actual) = (vec!["github".to_owned()], "self".to_owned());
    assert_eq!(denied, AccessDenied::Provider { expected, actual });
    assert!(RepositoryPolicies::default().decide(&put(&good)).is_err(), "where no policy holds nothing is allowed");
}

#[test]
fn untrusted_builds_need_a_policy_that_allows_them() {
    let good = seeds();
    let spec = |allow_untrusted| AccessPolicySpec {
        default: AccessDefault::Allow,
        providers: vec!["github".to_owned()],
        allow_untrusted,
        ..AccessPolicySpec::default()
    };
    let untrusted = AccessRequest { untrusted: true, ..put(&good) };
    assert_eq!(AccessPolicy::new(spec(false)).unwrap().decide(&untrusted), Err(AccessDenied::Untrusted));
    assert_eq!(AccessPolicy::new(spec(true)).unwrap().decide(&untrusted), Ok(()));
}

#[test]
fn the_longest_matching_name_decides_alone() {
    let open = || policy(AccessDefault::Allow, &[]);
    let shut = || policy(AccessDefault::Deny, &[]);
    let policies = RepositoryPolicies::new(
        [("acme", open()), ("acme/app", shut()), ("acme/app/public", open())]
            .into_iter()
            .map(|(name, policy)| (name.to_owned(), policy))
            .collect(),
    );
    let good = seeds();
    for (repository, allowed) in [
        ("acme", true),
        ("acme/other", true),
        ("acme/app", false),
        ("acme/app/x", false),
        ("acme/app/public/y", true),
        ("acme/application", true),
        ("acmeapp", false),
        ("", false),
        ("acme/app/publicity", false),
    ] {
        let request = AccessRequest { repository, ..put(&good) };
        assert_eq!(policies.decide(&request).is_ok(), allowed, "{repository}");
    }
}

#[test]
fn a_scope_requires_each_of_its_actions() {
    assert_eq!(registry_actions("push"), ["put-manifest", "put-blob"]);
    assert_eq!(registry_actions("pull"), ["get-manifest", "get-blob"]);
    assert_eq!(registry_actions("delete"), ["delete-manifest", "delete-blob"]);
    assert!(registry_actions("*").is_empty());
}

#[test]
fn only_a_conjunction_is_split_into_parts() {
    let parts = |rule: &str| {
        let good = claims(json!({ "a": "x && y" }));
        let texts = policy(AccessDefault::Deny, &[rule]).explain(&put(&good));
        texts.into_iter().map(|part| part.text).collect::<Vec<_>>()
    };
    assert_eq!(parts("true && false"), ["true", "false"]);
    assert_eq!(parts("identity.oidc.claims.a == 'x && y' && true"), ["identity.oidc.claims.a == 'x && y'", "true"]);
    assert_eq!(parts("(true && false) && true"), ["(true && false)", "true"]);
    assert_eq!(parts("true && false || true"), ["true && false || true"]);
    assert_eq!(parts("true && (false || true)"), ["true", "(false || true)"]);
    assert_eq!(parts("true ? true && true : false"), ["true ? true && true : false"]);
    assert_eq!(parts("true // a && b\n && false").len(), 2);
}

proptest! {
    /// A rule that cannot be evaluated allows nothing that the other rules would not allow.
    #[test]
    fn a_rule_that_fails_never_turns_a_denial_into_a_grant(
        rules in proptest::collection::vec(prop_oneof![Just("true"), Just("request.action == 'x'")], 0..4),
        at in 0_usize..5,
        allow in any::<bool>(),
    ) {
        let default = if allow { AccessDefault::Allow } else { AccessDefault::Deny };
        let good = seeds();
        let without = policy(default, &rules).decide(&put(&good)).is_ok();
        let mut with = rules.clone();
        with.insert(at.min(rules.len()), "identity.oidc.claims.missing == 1");
        let with = policy(default, &with).decide(&put(&good)).is_ok();
        prop_assert!(without || !with);
    }
}
