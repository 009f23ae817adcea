//! `exchange`, `providers` and `provenance`, on the database of a server.

use serde_json::{Value, json};

use super::Folder;

/// Every section once, as operators write them.
const FILE: &str = r#"
[[users]]
name = "octo"                            # disabled = true revokes its keys

[[providers]]                            # as [oidc.NAME] of the configuration
name = "partner-ci"
provider = "generic"
issuer = "https://ci.partner.example"

[[rubygems.roles]]                       # seeds 000, 003
name = "push-app"                        # unique per user
user = "octo"
provider = "self"
permissions = { scopes = ["push_rubygem"], gems = ["app"], valid_for = "30m" }
outlives_build = false                   # the default
[[rubygems.roles.access_policy.statements]]
effect = "allow"
principal = { oidc = "https://ci.example.com" }
conditions = [{ operator = "string_equals", claim = "aud", value = "gems.example.com" }]

[[rubygems.trusted_publishers]]
gem = "app"
user = "octo"
provider = "self"
criteria = { org = "acme", org_id = "42", repo = "app", workflow = ".vela.yml", environment = "production" }

[[nuget.trust_policies]]                 # seed 002
name = "nuget-app"
user = "octo"                            # whom the client names as `username`
owner = "acme"                           # a name of the feed, not one of our users
kind = "vela"                            # github | gitlab | entra | vela (ours; provider = "self" by default)
criteria = { org = "acme", repo = "app", environment = "production" }
packages = ["Acme.*"]
scopes = ["package:push"]
valid_for = "15m"

[[grants]]                               # RFC 8693 and forward-auth
name = "artefacts"
provider = "self"
audience = "https://artefacts.example.com"
when = 'identity.oidc.claims.repo == "acme/app" && identity.oidc.claims.trusted == "true"'
scopes = ["read", "write"]
packages = ["*"]                         # what its keys may push; `*` alone, the default, covers every name
token = "key"                            # key | jwt
valid_for = "30m"
"#;

fn folder() -> Folder {
    let folder = Folder::installed();
    std::fs::write(folder.path().join("buildpass.toml"), "[issuer]\nurl = \"https://ci.example.com\"\n").unwrap();
    std::fs::write(folder.path().join("rules.toml"), FILE).unwrap();
    folder
}

/// Every change, section by section.
fn changes(document: &Value) -> Vec<String> {
    let sections = ["users", "providers", "roles", "trusted_publishers", "trust_policies", "grants"];
    let all = sections.iter().flat_map(|section| document[section].as_array().unwrap());
    all.map(|one| format!("{} {}", one["name"].as_str().unwrap(), one["change"].as_str().unwrap())).collect()
}

#[test]
fn a_file_is_applied_once_and_a_dry_run_only_prints_changes() {
    let folder = folder();
    let dry = folder.run(&["exchange", "apply", "rules.toml", "--dry-run", "--json"]).json();
    assert_eq!((dry["dry_run"].clone(), dry["users"][0]["change"].clone()), (json!(true), json!("created")));
    assert_eq!(folder.run(&["exchange", "roles", "list", "--json"]).json_lines(), Vec::<Value>::new());
    let first = folder.run(&["exchange", "apply", "rules.toml", "--json"]).json();
    let created = changes(&first);
    assert_eq!(created.len(), 6);
    assert!(created.iter().all(|change| change.ends_with(" created")), "{created:?}");
    let token = first["roles"][0]["token"].as_str().unwrap();
    let again = folder.run(&["exchange", "apply", "rules.toml", "--json"]).json();
    assert!(changes(&again).iter().all(|change| change.ends_with(" unchanged")), "{again}");
    assert_eq!(again["roles"][0]["token"], token, "a role keeps its token");
    let changed = FILE.replace("valid_for = \"30m\"\n", "valid_for = \"20m\"\n");
    std::fs::write(folder.path().join("rules.toml"), changed).unwrap();
    let updated = folder.run(&["exchange", "apply", "rules.toml", "--json"]).json();
    let updated: Vec<String> = changes(&updated).into_iter().filter(|one| !one.ends_with(" unchanged")).collect();
    assert_eq!(updated, ["artefacts updated"]);
}

