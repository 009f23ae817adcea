//! The issuance policy: which build gets a token for which audience, in tables and as properties.

use std::fmt::Write as _;

use buildpass::base::Seconds;
use buildpass::claims::{AudiencePattern, Build, BuildStep, Event};
use buildpass::jose::Algorithm;
use buildpass::policy::{
    AudienceDenied, CelFailure, DefaultGrant, Denied, Grant, IssuancePolicy, IssuanceRequest, RuleSpec,
};
use proptest::prelude::*;

use super::{fork, push, rule, rule_when};

const AWS: &str = "sts.amazonaws.com";
const SIGSTORE: &str = "sigstore";

fn policy(default: DefaultGrant, rules: Vec<RuleSpec>) -> IssuancePolicy {
    IssuancePolicy::new(default, rules).unwrap_or_else(|error| panic!("{error}"))
}

fn owned(audiences: &[&str]) -> Vec<String> {
    audiences.iter().map(|audience| (*audience).to_owned()).collect()
}

fn ask<'a>(build: &'a Build, audiences: &'a [String]) -> IssuanceRequest<'a> {
    IssuanceRequest { build, step: None, audiences, lifetime: None, algorithm: None, restrictions: &[] }
}

fn decide(policy: &IssuancePolicy, build: &Build, audiences: &[&str]) -> Result<Grant, Denied> {
    policy.decide(&ask(build, &owned(audiences)))
}

/// A decision as one line of a table.
fn shown(decision: &Result<Grant, Denied>) -> String {
    match decision {
        Ok(Grant { rule: Some(rule), .. }) => format!("granted by {rule:?}"),
        Ok(Grant { rule: None, .. }) => "granted by default".to_owned(),
        Err(denied) => format!("{denied:?}"),
    }
}

fn granted_by(decision: Result<Grant, Denied>) -> Option<String> {
    decision.unwrap_or_else(|denied| panic!("{denied:?}")).rule
}

fn rules_bar(rules: &[&str]) -> AudienceDenied {
    AudienceDenied::Rules { rules: owned(rules) }
}

