//! `[issuance]`: which build may have which audience. The rules are compiled here to find their faults, and no more.

use super::reader::{Reader, boolean, each, list, number, seconds, table, text};
use super::value::{Located, Value};
use crate::base::Seconds;
use crate::claims::AudiencePattern;
use crate::jose::Algorithm;
use crate::policy::{DefaultGrant, IssuancePolicy, RuleSpec};

/// Which build may have which audience.
#[derive(Debug, Clone)]
pub struct Issuance {
    /// What an audience gets that no rule lists.
    pub default: DefaultGrant,
    /// In the order in which they decide.
    pub rules: Vec<RuleSpec>,
}

const RULES: &str = "issuance.rules";

const FIELDS: [&str; 8] =
    ["name", "when", "audiences", "multiple", "allow_untrusted", "max_lifetime", "max_tokens_per_build", "algorithm"];

pub(super) fn read(reader: &mut Reader<'_>, longest: Option<Seconds>) -> Option<Issuance> {
    let default = reader.read("issuance.default", |value| match text(value)? {
        "trusted" => Ok(DefaultGrant::Trusted),
        "deny" => Ok(DefaultGrant::Deny),
        _ => Err("must be trusted or deny".to_owned()),
    });
    let written = reader.read(RULES, |value| list(value).map(<[Located]>::to_vec))?;
    let mut rules = Vec::new();
    for (index, item) in written.iter().enumerate() {
        match rule(&item.value, longest) {
            Ok(rule) => rules.push(rule),
            Err((field, problem)) => refuse(reader, (index, item), &field, &problem),
        }
    }
    let default = default?;
    if rules.len() < written.len() {
        return None;
    }
    if let Err(error) = IssuancePolicy::new(default, rules.clone()) {
        if let Some(item) = written.get(error.index) {
            refuse(reader, (error.index, item), error.field, &error.text);
        } else {
            reader.refuse(RULES, &error.to_string());
        }
        return None;
    }
    Some(Issuance { default, rules })
}

/// Notes a fault at the field's line, or at the rule's.
fn refuse(reader: &mut Reader<'_>, (index, item): (usize, &Located), field: &str, problem: &str) {
    let line = match &item.value {
        Value::Table(fields) => fields.get(field).map_or(item.line, |field| field.line),
        _ => item.line,
    };
    let origin = reader.origin(RULES).at(line);
    let path = if field.is_empty() { format!("{RULES}[{index}]") } else { format!("{RULES}[{index}].{field}") };
    reader.refuse_at(&origin, &path, problem);
}

/// One rule, or its field and what is wrong.
fn rule(value: &Value, longest: Option<Seconds>) -> Result<RuleSpec, (String, String)> {
    let fields = table(value).map_err(|problem| (String::new(), problem))?;
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err((name.clone(), format!("there is no such key; a rule has {}", FIELDS.join(", "))));
    }
    let missing = |name: &str| (name.to_owned(), "is missing".to_owned());
    let owned = |value: &Value| text(value).map(str::to_owned);
    let audiences = |value: &Value| each(value, |text| text.parse::<AudiencePattern>().map_err(str::to_owned));
    let algorithm = |value: &Value| text(value)?.parse::<Algorithm>().map_err(str::to_owned);
    let lifetime = |value: &Value| match (seconds(value)?, longest) {
        (length, Some(longest)) if length > longest => {
            Err(format!("{length} is longer than tokens.max_lifetime, {longest}"))
        }
        (length, _) => Ok(length),
    };
    Ok(RuleSpec {
        name: field(value, "name", owned)?.ok_or_else(|| missing("name"))?,
        when: field(value, "when", owned)?,
        audiences: field(value, "audiences", audiences)?.ok_or_else(|| missing("audiences"))?,
        multiple: field(value, "multiple", boolean)?.unwrap_or(false),
        allow_untrusted: field(value, "allow_untrusted", boolean)?.unwrap_or(false),
        max_lifetime: field(value, "max_lifetime", lifetime)?,
        max_tokens_per_build: field(value, "max_tokens_per_build", number)?,
        algorithm: field(value, "algorithm", algorithm)?,
    })
}

fn field<T>(
    rule: &Value,
    name: &str,
    read: impl FnOnce(&Value) -> Result<T, String>,
) -> Result<Option<T>, (String, String)> {
    let Value::Table(fields) = rule else { return Ok(None) };
    fields.get(name).map(|field| read(&field.value)).transpose().map_err(|problem| (name.to_owned(), problem))
}
