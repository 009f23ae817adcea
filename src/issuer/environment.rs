//! What a worker puts into a job's environment so that unmodified clients find the pull endpoint.

use super::paths::Paths;
use crate::base::{BuildId, Secret};
use crate::claims::Build;

/// The variables of one request token, under the names that three families of clients look for.
#[derive(Debug, Clone)]
pub struct JobEnvironment {
    request_url: String,
    vela_request_url: String,
    issuer: String,
    org: String,
    repo: String,
    number: String,
    token: Secret<String>,
}

impl JobEnvironment {
    /// The environment of a job that holds `token`.
    #[must_use]
    pub fn new(paths: &Paths, id: BuildId, build: &Build, token: Secret<String>) -> Self {
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

    /// The pull endpoint, ending in a query.
    #[must_use]
    pub fn request_url(&self) -> &str {
        &self.request_url
    }

    /// The request token.
    #[must_use]
    pub fn token(&self) -> &Secret<String> {
        &self.token
    }

    /// Names and values, the token among them: for the answer to whoever registered, and for nobody's log.
    #[must_use]
    pub fn expose_secret(&self) -> [(&'static str, &str); 10] {
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
