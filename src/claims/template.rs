//! Text with `{fields}`. Expanded once: a value is never read as a template.

use std::fmt;

use super::field::Field;

/// Literals and fields in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Field(Field),
    Literal(String),
}

impl Template {
    /// Reads `{field}`s; there is no escape, since no literal of ours needs a brace.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let at = rest.find(['{', '}']).unwrap_or(rest.len());
            let (literal, tail) = rest.split_at(at);
            if literal.chars().any(|c| !c.is_ascii_graphic() && c != ' ') {
                return Err("holds a character outside printable ASCII".to_owned());
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            if tail.is_empty() {
                break;
            }
            let inner = tail.strip_prefix('{').ok_or("holds a } that closes nothing")?;
            let (name, after) = inner.split_once('}').ok_or("holds a { that nothing closes")?;
            let field = Field::parse(name)
                .ok_or_else(|| format!("names a field that builds do not have: {{{}}}", name.escape_default()))?;
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
