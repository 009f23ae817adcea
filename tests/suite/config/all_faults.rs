//! Every fault of a file is reported in one run, once each. A fault never hides another one.

use super::Setting;

/// Every fault of a rule in a field of its own, beside faults that hide rules from a reader in a hurry.
#[test]
fn every_fault_of_every_rule_is_reported_beside_faults_of_other_keys() {
    let file = r#"
[tokens]
max_lifetime = "nonsense"
[issuance]
default = "nonsense"
[[issuance.rules]]
name = ""
audiences = ["a", 1, "b", 2]
when = 'build.evnt == "push"'
max_lifetime = "0s"
[[issuance.rules]]
audience = ["a"]
when = 7
max_tokens_per_build = 0
[[issuance.rules]]
name = "twice"
audiences = []
multiple = "yes"
when = 'build.event = "push"'
[[issuance.rules]]
name = "twice"
audiences = ["a"]
[oidc.p]
provider = "nonsense"
[repository.app.access_policy]
default = "nonsense"
rules = ["true", "identity.", "request.actoin == 'x'"]
[repository.other.access_policy]
providers = []
rules = ["1 +"]
"#;
    let refusal = Setting::new(file).refusal();
    let lines: Vec<&str> = refusal.lines().filter(|line| line.starts_with("buildpass.toml:")).collect();
    let places: Vec<String> =
        lines.iter().map(|line| line.splitn(4, ':').skip(1).take(2).collect::<String>()).collect();
    let expected = [
        "3 tokens.max_lifetime",
        "5 issuance.default",
        "8 issuance.rules[0].audiences[1]",
        "8 issuance.rules[0].audiences[3]",
        "12 issuance.rules[1].audience",
        "13 issuance.rules[1].when",
        "11 issuance.rules[1].name",
        "11 issuance.rules[1].audiences",
        "18 issuance.rules[2].multiple",
        "7 issuance.rules[0].name",
        "10 issuance.rules[0].max_lifetime",
        "9 issuance.rules[0].when",
        "14 issuance.rules[1].max_tokens_per_build",
        "17 issuance.rules[2].audiences",
        "19 issuance.rules[2].when",
        "21 issuance.rules[3].name",
        "24 oidc.p.provider",
        "26 repository.app.access_policy.default",
        "27 repository.app.access_policy.rules[1]",
        "27 repository.app.access_policy.rules[2]",
        "29 repository.other.access_policy.providers",
        "30 repository.other.access_policy.rules[0]",
    ];
    let mut expected: Vec<&str> = expected.into();
    let mut found: Vec<&str> = places.iter().map(String::as_str).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "{refusal}");
}

/// A fault must not be reported that is only due to another one, such as a missing secret where the secret is faulty.
#[test]
fn a_faulty_key_is_reported_once() {
    for (file, expected) in [
        ("[clients.ci]\nsecret = 7\n", "clients.ci.secret: must be a string"),
        (
            "[[issuance.rules]]\nname = 7\naudiences = [\"x\"]\n[[issuance.rules]]\nname = \"r\"\naudiences = [\"x\"]\n",
            "issuance.rules[0].name: must be a string",
        ),
        ("[[issuance.rules]]\nname = \"r\"\naudiences = [7]\n", "issuance.rules[0].audiences[0]: must be a string"),
        ("[repository.app.access_policy]\nproviders = 7\n", "repository.app.access_policy.providers: must be a list"),
        (
            "[keys]\nkey_encryption_keys = [{ id = \"a\", file = 7 }]\n",
            "keys.key_encryption_keys[0].file: must be a string",
        ),
    ] {
        let refusal = Setting::new(file).refusal();
        assert!(refusal.contains(expected) && refusal.lines().count() == 1, "{refusal}");
    }
}
