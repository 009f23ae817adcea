//! `[exchange]` and `[forward_auth]`: audiences of the exchange's flows, and the reverse proxy that asks for decisions.
//! The rules of the exchange are never read from the configuration.

use serde::Deserialize;

use super::declare::section;
use super::describe::{Described, ValueKind};
use super::reader::Reader;

/// Kind of the reverse proxy that asks this server whether to let a request through.
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
        /// Whether the exchange is served. `false` turns off every endpoint of the exchange.
        enabled: bool = default "true";
        /// Audience that a token must have to be exchanged in RubyGems' flows. A role whose statements name an audience
        /// requires that audience instead. If absent: the host of the issuer URL.
        rubygems_host: Option<String> = example r#""gems.example.com""#, read audience;
        /// Audience that a token must have to be exchanged in the NuGet flow. If absent: the origin (scheme, host and
        /// port) of the issuer URL.
        nuget_audience: Option<String> = example r#""https://nuget.example.com""#, read audience;
        /// Audience of the access tokens that the container registry's flow issues. A token that is exchanged in this
        /// flow must have the same audience if its provider sets no `required_audience`. If absent: the host of the
        /// issuer URL followed by `:registry`.
        registry_audience: Option<String> = example r#""registry.example.com""#, read audience;
    }
}

section! {
    /// Forward authentication: a reverse proxy asks this server whether to let a request through.
    pub struct ForwardAuth in ("forward_auth") {
        /// Reverse proxy that asks this server: `nginx`, `traefik`, `caddy` or `envoy`. The server expects
        /// the description of a request in the form that this proxy sends, and reads no other form.
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
