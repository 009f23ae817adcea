//! Reads the text of a rules file object by object, so that one run reports every fault with its line. An object with a
//! fault is only checked for further faults; a file with a fault is never applied.

use std::fmt;

use serde::de::DeserializeOwned;

use super::change_set::RuleError;
use crate::exchange::entitlements::publisher::publisher_name;
use crate::exchange::spec::{
    GrantSpec, NamedProviderSpec, PublisherSpec, RoleSpec, RulesFile, Section, TrustPolicySpec, UserSpec,
};
use crate::toml_input::{self, Fault, Located, PathStep, TableRead, Value};
use crate::verifier::ProviderSpec;

/// A fault of a rules file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFault {
    /// Line of the faulty part, from 1; `None` for a fault of a stored object that the file does not mention.
    pub line: Option<usize>,
    /// Message that names the object and the field, and says what is wrong and what would be valid.
    pub problem: String,
}

impl fmt::Display for RulesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line.map_or(Ok(()), |line| write!(f, "line {line}: "))?;
        f.write_str(&self.problem)
    }
}

/// Every fault of a rules file, in the order of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFaults(pub Vec<RulesFault>);

impl fmt::Display for RulesFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for RulesFaults {}

/// Parses the text of a rules file, without reading the database.
///
/// # Errors
/// [`RulesFaults`] for invalid TOML, unknown keys and values of the wrong type.
pub fn read_rules_file(text: &str) -> Result<RulesFile, RulesFaults> {
    let text = RulesText::parse(text)?;
    let faults = text.faults(&[]);
    if faults.0.is_empty() { Ok(text.file) } else { Err(faults) }
}

/// Objects that were read from the text of a rules file, each with its lines, and the faults of the text.
#[derive(Default)]
pub(crate) struct RulesText {
    file: RulesFile,
    objects: Vec<WrittenObject>,
    faults: Vec<RulesFault>,
}

/// An object of the file. If it is faulty, `RulesText::file` holds the object without its invalid values, or with
/// other values in their place.
struct WrittenObject {
    section: Section,
    name: String,
    user: Option<String>,
    text: Located,
    is_faulty: bool,
}

impl RulesText {
    /// Parses a text and reads its objects.
    ///
    /// # Errors
    /// [`RulesFaults`] with the first fault of a text that is not TOML.
    pub(crate) fn parse(text: &str) -> Result<Self, RulesFaults> {
        let document = toml_input::parse(text)
            .map_err(|(line, problem)| RulesFaults(vec![RulesFault { line: Some(line), problem }]))?;
        let mut read = Self::default();
        for (name, part) in document {
            match (name.as_str(), part.value) {
                ("rubygems" | "nuget", Value::Table(inner)) => {
                    inner.into_iter().for_each(|(inner, part)| read.section(&format!("{name}.{inner}"), part));
                }
                (_, value) => read.section(&name, Located { value, line: part.line }),
            }
        }
        Ok(read)
    }

    /// Returns the objects of the file, to be planned. Only a file without faults may be applied.
    #[must_use]
    pub(crate) fn file(&self) -> &RulesFile {
        &self.file
    }

    /// Returns every fault: the faults of the text, and the errors `found` when the change was planned.
    #[must_use]
    pub(crate) fn faults(&self, found: &[RuleError]) -> RulesFaults {
        let mut all = self.faults.clone();
        for error in found {
            let is_meant = |object: &&WrittenObject| {
                (object.section, object.name.as_str()) == (error.section, error.name.as_str())
                    && (error.user.is_none() || object.user == error.user)
            };
            let object = self.objects.iter().rfind(is_meant);
            if object.is_none_or(|object| !object.is_faulty) {
                let line = object.map(|object| line_of(&object.text, &error.field));
                all.push(RulesFault { line, problem: error.to_string() });
            }
        }
        all.sort_by_key(|fault| fault.line);
        RulesFaults(all)
    }

    fn refuse(&mut self, line: usize, problem: String) {
        self.faults.push(RulesFault { line: Some(line), problem });
    }

