//! Requests ID tokens as a job does, with a request URL and a request token. The URL of one CI system must never be
//! used with the token of another system.

use reqwest::header;
use url::Url;

use super::super::api::{Api, Response};
use super::super::failure::Failure;
use crate::base::{Seconds, Secret};
use crate::jose::Algorithm;

/// Prefixes of the variables that hold the request URL and the request token, such as `ACTIONS_ID_TOKEN_REQUEST_URL`,
/// in the order of preference.
const FAMILIES: [&str; 3] = ["BUILDPASS", "ACTIONS", "VELA"];

/// The URL at which a job requests ID tokens, with the request token that the job sends.
pub(in super::super) struct TokenEndpoint {
    url: Url,
    token: Secret<String>,
}

/// Parameters of a job's request for an ID token.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct TokenRequest {
    pub(in super::super) audiences: Vec<String>,
    pub(in super::super) lifetime: Option<Seconds>,
    pub(in super::super) algorithm: Option<Algorithm>,
    pub(in super::super) preview: bool,
}

impl TokenEndpoint {
    pub(in super::super) fn new(url: &str, token: Secret<String>) -> Result<Self, &'static str> {
        let url = Url::parse(url).map_err(|_| "is not a URL")?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err("is not an http or https URL");
        }
        if !token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("comes with a token that contains characters not allowed in a header");
        }
        Ok(Self { url, token })
    }

    /// Returns the endpoint of the first prefix for which a job's variables hold both a request URL and a request
    /// token.
    pub(super) fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        for family in FAMILIES {
            let name = format!("{family}_ID_TOKEN_REQUEST_URL");
            let token = variable(&format!("{family}_ID_TOKEN_REQUEST_TOKEN"));
            if let (Some(url), Some(token)) = (variable(&name), token) {
                return Self::new(&url, Secret::new(token))
                    .map_err(|problem| Failure::usage(format!("{name} {problem}")));
            }
        }
        Err(Failure::usage(missing(&variable)))
    }

    /// Requests an ID token, or only a preview: for a preview the server issues no token.
    pub(in super::super) async fn send(&self, request: &TokenRequest) -> Result<Response, Failure> {
        let url = self.url_for(request);
        let bearer = format!("Bearer {}", self.token.expose_secret());
        let call = |client: &reqwest::Client| {
            client.get(url.clone()).header(header::AUTHORIZATION, &bearer).header(header::ACCEPT, "application/json")
        };
        Api::of(&self.url)?.call(call).await
    }

    /// Returns the request URL with the parameters of `request` appended to the query.
    fn url_for(&self, request: &TokenRequest) -> Url {
        let mut url = self.url.clone();
        {
            let mut query = url.query_pairs_mut();
            for audience in &request.audiences {
                query.append_pair("audience", audience);
            }
            if let Some(lifetime) = request.lifetime {
                query.append_pair("lifetime", &lifetime.get().to_string());
            }
            if let Some(algorithm) = request.algorithm {
                query.append_pair("algorithm", algorithm.name());
            }
            if request.preview {
                query.append_pair("preview", "1");
            }
        }
        url
    }
}

/// Returns an error text that names the missing variables.
fn missing(variable: impl Fn(&str) -> Option<String>) -> String {
    let names = |family: &str| [format!("{family}_ID_TOKEN_REQUEST_URL"), format!("{family}_ID_TOKEN_REQUEST_TOKEN")];
    for family in FAMILIES {
        let (present, absent): (Vec<_>, Vec<_>) = names(family).into_iter().partition(|name| variable(name).is_some());
        if let ([present], [absent]) = (&present[..], &absent[..]) {
            return format!(
                "this job has {present} but not {absent}: both come from one registration, and a URL is never used with the \
                 token of another registration"
            );
        }
    }
    let [url, token] = names("BUILDPASS");
    format!(
        "this job has no request token: its environment lacks {url} and {token} (the prefixes ACTIONS_ and VELA_ work \
         too). The worker gets both from `env` in the registration's response; in a GitHub workflow \
         `permissions: id-token: write` sets them"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<(String, String), String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
        };
        match TokenEndpoint::find(variable) {
            Ok(endpoint) => Ok((endpoint.url.to_string(), endpoint.token.expose_secret().clone())),
            Err(failure) => Err(format!("{failure:?}")),
        }
    }

    #[test]
    fn a_url_is_never_used_with_the_token_of_another_prefix() {
        let mixed = [
            ("BUILDPASS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1/b"),
            ("BUILDPASS_ID_TOKEN_REQUEST_TOKEN", ""),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "a"),
            ("VELA_ID_TOKEN_REQUEST_URL", "http://127.0.0.1/v"),
        ];
        assert!(found(&mixed).unwrap_err().contains("but not BUILDPASS_ID_TOKEN_REQUEST_TOKEN"));
        let whole = [&mixed[..], &[("VELA_ID_TOKEN_REQUEST_TOKEN", "v")]].concat();
        assert_eq!(found(&whole), Ok(("http://127.0.0.1/v".to_owned(), "v".to_owned())));
    }

    #[test]
    fn the_first_complete_pair_is_used() {
        let all: Vec<(String, String)> = FAMILIES
            .iter()
            .flat_map(|family| {
                [
                    (format!("{family}_ID_TOKEN_REQUEST_URL"), format!("http://127.0.0.1/{family}")),
                    (format!("{family}_ID_TOKEN_REQUEST_TOKEN"), (*family).to_owned()),
                ]
            })
            .collect();
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found(&all).unwrap().1, "BUILDPASS");
        assert_eq!(found(&all[2..]).unwrap().1, "ACTIONS");
        assert_eq!(found(&all[4..]).unwrap().1, "VELA");
    }

    #[test]
    fn the_error_without_a_pair_names_the_missing_variables() {
        let error = found(&[]).unwrap_err();
        for name in ["BUILDPASS_ID_TOKEN_REQUEST_URL", "BUILDPASS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_", "VELA_"] {
            assert!(error.contains(name), "{error}");
        }
        assert!(error.starts_with("Usage"));
    }

    #[test]
    fn a_token_that_would_break_a_header_is_not_sent_and_not_shown() {
        let error = found(&[
            ("BUILDPASS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1/"),
            ("BUILDPASS_ID_TOKEN_REQUEST_TOKEN", "secret\r\nX: y"),
        ]);
        assert!(!error.unwrap_err().contains("secret"));
    }

    #[test]
    fn parameters_are_appended_to_the_query() {
        let request = TokenRequest {
            audiences: vec!["a b+c&d".to_owned(), "ü".to_owned()],
            lifetime: Some(Seconds::new(60)),
            algorithm: Some(Algorithm::Es256),
            preview: true,
        };
        let requested =
            |url: &str| TokenEndpoint::new(url, Secret::new("t".to_owned())).unwrap().url_for(&request).to_string();
        let query = "audience=a+b%2Bc%26d&audience=%C3%BC&lifetime=60&algorithm=ES256&preview=1";
        assert_eq!(requested("http://127.0.0.1/x?v=1"), format!("http://127.0.0.1/x?v=1&{query}"));
        assert_eq!(requested("http://127.0.0.1/x"), format!("http://127.0.0.1/x?{query}"));
    }
}
