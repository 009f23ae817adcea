//! Statements as RubyGems' roles have them (RFC 0053 of rubygems): the last one that matches decides, and where none
//! does the answer is no. A claim of a type that can't be compared never lets anything through.

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::FieldError;
use crate::claims::glob_covers;

/// Most memory of a compiled pattern, in bytes.
const PATTERN_BYTES: usize = 256 * 1_024;
/// Most statements, and most conditions of one.
const MOST: usize = 64;

/// The document as it is written and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementsSpec {
    /// The statements, in the order in which the last decides.
    pub statements: Vec<StatementSpec>,
}

/// One statement as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementSpec {
    /// `allow` or `deny`.
    pub effect: String,
    /// Whose tokens it is about.
    #[serde(default)]
    pub principal: PrincipalSpec,
    /// What must hold of them, all together.
    pub conditions: Vec<ConditionSpec>,
}

/// Whose tokens a statement is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalSpec {
    /// The issuer; absent or empty: that of the provider.
    #[serde(default)]
    pub oidc: String,
}

impl PrincipalSpec {
    /// Whose tokens, of a role of the provider with this issuer.
    #[must_use]
    pub fn issuer<'a>(&'a self, provider: &'a str) -> &'a str {
        if self.oidc.is_empty() { provider } else { &self.oidc }
    }
}

/// One condition as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionSpec {
    /// `string_equals`, `string_matches`, `string_equals_ignore_case`, `string_in` or `glob`.
    pub operator: String,
    /// The claim's name.
    pub claim: String,
    /// A string; of `string_in` a list of strings.
    pub value: Value,
}

/// Every operator's name.
const OPERATORS: [&str; 5] = ["string_equals", "string_matches", "string_equals_ignore_case", "string_in", "glob"];

enum Operator {
    Equals(String),
    EqualsIgnoreCase(String),
    Glob(String),
    In(Vec<String>),
    Matches(Regex),
}

struct Condition {
    operator: Operator,
    spec: ConditionSpec,
}

struct Statement {
    allows: bool,
    conditions: Vec<Condition>,
}

/// Statements, checked and compiled.
pub struct Statements(Vec<Statement>);

/// Why statements don't let a token through. Statements are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementsDenied {
    /// None matches.
    #[error("no statement matches")]
    None,
    /// The last that matches says no.
    #[error("statement {statement} denies it")]
    Explicit {
        /// Which.
        statement: usize,
    },
    /// A pattern meets a claim that is no string.
    #[error("statement {statement} compares the claim {claim} with a pattern, and it is not a string")]
    NotText {
        /// Which.
        statement: usize,
        /// The claim.
        claim: String,
    },
}

/// A condition, and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionFound {
    /// The statement, from 1.
    pub statement: usize,
    /// Does it hold?
    pub holds: bool,
    /// Claim, operator and value.
    pub expected: String,
    /// The claim as JSON, or that it is not there.
    pub actual: String,
}

impl Statements {
    /// Checks and compiles the statements of a role of the provider with this issuer.
    ///
    /// # Errors
    /// [`FieldError`] names the first field that can't stand, such as `statements[0].conditions[1].value`.
    pub fn new(spec: &StatementsSpec, issuer: &str) -> Result<Self, FieldError> {
        bounded("statements", spec.statements.len())?;
        let statements = spec.statements.iter().enumerate().map(|(index, statement)| {
            let at = |field: &str| format!("statements[{index}].{field}");
            let allows = match statement.effect.as_str() {
                "allow" => true,
                "deny" => false,
                _ => return Err(FieldError::new(at("effect"), "must be allow or deny")),
            };
            if statement.principal.issuer(issuer) != issuer {
                let problem = format!("must be the provider's issuer, {issuer}, or absent");
                return Err(FieldError::new(at("principal.oidc"), problem));
            }
            bounded(&at("conditions"), statement.conditions.len())?;
            let conditions = statement.conditions.iter().enumerate().map(|(index, condition)| {
                let operator = Operator::new(condition, &at(&format!("conditions[{index}]")))?;
                Ok(Condition { operator, spec: condition.clone() })
            });
            Ok(Statement { allows, conditions: conditions.collect::<Result<_, FieldError>>()? })
        });
        statements.collect::<Result<_, _>>().map(Self)
    }

    /// What somebody may not have meant. `claims_supported` is what the provider's discovery document lists, where it
    /// does.
    #[must_use]
    pub fn warnings(&self, claims_supported: Option<&[String]>) -> Vec<String> {
        let mut warnings = Vec::new();
        let conditions = || self.0.iter().flat_map(|statement| &statement.conditions);
        for condition in conditions() {
            let claim = &condition.spec.claim;
            if claims_supported.is_some_and(|known| !known.contains(claim)) {
                warnings.push(format!("the provider does not list a claim {claim}"));
            }
            if let Operator::Matches(pattern) = &condition.operator
                && !is_anchored(pattern.as_str())
            {
                warnings.push(format!(
                    "the pattern of {claim} is not anchored: it matches any text that holds a match; begin with \\A (or \
                     ^, at each line) and end with \\z (or $)"
                ));
            }
        }
        let first_deny = self.0.iter().position(|statement| !statement.allows);
        if first_deny.is_some_and(|at| self.0.iter().skip(at).any(|statement| statement.allows)) {
            warnings.push("an allow stands after a deny, and the last statement that matches decides".to_owned());
        }
        warnings
    }

