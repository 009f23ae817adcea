//! `[issuer]`: whom tokens come from, and what they say.

use std::net::SocketAddr;

use super::reader::{Reader, boolean, each, text};
use crate::base::IssuerUrl;
use crate::claims::{Preset, Presets, SubjectFormat};

/// Whom tokens come from, and what they say.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The issuer; `None`: `http://` and the bound address, which is then loopback.
    pub url: Option<IssuerUrl>,
    /// Are its documents served at the root too?
    pub serve_at_root: bool,
    /// How `sub` is made.
    pub subject: SubjectFormat,
    /// Families of claims.
    pub claims: Presets,
}

impl Issuer {
    /// The issuer's URL, where it does not hang on the bound address.
    pub(super) fn known_url(&self) -> Option<&str> {
        self.url.as_ref().map(IssuerUrl::as_str)
    }
}

pub(super) fn read(reader: &mut Reader<'_>, listen: Option<SocketAddr>) -> Option<Issuer> {
    let url = reader.optional("issuer.url", |value| IssuerUrl::parse(text(value)?).map_err(str::to_owned));
    if let (Some(None), Some(listen)) = (&url, listen)
        && !listen.ip().is_loopback()
    {
        let origin = reader.origin("server.listen");
        let problem = "is required where server.listen is not loopback, such as https://ci.example.com";
        reader.refuse_at(&origin, "issuer.url", problem);
    }
    let serve_at_root = reader.read("issuer.serve_at_root", boolean);
    let subject = reader
        .read("issuer.subject", |value| text(value)?.parse::<SubjectFormat>().map_err(|problem| problem.to_string()));
    let claims = reader.read("issuer.claims", |value| {
        let presets = each(value, |text| text.parse::<Preset>().map_err(|problem| problem.to_string()))?;
        Presets::try_from(presets).map_err(|problem| problem.to_string())
    });
    Some(Issuer { url: url?, serve_at_root: serve_at_root?, subject: subject?, claims: claims? })
}
