//! Every key there is, once: its kind, default and meaning. The reference is printed from it and the defaults are read
//! from it, so that they cannot differ.

use std::fmt::Write as _;

use super::source::Entries;
use super::value::{Located, Value};

/// How a key's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Text,
    Integer,
    Boolean,
    Texts,
    Tables,
    Table,
}

/// One key.
pub(super) struct Key {
    /// `section.name`.
    pub(super) path: &'static str,
    pub(super) kind: ValueKind,
    /// As TOML; without one the key is absent by default.
    pub(super) default: Option<&'static str>,
    example: &'static str,
    doc: &'static str,
}

impl Key {
    /// Section and name.
    pub(super) fn parts(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or(("", self.path))
    }
}

const fn set(path: &'static str, kind: ValueKind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default: Some(default), example: "", doc }
}

const fn unset(path: &'static str, kind: ValueKind, example: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default: None, example, doc }
}

/// Every key, section by section.
pub(super) const KEYS: &[Key] = &[
    set(
        "server.listen",
        ValueKind::Text,
        "\"127.0.0.1:8080\"",
        "Address and port of the public door; port 0 picks a free one.",
    ),
    set(
        "server.admin_listen",
        ValueKind::Text,
        "\"127.0.0.1:8081\"",
        "Address and port of metrics and administration; \"\" turns them off.",
    ),
    set(
        "server.state_dir",
        ValueKind::Text,
        "\".\"",
        "Relative paths start here. Itself it starts at this file's folder, or at the working directory without a file.",
    ),
    set("server.max_connections", ValueKind::Integer, "4096", "How many connections may be open at once."),
    unset(
        "server.public_url",
        ValueKind::Text,
        "\"https://ci.example.com/buildpass\"",
        "Base URL of the API as builds reach it, without a trailing slash. Default: the issuer's origin.",
    ),
    set(
        "server.trusted_proxies",
        ValueKind::Texts,
        "[]",
        "Addresses or networks of proxies whose forwarding headers are believed.",
    ),
    unset(
        "issuer.url",
        ValueKind::Text,
        "\"https://ci.example.com/_services/token\"",
        "The issuer, `iss` of every token. Must be https and have no trailing slash. Default on loopback: http:// and the bound address; elsewhere required.",
    ),
    set(
        "issuer.serve_at_root",
        ValueKind::Boolean,
        "false",
        "Serve the issuer's documents at the root too, for a proxy that cuts the issuer's path off.",
    ),
    set(
        "issuer.subject",
        ValueKind::Text,
        "\"immutable\"",
        "How `sub` is made: immutable, names, ids, or a template with {fields}.",
    ),
    set("issuer.claims", ValueKind::Texts, "[\"vela\"]", "Families of claims in every token: vela, github."),
    set(
        "store.url",
        ValueKind::Text,
        "\"sqlite://data/buildpass.db\"",
        "The database: sqlite:// and the path of its file, or postgres://user@host/database?sslmode=verify-full (also sslrootcert=FILE).",
    ),
    unset("store.url_file", ValueKind::Text, "\"secrets/database-url\"", "A file that holds store.url."),
    unset("store.password", ValueKind::Text, "\"…\"", "The user's password, where the URL holds none."),
    unset("store.password_file", ValueKind::Text, "\"secrets/database-password\"", "A file that holds it."),
    set(
        "keys.algorithms",
        ValueKind::Texts,
        "[\"RS256\", \"ES256\"]",
        "Signature algorithms; the first that can sign is the default.",
    ),
    set("keys.rsa_bits", ValueKind::Integer, "2048", "Size of new RSA keys: 2048, 3072 or 4096."),
    set("keys.rotation_period", ValueKind::Text, "\"7d\"", "How long a key signs."),
    set("keys.jwks_max_age", ValueKind::Text, "\"5m\"", "How long verifiers may cache the key set."),
    set(
        "keys.announce_at_least",
        ValueKind::Text,
        "\"20m\"",
        "A new key is published at least this long before it signs, for verifiers that heed no cache header.",
    ),
    set("keys.refresh_interval", ValueKind::Text, "\"5s\"", "How often each replica reads the keys again."),
    set("keys.clock_skew", ValueKind::Text, "\"30s\"", "How far the clocks of replicas and verifiers may differ."),
    set(
        "keys.verifier_leeway",
        ValueKind::Text,
        "\"300s\"",
        "How long after `exp` strangers' verifiers may still accept a token.",
    ),
    set(
        "keys.key_encryption_keys",
        ValueKind::Tables,
        "[{ id = \"k1\", file = \"keys/master.key\" }]",
        "Keys that seal the private halves in the store; the first seals, all open. Each has an id and either file or value.",
    ),
    set(
        "tokens.default_lifetime",
        ValueKind::Text,
        "\"5m\"",
        "How long a token lives where the build asks for nothing else.",
    ),
    set("tokens.max_lifetime", ValueKind::Text, "\"1h\"", "The longest that a token may live; at most 86395s."),
    set("tokens.max_build", ValueKind::Text, "\"24h\"", "The longest that a build may run and ask for tokens."),
    set(
        "tokens.extra_claims",
        ValueKind::Table,
        "{}",
        "Further claims, each a template: { team = \"{properties.team}\" }.",
    ),
    unset(
        super::clients::CLIENTS,
        ValueKind::Table,
        "{ secret_file = \"secrets/NAME\", scopes = [\"builds:write\", \"builds:tokens\"], organizations = [\"acme\"] }",
        "A client declared here instead of made by command, also as [clients.NAME]; its id is NAME. Keys: secret_file or secret (as `clients new-secret` prints it; two lines while it is changed), scopes, organizations, audiences, ids.",
    ),
    set("limits.tokens_per_build", ValueKind::Integer, "1000", "Tokens that one build may have; 0 is no limit."),
    set(
        "limits.build_per_second",
        ValueKind::Integer,
        "50",
        "Requests a second with one request token, and for direct tokens of one build; 0 is no limit.",
    ),
    set("limits.client_per_second", ValueKind::Integer, "200", "Requests a second of one client; 0 is no limit."),
    set(
        "issuance.default",
        ValueKind::Text,
        "\"trusted\"",
        "What an audience gets that no rule lists: trusted (trusted builds may have it) or deny.",
    ),
    set(
        "issuance.rules",
        ValueKind::Tables,
        "[]",
        "Rules, also as [[issuance.rules]]. Keys: name, when, audiences, multiple, allow_untrusted, max_lifetime, max_tokens_per_build, algorithm.",
    ),
    set(
        "exchange.enabled",
        ValueKind::Boolean,
        "true",
        "Exchange tokens for short credentials at all; false closes every door of the exchange.",
    ),
    unset(
        "exchange.rubygems_host",
        ValueKind::Text,
        "\"gems.example.com\"",
        "Audience of RubyGems' doors, where a role's statements name none. Default: the issuer's host.",
    ),
    unset(
        "exchange.nuget_audience",
        ValueKind::Text,
        "\"https://nuget.example.com\"",
        "Audience of NuGet's door. Default: the issuer's origin.",
    ),
    unset(
        "exchange.registry_audience",
        ValueKind::Text,
        "\"registry.example.com\"",
        "Audience of the registry's door, where the provider requires none, and of the tokens that it gives. Default: the issuer's host with :registry.",
    ),
    set(
        "forward_auth.proxy",
        ValueKind::Text,
        "\"nginx\"",
        "Whose headers say what a request is: nginx, traefik, caddy or envoy. The other ones are refused.",
    ),
    unset(
        super::providers::PROVIDERS,
        ValueKind::Table,
        "{ provider = \"github\", required_audience = \"artefacts.example.com\" }",
        "A provider of tokens that we verify, also as [oidc.NAME]. Keys: provider (the kind), issuer, jwks_uri or jwks or jwks_file, required_audience, clock_skew_tolerance, jwks_refresh_interval, jwks_hard_stop, required_claims, allowed_algorithms, max_token_lifetime, jwks_hosts, allow_private, server_ca_bundle, client_certificate_bundle, client_private_key_file, bearer_token_file, explain_to_holders.",
    ),
    unset(
        super::repositories::REPOSITORIES,
        ValueKind::Table,
        "{ access_policy = { rules = [\"identity.oidc.claims.repository == 'acme/app'\"] } }",
        "Who may do what in a repository of a registry and below it, also as [repository.\"NAME\".access_policy]. Keys: default (deny or allow), rules (CEL), providers (whose tokens it holds for), allow_untrusted.",
    ),
    set("telemetry.log_format", ValueKind::Text, "\"auto\"", "auto (text on a terminal, else json), text or json."),
    set(
        "telemetry.log_filter",
        ValueKind::Text,
        "\"info\"",
        "What is logged: a level, or target=level joined by commas.",
    ),
];

