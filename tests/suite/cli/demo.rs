//! `demo`: its steps, and that it leaves no files.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{Folder, send};

/// A working directory, and a folder for temporary files.
fn folders() -> (Folder, Folder) {
    let (mut tree, temporary) = (Folder::new(), Folder::new());
    std::fs::write(tree.path().join("buildpass.toml"), "hostile = \"and never read\"").unwrap();
    tree.set("TMPDIR", temporary.path().to_str().unwrap());
    (tree, temporary)
}

#[test]
fn the_demo_runs_every_step_and_leaves_the_tree_unchanged() {
    let (tree, temporary) = folders();
    let before = tree.files();
    let story = tree.run(&["demo", "--exit"]).done();
    for step in 1..=15 {
        assert!(story.contains(&format!("\n{step:2}. ")), "{step}: {story}");
    }
    for part in ["\"app-cli\"", "access [{\"actions\":[\"pull\"]", "a proxy     200, X-Buildpass-Subject repo:acme"] {
        assert!(story.contains(part), "{part}: {story}");
    }
    for part in ["push_rubygem", "tokenType \"ApiKey\"", "app 1.2.0", "must be unique", "404", "acme/website", "FAILED"]
    {
        assert!(story.contains(part), "{part}: {story}");
    }
    assert!(story.contains("its key     revoked"), "{story}");
    for part in ["repo:acme@42/app@1001:ref:refs/heads/main", "accepted", "rejected", "401", "\"aud\""] {
        assert!(story.contains(part), "{part}: {story}");
    }
    assert_eq!(tree.files(), before);
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

/// Prints the arguments of each call of `curl` on one line, each ended by a unit separator.
const LISTEN_IN: &str = "curl() { for argument; do printf '%s\\037' \"$argument\"; done; echo; }\n";

/// Sends the request that curl would send with these arguments.
fn call(arguments: &[&str]) -> String {
    let url = arguments.last().unwrap().strip_prefix("http://").unwrap();
    let (host, path) = url.split_once('/').unwrap();
    let header = arguments.iter().position(|argument| *argument == "-H").map(|at| arguments[at + 1]);
    let header = header.map(|header| format!("{header}\r\n")).unwrap_or_default();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n{header}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}

#[test]
fn the_demo_serves_until_a_signal_and_its_curl_lines_work() {
    for signal in ["INT", "TERM"] {
        let (tree, temporary) = folders();
        let before = tree.files();
        let mut child = tree.command(&["demo"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut pasted = String::from(LISTEN_IN);
        for line in lines.by_ref().skip_while(|line| !line.contains("another terminal")).skip(1) {
            pasted.push_str(&format!("{line}\n"));
            if line.contains("/finish") {
                break;
            }
        }
        let folders = std::fs::read_dir(temporary.path()).unwrap();
        let modes: Vec<u32> =
            folders.map(|folder| folder.unwrap().metadata().unwrap().permissions().mode() & 0o777).collect();
        assert_eq!(modes, [0o700]);
        let output = Command::new("sh").arg("-ec").arg(pasted).output().unwrap();
        let calls = String::from_utf8(output.stdout).unwrap();
        let calls: Vec<Vec<&str>> = calls.lines().map(|call| call.split_terminator('\u{1f}').collect()).collect();
        let expected = [r#""preview":true"#, r#""value":"eyJ"#, r#""jwks_uri":"#, r#""keys":["#];
        assert_eq!(calls.len(), expected.len() + 1, "{calls:?}");
        for (arguments, expected) in calls.iter().zip(expected) {
            assert!(call(arguments).contains(expected), "{arguments:?}");
        }
        assert!(calls[4].contains(&r#"{"status":"success"}"#), "{calls:?}");
        send(signal, child.id());
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(tree.files(), before);
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "{signal}");
    }
}
