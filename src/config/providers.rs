//! `[oidc.NAME]`: providers of tokens that we verify. Reads no key set and no certificate.

use std::path::{Path, PathBuf};

use super::fields::{Fault, Fields, read_named};
use super::reader::Reader;
use super::value::Value;
use crate::jose::SignatureAlgorithm;
use crate::verifier::{Provider, ProviderSpec};

/// The key under which the whole section stands.
pub(super) const PROVIDERS: &str = "oidc.NAME";

const FIELDS: [&str; 19] = [
    "provider",
    "issuer",
    "jwks_uri",
    "jwks",
    "jwks_file",
    "required_audience",
    "clock_skew_tolerance",
    "jwks_refresh_interval",
    "jwks_hard_stop",
    "required_claims",
    "allowed_algorithms",
    "max_token_lifetime",
    "jwks_hosts",
    "allow_private",
    "server_ca_bundle",
    "client_certificate_bundle",
    "client_private_key_file",
    "bearer_token_file",
    "explain_to_holders",
];

pub(super) fn read(reader: &mut Reader<'_>, state_dir: &Path, own_issuer: Option<&str>) -> Option<Vec<Provider>> {
    let providers = read_named(reader, PROVIDERS, |name, value| provider(name, value, state_dir))?;
    match Provider::check_all(&providers, own_issuer) {
        Ok(()) => Some(providers),
        Err(error) => {
            reader.refuse_at(&reader.origin(PROVIDERS), &error.field, &error.problem);
            None
        }
    }
}

fn provider(name: &str, value: &Value, state_dir: &Path) -> Result<Provider, Fault> {
    let fields = Fields::read("a provider", value, &FIELDS)?;
    let file = |field: &str| fields.text(field, |text| Ok::<PathBuf, String>(state_dir.join(text)));
    let algorithm = |text: &str| text.parse::<SignatureAlgorithm>().map_err(str::to_owned);
    let spec = ProviderSpec {
        kind: fields.string("provider")?.ok_or_else(|| Fault::whole("provider is missing: the kind".to_owned()))?,
        issuer: fields.string("issuer")?,
        jwks_uri: fields.string("jwks_uri")?,
        jwks: fields.json("jwks")?,
        jwks_file: file("jwks_file")?,
        required_audience: fields.string("required_audience")?,
        clock_skew_tolerance: fields.seconds("clock_skew_tolerance")?,
        jwks_refresh_interval: fields.seconds("jwks_refresh_interval")?,
        jwks_hard_stop: fields.seconds("jwks_hard_stop")?,
        required_claims: fields.strings("required_claims")?,
        allowed_algorithms: fields.list("allowed_algorithms", algorithm)?,
        max_token_lifetime: fields.seconds("max_token_lifetime")?,
        jwks_hosts: fields.strings("jwks_hosts")?,
        allow_private: fields.strings("allow_private")?.unwrap_or_default(),
        server_ca_bundle: file("server_ca_bundle")?,
        client_certificate_bundle: file("client_certificate_bundle")?,
        client_private_key_file: file("client_private_key_file")?,
        bearer_token_file: file("bearer_token_file")?,
        explain_to_holders: fields.flag("explain_to_holders")?.unwrap_or_default(),
    };
    Provider::new(name, spec).map_err(|error| fields.fault(&error))
}
