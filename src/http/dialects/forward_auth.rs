//! Forward authentication: a proxy asks before it lets a request through. Reads the headers of the one proxy that is
//! configured, and those only from a proxy that is trusted; never waits for a body.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::super::error::{Noted, Problem};
use super::super::extract::PathOf;
use super::super::serve::{Door, SocketAddress};
use super::{exchange, fault, note_fault, note_refusal};
use crate::app::ForwardProxy;
use crate::base::Secret;
use crate::exchange::{Admitted, Declined, ForwardAsk, ForwardCredential, Refusal};
use crate::verifier::Check;

/// The most bytes of all identity headers of an answer.
const MOST_IDENTITY: usize = 4 * 1_024;

/// What stands raw in an identity header.
const IDENTITY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':').remove(b'@');

/// How often a proxy that is not trusted is told of, in seconds.
const TELL_EVERY: u64 = 60;

/// When that was told last, in seconds of the monotonic clock and one more; 0 for never.
static TOLD: AtomicU64 = AtomicU64::new(0);

pub(in super::super) async fn authorize(
    State(door): State<Door>,
    PathOf(grant): PathOf<String>,
    request: Request,
) -> Result<Response, Problem> {
    judge(&door, grant, &Asked::of(request)).await
}

pub(in super::super) async fn authorize_path(
    State(door): State<Door>,
    PathOf((grant, _)): PathOf<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    judge(&door, grant, &Asked::of(request)).await
}

/// What the proxy sent: its headers, and for one of them the request's own line. The body is never looked at.
struct Asked {
    method: Method,
    headers: HeaderMap,
    target: Option<String>,
    peer: Option<IpAddr>,
}

impl Asked {
    fn of(request: Request) -> Self {
        let (parts, _) = request.into_parts();
        let target = parts.extensions.get::<OriginalUri>().and_then(|uri| uri.0.path_and_query());
        Self {
            target: target.map(|target| target.as_str().to_owned()),
            peer: parts.extensions.get::<SocketAddress>().map(|peer| peer.0),
            method: parts.method,
            headers: parts.headers,
        }
    }
}

async fn judge(door: &Door, grant: String, asked: &Asked) -> Result<Response, Problem> {
    let exchange = exchange(door)?;
    let proxy = door.app.forward_proxy();
    if !asked.peer.is_some_and(|peer| is_trusted(door, peer)) {
        return Ok(forbidden("untrusted_proxy"));
    }
    let request = match proxy {
        ForwardProxy::Envoy => own_line(door, &grant, asked),
        ForwardProxy::Nginx => told(&asked.headers, ["x-original-method", "x-original-uri", "x-original-host"]),
        ForwardProxy::Caddy | ForwardProxy::Traefik => {
            told(&asked.headers, ["x-forwarded-method", "x-forwarded-uri", "x-forwarded-host"])
        }
    };
    let Some((method, target, host)) = request else { return Ok(forbidden("forward_headers")) };
    let Some(path) = decoded(&target) else { return Ok(forbidden("forward_path")) };
    let credential = match credential(&asked.headers) {
        Ok(Some(credential)) => ForwardCredential(credential),
        Ok(None) => return Ok(unauthorized()),
        Err(Several) => return Ok(forbidden("two_credentials")),
    };
    let ask = ForwardAsk { grant, credential, method, path, host };
    Ok(match exchange.admit(&ask).await {
        Ok(admitted) => let_through(&admitted),
        Err(Declined::Failed(error)) => {
            let mut response = fault(&error).0.into_response();
            note_fault(&mut response, &error);
            response
        }
        Err(Declined::Refused(refused)) => {
            // What a policy denies stays denied with another credential of the same holder; all else asks for one.
            let by_policy = refused.refusal.check() >= Check::Policy
                && !matches!(refused.refusal, Refusal::Credential | Refusal::Spent);
            let mut response = if by_policy { forbidden("forward_policy") } else { unauthorized() };
            note_refusal(&mut response, &refused);
            response
        }
    })
}

/// Loopback counts as trusted: whoever is on this machine could ask the database as well.
fn is_trusted(door: &Door, peer: IpAddr) -> bool {
    if peer.to_canonical().is_loopback() || door.app.is_trusted_proxy(peer) {
        return true;
    }
    let now = door.app.clock().monotonic().as_secs() + 1;
    let told = TOLD.load(Ordering::Relaxed);
    if (told == 0 || now.saturating_sub(told) >= TELL_EVERY)
        && TOLD.compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        tracing::warn!(%peer, "forward auth is asked from an address that server.trusted_proxies does not name");
    }
    false
}

type Line = (String, String, String);

/// Method, target and host as the proxy's headers say; each once, or nothing is believed.
fn told(headers: &HeaderMap, names: [&str; 3]) -> Option<Line> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?.to_owned();
        (values.next().is_none() && !value.is_empty()).then_some(value)
    };
    let [method, target, host] = names;
    Some((one(method)?, one(target)?, one(host)?))
}

