//! Dialect of forward authentication: a proxy asks here whether it may pass a client's request on. The dialect must
//! read only the headers of the configured kind of proxy, only from a trusted proxy, and must never wait for a body.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::error::{Noted, Problem};
use super::super::extract::PathParams;
use super::super::peer::SocketAddress;
use super::super::state::AppState;
use super::answer::{exchange, note_error, note_refusal, status_of};
use super::forward_path::decoded;
use crate::app::ForwardProxy;
use crate::base::Secret;
use crate::exchange::flows::forward_auth::{Admitted, ForwardAuth};
use crate::exchange::{ExchangeRefusal, NotExchanged};
use crate::verifier::Check;

/// Maximum size of all `x-buildpass-…` headers of an answer together, names and values, in bytes.
const MOST_IDENTITY: usize = 4 * 1_024;

/// Characters that are percent-encoded in an `x-buildpass-…` header.
const IDENTITY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':').remove(b'@');

/// Minimum interval between log lines that warn of an untrusted proxy, in seconds.
const WARN_EVERY: u64 = 60;

/// Time of the last warning of an untrusted proxy, in seconds of the monotonic clock plus one; 0 before the first.
static WARNED: AtomicU64 = AtomicU64::new(0);

pub(in super::super) async fn authorize(
    State(state): State<AppState>,
    grant: Result<PathParams<String>, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    let Ok(PathParams(grant)) = grant else { return Ok(forbidden("forward_path")) };
    decide(&state, grant, &Asked::of(request)).await
}

pub(in super::super) async fn authorize_path(
    State(state): State<AppState>,
    grant: Result<PathParams<(String, String)>, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    let Ok(PathParams((grant, _))) = grant else { return Ok(forbidden("forward_path")) };
    decide(&state, grant, &Asked::of(request)).await
}

/// Parts of the proxy's request that are read; the body is not among them.
struct Asked {
    method: Method,
    headers: HeaderMap,
    target: Option<String>,
    peer: IpAddr,
}

impl Asked {
    fn of(request: Request) -> Self {
        let (parts, _) = request.into_parts();
        let target = parts.extensions.get::<OriginalUri>().and_then(|uri| uri.0.path_and_query());
        Self {
            target: target.map(|target| target.as_str().to_owned()),
            peer: SocketAddress::of(&parts.extensions),
            method: parts.method,
            headers: parts.headers,
        }
    }
}

async fn decide(state: &AppState, grant: String, asked: &Asked) -> Result<Response, Problem> {
    let exchange = exchange(state)?;
    let proxy = state.app.forward_proxy();
    if !is_trusted(asked.peer, |peer| state.app.is_trusted_proxy(peer)) {
        warn_of_untrusted(asked.peer, state.app.clock().monotonic());
        return Ok(forbidden("untrusted_proxy"));
    }
    let request = match proxy {
        ForwardProxy::Envoy => own_line(state, &grant, asked),
        ForwardProxy::Nginx => sent_line(&asked.headers, ["x-original-method", "x-original-uri", "x-original-host"]),
        ForwardProxy::Caddy | ForwardProxy::Traefik => {
            sent_line(&asked.headers, ["x-forwarded-method", "x-forwarded-uri", "x-forwarded-host"])
        }
    };
    let Some((method, target, host)) = request else { return Ok(forbidden("forward_headers")) };
    let Some(path) = decoded(&target) else { return Ok(forbidden("forward_path")) };
    let credential = match credential(&asked.headers) {
        Ok(Some(credential)) => credential,
        Ok(None) => return Ok(unauthorized()),
        Err(Several) => return Ok(forbidden("two_credentials")),
    };
    let request = ForwardAuth { grant, credential, method, path, host };
    Ok(match exchange.admit(&request).await {
        Ok(admitted) => let_through(&admitted),
        Err(NotExchanged::Failed(error)) => {
            let mut response = status_of(&error).0.into_response();
            note_error(&mut response, &error);
            response
        }
        Err(NotExchanged::Refused(refused)) => {
            // A denial by policy is final; after all other refusals the client may try another credential.
            let by_policy = refused.refusal.check() >= Check::Policy
                && !matches!(refused.refusal, ExchangeRefusal::Credential | ExchangeRefusal::Used);
            let mut response = if by_policy { forbidden("forward_policy") } else { unauthorized() };
            note_refusal(&mut response, &refused);
            response
        }
    })
}

/// Whether `peer` may ask for a decision. Loopback is trusted: a local process could read the database as well.
fn is_trusted(peer: IpAddr, is_trusted_proxy: impl Fn(IpAddr) -> bool) -> bool {
    peer.to_canonical().is_loopback() || is_trusted_proxy(peer)
}

/// Logs the setting that would make the proxy trusted, at most once in [`WARN_EVERY`] seconds. The answer must not name
/// the setting to an unknown peer.
fn warn_of_untrusted(peer: IpAddr, now: Duration) {
    let (peer, now) = (peer.to_canonical(), now.as_secs() + 1);
    let warned = WARNED.load(Ordering::Relaxed);
    if (warned == 0 || now.saturating_sub(warned) >= WARN_EVERY)
        && WARNED.compare_exchange(warned, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        tracing::warn!(%peer, "forward-auth request from an untrusted proxy: add its address to server.trusted_proxies");
    }
}

type Line = (String, String, String);

/// Reads method, target and host of the client's request from three headers of the proxy. `None` if a header is
/// missing, empty or repeated.
fn sent_line(headers: &HeaderMap, names: [&str; 3]) -> Option<Line> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?.to_owned();
        (values.next().is_none() && !value.is_empty()).then_some(value)
    };
    let [method, target, host] = names;
    Some((one(method)?, one(target)?, one(host)?))
}

