//! `[clients.NAME]`: clients that the configuration declares. The reader keeps digests of the clients' secrets, and
//! never a secret itself.

use std::path::Path;

use super::declare::table;
use super::describe::{Key, SecretText, Section, ValueKind};
use super::reader::Reader;
use crate::base::{Sha256, file_problem, secret_text};
use crate::claims::AudiencePattern;
use crate::policy::{OrganizationPattern, Scope, client_name, ids_name};
use crate::store::DeclaredClient;
use crate::toml_input::{Fault, PathStep};

const CLIENTS: &str = "clients.NAME";

pub(super) const SECTION: Section = Section {
    name: "clients",
    about: "Clients that the configuration declares. `buildpass clients create` creates further clients in the database.",
    keys: &[Key::unset(
        CLIENTS,
        ValueKind::Table,
        "{ secret_file = \"secrets/NAME\", scopes = [\"builds:write\", \"builds:tokens\"], organizations = [\"acme\"] }",
        "A client that authenticates with a secret; NAME is the client's id. Also written as `[clients.NAME]`.",
    )],
    table: Some(ClientKeys::TABLE),
};

table! {
    /// A client that authenticates with a secret.
    struct ClientKeys in "[clients.NAME]" {
        /// File with the client's secret, as `buildpass clients new-secret` prints it. While the secret is being
        /// changed, the file has two lines: the new secret, then the old secret. Exactly one of `secret_file` and
        /// `secret` is required.
        secret_file: Option<String>;
        /// The client's secret, in place of `secret_file`.
        secret: Option<SecretText>;
        /// Scopes of the client: what the client may do. If absent: `["builds:write", "builds:tokens"]`, the scopes of
        /// a CI server.
        scopes: Option<Vec<Scope>>;
        /// Organisations that the client may act for. `prefix/*` covers every organisation below `prefix/`. If empty:
        /// all organisations.
        organizations: Vec<OrganizationPattern> = "[]";
        /// Audiences that tokens of the client's builds may have. If empty: all audiences that the issuance rules
        /// allow.
        audiences: Vec<AudiencePattern> = "[]";
        /// Prefix that is put before the organisation and repository ids that the client registers, so that equal ids
        /// of two CI servers stay distinct. If absent: no prefix.
        ids: Option<String>;
    }
}

pub(super) fn read(reader: &mut Reader<'_>, state_dir: &Path) -> Option<Vec<DeclaredClient>> {
    reader.named(CLIENTS, |name, keys| client(name, keys, state_dir))
}

fn client(name: &str, keys: ClientKeys, state_dir: &Path) -> Result<DeclaredClient, Fault> {
    client_name(name)?;
    let secrets = secrets(keys.secret, keys.secret_file, state_dir)?;
    if let Some(ids) = &keys.ids {
        ids_name(ids).map_err(|problem| field("ids", problem))?;
    }
    let mut scopes = keys.scopes.unwrap_or_else(|| Scope::CI_SERVER.to_vec());
    scopes.sort_unstable_by_key(|scope| Scope::ALL.iter().position(|known| known == scope));
    scopes.dedup();
    Ok(DeclaredClient {
        name: name.to_owned(),
        scopes,
        organizations: keys.organizations,
        audiences: keys.audiences,
        ids: keys.ids,
        secrets,
    })
}

/// Digest of a client's secret and, while the secret is being changed, digest of the former secret.
type SecretDigests = (Sha256, Option<Sha256>);

fn secrets(inline: Option<SecretText>, file: Option<String>, state_dir: &Path) -> Result<SecretDigests, Fault> {
    match (inline, file) {
        (Some(SecretText(secret)), None) => digests(secret.expose_secret()).map_err(|problem| field("secret", problem)),
        (None, Some(file)) => {
            let path = state_dir.join(file);
            let text = std::fs::read_to_string(&path).map_err(|error| file_problem(&path, &error));
            text.and_then(|text| digests(&text).map_err(str::to_owned)).map_err(|problem| field("secret_file", problem))
        }
        (None, None) => Err("has neither secret_file nor secret; `buildpass clients new-secret` makes one".into()),
        (Some(_), Some(_)) => Err("has both secret and secret_file; keep one".into()),
    }
}

fn field(name: &str, problem: impl Into<Fault>) -> Fault {
    problem.into().below([PathStep::Field(name.to_owned())])
}

fn digests(text: &str) -> Result<SecretDigests, &'static str> {
    const EXPECTED: &str = "must hold one secret as `buildpass clients new-secret` prints it, or two, a line each: the \
                            new one first";
    let lines: Vec<&str> = secret_text(text).lines().filter(|line| !line.is_empty()).collect();
    let is_secret =
        |line: &&str| line.starts_with("bpc_") && line.len() >= 40 && line.bytes().all(|b| b.is_ascii_graphic());
    if !lines.iter().all(is_secret) {
        return Err(EXPECTED);
    }
    match lines.as_slice() {
        [one] => Ok((Sha256::of(one.as_bytes()), None)),
        [new, former] => Ok((Sha256::of(new.as_bytes()), Some(Sha256::of(former.as_bytes())))),
        _ => Err(EXPECTED),
    }
}
