//! `[exchange]` and `[forward_auth]`: the audiences of the doors, and whose headers are believed.

use super::reader::{Reader, boolean, text};

/// A proxy that asks before it lets a request through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// Caddy, `forward_auth`.
    Caddy,
    /// Envoy, `ext_authz` over HTTP.
    Envoy,
    /// nginx, `auth_request`.
    Nginx,
    /// Traefik, `forwardAuth`.
    Traefik,
}

/// What an operator decided about the exchange.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Is it open at all?
    pub enabled: bool,
    /// Audience of RubyGems' doors; `None`: the issuer's host.
    pub rubygems_host: Option<String>,
    /// Audience of NuGet's door; `None`: the issuer's origin.
    pub nuget_audience: Option<String>,
    /// Audience of the registry's door; `None`: the issuer's host with `:registry`.
    pub registry_audience: Option<String>,
    /// Whose headers forward authentication reads.
    pub proxy: Proxy,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Exchange> {
    let mut audience = |path: &str| {
        reader.optional(path, |value| match text(value)? {
            "" => Err("must not be empty".to_owned()),
            text if text.len() > 1_024 || text.chars().any(char::is_control) => {
                Err("must have at most 1024 bytes and no control characters".to_owned())
            }
            text => Ok(text.to_owned()),
        })
    };
    let rubygems_host = audience("exchange.rubygems_host");
    let nuget_audience = audience("exchange.nuget_audience");
    let registry_audience = audience("exchange.registry_audience");
    let enabled = reader.read("exchange.enabled", boolean);
    let proxy = reader.read("forward_auth.proxy", |value| match text(value)? {
        "caddy" => Ok(Proxy::Caddy),
        "envoy" => Ok(Proxy::Envoy),
        "nginx" => Ok(Proxy::Nginx),
        "traefik" => Ok(Proxy::Traefik),
        _ => Err("must be nginx, traefik, caddy or envoy".to_owned()),
    });
    Some(Exchange {
        enabled: enabled?,
        rubygems_host: rubygems_host?,
        nuget_audience: nuget_audience?,
        registry_audience: registry_audience?,
        proxy: proxy?,
    })
}
