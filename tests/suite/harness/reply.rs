//! An answer, read to its end.

use reqwest::header::HeaderMap;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether the answer is a success.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self.status, 200 | 201)
    }

    /// The `code` of a problem; what every problem has is checked on the way.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(body["status"], self.status);
        assert_eq!(body["error"], body["detail"]);
        assert_eq!(body["message"], body["detail"]);
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"));
        body["code"].as_str().unwrap().to_owned()
    }

    /// The token of a good answer.
    pub(crate) fn token(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["value"].as_str().unwrap().to_owned()
    }
}
