//! The subject: a security boundary with a grammar. No text moves from one field into another.
//!
//! Every value is percent-encoded outside `A-Z a-z 0-9 . _ - ~` (and `/` inside a ref or an organisation), so a delimiter
//! in a subject was written by the format and by nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::subject_template::SubjectTemplate;
use super::template::Part;
use super::{Build, BuildStep};

const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-').remove(b'~');
const PATH: &AsciiSet = &VALUE.remove(b'/');

/// What ends the subject of a build whose code was not accepted yet, in every format.
const UNTRUSTED: &str = ":untrusted";

/// What the subjects of access tokens begin with that are given for other tokens.
const RESERVED: &str = "exchange:";

/// The longest subject, in bytes: OpenID Connect Core 1.0 §2.
const LONGEST: usize = 255;

/// The longest subject that Google Cloud takes, in bytes.
const LONGEST_FOR_GOOGLE: usize = 127;

/// How a subject is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectFormat {
    /// `repo_id:1001:event:push:protected:true`
    Ids,
    /// `repo:acme@42/app@1001:ref:refs/heads/main`, with `environment:NAME` or `pull_request` in place of the ref.
    Immutable,
    /// `repo:acme/app:ref:refs/heads/main:event:push`
    Names,
    /// Literals and fields of the operator's choosing.
    Template(SubjectTemplate),
}

/// The subject of one build's tokens, at most 255 bytes of ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

/// Why a build has no subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectUnavailable {
    /// A field of the format has no value.
    Missing(String),
    /// It would begin as the subjects of access tokens do, which no build's may.
    Reserved,
    /// It would be longer than 255 bytes.
    TooLong(usize),
}

impl Subject {
    /// The text, as `sub` carries it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is it longer than Google Cloud takes?
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.0.len() > LONGEST_FOR_GOOGLE
    }
}

impl fmt::Display for SubjectUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "the subject's format names {field}, which this build does not have"),
            Self::Reserved => write!(f, "the subject would begin with {RESERVED}, as those of traded tokens do"),
            Self::TooLong(bytes) => write!(f, "the subject would have {bytes} bytes and may have {LONGEST}"),
        }
    }
}

/// How a value is made safe; a parameter so that a test can show what the encoder is for.
type Encoder = fn(&str, bool) -> String;

fn encode(value: &str, holds_slashes: bool) -> String {
    utf8_percent_encode(value, if holds_slashes { PATH } else { VALUE }).to_string()
}

impl SubjectFormat {
    /// Can no subject be written without `repo_id`?
    #[must_use]
    pub fn needs_repo_id(&self) -> bool {
        matches!(self, Self::Ids | Self::Immutable)
    }

    /// Writes the subject of a build, or of one step of it.
    ///
    /// # Errors
    /// [`SubjectUnavailable`].
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
        if text.len() > LONGEST { Err(SubjectUnavailable::TooLong(text.len())) } else { Ok(Subject(text)) }
    }

    /// Reads a subject of this format back: its fields, decoded, and `untrusted` where it ends so.
    #[must_use]
    pub fn parse(&self, subject: &str) -> Option<BTreeMap<String, String>> {
        // No value holds a delimiter, so at most one of the two readings has as many as the format.
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

/// A value as it was before it was encoded; `None` if it holds what the encoder never writes.
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
