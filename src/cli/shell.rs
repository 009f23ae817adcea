//! Lines for a POSIX shell to evaluate. Whatever the value holds, it stays one word and runs nothing.

/// May a variable have this name (POSIX.1-2017 §8.1, lower case too)?
pub(super) fn is_variable_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_ascii_alphabetic())
        && characters.all(|character| character == '_' || character.is_ascii_alphanumeric())
}

/// `export NAME='value'`. The name must be one ([`is_variable_name`]).
pub(super) fn export(name: &str, value: &str) -> String {
    format!("export {name}={}", quoted(value))
}

/// One word in single quotes, in which the shell takes everything as it stands.
pub(super) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_one_word_whatever_it_holds() {
        for value in ["", "a b", "$(touch x)`id`", "it's", "''", "a\nb", r"\", "*?[~#!"] {
            let script = format!("{}; printf %s \"$X\"", export("X", value));
            let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }

    #[test]
    fn a_variables_name_holds_nothing_that_a_shell_would_run() {
        for name in ["A", "_a1", "BUILDPASS_ID_TOKEN"] {
            assert!(is_variable_name(name), "{name}");
        }
        for name in ["", "1A", "A B", "A;id", "A=b", "Ä", "A-B"] {
            assert!(!is_variable_name(name), "{name}");
        }
    }
}
