//! Writes and parses the subjects of tokens. The text of one field must never be read as part of another field, because
//! verifiers allow access by the subject.
//!
//! In every value, all characters but `A-Z a-z 0-9 . _ - ~` (and `/` in a ref or an organisation) are percent-encoded,
//! so that every delimiter in a subject comes from the format and never from a value.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::build::{Build, BuildStep};
use super::subject_template::SubjectTemplate;
use super::template::Part;

const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-').remove(b'~');
const PATH: &AsciiSet = &VALUE.remove(b'/');

/// Suffix of the subject of every untrusted build, in every format.
const UNTRUSTED: &str = ":untrusted";

/// Prefix that only the subjects of the exchange's access tokens may have.
const RESERVED: &str = "exchange:";

/// Maximum bytes of a subject (OpenID Connect Core 1.0 §2).
const MAX_BYTES: usize = 255;

/// Maximum bytes of a subject that Google Cloud accepts.
const GOOGLE_MAX_BYTES: usize = 127;

/// Format of the subjects of a build's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectFormat {
    /// The repository's id without any name: `repo_id:1001:event:push:protected:true`.
    Ids,
    /// Names with ids: `repo:acme@42/app@1001:ref:refs/heads/main`, with `environment:NAME` or `pull_request` in place
    /// of the ref if the build has an environment or a pull ref.
    Immutable,
    /// Names without ids: `repo:acme/app:ref:refs/heads/main:event:push`.
    Names,
    /// A format that the operator configured as a template.
    Template(SubjectTemplate),
}

/// Subject of a build's or step's tokens: at most 255 bytes of ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

/// Error returned when a build's subject cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectUnavailable {
    /// The named field of the format has no value in this build.
    Missing(String),
    /// The subject would begin with the prefix that is reserved for access tokens of the exchange.
    Reserved,
    /// The subject would have the stated number of bytes, which is more than 255.
    TooLong(usize),
}

impl Subject {
    /// Returns the text of the subject, which is the value of `sub`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the subject is longer than Google Cloud accepts (127 bytes).
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.0.len() > GOOGLE_MAX_BYTES
    }
}

impl fmt::Display for SubjectUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "the subject's format requires {field}, which this build does not have"),
            Self::Reserved => write!(
                f,
                "the subject would begin with {RESERVED}, which is reserved for access tokens of the exchange"
            ),
            Self::TooLong(bytes) => write!(f, "the subject would have {bytes} bytes; at most {MAX_BYTES} are allowed"),
        }
    }
}

/// Function that percent-encodes a value, but keeps each `/` if the flag is true. Tests pass another function, to show
/// which attacks the encoding prevents.
type Encoder = fn(&str, bool) -> String;

fn encode(value: &str, holds_slashes: bool) -> String {
    utf8_percent_encode(value, if holds_slashes { PATH } else { VALUE }).to_string()
}

impl SubjectFormat {
    /// Returns whether the format requires `repo_id`.
    #[must_use]
    pub fn needs_repo_id(&self) -> bool {
        matches!(self, Self::Ids | Self::Immutable)
    }

    /// Returns the subject of a build, or of a step of the build.
    ///
    /// # Errors
    /// [`SubjectUnavailable`] if a field of the format has no value, or if the subject is too long or has the reserved
    /// prefix.
    pub fn render(&self, build: &Build, step: Option<&BuildStep>) -> Result<Subject, SubjectUnavailable> {
        self.render_with(encode, build, step)
    }

    fn render_with(
        &self,
        encode: Encoder,
        build: &Build,
        step: Option<&BuildStep>,
    ) -> Result<Subject, SubjectUnavailable> {
        let missing = |field: &str| SubjectUnavailable::Missing(field.to_owned());
        let mut text = match self {
            Self::Ids => format!(
                "repo_id:{}:event:{}:protected:{}",
                encode(build.repo_id.as_deref().ok_or_else(|| missing("repo_id"))?, false),
                build.event,
                build.is_protected(),
            ),
            Self::Immutable => {
                let repo_id = build.repo_id.as_deref().ok_or_else(|| missing("repo_id"))?;
                let org_id = build.org_id.as_deref().map(|id| format!("@{}", encode(id, false))).unwrap_or_default();
                let (org, repo) = (encode(&build.org, true), encode(&build.repo, false));
                let context = match build.environment_of(step) {
                    Some(environment) => format!("environment:{}", encode(environment, false)),
                    None if build.is_pull_ref() => "pull_request".to_owned(),
                    None => format!("ref:{}", encode(&build.git_ref, true)),
                };
                format!("repo:{org}{org_id}/{repo}@{}:{context}", encode(repo_id, false))
            }
            Self::Names => format!(
                "repo:{}/{}:ref:{}:event:{}",
                encode(&build.org, true),
                encode(&build.repo, false),
                encode(&build.git_ref, true),
                build.event,
            ),
            Self::Template(template) => {
                let mut text = String::new();
                for part in template.parts() {
                    match part {
                        Part::Literal(literal) => text.push_str(literal),
                        Part::Field(field) => {
                            let value = field.value(build, step).ok_or_else(|| missing(&field.name()))?;
                            text.push_str(&encode(&value, field.holds_slashes()));
                        }
                    }
                }
                text
            }
        };
        if !build.trusted {
            text.push_str(UNTRUSTED);
        }
        if text.starts_with(RESERVED) {
            return Err(SubjectUnavailable::Reserved);
        }
        if text.len() > MAX_BYTES { Err(SubjectUnavailable::TooLong(text.len())) } else { Ok(Subject(text)) }
    }