    /// Which statement lets the token with these claims through, from 1. Its issuer is the provider's already.
    ///
    /// # Errors
    /// [`StatementsDenied`].
    pub fn evaluate(&self, claims: &Map<String, Value>) -> Result<usize, StatementsDenied> {
        let mut last = None;
        for (index, statement) in self.0.iter().enumerate() {
            if statement.matches(index + 1, claims)? {
                last = Some((index + 1, statement.allows));
            }
        }
        match last {
            Some((statement, true)) => Ok(statement),
            Some((statement, false)) => Err(StatementsDenied::Explicit { statement }),
            None => Err(StatementsDenied::None),
        }
    }

    /// The audiences that `string_equals` conditions of a statement name, from 1.
    pub fn audiences(&self, statement: usize) -> impl Iterator<Item = &str> {
        let conditions = self.0.iter().skip(statement.saturating_sub(1)).take(1).flat_map(|one| &one.conditions);
        conditions.filter_map(|condition| match &condition.operator {
            Operator::Equals(value) if condition.spec.claim == "aud" => Some(value.as_str()),
            _ => None,
        })
    }

    /// The audiences that `string_equals` conditions of any statement name.
    pub fn every_audience(&self) -> impl Iterator<Item = &str> {
        (1..=self.0.len()).flat_map(|statement| self.audiences(statement))
    }

    /// Every condition, with what it found.
    #[must_use]
    pub fn explain(&self, claims: &Map<String, Value>) -> Vec<ConditionFound> {
        let statements = self.0.iter().enumerate();
        let conditions = statements
            .flat_map(|(index, statement)| statement.conditions.iter().map(move |condition| (index + 1, condition)));
        conditions
            .map(|(statement, condition)| {
                let ConditionSpec { operator, claim, value } = &condition.spec;
                ConditionFound {
                    statement,
                    holds: condition.holds(claims) == Ok(true),
                    expected: format!("{claim} {operator} {value}"),
                    actual: claims.get(claim).map_or_else(|| "not there".to_owned(), ToString::to_string),
                }
            })
            .collect()
    }
}

impl Statement {
    fn matches(&self, number: usize, claims: &Map<String, Value>) -> Result<bool, StatementsDenied> {
        for condition in &self.conditions {
            let holds = condition.holds(claims).map_err(|NotText| StatementsDenied::NotText {
                statement: number,
                claim: condition.spec.claim.clone(),
            })?;
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A pattern met a value that is no string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NotText;

impl Condition {
    fn holds(&self, claims: &Map<String, Value>) -> Result<bool, NotText> {
        let text = match claims.get(&self.spec.claim) {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => return Ok(false),
            // A server of theirs ends with 500 here.
            Some(_) if matches!(self.operator, Operator::Matches(_)) => return Err(NotText),
            Some(_) => return Ok(false),
        };
        Ok(match &self.operator {
            Operator::Equals(value) => text == value,
            Operator::EqualsIgnoreCase(value) => text.to_lowercase() == value.to_lowercase(),
            Operator::Glob(pattern) => glob_covers(pattern, text),
            Operator::In(values) => values.contains(text),
            Operator::Matches(pattern) => pattern.is_match(text.as_bytes()),
        })
    }
}

impl Operator {
    fn new(condition: &ConditionSpec, at: &str) -> Result<Self, FieldError> {
        let fault = |field: &str, problem: String| Err(FieldError::new(format!("{at}.{field}"), problem));
        if condition.claim.is_empty() {
            return fault("claim", "must be the name of a claim".to_owned());
        }
        let text = || match &condition.value {
            Value::String(text) => Ok(text.clone()),
            _ => Err(FieldError::new(format!("{at}.value"), "must be a string")),
        };
        Ok(match condition.operator.as_str() {
            "string_equals" => Self::Equals(text()?),
            "string_equals_ignore_case" => Self::EqualsIgnoreCase(text()?),
            "glob" => Self::Glob(text()?),
            "string_in" => match &condition.value {
                Value::Array(values) if !values.is_empty() && values.iter().all(Value::is_string) => {
                    Self::In(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                }
                _ => return fault("value", "must be a list of strings, one at least".to_owned()),
            },
            "string_matches" => match pattern(&text()?) {
                Ok(pattern) => Self::Matches(pattern),
                Err(problem) => return fault("value", problem),
            },
            _ => return fault("operator", format!("must be {}", OPERATORS.join(", "))),
        })
    }
}

/// A pattern as Ruby reads it: `^` and `$` stand at every line, and it is searched for, not compared. Of Ruby's groups
/// that begin with `(?` only `(?:` is taken, since the others differ.
fn pattern(text: &str) -> Result<Regex, String> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        if !escaped && rest.starts_with("(?") && !rest.starts_with("(?:") {
            return Err("of groups that begin with (? only (?: is taken".to_owned());
        }
        escaped = character == '\\' && !escaped;
    }
    let mut builder = RegexBuilder::new(text);
    builder.unicode(false).multi_line(true).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
    builder.build().map_err(|error| {
        let reason = error.to_string();
        format!("is no pattern: {}", reason.lines().last().unwrap_or_default().trim_start_matches("error: "))
    })
}

/// Do its ends hold it to whole texts, or lines at the least? Alternatives escape anchors, unless a group holds them.
fn is_anchored(pattern: &str) -> bool {
    let begins = pattern.starts_with('^') || pattern.starts_with("\\A");
    let ends = pattern.ends_with("\\z") || (pattern.ends_with('$') && !pattern.ends_with("\\$"));
    let mut depth = 0_usize;
    let alternatives = pattern.chars().any(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == '|' && depth == 0
    });
    begins && ends && !alternatives
}

fn bounded(field: &str, count: usize) -> Result<(), FieldError> {
    match count {
        0 => Err(FieldError::new(field, "must not be empty")),
        count if count > MOST => Err(FieldError::new(field, format!("must hold at most {MOST}"))),
        _ => Ok(()),
    }
}
