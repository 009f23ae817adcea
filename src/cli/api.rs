//! HTTP client of the commands that run without the database. The client never follows a redirect, so that a credential
//! is sent only to the configured address, and never prints the query of a URL in an error.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{self, HeaderMap};
use reqwest::{Client, RequestBuilder, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::failure::Failure;
use super::output;
use super::retry::Backoff;
use crate::base::{Entropy, SystemEntropy};

/// Number of bytes of a response's body after which reading stops.
const MAX_RESPONSE: usize = 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(35);

/// HTTP client for one server.
pub(super) struct Api {
    client: Client,
    origin: String,
}

/// An HTTP response, successful or not.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    retry_after: Option<Duration>,
}

impl Api {
    /// Creates an HTTP client for the server of `url`. HTTP proxies come from the environment as in curl, but are never
    /// used for loopback; root certificates come from the system or `SSL_CERT_FILE`.
    pub(super) fn of(url: &Url) -> Result<Self, Failure> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(RESPONSE_TIMEOUT)
            .user_agent(concat!("buildpass/", env!("CARGO_PKG_VERSION")));
        if is_loopback(url) {
            builder = builder.no_proxy();
            if url.scheme() == "http" {
                // Plain HTTP verifies no certificate, so the client must also start on a system without roots.
                builder = builder.tls_certs_only([]);
            }
        }
        let client = builder.build().map_err(|error| Failure::unreachable(with_causes(&error.without_url())))?;
        Ok(Self { client, origin: url.origin().ascii_serialization() })
    }

    /// Sends a request, and retries the request if the server cannot be reached, is busy (429) or is unavailable (503).
    pub(super) async fn call(&self, request: impl Fn(&Client) -> RequestBuilder) -> Result<Response, Failure> {
        let mut backoff = Backoff::default();
        loop {
            let response = self.send(request(&self.client)).await;
            let retry_after = match &response {
                Ok(response) if matches!(response.status, 429 | 503) => response.retry_after,
                Err(error) if error.is_connect() => None,
                _ => return response.map_err(|error| self.unreachable(error)),
            };
            let mut jitter = [0];
            SystemEntropy.fill(&mut jitter)?;
            match backoff.wait(retry_after, jitter[0]) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return response.map_err(|error| self.unreachable(error)),
            }
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, reqwest::Error> {
        let mut response = request.send().await?;
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_RESPONSE {
                break;
            }
        }
        Ok(Response { status: response.status().as_u16(), headers: response.headers().clone(), body, retry_after })
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        Failure::unreachable(format!("cannot reach {}: {}", self.origin, with_causes(&error.without_url())))
    }
}

/// Returns the text of an error and of the error's causes, without repetitions.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Members of a JSON body that describe an error: `detail` in RFC 9457, `error_description` in OAuth, `message` at
/// GitHub, `error` at Vela.
#[derive(Deserialize)]
struct ErrorBody {
    detail: Option<String>,
    error_description: Option<String>,
    message: Option<String>,
    error: Option<String>,
}

impl Response {
    /// Returns the response if it is successful (2xx), else a failure with exit code 3 (5xx) or 1 (any other status).
    pub(super) fn success(self) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let text = match self.error_text() {
            Some(text) => format!("the server answered {}: {}", self.status, output::visible(&text)),
            None => format!("the server answered {}", self.status),
        };
        Err(if self.status >= 500 { Failure::unreachable(text) } else { Failure::refused(text) })
    }

    /// Returns the error text in the response's body, if the body has a known form.
    pub(super) fn error_text(&self) -> Option<String> {
        let body: ErrorBody = serde_json::from_slice(&self.body).ok()?;
        body.detail.or(body.error_description).or(body.message).or(body.error)
    }

    /// Parses the response's body as JSON.
    pub(super) fn document<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|_| Failure::unreachable("the response is not the expected JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_and_names_bypass_proxies() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://localhost.example.com", false),
            ("https://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn an_error_text_of_the_server_is_escaped() {
        let response = |status: u16, body: &str| Response {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
            retry_after: None,
        };
        let text = |response: Response| response.success().err().map(|failure| format!("{failure:?}")).unwrap();
        assert!(text(response(403, r#"{"detail":"no\u001b[2J"}"#)).contains(r"no\u{1b}[2J"));
        assert!(text(response(401, r#"{"error":"revoked"}"#)).starts_with("Refused"));
        assert!(text(response(503, "down")).starts_with("Unreachable"));
        assert!(response(201, "").success().is_ok());
    }
}
