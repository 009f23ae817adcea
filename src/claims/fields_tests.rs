//! Tests that each field of a build is present in every place that shows fields. A failure names the missing field.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::*;
use crate::base::Seconds;
use crate::claims::{Preset, Presets, Registration, RegistrationRules, SubjectFormat, claims_supported};

/// Variables that are derived from `ref`, so that a build does not store their values.
const DERIVED: [&str; 2] = ["branch", "ref_type"];

/// A registration with a value for every member that tokens show.
fn registration() -> Value {
    json!({
        "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": 17, "attempt": 2,
        "event": "deployment", "event_action": "created", "author": "octocat", "author_id": "7", "actor": "hubot",
        "actor_id": "8", "ref": "refs/heads/main", "sha": "0".repeat(40), "base_ref": "main", "head_ref": "topic",
        "fork": false, "trusted": true, "ref_protected": true, "environment": "production", "visibility": "private",
        "workflow": ".vela.yml", "workflow_ref": "acme/app/.vela.yml@main", "workflow_sha": "1".repeat(40),
        "job_workflow_ref": "acme/ci/job.yml@main", "job_workflow_sha": "2".repeat(40),
        "runner": { "id": "w-3", "environment": "self-hosted" }, "properties": { "team": "payments" },
    })
}

/// Returns the members of the build that [`registration`] registers.
fn build() -> Map<String, Value> {
    let rules = RegistrationRules { ids: None, subject: &SubjectFormat::Immutable, max_build: Seconds::new(3_600) };
    let build = serde_json::from_value::<Registration>(registration()).unwrap().check(&rules).unwrap().build;
    match serde_json::to_value(build).unwrap() {
        Value::Object(members) => members,
        other => panic!("{other}"),
    }
}

fn variables() -> BTreeSet<&'static str> {
    FIELDS.iter().filter_map(|field| field.variable?.strip_prefix("build.")).collect()
}

#[test]
fn every_member_of_a_build_has_a_row_and_every_row_a_member() {
    let (members, variables) = (build(), variables());
    for name in members.keys() {
        assert!(variables.contains(name.as_str()), "the member {name} of Build has no row in FIELDS");
    }
    for name in variables.iter().filter(|name| !DERIVED.contains(name)) {
        assert!(members.contains_key(*name), "the row {name} of FIELDS has no member in Build");
    }
}

#[test]
fn a_registration_sets_every_member_of_a_build() {
    let sent = registration();
    for (name, value) in build() {
        let expected = match name.strip_prefix("runner_") {
            Some(member) => &sent["runner"][member],
            None => &sent[&name],
        };
        assert!(!expected.is_null(), "the registration of this test has no {name}");
        assert_eq!(&value, expected, "Registration::check loses {name}");
    }
}

#[test]
fn no_two_rows_share_a_name() {
    type Name = fn(&Field) -> Option<&'static str>;
    let names: [Name; 4] = [|field| field.template, |field| field.variable, |field| field.vela, |field| field.github];
    for name in names {
        let mut seen = BTreeSet::new();
        for name in FIELDS.iter().filter_map(name) {
            assert!(seen.insert(name), "{name} appears in two rows");
        }
    }
}

#[test]
fn templates_and_conditions_have_the_same_fields() {
    let templates: BTreeSet<_> = FIELDS.iter().filter_map(|field| field.template).collect();
    let mut variables = variables();
    assert!(variables.remove("properties"));
    assert_eq!(templates, variables);
}

#[test]
fn the_manual_names_every_variable_and_every_claim() {
    let text = manual(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual"));
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let presets = Presets::try_from(vec![Preset::Vela]).unwrap();
    let claims = claims_supported(&presets, &crate::claims::ExtraClaims::compile(&BTreeMap::new()).unwrap());
    for name in variables().into_iter().chain(claims.iter().map(String::as_str)) {
        assert!(words.contains(name), "no page of the manual names {name}");
    }
}

fn manual(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&manual(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    text
}