/// Envoy sends the request's own method, host and path, behind the path that it is configured with.
fn own_line(door: &Door, grant: &str, asked: &Asked) -> Option<Line> {
    let prefix = format!("{}/authz/{grant}", door.app.issuer().paths().api_prefix());
    let target = asked.target.as_deref()?.strip_prefix(&prefix)?;
    let mut hosts = asked.headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?.to_owned();
    let target = if target.is_empty() { "/" } else { target };
    hosts.next().is_none().then(|| (asked.method.to_string(), target.to_owned(), host))
}

/// The path of a target, decoded once, without its query. `None` where two servers could read it differently: dot or
/// empty segments, an encoded slash, a backslash, a semicolon (to some all that follows it in its segment is no part of
/// the name), a control character, bad UTF-8; and a fragment, which no target has. It may end in a slash. The one
/// encoded slash that is read is that of npm, which writes `/@scope%2fname`: as two segments, as its registries do.
fn decoded(target: &str) -> Option<String> {
    if target.contains('#') {
        return None;
    }
    let path = target.split('?').next()?;
    let rest = path.strip_prefix('/')?;
    let mut decoded = String::with_capacity(path.len());
    let segments: Vec<&str> = rest.split('/').flat_map(scope_and_name).collect();
    let last = segments.len().saturating_sub(1);
    for (at, segment) in segments.into_iter().enumerate() {
        decoded.push('/');
        if segment.is_empty() && at == last {
            break;
        }
        let text = percent_decode_str(segment).decode_utf8().ok()?;
        let odd = |c: char| matches!(c, '/' | '\\' | ';') || c.is_control();
        if matches!(text.as_ref(), "" | "." | "..") || text.chars().any(odd) || !has_whole_escapes(segment) {
            return None;
        }
        decoded.push_str(&text);
    }
    Some(decoded)
}

/// npm's name of a package within a scope, apart; any other segment as it is.
fn scope_and_name(segment: &str) -> impl Iterator<Item = &str> {
    let parts = ["%2f", "%2F"].into_iter().find_map(|slash| segment.split_once(slash));
    let (first, second) = match parts.filter(|_| segment.starts_with('@')) {
        Some((scope, name)) if !name.is_empty() => (scope, Some(name)),
        _ => (segment, None),
    };
    std::iter::once(first).chain(second)
}

/// Does every `%` begin an escape of two digits?
fn has_whole_escapes(segment: &str) -> bool {
    segment
        .split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// Two credentials that differ: which of them would the store behind the proxy have believed?
struct Several;

/// The token or key as package clients send it: `Bearer`, `Basic`'s password (its user where the password is empty or
/// `x-oauth-basic`), the bare value, or `X-NuGet-ApiKey`.
fn credential(headers: &HeaderMap) -> Result<Option<Secret<String>>, Several> {
    let mut found: Option<Secret<String>> = None;
    let authorization = headers.get_all(header::AUTHORIZATION).iter().map(|value| (true, value));
    let api_key = headers.get_all("x-nuget-apikey").iter().map(|value| (false, value));
    for (with_scheme, value) in authorization.chain(api_key) {
        let text = value.to_str().map_err(|_| Several)?.trim();
        let credential = if with_scheme { of_authorization(text) } else { Some(text.to_owned()) };
        let Some(credential) = credential.filter(|text| !text.is_empty()) else { continue };
        match &found {
            Some(known) if *known.reveal() != credential => return Err(Several),
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

/// 200 with every identity header, empty where unknown: a client's own of that name would else reach the store.
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

fn forbidden(code: &'static str) -> Response {
    let mut response = StatusCode::FORBIDDEN.into_response();
    response.extensions_mut().insert(Noted { code, cause: None });
    response
}

/// Some clients send nothing before they are asked for it.
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
    use super::*;

    #[test]
    fn a_path_that_two_servers_could_read_differently_is_no_path() {
        assert_eq!(decoded("/a/b%20c?x=/../y").as_deref(), Some("/a/b c"));
        assert_eq!(decoded("/legacy/").as_deref(), Some("/legacy/"));
        assert_eq!(decoded("/").as_deref(), Some("/"));
        assert_eq!(decoded("/a%252fb").as_deref(), Some("/a%2fb"), "decoded once");
        for scoped in ["/npm/@acme%2fapp", "/npm/@acme%2Fapp"] {
            assert_eq!(decoded(scoped).as_deref(), Some("/npm/@acme/app"), "as npm writes it");
        }
        for odd in [
            "",
            "a",
            "//",
            "/a//b",
            "/./a",
            "/a/..",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0ab",
            "/%ff",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a/..;/b",
            "/a;v=1/b",
            "/@acme%2f..",
            "/@acme%2f%2e%2e/other",
            "/@acme%2fapp%2fx",
            "/@acme%2f",
            "/@%2e%2e%2fapp%2f",
            "/acme%2f@app",
            "/a/%3b/b",
            "/a#/../b",
            "/a?x#y",
            "http://host/a",
        ] {
            assert_eq!(decoded(odd), None, "{odd}");
        }
    }
}
