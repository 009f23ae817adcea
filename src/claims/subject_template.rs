//! Formats of subjects that the operator configures as templates. Never accepts a template whose subjects could be
//! parsed in two ways.

use std::fmt;
use std::str::FromStr;

use super::template::{Part, Template};

/// A template whose subjects can be parsed in only one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectTemplate(Template);

impl SubjectTemplate {
    pub(super) fn parts(&self) -> &[Part] {
        &self.0.parts
    }

    /// Splits a subject into the fields' names and values. The values are still percent-encoded.
    pub(super) fn split<'a>(&self, subject: &'a str) -> Option<Vec<(String, &'a str)>> {
        let mut values = Vec::new();
        let mut rest = subject;
        let mut parts = self.0.parts.as_slice();
        while let Some((part, tail)) = parts.split_first() {
            parts = tail;
            let field = match part {
                Part::Literal(literal) => {
                    rest = rest.strip_prefix(literal.as_str())?;
                    continue;
                }
                Part::Field(field) => field,
            };
            // A value ends at the next delimiter, which is a character that no value contains.
            let run = rest.find(is_delimiter).unwrap_or(rest.len());
            let (mut value, mut after) = rest.split_at(run);
            if let [Part::Literal(slash), Part::Field(repo), ..] = tail
                && is_org_and_repo(part, slash, &Part::Field(repo.clone()))
            {
                // An organisation may contain slashes, a repository may not: split at the last slash.
                let end = value.len().checked_sub(undelimited_prefix(tail.get(2..)).len())?;
                let both = value.get(..end)?;
                let at = both.rfind('/')?;
                value = value.get(..at)?;
                after = rest.get(at..)?;
            } else {
                let end = run.checked_sub(undelimited_prefix(Some(tail)).len())?;
                value = value.get(..end)?;
                after = if end == run { after } else { rest.get(end..)? };
            }
            values.push((field.name().into_owned(), value));
            rest = after;
        }
        rest.is_empty().then_some(values)
    }
}

/// Returns the beginning of a literal up to the literal's first delimiter. A parser could mistake this text for the end
/// of the value that precedes the literal.
fn undelimited_prefix(parts: Option<&[Part]>) -> &str {
    match parts.and_then(<[Part]>::first) {
        Some(Part::Literal(literal)) => {
            literal.get(..literal.find(is_delimiter).unwrap_or(literal.len())).unwrap_or_default()
        }
        _ => "",
    }
}

/// Whether the character is one that no encoded value contains.
fn is_delimiter(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || "._-~%/".contains(c))
}

fn is_org_and_repo(org: &Part, slash: &str, repo: &Part) -> bool {
    let is = |part: &Part, name: &str| matches!(part, Part::Field(field) if field.name() == name);
    is(org, "org") && slash == "/" && is(repo, "repo")
}

impl FromStr for SubjectTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let template = Template::parse(text)?;
        let invalid = |problem: &str| Err(problem.to_owned());
        match template.parts.first() {
            Some(Part::Literal(literal)) if literal.starts_with("exchange:") => {
                return invalid("must not begin with exchange:, which is reserved for access tokens of the exchange");
            }
            Some(Part::Literal(_)) => {}
            _ => return invalid("must begin with a literal, such as repo:"),
        }
        if matches!(template.parts.last(), Some(Part::Literal(literal)) if literal.ends_with(":untrusted")) {
            return invalid("must not end in :untrusted, which is the suffix of untrusted builds");
        }
        if let Some(problem) = ambiguity(&template) {
            return Err(problem);
        }
        if !(template.names("repo_id") || (template.names("org") && template.names("repo"))) {
            return invalid("must contain {org} and {repo}, or {repo_id}");
        }
        let has_context = template.names("ref")
            || template.names("environment")
            || (template.names("ref_protected") && template.names("event"));
        if !has_context {
            return invalid("must contain {ref}, {environment}, or both {ref_protected} and {event}");
        }
        Ok(Self(template))
    }
}

/// Returns the reason for which the template's subjects could be parsed in two ways; `None` if they cannot. Between two
/// fields there must be a literal with a character that no encoded value contains; `{org}/{repo}` is the only
/// exception.
fn ambiguity(template: &Template) -> Option<String> {
    let parts = template.parts.as_slice();
    let mut seen = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let Part::Field(field) = part else { continue };
        if seen.contains(&field.name()) {
            return Some(format!("names {{{}}} twice", field.name()));
        }
        seen.push(field.name());
        let follows = parts.get(at + 1..).unwrap_or_default();
        let is_separated = match follows {
            [] | [Part::Literal(_)] => true,
            [Part::Literal(literal), ..] if literal.contains(is_delimiter) => true,
            [Part::Literal(slash), repo, after @ ..] if is_org_and_repo(part, slash, repo) => {
                matches!(after, []) || matches!(after, [Part::Literal(literal), ..] if literal.contains(is_delimiter))
            }
            _ => false,
        };
        if !is_separated {
            return Some(format!(
                "needs a delimiter after {{{}}}: text with a character other than A-Z a-z 0-9 . _ - ~ % /, such as :",
                field.name()
            ));
        }
    }
    None
}

impl fmt::Display for SubjectTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
