//! `keys` through the life of a key: rotated, revoked, resealed, its algorithm changed. Each output is a snapshot, with kids
//! replaced by numbers and without times.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use buildpass::base::{Clock, Moment, Seconds, SystemClock};

use super::{Folder, Run};

/// Keys are announced for 4 s, so that one can sign within a test.
const SHORT: &str = "\
[keys]\nrotation_period = \"5m\"\njwks_max_age = \"1s\"\nannounce_at_least = \"0s\"\nrefresh_interval = \"1s\"\n\
clock_skew = \"1s\"\nverifier_leeway = \"0s\"\n[tokens]\ndefault_lifetime = \"1m\"\nmax_lifetime = \"1m\"\n";

/// Commands and their outputs, without what differs between runs.
struct Story {
    folder: Folder,
    names: BTreeMap<String, String>,
    transcript: String,
}

impl Story {
    fn of(folder: Folder) -> Self {
        Self { folder, names: BTreeMap::new(), transcript: String::new() }
    }

    fn configure(&mut self, toml: &str) {
        std::fs::write(self.folder.path().join("buildpass.toml"), toml).unwrap();
        let _ = writeln!(self.transcript, "# buildpass.toml\n{toml}");
    }

    fn run(&mut self, arguments: &[&str]) -> Run {
        let run = self.folder.run(arguments);
        let command = self.plain(&format!("{arguments:?}"));
        let (code, out, err) = (run.code, self.plain(&run.stdout), self.plain(&run.stderr));
        let _ = writeln!(self.transcript, "$ buildpass {command} -> {code}\n{out}{err}");
        run
    }

