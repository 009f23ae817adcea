//! Groups the commands in `buildpass --help` by the people and programs that use them.

use std::fmt::Write as _;

use clap::Command;

/// Groups of commands by the people and programs that use them, in the order of the help. Every command must be in
/// exactly one group.
const GROUPS: [(&str, &[&str]); 5] = [
    (
        "Operators",
        &[
            "serve",
            "demo",
            "config",
            "store",
            "clients",
            "keys",
            "names",
            "providers",
            "exchange",
            "audit",
            "provenance",
            "export-static",
        ],
    ),
    ("CI servers and workers", &["builds"]),
    ("Jobs", &["token"]),
    ("Registries and other services that accept tokens", &["verify", "access-policy"]),
    ("Developers", &["bench", "completions"]),
];

/// Replaces the list of subcommands in the help of `command` by the groups.
pub(super) fn grouped(command: Command) -> Command {
    let header = *command.get_styles().get_header();
    let literal = *command.get_styles().get_literal();
    let mut text = String::new();
    for (title, names) in GROUPS {
        let _infallible = writeln!(text, "{header}{title}:{header:#}");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _infallible = writeln!(text, "  {literal}{name:13}{literal:#}  {about}");
        }
        text.push('\n');
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{text}{header}Options:{header:#}\n{{options}}{{after-help}}"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::GROUPS;
    use crate::cli::command;

    #[test]
    fn every_command_is_in_exactly_one_group() {
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let command = command();
        let all: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(grouped.iter().copied().collect::<BTreeSet<_>>(), all);
        assert_eq!(grouped.len(), all.len());
    }

    #[test]
    fn each_command_takes_one_line_of_80_columns() {
        for command in command().get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!((1..=63).contains(&about.chars().count()), "{}: {about}", command.get_name());
        }
    }
}
