//! Reads environment variables of a job or of a CI server's worker. The variables of the configuration are never read
//! here.

use crate::base::secret_text;

/// Returns the value of an environment variable, without a line end at its end. A value that is empty or not UTF-8
/// counts as absent.
#[expect(clippy::disallowed_methods, reason = "the one place that reads a job's environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| secret_text(&value).to_owned()).filter(|value| !value.is_empty())
}
