//! Templates, which are text with `{fields}`. A template is expanded once; a field's value is never parsed as a
//! template.

use std::borrow::Cow;
use std::fmt;

use super::build::{Build, BuildStep};
use super::fields::{Field, FieldSource};

/// A parsed template of a subject or of an extra claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Field(TemplateField),
    Literal(String),
}

/// A name in the braces of a template: a field of the build, or a custom property of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TemplateField {
    Known(&'static Field),
    Property(String),
}

impl TemplateField {
    fn parse(name: &str) -> Option<Self> {
        if let Some(key) = name.strip_prefix("properties.") {
            return (!key.is_empty()).then(|| Self::Property(key.to_owned()));
        }
        Field::of_template(name).map(Self::Known)
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Known(field) => Cow::Borrowed(field.template_name()),
            Self::Property(key) => Cow::Owned(format!("properties.{key}")),
        }
    }

    /// Whether a subject keeps a `/` in the value instead of percent-encoding the `/`.
    pub(super) const fn holds_slashes(&self) -> bool {
        match self {
            Self::Known(field) => field.holds_slashes(),
            Self::Property(_) => false,
        }
    }

    /// Returns the field's value for one build and step; `None` if the build has no value.
    pub(super) fn value<'a>(&self, build: &'a Build, step: Option<&'a BuildStep>) -> Option<Cow<'a, str>> {
        match self {
            Self::Known(field) => field.template_value(&FieldSource { build, step, build_id: None }),
            Self::Property(key) => {
                build.properties.get(key).filter(|text| !text.is_empty()).map(|text| Cow::Borrowed(text.as_str()))
            }
        }
    }
}

impl Template {
    /// Parses a template. A brace cannot be escaped, since no literal needs a brace.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let at = rest.find(['{', '}']).unwrap_or(rest.len());
            let (literal, tail) = rest.split_at(at);
            if literal.chars().any(|c| !c.is_ascii_graphic() && c != ' ') {
                return Err("contains a character outside printable ASCII".to_owned());
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            if tail.is_empty() {
                break;
            }
            let inner = tail.strip_prefix('{').ok_or("has a } without a { before it")?;
            let (name, after) = inner.split_once('}').ok_or("has a { without a } after it")?;
            let field = TemplateField::parse(name)
                .ok_or_else(|| format!("names an unknown field of builds: {{{}}}", name.escape_default()))?;
            parts.push(Part::Field(field));
            rest = after;
        }
        Ok(Self { parts })
    }

    pub(super) fn names(&self, name: &str) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Field(field) if field.name() == name))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Field(field) => write!(f, "{{{}}}", field.name()),
            Part::Literal(text) => f.write_str(text),
        })
    }
}
