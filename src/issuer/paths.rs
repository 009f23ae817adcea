//! Every URL of buildpass that appears in documents and answers. A URL comes from the configuration alone, never from a
//! request's `Host` header.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::base::{BuildId, IssuerUrl};
use crate::claims::Build;

/// Characters that are percent-encoded in a path segment: all except the unreserved characters of RFC 3986 §2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// URLs and path prefixes under which the documents and the API are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    issuer: IssuerUrl,
    api: IssuerUrl,
    documents_at_root: bool,
}

impl Paths {
    /// Places the documents below the URL `issuer` (and also at the host's root if `documents_at_root` is set), and the
    /// API below `public_url`. Without a `public_url` the API is at the issuer's origin.
    ///
    /// # Errors
    /// The reason why the origin of `issuer` is not a valid URL. A URL that [`IssuerUrl::parse`] accepted never causes
    /// this.
    pub(crate) fn new(
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

    #[must_use]
    pub(crate) fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// Returns the path prefix of the API's routes: empty, or a path such as `/buildpass`.
    #[must_use]
    pub(crate) fn api_prefix(&self) -> &str {
        self.api.path()
    }

    /// Returns the path prefixes under which the discovery document and the key set are served.
    #[must_use]
    pub(crate) fn document_prefixes(&self) -> Vec<&str> {
        let own = self.issuer.path();
        if self.documents_at_root && !own.is_empty() { vec![own, ""] } else { vec![own] }
    }

    /// Returns the path of the authorization server metadata. The well-known part precedes the issuer's path (RFC 8414
    /// §3.1).
    #[must_use]
    pub(crate) fn authorization_server_metadata(&self) -> String {
        format!("/.well-known/oauth-authorization-server{}", self.issuer.path())
    }

    /// Returns the URL of the key set (`jwks_uri`).
    #[must_use]
    pub(crate) fn jwks(&self) -> String {
        format!("{}/.well-known/jwks", self.issuer)
    }

    /// Returns the `authorization_endpoint` that OpenID Connect Discovery requires. This issuer refuses every
    /// interactive login there.
    #[must_use]
    pub(crate) fn authorize(&self) -> String {
        format!("{}/authorize", self.issuer)
    }

    /// Returns the `type` URL of a problem with this error code (RFC 9457 §3.1.1).
    #[must_use]
    pub(crate) fn problem(&self, code: &str) -> String {
        format!("{}/problems/{}", self.issuer, code.replace('_', "-"))
    }

    /// Returns the audience that a provider's token must have to authenticate a client of the API.
    #[must_use]
    pub(crate) fn api_audience(&self) -> String {
        format!("{}/api/v1", self.api)
    }

    /// Returns the URL of a path of the API.
    #[must_use]
    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}{path}", self.api)
    }

    /// Returns the URL from which jobs request ID tokens of a build. The URL ends in a query, since GitHub's clients
    /// append `&audience=`.
    #[must_use]
    pub(crate) fn pull(&self, build: BuildId) -> String {
        format!("{}/api/v1/builds/{build}/id_token?v=1", self.api)
    }

    /// Returns the URL from which Vela's clients request ID tokens of a build. The URL has no query, since Vela's
    /// clients append `?audience=`.
    #[must_use]
    pub(crate) fn vela_pull(&self, build: &Build) -> String {
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
