//! The help of every command, the manual's page of it, and the exit code of wrong usage.

use std::path::Path;

use super::Folder;

/// The words of every command and command group.
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

const PAGE_HEAD: &str = "\
# Command line

Every command prints its help with `--help` and reads the configuration that `--config FILE` names, else `$BUILDPASS_CONFIG`,
else `./buildpass.toml`. `token` and `builds` read no configuration; `verify` and `access-policy check` never read
`./buildpass.toml`, since a checkout must not choose which issuers to trust.

With `--json` a command prints one JSON document, and a list as one JSON document per line. Results go to standard output;
warnings and logs go to standard error. A token is read from standard input if its argument is `-`; `verify`,
`access-policy check` and `exchange explain` also read it from a file. A configuration file that is missing or cannot be
read ends every command with 3.

Of a secret in a file, on standard input or in a variable, a byte order mark at its start and one line end at its end do not
count. Every other character belongs to the secret. The same holds for the secrets of the configuration.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the check or request was refused |
| 2 | usage: a flag, an argument or a variable is missing or wrong |
| 3 | a server, a file or the database cannot be reached or opened |

";

/// The manual's page of all commands. It leaves out `--help` and `--config`, which every command has.
fn page() -> String {
    fn walk(command: &clap::Command, name: &str, depth: usize, page: &mut String) {
        let mut shown = command
            .clone()
            .bin_name(name)
            .disable_help_flag(true)
            .disable_help_subcommand(true)
            .disable_version_flag(true)
            .term_width(100);
        if depth > 0 {
            page.push_str(&format!("{} {name}\n\n", "#".repeat(depth + 1)));
            let help = shown.render_long_help().to_string();
            let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
            page.push_str(&format!("```text\n{}\n```\n\n", lines.join("\n")));
        }
        for below in command.get_subcommands() {
            walk(below, &format!("{name} {}", below.get_name()), depth + 1, page);
        }
    }
    let mut page = PAGE_HEAD.to_owned();
    walk(&buildpass::cli::command(), "buildpass", 0, &mut page);
    page.truncate(page.trim_end().len());
    page + "\n"
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the variable by which snapshots are updated")]
fn the_manual_describes_every_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/command_line.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, page()).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).is_ok_and(|current| current == page()),
        "out of date; write it with: INSTA_UPDATE=always cargo test --test suite -- cli::help"
    );
}

#[test]
fn the_help_of_the_program_names_every_command_by_its_group() {
    insta::assert_snapshot!(help(&[]));
}

#[test]
fn the_help_of_every_command_has_an_example() {
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
fn wrong_usage_exits_with_2_and_prints_nothing_on_standard_output() {
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
        let text = Folder::new().run(wrong).failed(2);
        assert!(text.starts_with("error: "), "{wrong:?}: {text}");
    }
}

#[test]
fn a_misspelled_command_gets_only_tips_that_fit() {
    for (words, tip) in [
        (&["key", "list"][..], "a similar command exists: buildpass keys"),
        (&["config", "chek"], "a similar command exists: buildpass config check"),
        (&["exchange", "publisher", "list"], "a similar command exists: buildpass exchange publishers"),
        (&["exchange", "policies"], "a similar command exists: buildpass exchange trust-policies"),
        (&["users"], "a similar command exists: buildpass exchange users"),
        (&["provider"], "a similar command exists: buildpass providers"),
        (&["keys", "remove"], "the commands of buildpass keys are "),
        (&["--config", "keys", "store", "cpy"], "a similar command exists: buildpass store copy"),
    ] {
        let text = Folder::new().run(words).failed(2);
        assert!(text.contains(tip), "{words:?}: {text}");
        for other in ["'serve'", "'roles'", "'revoke'", "'provenance'"] {
            assert!(!text.contains(other), "{words:?}: {text}");
        }
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(Folder::new().run(&["completions", shell]).done().contains("buildpass"), "{shell}");
    }
}

#[test]
fn a_closed_standard_output_is_no_failure() {
    let mut child = Folder::new().command(&["config", "reference"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
