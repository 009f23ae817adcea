//! The environment of a job, and of a CI server's worker: variables by name. Never the configuration's.

/// The variable's value; one that is empty or not text counts as absent.
#[expect(clippy::disallowed_methods, reason = "the one place that reads a job's environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
