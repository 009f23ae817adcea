//! Writes lines for a POSIX shell to evaluate. A value in a line always stays one word and never runs a command.

/// Returns whether `name` is a valid name of a shell variable (POSIX.1-2017 §8.1, with lower-case letters allowed too).
pub(super) fn is_variable_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_ascii_alphabetic())
        && characters.all(|character| character == '_' || character.is_ascii_alphanumeric())
}

/// Returns the line `export NAME='value'`. `name` must be valid ([`is_variable_name`]).
pub(super) fn export(name: &str, value: &str) -> String {
    format!("export {name}={}", quoted(value))
}

/// Quotes a value for a shell with single quotes, in which the shell interprets nothing.
pub(super) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_stays_one_word() {
        for value in ["", "a b", "$(touch x)`id`", "it's", "''", "a\nb", r"\", "*?[~#!"] {
            let script = format!("{}; printf %s \"$X\"", export("X", value));
            let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }

    #[test]
    fn names_that_a_shell_would_run_are_invalid() {
        for name in ["A", "_a1", "BUILDPASS_ID_TOKEN"] {
            assert!(is_variable_name(name), "{name}");
        }
        for name in ["", "1A", "A B", "A;id", "A=b", "Ä", "A-B"] {
            assert!(!is_variable_name(name), "{name}");
        }
    }
}
