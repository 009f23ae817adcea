//! `[issuer]`: the issuer of the tokens that this server signs, and the claims of these tokens. The reader never
//! derives an issuer URL from an address that other machines can reach.

use std::net::SocketAddr;
use std::str::FromStr;

use super::declare::section;
use super::reader::Reader;
use crate::base::IssuerUrl;
use crate::claims::{Preset, Presets, SubjectFormat};
use crate::toml_input::{Fault, PathStep};

section! {
    /// The issuer of the tokens that this server signs, and the claims of these tokens.
    pub struct Issuer in ("issuer") {
        /// Issuer URL, the `iss` claim of every token that this server signs. Must be https, without a trailing slash.
        /// May be absent only if `server.listen` is a loopback address: the issuer URL is then `http://` and the bound
        /// address.
        url: Option<IssuerUrl> = example r#""https://ci.example.com/_services/token""#, read IssuerUrl::parse;
        /// Whether the issuer's documents are served at the root path too, for a proxy that strips the path of the
        /// issuer URL.
        serve_at_root: bool = default "false";
        /// Format of the `sub` claim of signed tokens: `immutable`, `names`, `ids`, or a template with {fields} of the
        /// build.
        subject: SubjectFormat = default r#""immutable""#, read SubjectFormat::from_str;
        /// Presets of claims that every signed token contains: `vela`, `github` or both.
        claims: Presets = default r#"["vela"]"#, read presets;
    }
}

impl Issuer {
    /// Returns the configured issuer URL, or `None` if the issuer URL depends on the bound address.
    pub(super) fn known_url(&self) -> Option<&str> {
        self.url.as_ref().map(IssuerUrl::as_str)
    }
}

pub(super) fn read(reader: &mut Reader<'_>, listen: Option<SocketAddr>) -> Option<Issuer> {
    if !reader.has("issuer.url") && listen.is_some_and(|listen| !listen.ip().is_loopback()) {
        let problem = "is required where server.listen is not loopback, such as https://ci.example.com";
        reader.refuse_at(&reader.origin("server.listen"), "issuer.url", problem);
    }
    Issuer::read_keys(reader)
}

fn presets(names: Vec<&str>) -> Result<Presets, Fault> {
    let preset = |(index, name): (usize, &str)| {
        name.parse::<Preset>().map_err(|problem| Fault::from(problem).below([PathStep::Item(index)]))
    };
    let presets = names.into_iter().enumerate().map(preset).collect::<Result<Vec<_>, _>>()?;
    Ok(Presets::try_from(presets)?)
}
