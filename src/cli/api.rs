//! Calls a server over HTTP, as every command does that runs without the database. Follows no redirect, so that a
//! credential goes to the address it was meant for and nowhere else; repeats no URL with a query in an error.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{self, HeaderMap};
use reqwest::{Client, RequestBuilder, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::failure::Failure;
use super::output;
use super::retry::Patience;
use crate::base::{Entropy, SystemEntropy};

/// Longer answers are not ours.
const LONGEST_ANSWER: usize = 1024 * 1024;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(35);

/// Calls one server.
pub(super) struct Api {
    client: Client,
    origin: String,
}

/// What a server said, whatever the status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    retry_after: Option<Duration>,
}

impl Api {
    /// A caller of the server behind `url`. Proxies come from the environment as curl's do, but never for loopback;
    /// roots from the system or `SSL_CERT_FILE`.
    pub(super) fn of(url: &Url) -> Result<Self, Failure> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .user_agent(concat!("buildpass/", env!("CARGO_PKG_VERSION")));
        if is_loopback(url) {
            builder = builder.no_proxy();
            if url.scheme() == "http" {
                // Nothing is verified on this road, so a system without any root is no obstacle.
                builder = builder.tls_certs_only([]);
            }
        }
        let client = builder.build().map_err(|error| Failure::unreachable(told(&error.without_url())))?;
        Ok(Self { client, origin: url.origin().ascii_serialization() })
    }

    /// Asks, and asks again where the server can't be reached, is busy (429) or unavailable (503).
    pub(super) async fn call(&self, ask: impl Fn(&Client) -> RequestBuilder) -> Result<Answer, Failure> {
        let mut patience = Patience::default();
        loop {
            let answer = self.send(ask(&self.client)).await;
            let asked = match &answer {
                Ok(answer) if matches!(answer.status, 429 | 503) => answer.retry_after,
                Err(error) if error.is_connect() => None,
                _ => return answer.map_err(|error| self.unreachable(error)),
            };
            let mut jitter = [0];
            SystemEntropy.fill(&mut jitter)?;
            match patience.wait(asked, jitter[0]) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return answer.map_err(|error| self.unreachable(error)),
            }
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let mut response = request.send().await?;
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                break;
            }
        }
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body, retry_after })
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        Failure::unreachable(format!("can't reach {}: {}", self.origin, told(&error.without_url())))
    }
}

/// An error with its causes, each once.
fn told(error: &reqwest::Error) -> String {
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

/// The members by which servers say what was wrong: ours (RFC 9457), OAuth's, GitHub's and Vela's.
#[derive(Deserialize)]
struct Complaint {
    detail: Option<String>,
    error_description: Option<String>,
    message: Option<String>,
    error: Option<String>,
}

impl Answer {
    /// The body of a success, or why it is none: a refusal (exit 1), or a server that can't answer now (exit 3).
    pub(super) fn success(self) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let said = self.complaint();
        let text = match said {
            Some(said) => format!("the server answered {}: {}", self.status, output::visible(&said)),
            None => format!("the server answered {}", self.status),
        };
        Err(if self.status >= 500 { Failure::unreachable(text) } else { Failure::refused(text) })
    }

    /// What the server said was wrong, if it said so in any way that we know.
    pub(super) fn complaint(&self) -> Option<String> {
        let complaint: Complaint = serde_json::from_slice(&self.body).ok()?;
        complaint.detail.or(complaint.error_description).or(complaint.message).or(complaint.error)
    }

    /// The body as this JSON document.
    pub(super) fn document<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|_| Failure::unreachable("the server's answer is not the document that was expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_only_looks_like_loopback_goes_the_way_of_all_others() {
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
    fn a_refusal_is_told_in_the_servers_words_made_harmless() {
        let answer = |status: u16, body: &str| Answer {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
            retry_after: None,
        };
        let told = |answer: Answer| answer.success().err().map(|failure| format!("{failure:?}")).unwrap();
        assert!(told(answer(403, r#"{"detail":"no\u001b[2J"}"#)).contains(r"no\u{1b}[2J"));
        assert!(told(answer(401, r#"{"error":"dead"}"#)).starts_with("Refused"));
        assert!(told(answer(503, "gone")).starts_with("Unreachable"));
        assert!(answer(201, "").success().is_ok());
    }
}