#[test]
fn an_error_anywhere_applies_nothing_and_names_its_location() {
    let folder = folder();
    let cases = [
        (
            "gems = [\"app\"]",
            "gems = [\"app\"], color = 1",
            "permissions.color: there is no such key; the known keys are scopes, gems",
        ),
        ("gems = [\"app\"]", "gems = [\"ap*\"]", "\"ap*\" is not a gem's name"),
        ("gem = \"app\"", "gem = \"a b\"", "\"a b\" is not a gem's name"),
        ("packages = [\"Acme.*\"]", "packages = []", "packages: must hold at least one"),
        ("scopes = [\"package:push\"]", "scopes = []", "scopes: must hold at least one"),
        ("packages = [\"*\"]", "packages = []", "packages: must hold at least one"),
        ("name = \"artefacts\"", "name = \"arte facts\"", "grants \"arte facts\": name: must be"),
        (
            "user = \"octo\"\nprovider",
            "user = \"nobody\"\nprovider",
            "user: no such user: \"nobody\"; the known users are octo",
        ),
        ("claims.repo ==", "claims.repo =", "when"),
        ("[[grants]]", "[[grant]]", "grant: there is no such section; the known sections are users, providers"),
    ];
    for (good, bad, text) in cases {
        assert!(FILE.contains(good), "{good}");
        std::fs::write(folder.path().join("rules.toml"), FILE.replace(good, bad)).unwrap();
        let output = folder.run(&["exchange", "apply", "rules.toml"]).failed(1);
        assert!(output.contains(text), "{text}: {output}");
        assert_eq!(folder.run(&["exchange", "users", "list", "--json"]).json_lines(), Vec::<Value>::new(), "{text}");
    }
    std::fs::write(folder.path().join("rules.toml"), "[[users]]\nname = \"octo\"\n\n[[users]]\nnam = 1\n").unwrap();
    let output = folder.run(&["exchange", "apply", "rules.toml"]).failed(1);
    assert!(output.contains("rules.toml:4: users[1]: name: is missing"), "{output}");
    folder.run(&["exchange", "apply", "nothing.toml"]).failed(3);
}

#[test]
fn every_fault_of_a_file_is_reported_in_one_run_with_its_line() {
    let folder = folder();
    let text = r#"
[[users]]
name = "octo"
[[users]]
name = "octo"
disabled = "no"
[[providers]]
name = "hub"
provider = "githbu"
[[providers]]
provider = "github"
colour = 1
[[rubygems.roles]]
name = "push"
user = "octo"
permissions = { scopes = ["push"], gems = "app" }
access_policy = { statements = [{ effect = "allow", conditions = [], when = "x" }] }
[[rubygems.trusted_publishers]]
gem = "app"
user = "hubot"
provider = "gihub"
criteria = { org = "acme", repo = "app" }
[[nuget.trust_policies]]
name = "feed"
user = "octo"
owner = "acme"
kind = "gihub"
criteria = {}
[[grants]]
name = "artefacts"
provider = "hub"
audience = "a"
scopes = [
  "read",
  1,
]
valid_for = "2d"
[[grants]]
name = "signed"
provider = "self"
audience = "b"
valid_for = "2d"
[[grant]]
"#;
    std::fs::write(folder.path().join("rules.toml"), text).unwrap();
    let faults = folder.run(&["exchange", "apply", "rules.toml"]).failed(1);
    insta::assert_snapshot!(faults);
    assert_eq!(folder.run(&["exchange", "users", "list", "--json"]).json_lines(), Vec::<Value>::new());
    std::fs::write(folder.path().join("rules.toml"), "[[users]\n").unwrap();
    assert!(folder.run(&["exchange", "apply", "rules.toml"]).failed(1).contains("rules.toml:1: "));
}

#[test]
fn prune_deletes_what_a_file_does_not_list() {
    let folder = folder();
    folder.run(&["exchange", "apply", "rules.toml"]).done();
    std::fs::write(folder.path().join("rules.toml"), "[[users]]\nname = \"octo\"\n").unwrap();
    let kept = folder.run(&["exchange", "apply", "rules.toml", "--json"]).json();
    assert_eq!(changes(&kept), ["octo unchanged"]);
    let pruned = folder.run(&["exchange", "apply", "rules.toml", "--prune", "--json"]).json();
    let deleted = changes(&pruned).into_iter().filter(|one| one.ends_with(" deleted")).count();
    assert_eq!(deleted, 5, "{pruned}");
    assert_eq!(folder.run(&["exchange", "grants", "list", "--json"]).json_lines(), Vec::<Value>::new());
}

