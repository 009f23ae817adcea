//! Environment variables of a job, from which existing clients learn where and how to request ID tokens. The variables
//! hold a request token and are never logged.

use super::paths::Paths;
use crate::base::{BuildId, Secret};
use crate::claims::Build;

/// Environment variables that hold a request token and its URL, under the names that clients of buildpass, GitHub and
/// Vela read.
#[derive(Debug, Clone)]
pub(crate) struct JobEnvironment {
    request_url: String,
    vela_request_url: String,
    issuer: String,
    org: String,
    repo: String,
    number: String,
    token: Secret<String>,
}

impl JobEnvironment {
    #[must_use]
    pub(crate) fn new(paths: &Paths, id: BuildId, build: &Build, token: Secret<String>) -> Self {
        Self {
            request_url: paths.pull(id),
            vela_request_url: paths.vela_pull(build),
            issuer: paths.issuer().to_string(),
            org: build.org.clone(),
            repo: build.repo.clone(),
            number: build.number.to_string(),
            token,
        }
    }

    /// Returns the URL from which a job requests ID tokens. The URL ends in a query, since GitHub's clients append
    /// `&audience=`.
    #[must_use]
    pub(crate) fn request_url(&self) -> &str {
        &self.request_url
    }

    #[must_use]
    pub(crate) fn token(&self) -> &Secret<String> {
        &self.token
    }

    /// Returns the names and values of the variables. The values include the request token and must never be logged.
    #[must_use]
    pub(crate) fn expose_secret(&self) -> [(&'static str, &str); 10] {
        let token = self.token.expose_secret();
        [
            ("BUILDPASS_ID_TOKEN_REQUEST_URL", &self.request_url),
            ("BUILDPASS_ID_TOKEN_REQUEST_TOKEN", token),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", &self.request_url),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token),
            ("VELA_ID_TOKEN_REQUEST_URL", &self.vela_request_url),
            ("VELA_ID_TOKEN_REQUEST_TOKEN", token),
            ("VELA_OPEN_ID_ISSUER", &self.issuer),
            ("VELA_REPO_ORG", &self.org),
            ("VELA_REPO_NAME", &self.repo),
            ("VELA_BUILD_NUMBER", &self.number),
        ]
    }
}
