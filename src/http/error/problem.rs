//! Problems: refusals and errors that are answered as `application/problem+json` (RFC 9457). The cause of a problem
//! must reach only the log.

use std::borrow::Cow;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::code::Code;
use crate::base::Seconds;
use crate::issuer::Paths;
use crate::keyring::ClockFault;

/// Public text of a 404 for an object that does not exist.
pub(in crate::http) const NO_SUCH_OBJECT: &str = "no such object";

/// Public text of a 404 for a build or request token, whether the object does not exist or belongs to another client.
pub(super) const NO_OBJECT_OF_CALLER: &str = "no such object, or the object belongs to another client";

/// Public text of a 404 for a path, whether the path does not exist, is disabled or is hidden.
pub(in crate::http) const NO_SUCH_PATH: &str = "no such path";

/// A refusal or an error of a request, without a body. The outermost layer writes the body, since the body holds the
/// request id.
#[derive(Debug, Clone)]
pub(in crate::http) struct Problem {
    pub(in crate::http) code: Code,
    detail: Cow<'static, str>,
    retry_after: Option<Seconds>,
    pub(super) existing: Option<String>,
    /// Cause of the problem, for the log only.
    pub(in crate::http) cause: Option<String>,
}

/// Body of a problem (RFC 9457). The members `error` and `message` repeat `detail`, for clients that show only one of
/// these members.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    error: &'a str,
    message: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

impl Problem {
    pub(in crate::http) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), retry_after: None, existing: None, cause: None }
    }

    pub(super) fn because(mut self, cause: impl ToString) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    pub(super) fn retry_after(mut self, wait: Seconds) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub(in crate::http) fn detail(&self) -> &str {
        &self.detail
    }

    pub(in crate::http) fn unauthenticated() -> Self {
        Self::new(
            Code::Unauthenticated,
            "no valid credential: send the client's id and secret as HTTP Basic, or the build's token as Bearer",
        )
    }

    /// Returns the problem (405) for a method that the path does not support. The answer's `Allow` header names the
    /// methods.
    pub(in crate::http) fn method_not_allowed() -> Self {
        Self::new(Code::MethodNotAllowed, "method not allowed: the Allow header names the methods of this path")
    }

    pub(in crate::http) fn internal(cause: impl ToString) -> Self {
        Self::new(Code::Internal, "internal error: give the operator the request id").because(cause)
    }

    pub(in crate::http) fn unavailable(cause: impl ToString) -> Self {
        Self::new(
            Code::Unavailable,
            "this server or its database is unavailable at the moment: wait for the time in the Retry-After header",
        )
        .retry_after(Seconds::new(5))
        .because(cause)
    }

    /// Returns the problem for a request that needs the correct time, while the server doubts its clock.
    pub(in crate::http) fn doubted_clock(fault: &ClockFault) -> Self {
        let detail = format!("this server signs and accepts no token, because its clock is doubted: {fault}");
        Self::new(Code::Unavailable, detail).retry_after(Seconds::new(5)).because(fault)
    }

    /// Returns the problem for a request whose body does not fit into the memory for request bodies.
    pub(in crate::http) fn no_room_for_body() -> Self {
        Self::new(
            Code::Unavailable,
            "the memory for request bodies is in use (server.body_memory): wait for the time in the Retry-After header",
        )
        .retry_after(Seconds::new(1))
    }

    /// Renders the problem as an answer with body and headers.
    pub(in crate::http) fn render(&self, paths: &Paths, request_id: &str) -> Response {
        let (code, (status, title)) = (self.code.name(), self.code.row());
        let detail = self.detail.as_ref();
        let body = Body {
            r#type: paths.problem(code),
            title,
            status: status.as_u16(),
            detail,
            code,
            error: detail,
            message: detail,
            request_id,
            id: self.existing.as_deref(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        if self.code == Code::Unauthenticated {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"buildpass\""));
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.get()));
        }
        response
    }
}

/// Code and cause for the log line of a refused or failed request. An answer that is not a [`Problem`] carries this
/// note.
#[derive(Debug, Clone)]
pub(in crate::http) struct Noted {
    /// Stable name of the refusal or error, for the log and for metrics.
    pub(in crate::http) code: &'static str,
    /// Cause of the refusal or error, for the log. `None` if the caller alone made a mistake: the log line is then no
    /// warning.
    pub(in crate::http) cause: Option<String>,
}

impl From<Problem> for Noted {
    fn from(problem: Problem) -> Self {
        Self { code: problem.code.name(), cause: problem.cause }
    }
}

/// Attaches the problem to an empty response. The outermost layer renders the problem.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
