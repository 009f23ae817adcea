//! The variables of conditions: their values, and an example of each value by which conditions are checked. Never holds
//! a secret.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use ::cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use ::cel::common::value::{CowVal, Val};
use ::cel::context::VariableResolver;
use serde_json::{Map, Value};

/// Value of a variable that conditions may read.
#[derive(Debug, Clone)]
pub enum Fact<'a> {
    /// A string, which is empty if the variable has no value.
    Text(Cow<'a, str>),
    /// A boolean value.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A list of strings.
    Texts(&'a [String]),
    /// A map of strings to strings.
    TextMap(&'a BTreeMap<String, String>),
    /// A JSON object of a token. The object's members are unknown when a condition is compiled.
    Object(&'a Map<String, Value>),
}

/// Maximum number of entries of each list and object in a token's JSON. No condition is evaluated on a token that
/// exceeds this limit.
pub(super) const FOREIGN_ENTRIES: usize = 200;
/// Number of entries that is assumed for a list or map that does not come from a token. Limits the loops of a
/// condition.
const OWN_ENTRIES: usize = 64;

impl<'a> Fact<'a> {
    /// Creates a fact with the string `text`, or with an empty string for `None`.
    #[must_use]
    pub fn text(text: Option<&'a str>) -> Self {
        Self::Text(Cow::Borrowed(text.unwrap_or_default()))
    }

    /// Converts the fact to a value that the `cel` crate can evaluate.
    pub(super) fn value<'b>(&'b self) -> CowVal<'b, 'b> {
        match self {
            Self::Text(text) => CowVal::owned(CelString::from(text.as_ref())),
            Self::Flag(flag) => CowVal::owned(CelBool::from(*flag)),
            Self::Number(number) => CowVal::owned(CelInt::from(*number)),
            Self::Texts(texts) => {
                let texts = texts.iter().map(|text| Box::new(CelString::from(text.as_str())) as Box<dyn Val + 'b>);
                CowVal::owned(CelList::from(texts.collect::<Vec<_>>()))
            }
            Self::TextMap(map) => text_map(map.iter().map(|(key, text)| (key.as_str(), text.as_str()))),
            Self::Object(members) => CowVal::owned(object(members)),
        }
    }

    /// Whether any list or object in the fact, at any depth, has more entries than a condition may read.
    fn is_oversized(&self) -> bool {
        let Self::Object(members) = self else { return false };
        let mut pending: Vec<&Value> = members.values().collect();
        let mut oversized = members.len() > FOREIGN_ENTRIES;
        while let (Some(value), false) = (pending.pop(), oversized) {
            match value {
                Value::Array(elements) => {
                    oversized = elements.len() > FOREIGN_ENTRIES;
                    pending.extend(elements);
                }
                Value::Object(members) => {
                    oversized = members.len() > FOREIGN_ENTRIES;
                    pending.extend(members.values());
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        oversized
    }
}

fn object<'b>(members: &Map<String, Value>) -> CelMap<'b> {
    let entries: HashMap<CelMapKey<'b>, Box<dyn Val + 'b>> =
        members.iter().map(|(name, value)| (CelMapKey::String(CelString::from(name.clone())), json(value))).collect();
    CelMap::from(entries)
}

/// Converts a JSON value to a value that the `cel` crate can evaluate. A whole number becomes `int`, never `uint`.
fn json<'b>(value: &Value) -> Box<dyn Val + 'b> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(flag) => Box::new(CelBool::from(*flag)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Box::new(CelInt::from(whole)),
            None => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text.clone())),
        Value::Array(elements) => Box::new(CelList::from(elements.iter().map(json).collect::<Vec<_>>())),
        Value::Object(members) => Box::new(object(members)),
    }
}

/// Converts a map of strings to a value that the `cel` crate can evaluate.
pub(super) fn text_map<'b>(entries: impl Iterator<Item = (&'b str, &'b str)>) -> CowVal<'b, 'b> {
    let entries: HashMap<CelMapKey<'b>, Box<dyn Val + 'b>> = entries
        .map(|(key, text)| {
            (CelMapKey::String(CelString::from(key)), Box::new(CelString::from(text)) as Box<dyn Val + 'b>)
        })
        .collect();
    CowVal::owned(CelMap::from(entries))
}

/// The variables that conditions may read, with their values, by dotted names such as `build.org`. A value is converted
/// for the evaluator only when a condition reads the variable.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a>(BTreeMap<&'static str, Fact<'a>>);

impl<'a> Facts<'a> {
    /// Returns the value of the variable with the dotted name `name`.
    pub(super) fn find(&self, name: &str) -> Option<&Fact<'a>> {
        self.0.get(name)
    }

    /// Whether any variable's value has more entries than a condition may read.
    pub(super) fn are_oversized(&self) -> bool {
        self.0.values().any(Fact::is_oversized)
    }

    /// Returns the value of a dotted name as JSON text, for explanations. `segments` are the parts of the name: `build`
    /// and `org` for `build.org`. Returns `None` if the name has no value.
    pub(super) fn to_json(&self, segments: &[String]) -> Option<String> {
        let length = (1..=segments.len()).rev().find(|length| {
            segments.get(..*length).is_some_and(|prefix| self.0.contains_key(prefix.join(".").as_str()))
        })?;
        let (name, members) = segments.split_at(length);
        let value = match self.0.get(name.join(".").as_str())? {
            Fact::Text(text) => Value::from(text.as_ref()),
            Fact::Flag(flag) => Value::from(*flag),
            Fact::Number(number) => Value::from(*number),
            Fact::Texts(texts) => Value::from(texts.to_vec()),
            Fact::TextMap(map) => serde_json::to_value(map).ok()?,
            Fact::Object(object) => Value::Object((*object).clone()),
        };
        members.iter().try_fold(&value, |value, member| value.get(member)).map(ToString::to_string)
    }
}

impl<'a, const N: usize> From<[(&'static str, Fact<'a>); N]> for Facts<'a> {
    fn from(facts: [(&'static str, Fact<'a>); N]) -> Self {
        Self(facts.into())
    }
}

impl<'a> FromIterator<(&'static str, Fact<'a>)> for Facts<'a> {
    fn from_iter<I: IntoIterator<Item = (&'static str, Fact<'a>)>>(facts: I) -> Self {
        Self(facts.into_iter().collect())
    }
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        self.find(variable).map(Fact::value)
    }
}

/// The variables that a condition may read, each with an example of the variable's value. The function that creates the
/// example should also create the real facts, so that names and types agree.
#[derive(Debug, Clone)]
pub struct Names<'a>(Facts<'a>);

