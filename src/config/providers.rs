//! `[oidc.NAME]`: providers of the tokens that this server verifies. The reader opens no file with keys or
//! certificates.

use std::path::Path;

use super::describe::{Key, Section, Table, ValueKind};
use super::reader::Reader;
use crate::base::FieldError;
use crate::verifier::{Provider, ProviderSpec};

const PROVIDERS: &str = "oidc.NAME";

pub(super) const SECTION: Section = Section {
    name: "oidc",
    about: "Providers of the tokens that this server verifies.",
    keys: &[Key::unset(
        PROVIDERS,
        ValueKind::Table,
        "{ provider = \"github\", required_audience = \"artefacts.example.com\" }",
        "A provider of tokens. Policies, logs and commands refer to the provider as NAME. Also written as `[oidc.NAME]`.",
    )],
    table: Some(&TABLE),
};

/// Descriptions of the fields of [`ProviderSpec`], which serde reads. A test checks that descriptions and fields have
/// the same names.
const TABLE: Table = Table {
    heading: "[oidc.NAME]",
    about: "A provider of tokens. The default of a key that is absent depends on the provider's kind.",
    keys: &[
        Key::required("provider", ValueKind::Text, "Kind of the provider, such as `github`, `gitlab` or `generic`."),
        Key::unset(
            "issuer",
            ValueKind::Text,
            "",
            "Issuer URL, compared with the `iss` claim byte for byte. Required if the provider's kind has no default issuer.",
        ),
        Key::unset(
            "jwks_uri",
            ValueKind::Text,
            "",
            "URL of the provider's key set. If `jwks_uri`, `jwks` and `jwks_file` are all absent, the URL is read from the \
             provider's discovery document.",
        ),
        Key::unset(
            "jwks",
            ValueKind::Table,
            "",
            "The provider's key set, in place of a URL or file. The server fetches no keys.",
        ),
        Key::unset(
            "jwks_file",
            ValueKind::Text,
            "",
            "File with the provider's key set, read again after each `jwks_refresh_interval`.",
        ),
        Key::unset(
            "required_audience",
            ValueKind::Text,
            "",
            "Audience that the provider's tokens must have in flows that require no other audience. Two providers with the \
             same issuer must require different audiences.",
        ),
        Key::set(
            "clock_skew_tolerance",
            ValueKind::Duration,
            "\"60s\"",
            "Maximum tolerated difference between the clocks of the provider and of this server. At most 5m.",
        ),
        Key::set(
            "jwks_refresh_interval",
            ValueKind::Duration,
            "\"1h\"",
            "Age at which the provider's key set is fetched again. At least 1s, at most `jwks_hard_stop`.",
        ),
        Key::set(
            "jwks_hard_stop",
            ValueKind::Duration,
            "\"24h\"",
            "Maximum age of the provider's key set, at least `jwks_refresh_interval`. The server rejects the provider's tokens \
             while the last fetched key set is older.",
        ),
        Key::unset(
            "required_claims",
            ValueKind::Texts,
            "",
            "Claims that every token of the provider must have, with a value other than null. If absent: the claims that the \
             provider's kind requires.",
        ),
        Key::unset(
            "allowed_algorithms",
            ValueKind::Texts,
            "",
            "Accepted signature algorithms of the provider's tokens, at least one. If absent: the algorithms of the \
             provider's kind.",
        ),
        Key::unset(
            "max_token_lifetime",
            ValueKind::Duration,
            "",
            "Maximum lifetime of the provider's tokens, from `iat` to `exp`: a value between 1s and 30d. If absent: the \
             maximum of the provider's kind.",
        ),
        Key::unset(
            "jwks_hosts",
            ValueKind::Texts,
            "",
            "Hosts that may serve the key set, besides the issuer's host. If absent: the hosts of the provider's kind.",
        ),
        Key::set(
            "allow_private",
            ValueKind::Texts,
            "[]",
            "Private addresses, networks and host names that may be connected to for this provider. The server refuses all \
             other private addresses.",
        ),
        Key::unset(
            "server_ca_bundle",
            ValueKind::Text,
            "",
            "PEM file with the root certificates for TLS connections to the provider. If absent: the system's root \
             certificates.",
        ),
        Key::unset(
            "client_certificate_bundle",
            ValueKind::Text,
            "",
            "PEM file with the client certificate for TLS connections to the provider, and the certificate's chain. Requires \
             `client_private_key_file`.",
        ),
        Key::unset(
            "client_private_key_file",
            ValueKind::Text,
            "",
            "PEM file with the private key of the client certificate in `client_certificate_bundle`.",
        ),
        Key::unset(
            "bearer_token_file",
            ValueKind::Text,
            "",
            "File with a bearer token for fetches of the provider's documents, sent only to the issuer's origin.",
        ),
        Key::set(
            "explain_to_holders",
            ValueKind::Boolean,
            "false",
            "Whether the response to a rejected token of this provider names the claim that failed. Only a token with a valid \
             signature gets this answer.",
        ),
    ],
};

pub(super) fn read(reader: &mut Reader<'_>, state_dir: &Path, own_issuer: Option<&str>) -> Option<Vec<Provider>> {
    let providers = reader.named(PROVIDERS, |name, spec| provider(name, spec, state_dir))?;
    match Provider::check_all(&providers, own_issuer) {
        Ok(()) => Some(providers),
        Err(error) => {
            reader.refuse_at(&reader.origin(PROVIDERS), &error.field, &error.problem);
            None
        }
    }
}

fn provider(name: &str, mut spec: ProviderSpec, state_dir: &Path) -> Result<Provider, FieldError> {
    let files = [
        &mut spec.jwks_file,
        &mut spec.server_ca_bundle,
        &mut spec.client_certificate_bundle,
        &mut spec.client_private_key_file,
        &mut spec.bearer_token_file,
    ];
    for file in files.into_iter().flatten() {
        *file = state_dir.join(&*file);
    }
    Provider::new(name, spec)
}