#[test]
fn a_fork_gets_only_what_a_rule_allows_untrusted_builds() {
    let silent = || rule("silent", &[AWS]);
    let aloud = || RuleSpec { allow_untrusted: true, ..rule("aloud", &[AWS]) };
    let table: [(&str, DefaultGrant, Vec<RuleSpec>); 8] = [
        ("no rule", DefaultGrant::Trusted, vec![]),
        ("no rule, default = deny", DefaultGrant::Deny, vec![]),
        ("a rule without a word on trust", DefaultGrant::Trusted, vec![silent()]),
        ("the same, default = deny", DefaultGrant::Deny, vec![silent()]),
        (
            "a rule whose condition is true of it",
            DefaultGrant::Trusted,
            vec![rule_when("true", &[AWS], "!build.trusted")],
        ),
        ("allow_untrusted", DefaultGrant::Trusted, vec![aloud()]),
        ("allow_untrusted, default = deny", DefaultGrant::Deny, vec![aloud()]),
        ("a silent rule, then allow_untrusted", DefaultGrant::Trusted, vec![silent(), aloud()]),
    ];
    let mut text = String::new();
    for (name, default, rules) in table {
        let policy = policy(default, rules);
        writeln!(text, "{name}").unwrap();
        for audience in [AWS, SIGSTORE] {
            for (who, build) in [("fork", fork()), ("push", push())] {
                writeln!(text, "  {who} → {audience}: {}", shown(&decide(&policy, &build, &[audience]))).unwrap();
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_rule_for_one_audience_changes_no_other() {
    let sets: [(&str, Vec<RuleSpec>); 4] = [
        ("no rule", vec![]),
        ("a rule for sts.amazonaws.com", vec![rule("aws", &[AWS])]),
        ("one that is never true", vec![rule_when("never", &[AWS], "false")]),
        ("one that lets untrusted builds in", vec![RuleSpec { allow_untrusted: true, ..rule("open", &[AWS]) }]),
    ];
    let asked: [&[&str]; 6] = [
        &[AWS],
        &["STS.amazonaws.com"],
        &[SIGSTORE],
        &["https://vault"],
        &[AWS, SIGSTORE],
        &[SIGSTORE, "https://vault"],
    ];
    let mut text = String::new();
    for default in [DefaultGrant::Trusted, DefaultGrant::Deny] {
        for audiences in asked {
            writeln!(text, "{audiences:?}, default = {default:?}").unwrap();
            for (name, rules) in &sets {
                let policy = policy(default, rules.clone());
                for (who, build) in [("trusted", push()), ("untrusted", fork())] {
                    writeln!(text, "  {name}, {who}: {}", shown(&decide(&policy, &build, audiences))).unwrap();
                }
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = policy(
        DefaultGrant::Deny,
        vec![
            rule_when("tags", &[AWS], "build.ref_type == 'tag'"),
            rule_when("branches", &[AWS], "build.ref_type == 'branch'"),
            rule("rest", &[AWS]),
        ],
    );
    assert_eq!(granted_by(decide(&policy, &push(), &[AWS])).as_deref(), Some("branches"));
    let tag = Build { git_ref: "refs/tags/v1".to_owned(), ..push() };
    assert_eq!(granted_by(decide(&policy, &tag, &[AWS])).as_deref(), Some("tags"));
}

#[test]
fn an_audience_that_a_rule_lists_in_another_case_is_not_left_to_the_default() {
    let policy = policy(DefaultGrant::Trusted, vec![rule("vault", &["https://Vault.example/*"])]);
    assert_eq!(granted_by(decide(&policy, &push(), &["https://Vault.example/a"])).as_deref(), Some("vault"));
    for audience in ["https://vault.example/a", "https://VAULT.EXAMPLE/A"] {
        let denied = decide(&policy, &push(), &[audience]).unwrap_err();
        assert_eq!(denied, Denied::AudienceNotAllowed { audience: audience.to_owned(), reason: rules_bar(&["vault"]) });
    }
    // The star does not match beyond its segment, so the rule does not list this audience.
    assert_eq!(granted_by(decide(&policy, &push(), &["https://vault.example/a/b"])), None);
}

#[test]
fn several_audiences_at_once_need_a_rule_that_allows_several() {
    let single = || rule("single", &[AWS, SIGSTORE]);
    let both = &[AWS, SIGSTORE][..];
    let several = |rules: &[&str]| Denied::AudienceNotAllowed {
        audience: AWS.to_owned(),
        reason: AudienceDenied::Several { rules: owned(rules) },
    };
    let strict = policy(DefaultGrant::Trusted, vec![single()]);
    assert_eq!(decide(&strict, &push(), both).unwrap_err(), several(&["single"]));
    // The same audience twice counts once.
    assert_eq!(granted_by(decide(&strict, &push(), &[AWS, AWS])).as_deref(), Some("single"));
    // Two rules for one audience each do not grant both at once.
    let two =
        policy(DefaultGrant::Trusted, vec![rule("a", &[AWS]), RuleSpec { multiple: true, ..rule("b", &[SIGSTORE]) }]);
    assert_eq!(decide(&two, &push(), both).unwrap_err(), several(&["a", "b"]));
    let wide =
        policy(DefaultGrant::Trusted, vec![single(), RuleSpec { multiple: true, ..rule("wide", &[AWS, SIGSTORE]) }]);
    assert_eq!(granted_by(decide(&wide, &push(), both)).as_deref(), Some("wide"));
    let narrow = RuleSpec { multiple: true, ..rule_when("narrow", &[AWS, SIGSTORE], "build.org == 'umbrella'") };
    let denied = decide(&policy(DefaultGrant::Trusted, vec![narrow]), &push(), both).unwrap_err();
    assert_eq!(denied, Denied::AudienceNotAllowed { audience: AWS.to_owned(), reason: rules_bar(&["narrow"]) });
    // The default grants several audiences only if no rule lists any of them.
    assert_eq!(granted_by(decide(&strict, &push(), &["x", "y"])), None);
    assert_eq!(decide(&strict, &push(), &["x", AWS]).unwrap_err(), several(&["single"]));
}

#[test]
fn a_deleted_ref_gets_no_token_whatever_the_rules_say() {
    let open = RuleSpec { allow_untrusted: true, ..rule("open", &["*"]) };
    for trusted in [false, true] {
        let delete = Build { event: Event::Delete, trusted, ..push() };
        for policy in [policy(DefaultGrant::Trusted, vec![]), policy(DefaultGrant::Trusted, vec![open.clone()])] {
            let denied = decide(&policy, &delete, &[AWS]).unwrap_err();
            assert_eq!(denied, Denied::Untrusted { event: Event::Delete, rules: vec![] });
        }
    }
}

#[test]
fn a_rule_that_cannot_be_evaluated_denies_and_is_named() {
    let broken = |audiences: &[&str]| rule_when("broken", audiences, "build.properties.tier == 'gold'");
    let rules = vec![broken(&[AWS]), rule("after", &[AWS, SIGSTORE])];
    let policy = policy(DefaultGrant::Trusted, rules);
    let failed = Denied::RuleFailed { rule: "broken".to_owned(), failure: CelFailure::MissingKey };
    assert_eq!(decide(&policy, &push(), &[AWS]).unwrap_err(), failed);
    // The rule is not evaluated for audiences that it does not list, or for untrusted builds.
    assert_eq!(granted_by(decide(&policy, &push(), &[SIGSTORE])).as_deref(), Some("after"));
    let denied = decide(&policy, &fork(), &[AWS]).unwrap_err();
    assert_eq!(denied, Denied::Untrusted { event: Event::PullRequest, rules: owned(&["broken", "after"]) });
    // An earlier rule decides first.
    let before = [rule_when("before", &[AWS], "build.trusted"), broken(&[AWS])];
    let policy = IssuancePolicy::new(DefaultGrant::Trusted, before.to_vec()).unwrap();
    assert_eq!(granted_by(decide(&policy, &push(), &[AWS])).as_deref(), Some("before"));
}

#[test]
fn the_deciding_rule_limits_what_it_grants() {
    let limited = RuleSpec {
        max_lifetime: Some(Seconds::new(900)),
        max_tokens_per_build: Some(20),
        algorithm: Some(Algorithm::Rs256),
        ..rule("limited", &[AWS])
    };
    // A later rule without limits does not apply.
    let policy = policy(DefaultGrant::Trusted, vec![limited, rule("free", &[AWS])]);
    let (build, audiences) = (push(), owned(&[AWS]));
    let plain = ask(&build, &audiences);
    let granted = Grant {
        rule: Some("limited".to_owned()),
        max_lifetime: Some(Seconds::new(900)),
        max_tokens_per_build: Some(20),
        algorithm: Some(Algorithm::Rs256),
    };
    for fitting in
        [plain, IssuanceRequest { lifetime: Some(Seconds::new(900)), algorithm: Some(Algorithm::Rs256), ..plain }]
    {
        assert_eq!(policy.decide(&fitting), Ok(granted.clone()));
    }
    assert_eq!(
        policy.decide(&IssuanceRequest { lifetime: Some(Seconds::new(901)), ..plain }),
        Err(Denied::LifetimeNotAllowed {
            rule: "limited".to_owned(),
            requested: Seconds::new(901),
            allowed: Seconds::new(900)
        })
    );
    assert_eq!(
        policy.decide(&IssuanceRequest { algorithm: Some(Algorithm::Es256), ..plain }),
        Err(Denied::AlgorithmNotAllowed {
            rule: "limited".to_owned(),
            requested: Algorithm::Es256,
            allowed: Algorithm::Rs256
        })
    );
}

#[test]
fn registrations_steps_and_clients_only_restrict() {
    let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<AudiencePattern>>();
    let (wide, aws, none) = (patterns(&["*"]), patterns(&[AWS]), patterns(&[]));
    let open = policy(DefaultGrant::Trusted, vec![]);
    let closed = policy(DefaultGrant::Deny, vec![]);
    let build = push();
    let narrowed = |policy: &IssuancePolicy, audiences: &[&str], lists: &[&[AudiencePattern]]| {
        let audiences = owned(audiences);
        policy.decide(&IssuanceRequest { restrictions: lists, ..ask(&build, &audiences) })
    };
    let barred = |audience: &str, allowed: &[&str]| {
        let reason = AudienceDenied::Narrowed { allowed: owned(allowed) };
        Err(Denied::AudienceNotAllowed { audience: audience.to_owned(), reason })
    };
    assert_eq!(granted_by(narrowed(&open, &[AWS], &[&wide, &aws])), None);
    assert_eq!(narrowed(&open, &[SIGSTORE], &[&wide, &aws]), barred(SIGSTORE, &[AWS]));
    assert_eq!(narrowed(&open, &["STS.amazonaws.com"], &[&aws]), barred("STS.amazonaws.com", &[AWS]));
    assert_eq!(narrowed(&open, &[AWS, SIGSTORE], &[&aws]), barred(SIGSTORE, &[AWS]));
    assert_eq!(narrowed(&open, &[AWS], &[&wide, &none]), barred(AWS, &[]));
    // Restrictions never grant an audience.
    let denied = Denied::AudienceNotAllowed { audience: AWS.to_owned(), reason: AudienceDenied::Unlisted };
    assert_eq!(narrowed(&closed, &[AWS], &[&wide, &aws]), Err(denied));
}

#[test]
fn a_request_without_audiences_is_denied() {
    let policy =
        policy(DefaultGrant::Trusted, vec![RuleSpec { multiple: true, allow_untrusted: true, ..rule("open", &["*"]) }]);
    assert!(decide(&policy, &push(), &[]).is_err());
}

#[test]
fn a_steps_environment_replaces_the_builds_and_is_never_shown_for_untrusted_builds() {
    let policy = policy(
        DefaultGrant::Deny,
        vec![
            RuleSpec { allow_untrusted: true, ..rule_when("staging", &[AWS], "build.environment == 'staging'") },
            RuleSpec { allow_untrusted: true, ..rule_when("production", &[AWS], "build.environment == 'production'") },
            RuleSpec { allow_untrusted: true, ..rule_when("none", &[AWS], "build.environment == ''") },
        ],
    );
    let step = |environment: Option<&str>| BuildStep {
        step: "deploy".to_owned(),
        environment: environment.map(str::to_owned),
        ..BuildStep::default()
    };
    let audiences = owned(&[AWS]);
    let by = |build: &Build, step: Option<&BuildStep>| {
        granted_by(policy.decide(&IssuanceRequest { step, ..ask(build, &audiences) }))
    };
    assert_eq!(by(&push(), None).as_deref(), Some("production"));
    assert_eq!(by(&push(), Some(&step(None))).as_deref(), Some("production"));
    assert_eq!(by(&push(), Some(&step(Some("staging")))).as_deref(), Some("staging"));
    for build in [fork(), Build { trusted: true, fork: false, ..fork() }, Build { trusted: false, ..push() }] {
        for step in [None, Some(step(None)), Some(step(Some("production")))] {
            assert_eq!(by(&build, step.as_ref()).as_deref(), Some("none"), "{build:?}");
        }
    }
}

/// Audiences that differ in case, in a segment, or not at all.
fn audience() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![AWS, "STS.AMAZONAWS.COM", SIGSTORE, "https://a/b", "https://a/c", "https://a", "x"])
        .prop_map(str::to_owned)
}

fn any_rule(name: &'static str) -> impl Strategy<Value = RuleSpec> {
    let patterns = vec![AWS, SIGSTORE, "https://a/*", "https://*", "S*", "x"];
    let conditions = vec!["true", "false", "build.properties.absent == ''", "build.event == 'push'"];
    (
        proptest::collection::vec(proptest::sample::select(patterns), 1..3),
        proptest::option::of(proptest::sample::select(conditions)),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(move |(audiences, when, multiple, allow_untrusted)| RuleSpec {
            when: when.map(str::to_owned),
            multiple,
            allow_untrusted,
            ..rule(name, &audiences)
        })
}

proptest! {
    /// A further rule, at any place, does not change decisions for audiences that it does not list in any case.
    #[test]
    fn a_new_rule_changes_nothing_for_what_it_does_not_list(
        (before, after, new) in (any_rule("before"), any_rule("after"), any_rule("new")),
        audiences in proptest::collection::vec(audience(), 1..3),
        (deny, trusted) in any::<(bool, bool)>(),
    ) {
        let listed = audiences.iter().any(|audience| {
            new.audiences.iter().any(|pattern| pattern.to_string().to_lowercase().parse::<AudiencePattern>().unwrap().matches(&audience.to_lowercase()))
        });
        prop_assume!(!listed);
        let default = if deny { DefaultGrant::Deny } else { DefaultGrant::Trusted };
        let build = if trusted { push() } else { fork() };
        let old = policy(default, vec![before.clone(), after.clone()]).decide(&ask(&build, &audiences));
        for rules in [vec![new.clone(), before.clone(), after.clone()], vec![before, new, after]] {
            prop_assert_eq!(&policy(default, rules).decide(&ask(&build, &audiences)), &old);
        }
    }

    /// Only `allow_untrusted` grants untrusted builds anything, and only a matching rule grants a listed audience.
    #[test]
    fn every_grant_has_its_reason(
        rules in (any_rule("first"), any_rule("second")),
        audiences in proptest::collection::vec(audience(), 1..3),
        trusted in any::<bool>(),
    ) {
        let rules = vec![rules.0, rules.1];
        let build = if trusted { push() } else { fork() };
        if let Ok(grant) = policy(DefaultGrant::Trusted, rules.clone()).decide(&ask(&build, &audiences)) {
            match rules.iter().find(|rule| grant.rule.as_ref() == Some(&rule.name)) {
                Some(rule) => {
                    prop_assert!(trusted || rule.allow_untrusted);
                    prop_assert!(rule.multiple || audiences.iter().all(|audience| *audience == audiences[0]));
                    for audience in &audiences {
                        prop_assert!(rule.audiences.iter().any(|pattern| pattern.matches(audience)));
                    }
                }
                None => {
                    prop_assert!(trusted && grant.rule.is_none());
                    for pattern in rules.iter().flat_map(|rule| &rule.audiences) {
                        prop_assert!(!audiences.iter().any(|audience| pattern.matches(audience)));
                    }
                }
            }
        }
    }
}