#[test]
fn configured_providers_are_applied_and_no_command_changes_them() {
    let folder = folder();
    let toml = "[issuer]\nurl = \"https://ci.example.com\"\n[oidc.partner]\nprovider = \"generic\"\n\
        issuer = \"https://partner.example\"\n";
    std::fs::write(folder.path().join("buildpass.toml"), toml).unwrap();
    let applied = folder.run(&["config", "apply", "--json"]).json();
    assert_eq!(applied["providers"], json!([{ "name": "partner", "change": "created" }]));
    assert_eq!(folder.run(&["config", "apply"]).done().trim(), "nothing changes");
    let provider = "{\"name\":\"partner\",\"provider\":\"generic\",\"issuer\":\"https://other.example\"}";
    let output = folder.run_with(&["providers", "update", "-"], provider).failed(1);
    assert!(output.contains("declared in the configuration: change it there"), "{output}");
    folder.run(&["exchange", "apply", "rules.toml", "--prune"]).done();
    let listed = folder.run(&["providers", "list", "--json"]).json_lines();
    let names: Vec<&str> = listed.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["partner", "partner-ci"], "prune keeps configured providers");
    std::fs::write(folder.path().join("buildpass.toml"), "[issuer]\nurl = \"https://ci.example.com\"\n").unwrap();
    let applied = folder.run(&["config", "apply", "--json"]).json();
    assert_eq!(applied["providers"], json!([{ "name": "partner", "change": "deleted" }]));
}

#[test]
fn objects_are_created_shown_updated_and_deleted_one_by_one() {
    let folder = folder();
    folder.run(&["exchange", "users", "create", "octo"]).done();
    assert!(folder.run(&["exchange", "users", "create", "octo"]).failed(1).contains("exists already"));
    let grant = |scopes: &str| format!("name = \"g\"\nprovider = \"self\"\naudience = \"a\"\nscopes = [{scopes}]\n");
    let created = folder.run_with(&["exchange", "grants", "create", "-", "--json"], &grant("\"read\"")).json();
    assert_eq!(created["change"], "created");
    let shown = folder.run(&["exchange", "grants", "show", "g"]).json();
    assert_eq!((shown["scopes"].clone(), shown["audience"].clone()), (json!(["read"]), json!("a")));
    folder.run_with(&["exchange", "grants", "update", "-"], &grant("\"read\", \"write\"")).done();
    assert_eq!(folder.run(&["exchange", "grants", "show", "g"]).json()["scopes"], json!(["read", "write"]));
    folder.run(&["exchange", "users", "update", "octo", "--disable"]).done();
    assert_eq!(folder.run(&["exchange", "users", "show", "octo"]).json()["disabled"], true);
    folder.run(&["exchange", "users", "update", "octo", "--enable"]).done();
    folder.run(&["exchange", "grants", "delete", "g"]).done();
    assert!(folder.run(&["exchange", "grants", "show", "g"]).failed(1).contains("there is no grant"));
    assert!(folder.run(&["exchange", "grants", "delete", "g"]).failed(1).contains("there is no grant"));
    assert!(folder.run(&["exchange", "users", "update", "nobody", "--disable"]).failed(1).contains("does not exist"));
    assert_eq!(folder.run(&["exchange", "users", "update", "octo"]).code, 2);
}

#[test]
fn a_start_refuses_an_audience_of_two_flows() {
    let folder = folder();
    let grant = "name = \"g\"\nprovider = \"self\"\naudience = \"shared\"\n";
    folder.run_with(&["exchange", "grants", "create", "-"], grant).done();
    let toml = "[issuer]\nurl = \"https://ci.example.com\"\n[exchange]\nnuget_audience = \"shared\"\n";
    std::fs::write(folder.path().join("buildpass.toml"), toml).unwrap();
    let output = folder.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", ""]).failed(1);
    assert!(output.contains("audience \"shared\"") && output.contains("the audience belongs to NuGet"), "{output}");
}