/// The key of this path.
pub(super) fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The key that stands for all names of a section whose names the operator chooses.
pub(super) fn named(section: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.parts() == (section, "NAME"))
}

/// Is there a section of this name?
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.parts().0 == name)
}

const fn kind_text(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Text => "string",
        ValueKind::Integer => "whole number",
        ValueKind::Boolean => "true or false",
        ValueKind::Texts => "list of strings",
        ValueKind::Tables => "list of tables",
        ValueKind::Table => "table of strings",
    }
}

/// Every key with its meaning, kind and default: a file that changes nothing.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from("# Every key of buildpass.toml with its default. Durations read like 90s, 5m or 7d.\n");
    let mut current = "";
    for key in KEYS {
        let (section, name) = key.parts();
        if section != current {
            let _ = writeln!(text, "\n[{section}]");
            current = section;
        }
        let _ = writeln!(text, "# {} ({})", key.doc, kind_text(key.kind));
        let _ = match key.default {
            Some(default) => writeln!(text, "{name} = {default}"),
            None => writeln!(text, "# {name} = {}", key.example),
        };
    }
    text
}

/// What is in force, with where it came from.
pub(super) fn show(entries: &Entries) -> String {
    let mut text = String::new();
    let mut current = "";
    for key in KEYS {
        let (section, name) = key.parts();
        if section != current {
            let gap = if current.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{section}]");
            current = section;
        }
        let _ = match entries.get(key.path) {
            Some(entry) => writeln!(text, "{name} = {}  # {}", hide(key, &entry.value).shown(), entry.origin),
            None => writeln!(text, "# {name} is not set"),
        };
    }
    text
}

/// Key encryption keys without what they hold, and the database without its password.
fn hide(key: &Key, value: &Value) -> Value {
    let mut value = value.clone();
    if key.path == "store.password" {
        return Value::Text("[secret]".to_owned());
    }
    if key.path == "store.url"
        && let Value::Text(text) = &mut value
        && let Ok(mut url) = url::Url::parse(text)
        && url.password().is_some()
        && url.set_password(Some("[secret]")).is_ok()
    {
        *text = url.to_string();
    }
    if key.path == "keys.key_encryption_keys"
        && let Value::List(items) = &mut value
    {
        for Located { value, .. } in items {
            if let Value::Table(fields) = value
                && let Some(field) = fields.get_mut("value")
            {
                field.value = Value::Text("[secret]".to_owned());
            }
        }
    }
    value
}
