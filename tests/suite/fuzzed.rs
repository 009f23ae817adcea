//! Runs the corpus and the regressions of the fuzzers through their targets: see `fuzz/README.md`.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/targets/condition.rs"]
mod condition;
#[path = "../../fuzz/targets/discovery.rs"]
mod discovery;
#[path = "../../fuzz/targets/image.rs"]
mod image;
#[path = "../../fuzz/targets/key_set.rs"]
mod key_set;
#[path = "../../fuzz/targets/statements.rs"]
mod statements;
#[path = "../../fuzz/targets/subject.rs"]
mod subject;
#[path = "../../fuzz/targets/token.rs"]
mod token;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 7] = [
    ("condition", condition::run),
    ("discovery", discovery::run),
    ("image", image::run),
    ("key_set", key_set::run),
    ("statements", statements::run),
    ("subject", subject::run),
    ("token", token::run),
];

#[test]
fn every_input_of_the_fuzzers_passes() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, run) in TARGETS {
        let mut seeds = 0;
        for kind in ["corpus", "regressions"] {
            for file in fs::read_dir(fuzz.join(kind).join(name)).into_iter().flatten() {
                run(&fs::read(file.unwrap().path()).unwrap());
                seeds += 1;
            }
        }
        assert!(seeds > 2, "{name} has a corpus");
    }
    let targets = fs::read_dir(fuzz.join("targets")).unwrap().count();
    assert_eq!(targets, TARGETS.len(), "a target is missing in TARGETS");
}