#[test]
fn explain_and_provenance_report_unknown_tokens_and_packages() {
    let folder = folder();
    let output = folder.run_with(&["exchange", "explain", "--grant", "--token", "-"], "a.b.c");
    assert_eq!((output.code, output.stdout.contains("FAILED  form")), (1, true), "{output:?}");
    assert_eq!(folder.run(&["exchange", "explain", "--token", "x"]).code, 2, "which flow?");
    assert_eq!(folder.run(&["exchange", "explain", "--token", "x", "--registry", "nonsense"]).code, 2);
    let forward = ["exchange", "explain", "--token", "-", "--forward", "artefacts", "--method", "PUT", "--path", "/x"];
    let output = folder.run_with(&forward, "a.b.c");
    assert_eq!((output.code, output.stdout.contains("FAILED")), (1, true), "{output:?}");
    let unknown =
        folder.run_with(&["exchange", "explain", "--role", "rg_oidc_akr_x", "--token", "-", "--json"], "a.b.c");
    let document: Value = serde_json::from_str(&unknown.stdout).unwrap();
    assert_eq!(document["accepted"], false, "{unknown:?}");
    assert!(folder.run(&["provenance", "app", "1.0.0"]).failed(1).contains("no publication of app 1.0.0 is recorded"));
    assert_eq!(folder.run(&["exchange", "keys", "list", "--json"]).json_lines(), Vec::<Value>::new());
    let id = "01990000-0000-7000-8000-000000000000";
    assert!(folder.run(&["exchange", "keys", "delete", id]).failed(1).contains("there is no key with the id"));
}

#[test]
fn a_token_is_read_from_a_file_with_a_line_end() {
    let folder = folder();
    let explain = |token: &str| folder.run(&["exchange", "explain", "--grant", "--token", token]);
    let text = explain("nofile").failed(3);
    assert!(text.contains("nofile: neither a JWT, nor -, nor the name of a readable file: No such file"), "{text}");
    for secret in ["eyJhbGciOiJub25lIn0", "bpr_0123", &"x".repeat(43), "a\nb"] {
        let text = explain(secret).failed(3);
        assert!(text.contains("a token: neither a JWT"), "{text}");
        assert!(!text.contains(secret), "an argument may be a secret: {text}");
    }
    std::fs::write(folder.path().join("token"), "\u{feff}a.b.c\r\n").unwrap();
    let (from_file, from_argument) = (explain("token"), explain("a.b.c"));
    assert_eq!((from_file.code, &from_file.stdout), (1, &from_argument.stdout), "{from_file:?}");
}

#[test]
fn an_object_of_another_user_is_refused_with_its_owner() {
    let folder = folder();
    folder.run(&["exchange", "apply", "rules.toml"]).done();
    folder.run(&["exchange", "users", "create", "hubot"]).done();
    let objects = [("roles", "push-app"), ("trust-policies", "nuget-app")];
    for (section, name) in objects {
        let mut object = folder.run(&["exchange", section, "show", name]).json();
        object["user"] = json!("hubot");
        let text = folder.run_with(&["exchange", section, "update", "-"], &object.to_string()).failed(1);
        assert!(text.contains("belongs to \"octo\", not to \"hubot\": write its owner as user, or `create`"), "{text}");
        for act in ["show", "delete"] {
            let text = folder.run(&["exchange", section, act, name, "--user", "hubot"]).failed(1);
            assert!(text.contains("belongs to \"octo\": name that user by --user"), "{text}");
        }
    }
    let text = folder.run(&["exchange", "grants", "show", "artefacts", "--user", "octo"]).failed(1);
    assert!(text.contains("belongs to no user: leave --user out"), "{text}");
    let text = folder.run(&["exchange", "roles", "show", "other", "--user", "octo"]).failed(1);
    assert!(text.contains("there is no role \"other\""), "{text}");
}

