//! Key sets of other issuers: which keys are used, and why others are not.

use buildpass::jose::KeySet;
use serde_json::{Map, Value, json};

const KEYS: &str = include_str!("../../fixtures/weak_keys/keys.json");

fn keys(kind: &str) -> Map<String, Value> {
    serde_json::from_str::<Value>(KEYS).unwrap()[kind].as_object().unwrap().clone()
}

fn read(keys: Value) -> KeySet {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

#[test]
fn a_good_key_of_each_kind_is_used() {
    for (name, key) in keys("good") {
        let set = read(json!([key]));
        assert_eq!((set.len(), set.unusable()), (1, &[][..]), "{name}");
    }
}

#[test]
fn an_unusable_key_is_skipped_with_its_reason_and_affects_no_other() {
    let good = keys("good")["P-256"].clone();
    let mut table = String::new();
    for (name, key) in keys("bad") {
        let set = read(json!([key, good]));
        assert_eq!(set.len(), 1, "{name}");
        table.push_str(&format!("{name}: {}\n", set.unusable()[0].reason));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn keys_with_the_same_kid_are_not_used() {
    let named = |kind: &str, kid: &str| {
        let mut key = keys("good")[kind].clone();
        key["kid"] = json!(kid);
        key
    };
    let set = read(json!([named("P-256", "a"), named("P-384", "b"), named("RSA of 2048 bits", "a")]));
    assert_eq!(set.kids().collect::<Vec<_>>(), ["b"]);
    assert_eq!(set.unusable().iter().map(|key| key.index).collect::<Vec<_>>(), [0, 2]);
}