/// Reads method, target and host of the client's request from the request line and `Host` of Envoy's request. Envoy
/// appends the client's path to the configured prefix.
fn own_line(state: &AppState, grant: &str, asked: &Asked) -> Option<Line> {
    let prefix = format!("{}/authz/{grant}", state.app.issuer().paths().api_prefix());
    let target = asked.target.as_deref()?.strip_prefix(&prefix)?;
    let mut hosts = asked.headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?.to_owned();
    let target = if target.is_empty() { "/" } else { target };
    hosts.next().is_none().then(|| (asked.method.to_string(), target.to_owned(), host))
}

/// Error of a request with two different credentials: the store behind the proxy might use another credential than was
/// checked here.
struct Several;

/// Reads the token or key in all forms that package clients send: in `Authorization` as `Bearer`, as password of
/// `Basic` (as user if the password is empty or `x-oauth-basic`) or without a scheme, or in `X-NuGet-ApiKey`.
fn credential(headers: &HeaderMap) -> Result<Option<Secret<String>>, Several> {
    let mut found: Option<Secret<String>> = None;
    let authorization = headers.get_all(header::AUTHORIZATION).iter().map(|value| (true, value));
    let api_key = headers.get_all("x-nuget-apikey").iter().map(|value| (false, value));
    for (with_scheme, value) in authorization.chain(api_key) {
        let text = value.to_str().map_err(|_| Several)?.trim();
        let credential = if with_scheme { of_authorization(text) } else { Some(text.to_owned()) };
        let Some(credential) = credential.filter(|text| !text.is_empty()) else { continue };
        match &found {
            Some(known) if *known.expose_secret() != credential => return Err(Several),
            Some(_) => {}
            None => found = Some(Secret::new(credential)),
        }
    }
    Ok(found)
}

fn of_authorization(text: &str) -> Option<String> {
    let Some((scheme, rest)) = text.split_once(' ') else { return Some(text.to_owned()) };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some(if matches!(password, "" | "x-oauth-basic") { user } else { password }.to_owned())
}

/// Answers 200 with every `x-buildpass-…` header, empty if the value is unknown. If a header were left out, the
/// client's own header of that name would reach the store behind the proxy.
fn let_through(admitted: &Admitted) -> Response {
    let optional = |text: Option<String>| text.unwrap_or_default();
    let identity = [
        ("x-buildpass-provider", admitted.provider.clone()),
        ("x-buildpass-subject", admitted.subject.clone()),
        ("x-buildpass-grant", admitted.grant.clone()),
        ("x-buildpass-user", optional(admitted.user.clone())),
        ("x-buildpass-scopes", admitted.scopes.join(" ")),
        ("x-buildpass-key", optional(admitted.key.map(|key| key.to_string()))),
        ("x-buildpass-build", optional(admitted.build.clone())),
    ];
    let mut response = Response::new(Body::empty());
    let mut size = 0;
    for (name, value) in identity {
        let value = utf8_percent_encode(&value, IDENTITY).to_string();
        size += name.len() + value.len();
        let Ok(value) = HeaderValue::from_str(&value) else { return forbidden("identity") };
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    if size > MOST_IDENTITY { forbidden("identity_too_large") } else { response }
}

/// Answers 403 with an empty body. Only the log names the reason, `code`.
fn forbidden(code: &'static str) -> Response {
    let mut response = StatusCode::FORBIDDEN.into_response();
    response.extensions_mut().insert(Noted { code, cause: None });
    response
}

/// Answers 401 with challenges, since some clients send credentials only after a challenge.
fn unauthorized() -> Response {
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    let headers = response.headers_mut();
    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"buildpass\""));
    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response.extensions_mut().insert(Noted { code: "forward_credential", cause: None });
    response
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tower::ServiceExt;

    use super::super::super::router;
    use super::super::super::state::Limits;
    use super::*;
    use crate::app::App;

    /// Lines that one test logs.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Returns the server's answer to a proxy at `peer`. The address is injected, since a test can only connect from
    /// loopback.
    async fn asked_by(router: &axum::Router, peer: &str) -> (StatusCode, String) {
        let mut request = Request::builder().uri("/authz/store").body(Body::empty()).unwrap();
        for (name, value) in [("x-original-method", "GET"), ("x-original-uri", "/"), ("x-original-host", "store")] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        request.extensions_mut().insert(SocketAddress(peer.parse().unwrap()));
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1_024).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn an_untrusted_proxy_learns_nothing_and_the_log_names_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            [("BUILDPASS_SERVER__TRUSTED_PROXIES", "[\"192.0.2.7\"]"), ("BUILDPASS_EXCHANGE__ENABLED", "true")];
        let app = App::for_tests(folder.path(), &settings).await;
        let router = router::public(&AppState::new(Arc::new(app), Limits::of(1)));
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        for peer in ["203.0.113.9", "::ffff:203.0.113.9", "0.0.0.0"] {
            assert_eq!(asked_by(&router, peer).await, (StatusCode::FORBIDDEN, String::new()), "{peer}");
        }
        for peer in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "192.0.2.7"] {
            assert_eq!(asked_by(&router, peer).await, (StatusCode::UNAUTHORIZED, String::new()), "{peer}");
        }
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let remedy = "forward-auth request from an untrusted proxy: add its address to server.trusted_proxies";
        let warnings: Vec<&str> = log.lines().filter(|line| line.contains(remedy)).collect();
        assert_eq!(warnings.len(), 1, "at a limited rate: {log}");
        assert!(warnings[0].contains("WARN") && warnings[0].contains("203.0.113.9"), "{}", warnings[0]);
    }
}