#[test]
fn a_publisher_has_one_name_in_every_command_and_event() {
    let folder = folder();
    let applied = folder.run(&["exchange", "apply", "rules.toml", "--json"]).json();
    let name = applied["trusted_publishers"][0]["name"].as_str().unwrap();
    let digest = name.strip_prefix("app@self/").unwrap();
    assert!(digest.len() == 12 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    let listed = folder.run(&["exchange", "publishers", "list", "--json"]).json_lines();
    assert_eq!(listed[0]["name"], name);
    assert!(folder.run(&["exchange", "publishers", "list"]).done().contains(name));
    assert_eq!(folder.run(&["exchange", "publishers", "show", name]).json()["name"], name);
    let deleted = folder.run(&["exchange", "publishers", "delete", name, "--json"]).json();
    assert_eq!(deleted["name"], name);
    let events = folder.run(&["audit", "events", "--json"]).json_lines();
    let subjects: Vec<_> = events.iter().filter(|event| event["subject"] == name).collect();
    assert_eq!(subjects.len(), 2, "created and deleted: {events:?}");
}

#[test]
fn a_dry_run_prints_no_token_and_an_empty_file_prunes_nothing() {
    let folder = folder();
    let dry = folder.run(&["exchange", "apply", "rules.toml", "--dry-run", "--json"]).json();
    assert_eq!(dry["roles"][0].get("token"), None, "no token exists yet");
    folder.run(&["exchange", "apply", "rules.toml"]).done();
    let text = folder.run(&["exchange", "users", "delete", "octo"]).failed(1);
    assert!(text.contains("the change deletes \"octo\", which this object uses"), "{text}");
    for empty in ["", "# a comment\n", "users = []\n"] {
        std::fs::write(folder.path().join("empty.toml"), empty).unwrap();
        assert!(folder.run(&["exchange", "apply", "empty.toml", "--prune"]).failed(1).contains("the file is empty"));
    }
    let large = format!("{FILE}#{}\n", "x".repeat(16 * 1_024 * 1_024));
    std::fs::write(folder.path().join("large.toml"), large).unwrap();
    assert!(
        folder.run(&["exchange", "apply", "large.toml", "--prune"]).failed(1).contains("larger than 16777216 bytes")
    );
    assert_eq!(folder.run(&["exchange", "roles", "list", "--json"]).json_lines().len(), 1, "nothing changed");
}

#[test]
fn changes_are_recorded_as_events_with_their_author() {
    let folder = folder();
    assert!(folder.run(&["audit", "events"]).stderr.contains("No event was recorded"));
    folder.run(&["exchange", "apply", "rules.toml"]).done();
    let rows = folder.run(&["audit", "events", "--json"]).json_lines();
    let kinds: Vec<&str> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(rows.len(), 6, "{kinds:?}");
    assert!(kinds.contains(&"grant_created") && rows.iter().all(|row| row["detail"]["by"] == "command"), "{rows:?}");
    assert!(folder.run(&["audit", "events", "--since", "1h"]).done().contains("grant_created"));
}

#[test]
fn a_client_can_authenticate_by_a_stored_provider() {
    let folder = folder();
    let create = |provider: &str| {
        folder.run(&["clients", "create", "vela", "--provider", provider, "--subject", "system:ci", "--json"])
    };
    assert!(create("partner-ci").failed(2).contains("there is no provider \"partner-ci\"; known providers: none"));
    folder.run(&["exchange", "apply", "rules.toml"]).done();
    assert_eq!(create("partner-ci").json()["identity"]["provider"], "partner-ci");
}

#[test]
fn a_name_that_several_users_have_requires_the_owner() {
    let folder = folder();
    let role = |user: &str| {
        format!(
            "[[users]]\nname=\"{user}\"\n[[rubygems.roles]]\nname=\"push\"\nuser=\"{user}\"\nprovider=\"self\"\n\
             permissions={{scopes=[\"push_rubygem\"]}}\naccess_policy={{statements=[{{effect=\"allow\",\
             conditions=[{{operator=\"string_equals\",claim=\"repo\",value=\"acme/app\"}}]}}]}}\n"
        )
    };
    std::fs::write(folder.path().join("rules.toml"), role("a") + &role("b")).unwrap();
    folder.run(&["exchange", "apply", "rules.toml"]).done();
    assert!(folder.run(&["exchange", "roles", "delete", "push"]).failed(1).contains("several users have"));
    assert_eq!(folder.run(&["exchange", "roles", "list", "--json"]).json_lines().len(), 2);
    folder.run(&["exchange", "roles", "delete", "push", "--user", "a"]).done();
    folder.run(&["exchange", "roles", "delete", "push"]).done();
    assert_eq!(folder.run(&["exchange", "roles", "list", "--json"]).json_lines(), Vec::<Value>::new());
}

#[test]
fn the_output_of_show_can_be_applied_unchanged() {
    let folder = folder();
    folder.run(&["exchange", "apply", "rules.toml"]).done();
    let listed = folder.run(&["exchange", "publishers", "list", "--json"]).json_lines();
    let publisher = listed[0]["name"].as_str().unwrap().to_owned();
    for (command, name) in [
        (&["providers"][..], "partner-ci"),
        (&["exchange", "roles"], "push-app"),
        (&["exchange", "publishers"], publisher.as_str()),
        (&["exchange", "trust-policies"], "nuget-app"),
        (&["exchange", "grants"], "artefacts"),
    ] {
        let shown = folder.run(&[command, &["show", name]].concat()).done();
        let same = folder.run_with(&[command, &["update", "-", "--json"]].concat(), &shown).json();
        assert_eq!(same["change"], "unchanged", "{command:?}");
        let other = shown.replacen("\"created_at\": \"2", "\"created_at\": \"1", 1);
        let update = [command, &["update", "-"]].concat();
        assert!(folder.run_with(&update, &other).failed(1).contains("created_at"), "{command:?}");
    }
    let twice = r#"{"name":"g","name":"h","provider":"self","audience":"a"}"#;
    assert!(folder.run_with(&["exchange", "grants", "create", "-"], twice).failed(1).contains("duplicate member"));
}

#[test]
fn every_name_that_a_list_prints_is_accepted_by_show() {
    let folder = folder();
    folder.run(&["exchange", "apply", "rules.toml"]).done();
    for (command, heading) in [
        (&["exchange", "users"][..], "NAME  DISABLED  CREATED AT"),
        (&["providers"], "NAME        PROVIDER  ISSUER                      DECLARED  CREATED AT"),
        (&["exchange", "roles"], "NAME      USER  PROVIDER  TOKEN                             PERMISSIONS"),
        (&["exchange", "publishers"], "NAME                   USER  GEM  PROVIDER  CRITERIA"),
        (&["exchange", "trust-policies"], "NAME       USER  OWNER  KIND  PROVIDER  CRITERIA"),
        (&["exchange", "grants"], "NAME       PROVIDER  AUDIENCE                       SCOPES      TOKEN"),
    ] {
        let run = |more: &[&str]| folder.run(&[command, more].concat());
        let (table, documents) = (run(&["list"]).done(), run(&["list", "--json"]).json_lines());
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some(heading), "{table}");
        let (line, document) = (lines.next().unwrap(), &documents[0]);
        let name = line.split_whitespace().next().unwrap();
        assert_eq!(document["name"], name, "{command:?}");
        assert_eq!(run(&["show", name]).json(), *document, "{command:?}");
        for heading in heading.split("  ").map(str::trim).filter(|heading| !heading.is_empty()) {
            assert!(document.get(heading.to_lowercase().replace(' ', "_")).is_some(), "{command:?}: {heading}");
        }
        if let Some(owner) = document["user"].as_str() {
            assert_eq!(run(&["show", name, "--user", owner]).json(), *document, "{command:?}");
        }
    }
    let publishers = folder.run(&["exchange", "publishers", "list"]).done();
    assert!(
        publishers.contains("environment=production org=acme org_id=42 repo=app workflow=.vela.yml"),
        "{publishers}"
    );
    let help = folder.run(&["exchange", "publishers", "show", "--help"]).done();
    assert!(help.contains("publishers show app@self/"), "{help}");
}

