//! Texts that other systems store or match: codes, names and reasons. A changed text fails here, by its list and name:
//! to change a released text, dashboards, stored rows and downstream servers must be taken along.

use std::fmt::Write;

use buildpass::exchange::flows::FLOWS;
use buildpass::exchange::{AudienceOwner, ChangeKind, EventKind, ExchangeRefusal, Section};
use buildpass::http::Code;
use buildpass::store::RevocationReason;
use buildpass::verifier::{Check, TokenRefusal};

#[test]
fn texts_that_other_systems_store_or_match_stay_as_they_are() {
    let mut table = String::new();
    let mut list = |heading: &str, texts: Vec<String>| {
        let mut distinct = texts.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), texts.len(), "{heading}: a text has one meaning");
        let _ = writeln!(table, "{heading}:");
        texts.iter().for_each(|text| writeln!(table, "  {text}").unwrap());
    };
    list("error codes", Code::ALL.iter().map(|code| code.name().to_owned()).collect());
    list("refusal codes of the verifier", TokenRefusal::REASONS.iter().map(|code| (*code).to_owned()).collect());
    list("refusal codes of the exchange", ExchangeRefusal::reasons().map(str::to_owned).collect());
    list("checks", Check::ALL.iter().map(ToString::to_string).collect());
    list("checks, in JSON", Check::ALL.iter().map(|check| serde_json::to_string(check).unwrap()).collect());
    list("flows", FLOWS.iter().map(|(name, _)| (*name).to_owned()).collect());
    list("reasons of revocations", RevocationReason::ALL.iter().map(ToString::to_string).collect());
    list("kinds of events", event_kinds());
    list("metrics", metrics());
    insta::assert_snapshot!(table);
}

#[test]
fn every_flow_has_a_name_in_the_list_and_an_owner_of_its_audiences() {
    let files = std::fs::read_dir("src/exchange/flows").unwrap().map(|file| file.unwrap().path());
    let texts = files.map(|path| std::fs::read_to_string(path).unwrap());
    let names = texts.filter_map(|text| {
        let (_, rest) = text.split_once("const NAME: &str = \"")?;
        Some(rest.split('"').next()?.to_owned())
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, FLOWS.map(|(name, _)| name), "FLOWS in src/exchange/flows/mod.rs has a row for each flow");
    let has_flow = |owner: &AudienceOwner| *owner == AudienceOwner::Api || FLOWS.iter().any(|(_, of)| of == owner);
    assert!(AudienceOwner::ALL.iter().all(has_flow), "every kind of flow has a flow");
}

fn event_kinds() -> Vec<String> {
    let of_rules =
        Section::ALL.iter().flat_map(|section| ChangeKind::ALL.iter().filter_map(|one| one.event_kind(*section)));
    EventKind::ALL.iter().map(|kind| kind.name().to_owned()).chain(of_rules).collect()
}

/// Names of all metrics, which a rendering names only once the metric has a value.
fn metrics() -> Vec<String> {
    let source = std::fs::read_to_string("src/telemetry/metrics.rs").unwrap();
    source.split('"').filter(|text| text.starts_with("buildpass_")).map(str::to_owned).collect()
}
