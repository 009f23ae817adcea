//! `[clients.NAME]`: clients that are declared here instead of being made by command. Keeps digests of secrets alone.

use std::collections::BTreeMap;
use std::path::Path;

use super::reader::{Reader, each, table, text};
use super::value::{Located, Value};
use crate::base::Sha256;
use crate::claims::AudiencePattern;
use crate::policy::{OrganizationPattern, Scope, client_name, ids_name};
use crate::store::DeclaredClient;

/// The key under which the whole section stands.
pub(super) const CLIENTS: &str = "clients.NAME";

const FIELDS: [&str; 6] = ["scopes", "secret", "secret_file", "organizations", "audiences", "ids"];

pub(super) fn read(reader: &mut Reader<'_>, state_dir: &Path) -> Option<Vec<DeclaredClient>> {
    let Some(declared) = reader.optional(CLIENTS, |value| table(value).cloned())? else { return Some(Vec::new()) };
    let mut clients = Vec::new();
    for (name, item) in &declared {
        match client(name, &item.value, state_dir) {
            Ok(client) => clients.push(client),
            Err((line, problem)) => {
                let origin = reader.origin(CLIENTS).at(line.unwrap_or(item.line));
                reader.refuse_at(&origin, &format!("clients.{name}"), &problem);
            }
        }
    }
    (clients.len() == declared.len()).then_some(clients)
}

type Fault = (Option<usize>, String);

fn client(name: &str, value: &Value, state_dir: &Path) -> Result<DeclaredClient, Fault> {
    let whole = |problem: String| (None, problem);
    client_name(name).map_err(|problem| whole(problem.to_owned()))?;
    let fields = table(value).map_err(whole)?;
    if let Some((field, located)) = fields.iter().find(|(field, _)| !FIELDS.contains(&field.as_str())) {
        let problem = format!("there is no such key as {field:?}; a client has {}", FIELDS.join(", "));
        return Err((Some(located.line), problem));
    }
    let mut scopes = listed(fields, "scopes", |text| text.parse::<Scope>().map_err(str::to_owned))?
        .unwrap_or_else(|| Scope::CI_SERVER.to_vec());
    scopes.sort_unstable_by_key(|scope| Scope::ALL.iter().position(|known| known == scope));
    scopes.dedup();
    let organization = |text: &str| OrganizationPattern::try_from(text.to_owned()).map_err(str::to_owned);
    let audience = |text: &str| text.parse::<AudiencePattern>().map_err(|problem| problem.to_string());
    let ids = one(fields, "ids", |text| ids_name(text).map(|()| text.to_owned()).map_err(str::to_owned))?;
    Ok(DeclaredClient {
        name: name.to_owned(),
        scopes,
        organizations: listed(fields, "organizations", organization)?.unwrap_or_default(),
        audiences: listed(fields, "audiences", audience)?.unwrap_or_default(),
        ids,
        secrets: secrets(fields, state_dir)?,
    })
}

fn listed<T>(
    fields: &BTreeMap<String, Located>,
    name: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<Vec<T>>, Fault> {
    let read = |field: &Located| each(&field.value, &read).map_err(|problem| named(field, name, &problem));
    fields.get(name).map(read).transpose()
}

fn one<T>(
    fields: &BTreeMap<String, Located>,
    name: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Fault> {
    let read = |field: &Located| text(&field.value).and_then(&read).map_err(|problem| named(field, name, &problem));
    fields.get(name).map(read).transpose()
}

fn named(field: &Located, name: &str, problem: &str) -> Fault {
    (Some(field.line), format!("{name}: {problem}"))
}

/// One line, or two while the secret is changed: the new one first.
fn secrets(fields: &BTreeMap<String, Located>, state_dir: &Path) -> Result<(Sha256, Option<Sha256>), Fault> {
    let inline = one(fields, "secret", digests)?;
    let from_file = one(fields, "secret_file", |file| {
        let path = state_dir.join(file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        digests(&text)
    })?;
    match (inline, from_file) {
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (None, None) => {
            Err((None, "has neither secret_file nor secret; `buildpass clients new-secret` makes one".into()))
        }
        (Some(_), Some(_)) => Err((None, "has both secret and secret_file; keep one".into())),
    }
}

fn digests(text: &str) -> Result<(Sha256, Option<Sha256>), String> {
    const EXPECTED: &str = "must hold one secret as `buildpass clients new-secret` prints it, or two, a line each: the \
                            new one first";
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let looks_right =
        |line: &&str| line.starts_with("bpc_") && line.len() >= 40 && line.bytes().all(|b| b.is_ascii_graphic());
    if !lines.iter().all(looks_right) {
        return Err(EXPECTED.to_owned());
    }
    match lines.as_slice() {
        [one] => Ok((Sha256::of(one.as_bytes()), None)),
        [new, former] => Ok((Sha256::of(new.as_bytes()), Some(Sha256::of(former.as_bytes())))),
        _ => Err(EXPECTED.to_owned()),
    }
}