    fn section(&mut self, name: &str, part: Located) {
        let Some(section) = Section::ALL.into_iter().find(|section| section.name() == name) else {
            let known = Section::ALL.map(Section::name).join(", ");
            return self.refuse(part.line, format!("{name}: there is no such section; the known sections are {known}"));
        };
        let Value::List(objects) = part.value else {
            return self.refuse(part.line, format!("{name}: must be a list of tables, each written as [[{name}]]"));
        };
        for (index, object) in objects.into_iter().enumerate() {
            self.object(section, index, object);
        }
    }

    fn object(&mut self, section: Section, index: usize, text: Located) {
        let file = &mut self.file;
        let (name, user, faults) = match section {
            Section::Users => read(&text, &mut file.users, |user: &UserSpec| (user.name.clone(), None)),
            Section::Providers => {
                let (provider, faults) = read_provider(&text);
                let name = provider.as_ref().map(|provider| provider.name.clone());
                file.providers.extend(provider);
                (name, None, faults)
            }
            Section::Roles => {
                read(&text, &mut file.rubygems.roles, |role: &RoleSpec| (role.name.clone(), Some(role.user.clone())))
            }
            Section::TrustedPublishers => {
                read(&text, &mut file.rubygems.trusted_publishers, |publisher: &PublisherSpec| {
                    (publisher_name(publisher), Some(publisher.user.clone()))
                })
            }
            Section::TrustPolicies => read(&text, &mut file.nuget.trust_policies, |policy: &TrustPolicySpec| {
                (policy.name.clone(), Some(policy.user.clone()))
            }),
            Section::Grants => read(&text, &mut file.grants, |grant: &GrantSpec| (grant.name.clone(), None)),
        };
        let label = label(section, index, &text.value);
        for fault in &faults {
            let path = fault.full_path("");
            let field = path.strip_prefix('.').map(|path| format!("{path}: ")).unwrap_or_default();
            self.refuse(fault.line(&text.value).unwrap_or(text.line), format!("{label}: {field}{}", fault.problem()));
        }
        if let Some(name) = name {
            self.objects.push(WrittenObject { section, name, user, text, is_faulty: !faults.is_empty() });
        }
    }
}

/// Name and user of an object that could be read, and the faults of its fields.
type ObjectRead = (Option<String>, Option<String>, Vec<Fault>);

fn read<T: DeserializeOwned>(
    text: &Located,
    objects: &mut Vec<T>,
    identity: impl Fn(&T) -> (String, Option<String>),
) -> ObjectRead {
    let TableRead { table, faults, .. } = toml_input::read_with_every_fault::<T>(&text.value);
    let (name, user) = table.as_ref().map(identity).unzip();
    objects.extend(table);
    (name, user.flatten(), faults)
}

/// Reads a provider: the member `name`, and the members of [`ProviderSpec`].
fn read_provider(text: &Located) -> (Option<NamedProviderSpec>, Vec<Fault>) {
    let mut rest = text.value.clone();
    let name = match &mut rest {
        Value::Table(fields) => fields.remove("name"),
        _ => None,
    };
    let TableRead { table, mut faults, .. } = toml_input::read_with_every_fault::<ProviderSpec>(&rest);
    let name = match name.map(|name| name.value) {
        Some(Value::Text(name)) => Some(name),
        other => {
            if matches!(text.value, Value::Table(_)) {
                let problem = if other.is_some() { "must be a string" } else { "is missing" };
                faults.push(Fault::from(problem).below([PathStep::Field("name".to_owned())]));
            }
            None
        }
    };
    (name.zip(table).map(|(name, spec)| NamedProviderSpec { name, spec }), faults)
}

/// Returns how error texts name the object: by its name or gem, or else by its position in the file.
fn label(section: Section, index: usize, object: &Value) -> String {
    let field = if section == Section::TrustedPublishers { "gem" } else { "name" };
    let name = match object {
        Value::Table(fields) => fields.get(field).map(|field| &field.value),
        _ => None,
    };
    match name {
        Some(Value::Text(name)) => format!("{} {name:?}", section.name()),
        _ => format!("{}[{index}]", section.name()),
    }
}

/// Returns the line of a field, given by its dotted path, or of the nearest enclosing part that exists.
fn line_of(object: &Located, field: &str) -> usize {
    let names = field.split(['.', '[']).map_while(|name| (!name.is_empty()).then(|| PathStep::Field(name.to_owned())));
    Fault::from("").below(names).line(&object.value).unwrap_or(object.line)
}
