//! `[exchange]` and `[forward_auth]`: audiences of the exchange's flows, and the proxy that asks for decisions.

use serde::Deserialize;

use super::describe::{Described, ValueKind, section};
use super::reader::Reader;

/// A reverse proxy that asks whether to let a request through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proxy {
    /// nginx with `auth_request`.
    Nginx,
    /// Traefik with `forwardAuth`.
    Traefik,
    /// Caddy with `forward_auth`.
    Caddy,
    /// Envoy with `ext_authz` over HTTP.
    Envoy,
}

impl Described for Proxy {
    const KIND: ValueKind = ValueKind::Text;
}

section! {
    /// The exchange of tokens for short-lived credentials.
    pub struct Exchange in ("exchange") {
        /// Whether to serve the exchange. `false` turns off every endpoint of the exchange.
        enabled: bool = default "true";
        /// Audience of RubyGems' flows, for roles with statements that name no audience. If absent: the issuer's host.
        rubygems_host: Option<String> = example r#""gems.example.com""#, read audience;
        /// Audience of the NuGet flow. If absent: the issuer's origin.
        nuget_audience: Option<String> = example r#""https://nuget.example.com""#, read audience;
        /// Audience of the registry's flow, for providers without a required audience, and of the access tokens that
        /// the flow issues. If absent: the issuer's host followed by `:registry`.
        registry_audience: Option<String> = example r#""registry.example.com""#, read audience;
    }
}

section! {
    /// Decisions for a reverse proxy about the requests that pass through the proxy.
    pub struct ForwardAuth in ("forward_auth") {
        /// Proxy that asks for decisions: `nginx`, `traefik`, `caddy` or `envoy`. The server reads the request's
        /// description from the headers of this proxy and rejects those of the others.
        proxy: Proxy = default r#""nginx""#;
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Exchange> {
    Exchange::read_keys(reader)
}

pub(super) fn read_forward_auth(reader: &mut Reader<'_>) -> Option<ForwardAuth> {
    ForwardAuth::read_keys(reader)
}

fn audience(text: String) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("must not be empty");
    }
    if text.len() > 1_024 || text.chars().any(char::is_control) {
        return Err("must have at most 1024 bytes and no control characters");
    }
    Ok(text)
}
