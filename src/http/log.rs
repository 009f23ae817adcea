//! Log lines of requests. A line holds the pattern of the route, such as `/api/v1/builds/{id}`, and must never hold
//! path, query, header or an unknown method of the request: a stranger must choose neither the length nor the number of
//! lines.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};

use super::error::Noted;
use super::refusal_samples::{Counts, Outcome, RefusalSamples, Summary};

/// Longest cause in a log line, in bytes.
const MAX_CAUSE_BYTES: usize = 512;

/// Fields of the log line of one request.
pub(super) struct LogLine<'a> {
    pub(super) method: &'static str,
    pub(super) route: &'a str,
    pub(super) status: StatusCode,
    pub(super) micros: u128,
    pub(super) id: &'a str,
    pub(super) peer: IpAddr,
}

/// Logs the requests of a server; of each address only the first few refusals of a minute.
#[derive(Debug, Default)]
pub(super) struct RequestLog(Mutex<RefusalSamples>);

impl RequestLog {
    /// Logs a request that was answered at `now`. Leaves out a refusal if its address has been refused often in this
    /// minute.
    pub(super) fn log(&self, line: &LogLine<'_>, noted: Option<&Noted>, now: Duration) {
        let mut samples = self.lock();
        let summaries = samples.roll(now);
        let is_logged = noted.is_none() || samples.count(line.peer, outcome(line.status));
        drop(samples);
        summaries.iter().for_each(log_summary);
        if is_logged {
            line.log(noted);
        }
    }

    /// Locks the samples. Ignores poisoning, since no change under the lock can stop half-way.
    fn lock(&self) -> MutexGuard<'_, RefusalSamples> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        self.lock().end().iter().for_each(log_summary);
    }
}

impl LogLine<'_> {
    fn log(&self, noted: Option<&Noted>) {
        let Self { method, route, status, micros, id, peer } = self;
        let failed = status.is_server_error();
        let status = status.as_u16();
        let Some(Noted { code, cause }) = noted else {
            tracing::debug!(method, route, status, micros, request_id = id, %peer, "answered");
            return;
        };
        match (failed, cause.as_deref().map(bounded)) {
            (true, cause) => {
                let cause = cause.unwrap_or("none");
                tracing::error!(method, route, status, code, micros, request_id = id, %peer, cause, "failed");
            }
            (false, Some(cause)) => {
                tracing::warn!(method, route, status, code, micros, request_id = id, %peer, cause, "refused");
            }
            (false, None) => tracing::info!(method, route, status, code, micros, request_id = id, %peer, "refused"),
        }
    }
}

fn log_summary((address, counts): &Summary) {
    let peer = address.map_or_else(
        || "others".to_owned(),
        |address| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("{address}/64"),
        },
    );
    let Counts { refused, failed_logins, failed, logged } = counts;
    tracing::warn!(peer, refused, failed_logins, failed, logged, "more requests were refused than logged in a minute");
}

fn outcome(status: StatusCode) -> Outcome {
    match status {
        StatusCode::UNAUTHORIZED => Outcome::FailedLogin,
        status if status.is_server_error() => Outcome::Failed,
        _ => Outcome::Refused,
    }
}

/// Returns the method's name, or `other` if HTTP does not define the method: the log must hold no name that a caller
/// made up.
pub(super) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}

/// Returns the beginning of a cause, since a cause may quote a long text of the caller.
fn bounded(cause: &str) -> &str {
    cause.get(..cause.floor_char_boundary(MAX_CAUSE_BYTES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_a_caller_made_up_is_other() {
        assert_eq!(method_name(&Method::PATCH), "PATCH");
        assert_eq!(method_name(&"BREW".parse().unwrap()), "other");
        assert_eq!(method_name(&"A".repeat(31_000).parse().unwrap()), "other");
    }

    #[test]
    fn a_cause_has_a_bounded_length() {
        assert_eq!(bounded("short"), "short");
        assert_eq!(bounded(&"é".repeat(1_000)).len(), MAX_CAUSE_BYTES);
        assert_eq!(bounded(&format!("a{}", "é".repeat(1_000))).len(), MAX_CAUSE_BYTES - 1);
    }
}