#[test]
fn the_own_issuer_is_named_as_built_in() {
    let folder = folder();
    assert!(folder.run(&["providers", "show", "self"]).failed(1).contains("own issuer: it is built in"));
    for command in ["list", "show"] {
        assert!(folder.run(&["providers", command, "--help"]).done().contains("`self`, this server's own issuer"));
    }
}

#[test]
fn an_invalid_provider_is_reported_with_its_name_and_field() {
    let folder = folder();
    let provider = |name: &str, more: &str| {
        format!("[[providers]]\nname=\"{name}\"\nprovider=\"generic\"\nissuer=\"https://{name}.example\"\n{more}\n")
    };
    for (more, text) in [
        ("clock_skew_tolerance=\"x\"", "providers \"bad\": clock_skew_tolerance: a duration"),
        ("required_claims=5", "providers \"bad\": required_claims: "),
        ("foo=1", "providers \"bad\": foo: there is no such key"),
    ] {
        std::fs::write(folder.path().join("rules.toml"), provider("good", "") + &provider("bad", more)).unwrap();
        let output = folder.run(&["exchange", "apply", "rules.toml"]).failed(1);
        assert!(output.contains(text), "{text}: {output}");
    }
}

#[test]
fn a_configuration_with_one_audience_for_two_flows_is_invalid() {
    let folder = folder();
    let toml =
        "[issuer]\nurl = \"https://ci.example.com\"\n[exchange]\nrubygems_host = \"a\"\nnuget_audience = \"a\"\n";
    std::fs::write(folder.path().join("buildpass.toml"), toml).unwrap();
    let output = folder.run(&["config", "check"]).failed(1);
    assert!(output.contains("exchange.rubygems_host") && output.contains("exchange.nuget_audience"), "{output}");
}