    /// Parses a subject of this format into the decoded values of the fields; `None` if the subject has another form. A
    /// subject with the suffix `:untrusted` also has the field `untrusted`.
    #[must_use]
    pub fn parse(&self, subject: &str) -> Option<BTreeMap<String, String>> {
        // No value contains a delimiter, so the subject fits the format either with or without the suffix, never both.
        if let Some(fields) = self.parse_trusted(subject) {
            return Some(fields);
        }
        let mut fields = self.parse_trusted(subject.strip_suffix(UNTRUSTED)?)?;
        fields.insert("untrusted".to_owned(), "true".to_owned());
        Some(fields)
    }

    fn parse_trusted(&self, subject: &str) -> Option<BTreeMap<String, String>> {
        let mut fields = BTreeMap::new();
        let mut put = |name: &str, value: &str| -> Option<()> {
            fields.insert(name.to_owned(), decode(value)?);
            Some(())
        };
        match self {
            Self::Ids => {
                let parts: Vec<&str> = subject.split(':').collect();
                let ["repo_id", id, "event", event, "protected", protected] = parts.as_slice() else { return None };
                put("repo_id", id)?;
                put("event", event)?;
                put("ref_protected", protected)?;
            }
            Self::Immutable => {
                let (name, context) = subject.strip_prefix("repo:")?.split_once(':')?;
                let (org, repo) = name.rsplit_once('/')?;
                let (org, org_id) = org.split_once('@').map_or((org, None), |(org, id)| (org, Some(id)));
                let (repo, repo_id) = repo.split_once('@')?;
                put("org", org)?;
                if let Some(org_id) = org_id {
                    put("org_id", org_id)?;
                }
                put("repo", repo)?;
                put("repo_id", repo_id)?;
                match context.split_once(':') {
                    Some(("environment", environment)) => put("environment", environment)?,
                    Some(("ref", git_ref)) => put("ref", git_ref)?,
                    None if context == "pull_request" => put("pull_request", "true")?,
                    _ => return None,
                }
            }
            Self::Names => {
                let parts: Vec<&str> = subject.split(':').collect();
                let ["repo", name, "ref", git_ref, "event", event] = parts.as_slice() else { return None };
                let (org, repo) = name.rsplit_once('/')?;
                put("org", org)?;
                put("repo", repo)?;
                put("ref", git_ref)?;
                put("event", event)?;
            }
            Self::Template(template) => {
                for (name, value) in template.split(subject)? {
                    put(&name, value)?;
                }
            }
        }
        Some(fields)
    }
}

/// Decodes a percent-encoded value. `None` if the value contains a character that the encoder never writes.
fn decode(value: &str) -> Option<String> {
    let is_written = |byte: u8| byte.is_ascii_alphanumeric() || b"._-~%/".contains(&byte);
    if !value.bytes().all(is_written) {
        return None;
    }
    percent_decode_str(value).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

impl fmt::Display for SubjectFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ids => f.write_str("ids"),
            Self::Immutable => f.write_str("immutable"),
            Self::Names => f.write_str("names"),
            Self::Template(template) => template.fmt(f),
        }
    }
}

impl FromStr for SubjectFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ids" => Ok(Self::Ids),
            "immutable" => Ok(Self::Immutable),
            "names" => Ok(Self::Names),
            template if template.contains('{') => template.parse().map(Self::Template),
            _ => Err("must be immutable, names, ids, or a template with {fields}".to_owned()),
        }
    }
}

#[cfg(test)]
#[path = "subject_tests.rs"]
mod tests;
