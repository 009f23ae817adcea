//! Lists every section of the configuration in the order of the reference, and finds keys by name.

use super::describe::{Key, Section};
use super::exchange::{Exchange, ForwardAuth};
use super::issuance::Issuance;
use super::issuer::Issuer;
use super::keys::Keys;
use super::limits::Limits;
use super::server::Server;
use super::store::StoreKeys;
use super::telemetry::Telemetry;
use super::tokens::Tokens;
use super::{clients, providers, repositories};

pub(super) const SECTIONS: &[Section] = &[
    Server::SECTION,
    Issuer::SECTION,
    StoreKeys::SECTION,
    Keys::SECTION,
    Tokens::SECTION,
    clients::SECTION,
    Limits::SECTION,
    Issuance::SECTION,
    Exchange::SECTION,
    ForwardAuth::SECTION,
    providers::SECTION,
    repositories::SECTION,
    Telemetry::SECTION,
];

pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

pub(super) fn key(path: &str) -> Option<&'static Key> {
    keys().find(|key| key.path == path)
}

/// Returns the key `section.NAME` if the operator chooses the names in `section`, as in `[clients.NAME]`.
pub(super) fn named(section: &str) -> Option<&'static Key> {
    keys().find(|key| key.parts() == (section, "NAME"))
}

/// Returns the text of the fault for a section that does not exist, or for a key that does not exist in its section.
/// The text lists the sections or keys that exist.
pub(super) fn unknown(section: &str, key: Option<&str>) -> String {
    let Some(known) = SECTIONS.iter().find(|known| known.name == section) else {
        let names: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
        let path = key.map_or_else(|| section.to_owned(), |key| format!("{section}.{key}"));
        return format!("{path}: there is no such section; the known sections are {}", names.join(", "));
    };
    let names: Vec<&str> = known.keys.iter().map(|key| key.parts().1).collect();
    format!("{section}.{}: there is no such key; the known keys are {}", key.unwrap_or_default(), names.join(", "))
}

pub(super) fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|section| section.name == name)
}
