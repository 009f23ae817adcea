//! `[oidc.NAME]`: providers of tokens that this server verifies. Reads no key set and no certificate.

use std::path::Path;

use super::describe::{Key, Section, Table, ValueKind};
use super::reader::Reader;
use crate::base::FieldError;
use crate::verifier::{Provider, ProviderSpec};

const PROVIDERS: &str = "oidc.NAME";

pub(super) const SECTION: Section = Section {
    name: "oidc",
    about: "Providers of tokens that this server verifies.",
    keys: &[Key::unset(
        PROVIDERS,
        ValueKind::Table,
        "{ provider = \"github\", required_audience = \"artefacts.example.com\" }",
        "A provider. Policies, logs and commands refer to it as NAME. Also written as `[oidc.NAME]`.",
    )],
    table: Some(&TABLE),
};

/// The keys of [`ProviderSpec`], which serde reads. A test compares the names.
const TABLE: Table = Table {
    heading: "[oidc.NAME]",
    about: "A provider of tokens. The kind has a default for each key without one here.",
    keys: &[
        Key::required("provider", ValueKind::Text, "Kind of the provider, such as `github`, `gitlab` or `generic`."),
        Key::unset(
            "issuer",
            ValueKind::Text,
            "",
            "Issuer URL, compared with the `iss` claim byte for byte. Required if the kind has no issuer of its own.",
        ),
        Key::unset(
            "jwks_uri",
            ValueKind::Text,
            "",
            "URL of the key set. Without `jwks_uri`, `jwks` and `jwks_file` the discovery document names the URL.",
        ),
        Key::unset("jwks", ValueKind::Table, "", "The key set itself. Nothing is fetched."),
        Key::unset("jwks_file", ValueKind::Text, "", "File with the key set, read again at each refresh."),
        Key::unset(
            "required_audience",
            ValueKind::Text,
            "",
            "Audience that tokens must have in flows without an audience of their own. Two providers of one issuer need \
             different ones.",
        ),
        Key::set(
            "clock_skew_tolerance",
            ValueKind::Duration,
            "\"60s\"",
            "Tolerated difference between the clocks of provider and server. At most 5m.",
        ),
        Key::set(
            "jwks_refresh_interval",
            ValueKind::Duration,
            "\"1h\"",
            "Age at which a key set is fetched again. At least 1s, at most `jwks_hard_stop`.",
        ),
        Key::set(
            "jwks_hard_stop",
            ValueKind::Duration,
            "\"24h\"",
            "Maximum age of a key set, at least `jwks_refresh_interval`. The server rejects tokens of the provider while it has no younger key set.",
        ),
        Key::unset(
            "required_claims",
            ValueKind::Texts,
            "",
            "Claims that every token must have, with a value other than null. If absent: those of the kind.",
        ),
        Key::unset(
            "allowed_algorithms",
            ValueKind::Texts,
            "",
            "Accepted signature algorithms, at least one. If absent: those of the kind.",
        ),
        Key::unset(
            "max_token_lifetime",
            ValueKind::Duration,
            "",
            "Maximum lifetime of a token, from `iat` to `exp`. From 1s to 30d. If absent: that of the kind.",
        ),
        Key::unset(
            "jwks_hosts",
            ValueKind::Texts,
            "",
            "Hosts other than the issuer's that may serve the key set. If absent: those of the kind.",
        ),
        Key::set(
            "allow_private",
            ValueKind::Texts,
            "[]",
            "Private addresses, networks and names that the server may connect to. It refuses all others.",
        ),
        Key::unset(
            "server_ca_bundle",
            ValueKind::Text,
            "",
            "PEM file with the authorities of the provider's server certificate. If absent: those of the system.",
        ),
        Key::unset(
            "client_certificate_bundle",
            ValueKind::Text,
            "",
            "PEM file with the client certificate and its chain. Requires `client_private_key_file`.",
        ),
        Key::unset(
            "client_private_key_file",
            ValueKind::Text,
            "",
            "PEM file with the client certificate's private key.",
        ),
        Key::unset(
            "bearer_token_file",
            ValueKind::Text,
            "",
            "File with a bearer token, sent only to the issuer's origin.",
        ),
        Key::set(
            "explain_to_holders",
            ValueKind::Boolean,
            "false",
            "Whether the error response names the failed claim to a caller with an authentic token of this provider.",
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
