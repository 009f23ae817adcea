//! Describes each configuration key once, with type, default and meaning. The reader, the reference file and the
//! manual's page all use this description, so that they never differ. Never reads a value.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use crate::base::{IssuerUrl, Seconds, Secret, secret_text};
use crate::claims::{AudiencePattern, ExtraClaims, Presets, SubjectFormat};
use crate::jose::Algorithm;
use crate::policy::{AccessDefault, DefaultGrant, OrganizationPattern, RuleSpec, Scope};
use crate::telemetry::LogFormat;

/// TOML type of a key's value. `Texts` is a list of strings, and `Tables` is a list of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Text,
    Duration,
    Secret,
    Integer,
    Boolean,
    Texts,
    Tables,
    Table,
}

impl ValueKind {
    /// Returns the name of the type in the reference file and the manual.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "string",
            Self::Duration => "duration",
            Self::Integer => "whole number",
            Self::Boolean => "true or false",
            Self::Texts => "list of strings",
            Self::Tables => "list of tables",
            Self::Table => "table",
        }
    }
}

/// Description of one configuration key.
pub(super) struct Key {
    /// Full name of the key, `section.name`. A key of a table such as `[clients.NAME]` has only `name`.
    pub(super) path: &'static str,
    pub(super) kind: ValueKind,
    /// The key's default as TOML, or `None` if the key is absent by default.
    pub(super) default: Option<&'static str>,
    /// An example of the key's value as TOML, for a key without a default.
    pub(super) example: &'static str,
    pub(super) is_required: bool,
    doc: &'static str,
}

impl Key {
    /// Describes a key with a default.
    pub(super) const fn set(path: &'static str, kind: ValueKind, default: &'static str, doc: &'static str) -> Self {
        Self { path, kind, default: Some(default), example: "", is_required: false, doc }
    }

    /// Describes a key that is absent by default.
    pub(super) const fn unset(path: &'static str, kind: ValueKind, example: &'static str, doc: &'static str) -> Self {
        Self { path, kind, default: None, example, is_required: false, doc }
    }

    /// Describes a key that must be present in its table.
    pub(super) const fn required(path: &'static str, kind: ValueKind, doc: &'static str) -> Self {
        Self { path, kind, default: None, example: "", is_required: true, doc }
    }

    pub(super) const fn doc(&self) -> &'static str {
        self.doc.trim_ascii()
    }

    /// Returns whether the key's value consists of tables, whose keys [`Section::table`] describes.
    pub(super) fn holds_tables(&self) -> bool {
        self.kind == ValueKind::Tables || self.path.ends_with(".NAME")
    }

    /// Splits `section.name` into section and name. For a key of a table such as `[clients.NAME]` the section is empty.
    pub(super) fn parts(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or(("", self.path))
    }
}

/// Description of a section such as `[server]`, with the section's keys in the order of the reference.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) keys: &'static [Key],
    /// Description of the tables in this section, such as `[[issuance.rules]]`.
    pub(super) table: Option<&'static Table>,
}

/// Description of a table that a section may hold several times, such as `[clients.NAME]`.
pub(super) struct Table {
    /// Heading of the table in TOML, such as `[clients.NAME]`.
    pub(super) heading: &'static str,
    pub(super) about: &'static str,
    pub(super) keys: &'static [Key],
}

/// A Rust type that the value of a key may have.
pub(super) trait Described {
    const KIND: ValueKind;
    const IS_OPTIONAL: bool = false;
}

macro_rules! described {
    ($($kind:ident: $($type:ty),+;)+) => {
        $($(impl Described for $type {
            const KIND: ValueKind = ValueKind::$kind;
        })+)+
    };
}

described! {
    Text: String, SocketAddr, PathBuf, IpNet, IssuerUrl, SubjectFormat, Algorithm, AudiencePattern, OrganizationPattern,
        Scope, DefaultGrant, AccessDefault, LogFormat;
    Duration: Seconds;
    Secret: SecretText;
    Integer: u32, u64, usize;
    Boolean: bool;
    Texts: Presets;
    Table: ExtraClaims, RuleSpec;
}

impl<T: Described> Described for Option<T> {
    const KIND: ValueKind = T::KIND;
    const IS_OPTIONAL: bool = true;
}

impl<T: Described> Described for Vec<T> {
    const KIND: ValueKind = match T::KIND {
        ValueKind::Table => ValueKind::Tables,
        _ => ValueKind::Texts,
    };
}

/// A secret that is written in the configuration itself or in a variable, without a line end at its end. `config show`
/// never prints values of this type.
#[derive(Debug, Clone)]
pub(super) struct SecretText(pub(super) Secret<String>);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Secret::new(String::deserialize(deserializer)?);
        Ok(Self(Secret::new(secret_text(text.expose_secret()).to_owned())))
    }
}
