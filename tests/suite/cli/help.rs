//! What `--help` says, and how wrong usage ends.

use super::Folder;

/// Every command by its words, those that only hold others too.
fn commands() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
        found.push(path.to_vec());
        for below in command.get_subcommands() {
            walk(below, &[path, &[below.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    walk(&buildpass::cli::command(), &[], &mut found);
    found
}

fn help(words: &[String]) -> String {
    let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    arguments.push("--help");
    Folder::new().run(&arguments).done()
}

#[test]
fn the_help_of_every_command() {
    let mut text = String::new();
    for words in commands() {
        text.push_str(&format!(
            "$ buildpass {}\n{}\n",
            [&words[..], &["--help".to_owned()]].concat().join(" "),
            help(&words)
        ));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_command_that_does_something_shows_an_example() {
    let all = commands();
    let leaves =
        all.iter().filter(|words| !all.iter().any(|other| other.len() > words.len() && other.starts_with(words)));
    let mut counted = 0;
    for words in leaves {
        assert!(help(words).contains("\nExample"), "{words:?}");
        counted += 1;
    }
    assert!(counted >= 22, "{counted}");
}

#[test]
fn help_shows_no_value_of_the_environment() {
    let mut folder = Folder::new();
    for name in ["BUILDPASS_URL", "BUILDPASS_CLIENT_ID", "BUILDPASS_CLIENT_SECRET", "BUILDPASS_CLIENT_SECRET_FILE"] {
        folder.set(name, "hidden-value");
    }
    for words in commands() {
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        assert!(!folder.run(&arguments).done().contains("hidden-value"), "{words:?}");
    }
}

#[test]
fn wrong_usage_ends_with_2_and_prints_nothing_on_standard_output() {
    for wrong in [
        &["nonsense"][..],
        &["serve", "--nonsense"],
        &["clients", "create"],
        &["clients", "create", "a b"],
        &["clients", "create", "a", "--scope", "everything"],
        &["clients", "create", "a", "--ids", "a.b"],
        &["audit", "show", "not-an-id"],
        &["audit", "list", "--since", "yesterday"],
        &["token", "request"],
        &["token", "request", "--audience", "a", "--lifetime", "0s"],
        &["token", "request", "--audience", "a", "--format", "file"],
        &["token", "request", "--audience", "a", "--format", "env", "--name", "a b"],
        &["token", "request", "--audience", "a", "--name", "A"],
        &["bench"],
        &["bench", "--only", "P99"],
        &["completions", "cmd.exe"],
    ] {
        let told = Folder::new().run(wrong).failed(2);
        assert!(told.starts_with("error: "), "{wrong:?}: {told}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(Folder::new().run(&["completions", shell]).done().contains("buildpass"), "{shell}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = Folder::new().command(&["config", "reference"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