    /// Kids by number, in the order in which they come; times and lengths of columns left out.
    fn plain(&mut self, text: &str) -> String {
        let text = text.replace(&self.folder.path().display().to_string(), "FOLDER");
        let mut plain = String::new();
        for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))) {
            let end = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || "-_:".contains(c)));
            let rest = &word[end.len()..];
            if end.len() == 43 {
                let next = format!("key {}", self.names.len() + 1);
                plain.push_str(self.names.entry(end.to_owned()).or_insert(next));
            } else if end.len() == 20 && end.ends_with('Z') && end.contains('T') {
                plain.push_str("TIME");
            } else {
                plain.push_str(end);
            }
            plain.push_str(rest);
        }
        plain.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
    }

    /// Until a switch that was set has happened, and the keys behind it were announced for longer than they must.
    fn wait_until_every_cache_has_the_keys(&self) {
        let in_every_cache = || {
            let rows = self.folder.run(&["keys", "list", "--json"]).json_lines();
            let announced = rows.iter().filter(|row| row["state"] == "announced");
            let since = announced.map(|row| row["announced_at"].as_str().unwrap().parse::<Moment>().unwrap());
            let announced: Vec<_> =
                since.filter(|since| *since + Seconds::new(5) <= SystemClock::new().now()).collect();
            let retiring = rows.iter().filter(|row| row["state"] == "retiring").count();
            announced.len() == 2 && retiring == 2
        };
        for _ in 0..300 {
            if in_every_cache() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("the announced keys were never in every cache: {}", self.folder.run(&["keys", "list"]).done());
    }

    fn kid(&self, alg: &str, state: &str) -> String {
        let rows = self.folder.run(&["keys", "list", "--json"]).json_lines();
        let row = rows.iter().find(|row| row["alg"] == alg && row["state"] == state).unwrap();
        row["kid"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_key_not_in_every_cache_signs_early_only_after_a_revocation() {
    let mut story = Story::of(Folder::installed());
    story.run(&["keys", "list"]);
    story.run(&["keys", "rotate"]);
    story.run(&["keys", "rotate"]);
    story.run(&["keys", "rotate", "--now"]);
    let signing = story.kid("RS256", "signing");
    story.run(&["keys", "revoke", &signing, "--reason", "found in a backup"]);
    story.run(&["keys", "revoke", &signing, "--reason", "again"]);
    story.run(&["keys", "revoke", "nobody", "--reason", "x"]);
    story.run(&["keys", "revoke", "-3begins-with-a-hyphen", "--reason", "x"]);
    story.run(&["keys", "revoke", &signing, "--reason", " "]);
    let announced = story.kid("ES256", "announced");
    story.run(&["keys", "revoke", &announced, "--reason", "never used", "--json"]);
    story.run(&["keys", "list"]);
    insta::assert_snapshot!(story.transcript);
    // What was revoked is gone from what is published, and a server goes on with the rest.
    let served = story.folder.serve(&[]);
    let published = served.fetch("/.well-known/jwks");
    assert!(!published.contains(&signing) && !published.contains(&announced));
}

#[test]
fn a_key_in_every_cache_signs_at_the_next_switch_or_at_once_after_a_revocation() {
    let folder = Folder::new();
    let mut story = Story::of(folder);
    story.configure(SHORT);
    let served = story.folder.serve(&[]);
    std::thread::sleep(Duration::from_secs(5));
    story.run(&["keys", "rotate", "--now", "--json"]);
    story.wait_until_every_cache_has_the_keys();
    let signing = story.kid("ES256", "signing");
    story.run(&["keys", "revoke", &signing, "--reason", "drill", "--json"]);
    story.run(&["keys", "list"]);
    insta::assert_snapshot!(story.transcript);
    served.end();
}

#[test]
fn keys_are_resealed_under_another_key_encryption_key() {
    let mut story = Story::of(Folder::installed());
    story.run(&["keys", "reseal"]);
    story.run(&["keys", "new-kek", "keys/other.key"]);
    let before = story.folder.run(&["keys", "export"]).json();
    let list = |first: &str, second: &str| format!("[keys]\nkey_encryption_keys = [{first}{second}]\n");
    let (k1, k2) = ("{ id = \"k1\", file = \"keys/master.key\" }", "{ id = \"k2\", file = \"keys/other.key\" }, ");
    story.configure(&list(k2, k1));
    story.run(&["keys", "reseal"]);
    story.run(&["keys", "reseal", "--json"]);
    story.configure(&list(k2, ""));
    assert_eq!(story.folder.run(&["keys", "export"]).json(), before);
    story.folder.serve(&[]).end();
    story.configure(&list("", k1));
    story.run(&["keys", "list"]);
    insta::assert_snapshot!(story.transcript);
}

#[test]
fn an_algorithm_is_added_made_the_default_and_removed() {
    let mut story = Story::of(Folder::new());
    let listing = |algorithms: &str| format!("[keys]\nalgorithms = [{algorithms}]\n{}", SHORT.replace("[keys]\n", ""));
    story.configure(&listing("\"ES256\""));
    story.folder.serve(&[]).end();
    story.configure(&listing("\"RS256\""));
    story.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", ""]);
    story.configure(&listing("\"RS256\", \"ES256\""));
    story.folder.serve(&[]).end();
    story.run(&["keys", "list"]);
    story.configure(&listing("\"RS256\""));
    story.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", ""]);
    std::thread::sleep(Duration::from_secs(5));
    story.folder.serve(&[]).end();
    // Until the nearest switch: what was taken out signs no more, and stays published for its tokens.
    std::thread::sleep(Duration::from_secs(3));
    story.run(&["keys", "list"]);
    insta::assert_snapshot!(story.transcript);
}

#[test]
fn the_first_keys_of_a_taken_over_url_are_scheduled_by_the_first_start() {
    let mut story = Story::of(Folder::new());
    let mut former = Folder::installed().run(&["keys", "export"]).json();
    former["keys"].as_array_mut().unwrap().truncate(1);
    std::fs::write(story.folder.path().join("former.json"), former.to_string()).unwrap();
    std::fs::write(story.folder.path().join("empty.json"), "{\"keys\": []}").unwrap();
    story.run(&["keys", "rotate"]);
    story.run(&["keys", "init", "--adopt", "empty.json"]);
    story.run(&["keys", "init", "--adopt", "nowhere.json"]);
    story.run(&["keys", "init", "--adopt", "former.json", "--for", "3h", "--cached-for", "2h"]);
    story.run(&["keys", "init"]);
    story.run(&["keys", "rotate"]);
    story.run(&["keys", "list"]);
    let served = story.folder.serve(&[]);
    let _ = writeln!(story.transcript, "GET /health/ready: {}", served.fetch("/health/ready"));
    let published: serde_json::Value = serde_json::from_str(&served.fetch("/.well-known/jwks")).unwrap();
    assert_eq!(published["keys"].as_array().unwrap().len(), 4 + former["keys"].as_array().unwrap().len());
    served.end();
    let theirs = former["keys"][0]["kid"].as_str().unwrap();
    story.run(&["keys", "revoke", theirs, "--reason", "not theirs any more", "--json"]);
    story.run(&["keys", "list"]);
    insta::assert_snapshot!(story.transcript);
}
