//! Environment variables of a job and of a CI server's worker. The configuration is read elsewhere.

/// Returns the value of a variable. An empty value or one that is not UTF-8 counts as absent.
#[expect(clippy::disallowed_methods, reason = "the one place that reads a job's environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
