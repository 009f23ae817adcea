//! Every URL that we hand out. Comes from the configuration alone, never from a request's Host header.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::base::{BuildId, IssuerUrl};
use crate::claims::Build;

/// What passes raw inside one path segment (RFC 3986 §2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the documents and the API answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    issuer: IssuerUrl,
    api: IssuerUrl,
    documents_at_root: bool,
}

impl Paths {
    /// Documents below `issuer` (at the host's root too where `documents_at_root`), the API below `public_url`,
    /// which is the issuer's origin where none is given.
    ///
    /// # Errors
    /// What is wrong with the origin; it can't be for an issuer that was read by [`IssuerUrl::parse`].
    pub fn new(
        issuer: IssuerUrl,
        public_url: Option<IssuerUrl>,
        documents_at_root: bool,
    ) -> Result<Self, &'static str> {
        let api = match public_url {
            Some(url) => url,
            None => IssuerUrl::parse(issuer.origin())?,
        };
        Ok(Self { issuer, api, documents_at_root })
    }

    /// The issuer's URL.
    #[must_use]
    pub fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// The path that the API's routes stand under: `""` or `/buildpass`.
    #[must_use]
    pub fn api_prefix(&self) -> &str {
        self.api.path()
    }

    /// The paths that the documents stand under: the issuer's, and the root where that is wanted.
    #[must_use]
    pub fn document_prefixes(&self) -> Vec<&str> {
        let own = self.issuer.path();
        if self.documents_at_root && !own.is_empty() { vec![own, ""] } else { vec![own] }
    }

    /// The path of the RFC 8414 document: the well-known part goes before the issuer's path (§3.1).
    #[must_use]
    pub fn authorization_server_metadata(&self) -> String {
        format!("/.well-known/oauth-authorization-server{}", self.issuer.path())
    }

    /// Where the key set is.
    #[must_use]
    pub fn jwks(&self) -> String {
        format!("{}/.well-known/jwks", self.issuer)
    }

    /// Where Discovery wants a login page to be; ours refuses.
    #[must_use]
    pub fn authorize(&self) -> String {
        format!("{}/authorize", self.issuer)
    }

    /// The `type` of a problem (RFC 9457 §3.1.1).
    #[must_use]
    pub fn problem(&self, code: &str) -> String {
        format!("{}/problems/{}", self.issuer, code.replace('_', "-"))
    }

    /// The only audience of a token by which a client without a secret calls the API.
    #[must_use]
    pub fn api_audience(&self) -> String {
        format!("{}/api/v1", self.api)
    }

    /// A URL of the API.
    #[must_use]
    pub fn api(&self, path: &str) -> String {
        format!("{}{path}", self.api)
    }

    /// The pull endpoint of a build. Ends in a query, since GitHub's clients append `&audience=`.
    #[must_use]
    pub fn pull(&self, build: BuildId) -> String {
        format!("{}/api/v1/builds/{build}/id_token?v=1", self.api)
    }

    /// The pull endpoint under Vela's path. Ends without a query, since Vela's clients append `?audience=`.
    #[must_use]
    pub fn vela_pull(&self, build: &Build) -> String {
        let (org, repo) = (utf8_percent_encode(&build.org, SEGMENT), utf8_percent_encode(&build.repo, SEGMENT));
        format!("{}/api/v1/repos/{org}/{repo}/builds/{}/id_token", self.api, build.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_with_a_path_leaves_the_api_at_the_origin() {
        let issuer = IssuerUrl::parse("https://ci.example.com/_services/token").unwrap();
        let paths = Paths::new(issuer.clone(), None, false).unwrap();
        assert_eq!(paths.api_prefix(), "");
        assert_eq!(paths.jwks(), "https://ci.example.com/_services/token/.well-known/jwks");
        assert_eq!(paths.authorization_server_metadata(), "/.well-known/oauth-authorization-server/_services/token");
        assert_eq!(paths.document_prefixes(), ["/_services/token"]);
        assert_eq!(Paths::new(issuer, None, true).unwrap().document_prefixes(), ["/_services/token", ""]);
    }
}
