//! `[clients.NAME]`: clients that are declared here instead of being made by command. Keeps digests of secrets alone.

use std::path::Path;

use super::fields::{Fault, Fields, read_named};
use super::reader::Reader;
use super::value::Value;
use crate::base::Sha256;
use crate::claims::AudiencePattern;
use crate::policy::{OrganizationPattern, Scope, client_name, ids_name};
use crate::store::DeclaredClient;

/// The key under which the whole section stands.
pub(super) const CLIENTS: &str = "clients.NAME";

const FIELDS: [&str; 6] = ["scopes", "secret", "secret_file", "organizations", "audiences", "ids"];

pub(super) fn read(reader: &mut Reader<'_>, state_dir: &Path) -> Option<Vec<DeclaredClient>> {
    read_named(reader, CLIENTS, |name, value| client(name, value, state_dir))
}

fn client(name: &str, value: &Value, state_dir: &Path) -> Result<DeclaredClient, Fault> {
    client_name(name).map_err(|problem| Fault::whole(problem.to_owned()))?;
    let fields = &Fields::read("a client", value, &FIELDS)?;
    let mut scopes = fields
        .list("scopes", |text| text.parse::<Scope>().map_err(str::to_owned))?
        .unwrap_or_else(|| Scope::CI_SERVER.to_vec());
    scopes.sort_unstable_by_key(|scope| Scope::ALL.iter().position(|known| known == scope));
    scopes.dedup();
    let organization = |text: &str| OrganizationPattern::try_from(text.to_owned()).map_err(str::to_owned);
    let audience = |text: &str| text.parse::<AudiencePattern>().map_err(|problem| problem.to_string());
    let ids = fields.text("ids", |text| ids_name(text).map(|()| text.to_owned()).map_err(str::to_owned))?;
    Ok(DeclaredClient {
        name: name.to_owned(),
        scopes,
        organizations: fields.list("organizations", organization)?.unwrap_or_default(),
        audiences: fields.list("audiences", audience)?.unwrap_or_default(),
        ids,
        secrets: secrets(fields, state_dir)?,
    })
}

/// One line, or two while the secret is changed: the new one first.
fn secrets(fields: &Fields<'_>, state_dir: &Path) -> Result<(Sha256, Option<Sha256>), Fault> {
    let inline = fields.text("secret", digests)?;
    let from_file = fields.text("secret_file", |file| {
        let path = state_dir.join(file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        digests(&text)
    })?;
    match (inline, from_file) {
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (None, None) => {
            Err(Fault::whole("has neither secret_file nor secret; `buildpass clients new-secret` makes one".into()))
        }
        (Some(_), Some(_)) => Err(Fault::whole("has both secret and secret_file; keep one".into())),
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