impl<'a> Names<'a> {
    /// Creates the variables with the values of `example`. Each condition is evaluated once on these values when the
    /// condition is compiled. The example's strings should look like real values, and the example's lists should not be
    /// empty.
    #[must_use]
    pub const fn from_example(example: Facts<'a>) -> Self {
        Self(example)
    }

    /// Returns the limit on the number of entries of any list or map that a condition reads from these facts.
    pub(super) fn max_entries(&self) -> usize {
        let foreign = self.0.0.values().any(|fact| matches!(fact, Fact::Object(_)));
        if foreign { FOREIGN_ENTRIES } else { OWN_ENTRIES }
    }

    pub(super) const fn example(&self) -> &Facts<'a> {
        &self.0
    }

    /// Returns how many parts of a dotted name, from the left, form the name of a variable: 2 for `build.org.x` if
    /// `build.org` is a variable.
    pub(super) fn prefix(&self, segments: &[&str]) -> Option<usize> {
        (1..=segments.len())
            .rev()
            .find(|length| segments.get(..*length).is_some_and(|prefix| self.0.find(&prefix.join(".")).is_some()))
    }

    /// Whether any variable's dotted name begins with the word `segment`, as `build.org` begins with `build`.
    pub(super) fn has_root(&self, segment: &str) -> bool {
        self.0.0.keys().any(|name| name.split('.').next() == Some(segment))
    }

    /// Returns the names to suggest in place of an unknown variable: all variables whose first word is `root`. If there
    /// are none, returns the first words of all variables, such as `build`.
    pub(super) fn known(&self, root: &str) -> String {
        let mut known: Vec<&str> = if self.has_root(root) {
            self.0.0.keys().copied().filter(|name| name.split('.').next() == Some(root)).collect()
        } else {
            self.0.0.keys().filter_map(|name| name.split('.').next()).collect()
        };
        known.dedup();
        known.join(", ")
    }
}
