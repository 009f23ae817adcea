//! The statements of a role, as RubyGems has them (RFC 0053 of rubygems). The last statement that matches a token
//! decides; without a match the token is denied. A claim that cannot be compared with a condition never allows a token.

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::VariantNames as _;

use crate::base::FieldError;
use crate::claims::glob_covers;

/// Maximum memory of one compiled pattern of `string_matches`, in bytes.
const PATTERN_BYTES: usize = 256 * 1_024;
/// Maximum number of statements of a role, and also of conditions in each statement.
const MAX_ENTRIES: usize = 64;

/// The statements of a role as written and stored, before any check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementsSpec {
    /// The statements of the role. The last statement that matches a token decides.
    pub statements: Vec<StatementSpec>,
}

/// One statement of a role: allows or denies the tokens for which all conditions are true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementSpec {
    /// Effect of the statement: `allow` or `deny`.
    pub effect: String,
    /// Principal that names the issuer whose tokens the statement applies to.
    #[serde(default)]
    pub principal: PrincipalSpec,
    /// Conditions of the statement. The statement matches a token if all conditions are true.
    pub conditions: Vec<ConditionSpec>,
}

/// Principal of a statement, which names the issuer whose tokens the statement applies to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalSpec {
    /// URL of the issuer; if absent or empty, the issuer of the role's provider.
    #[serde(default)]
    pub oidc: String,
}

impl PrincipalSpec {
    /// Returns the issuer that the principal names, or `provider_issuer` if the principal names no issuer.
    #[must_use]
    pub fn issuer<'a>(&'a self, provider_issuer: &'a str) -> &'a str {
        if self.oidc.is_empty() { provider_issuer } else { &self.oidc }
    }
}

/// One condition of a statement, which compares a claim of the token with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionSpec {
    /// Operator of the comparison: `string_equals`, `string_matches`, `string_equals_ignore_case`, `string_in` or
    /// `glob`.
    pub operator: String,
    /// Name of the claim that is compared.
    pub claim: String,
    /// Value with which the claim is compared: a string, or a list of strings for `string_in`.
    pub value: Value,
}

/// Names of the operators that conditions may use.
#[derive(strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
enum OperatorName {
    StringEquals,
    StringMatches,
    StringEqualsIgnoreCase,
    StringIn,
    Glob,
}

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

/// The statements of a role, checked and compiled.
pub struct Statements(Vec<Statement>);

/// Reason for which the statements of a role deny a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementsDenied {
    /// No statement matches the token.
    #[error("no statement matches the token")]
    None,
    /// The last statement that matches denies the token.
    #[error("statement {statement} denies the token")]
    Explicit {
        /// Number of the statement that denies the token, from 1.
        statement: usize,
    },
    /// A statement matches a pattern against a claim that is not a string, so the token is denied.
    #[error("statement {statement} matches a pattern against the claim {claim}, which is not a string")]
    NotText {
        /// Number of the statement with the pattern, from 1.
        statement: usize,
        /// Name of the claim that is not a string.
        claim: String,
    },
}

/// A condition of a statement, and the condition's result for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionResult {
    /// Number of the statement that has the condition, from 1.
    pub statement: usize,
    /// Whether the condition is true.
    pub holds: bool,
    /// The condition as text: the claim's name, the operator and the value.
    pub expected: String,
    /// Value of the claim in the token, as JSON; `absent` if the token lacks the claim.
    pub actual: String,
}

impl Statements {
    /// Checks and compiles the statements of a role. `issuer` is the issuer of the role's provider.
    ///
    /// # Errors
    /// [`FieldError`] names the first invalid field, such as `statements[0].conditions[1].value`.
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

    /// Returns a warning for each likely mistake in the statements. `claims_supported` is the list in the provider's
    /// discovery document, if known.
    #[must_use]
    pub fn warnings(&self, claims_supported: Option<&[String]>) -> Vec<String> {
        let mut warnings = Vec::new();
        let conditions = || self.0.iter().flat_map(|statement| &statement.conditions);
        for condition in conditions() {
            let claim = &condition.spec.claim;
            if claims_supported.is_some_and(|known| !known.contains(claim)) {
                warnings.push(format!("the provider's discovery document does not list the claim {claim}"));
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
            warnings
                .push("an allow statement follows a deny statement: the last matching statement decides".to_owned());
        }
        warnings
    }

    /// Evaluates the statements on a token's claims and returns the number of the statement that allows the token. The
    /// token's issuer must have been checked before.
    ///
    /// # Errors
    /// [`StatementsDenied`] says why the token is denied.
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

    /// Returns the audiences with which a statement compares the claim `aud` by `string_equals`. Statements are
    /// numbered from 1.
    pub fn audiences(&self, statement: usize) -> impl Iterator<Item = &str> {
        let conditions =
            self.0.iter().skip(statement.saturating_sub(1)).take(1).flat_map(|statement| &statement.conditions);
        conditions.filter_map(|condition| match &condition.operator {
            Operator::Equals(value) if condition.spec.claim == "aud" => Some(value.as_str()),
            _ => None,
        })
    }

    /// Returns the audiences with which any statement compares the claim `aud` by `string_equals`.
    pub fn every_audience(&self) -> impl Iterator<Item = &str> {
        (1..=self.0.len()).flat_map(|statement| self.audiences(statement))
    }

    /// Returns every condition of every statement, with the condition's result for a token's claims.
    #[must_use]
    pub fn explain(&self, claims: &Map<String, Value>) -> Vec<ConditionResult> {
        let statements = self.0.iter().enumerate();
        let conditions = statements
            .flat_map(|(index, statement)| statement.conditions.iter().map(move |condition| (index + 1, condition)));
        conditions
            .map(|(statement, condition)| {
                let ConditionSpec { operator, claim, value } = &condition.spec;
                ConditionResult {
                    statement,
                    holds: condition.holds(claims) == Ok(true),
                    expected: format!("{claim} {operator} {value}"),
                    actual: claims.get(claim).map_or_else(|| "absent".to_owned(), ToString::to_string),
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

/// Error returned when a pattern is matched against a claim that is not a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NotText;

impl Condition {
    fn holds(&self, claims: &Map<String, Value>) -> Result<bool, NotText> {
        let text = match claims.get(&self.spec.claim) {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => return Ok(false),
            // RubyGems' server answers 500 here; buildpass denies the token.
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
        let invalid = |field: &str, problem: String| Err(FieldError::new(format!("{at}.{field}"), problem));
        if condition.claim.is_empty() {
            return invalid("claim", "must be the name of a claim".to_owned());
        }
        let text = || match &condition.value {
            Value::String(text) => Ok(text.clone()),
            _ => Err(FieldError::new(format!("{at}.value"), "must be a string")),
        };
        let Ok(name) = condition.operator.parse() else {
            return invalid("operator", format!("must be one of {}", OperatorName::VARIANTS.join(", ")));
        };
        Ok(match name {
            OperatorName::StringEquals => Self::Equals(text()?),
            OperatorName::StringEqualsIgnoreCase => Self::EqualsIgnoreCase(text()?),
            OperatorName::Glob => Self::Glob(text()?),
            OperatorName::StringIn => match &condition.value {
                Value::Array(values) if !values.is_empty() && values.iter().all(Value::is_string) => {
                    Self::In(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                }
                _ => return invalid("value", "must be a list of at least one string".to_owned()),
            },
            OperatorName::StringMatches => match pattern(&text()?) {
                Ok(pattern) => Self::Matches(pattern),
                Err(problem) => return invalid("value", problem),
            },
        })
    }
}

/// Compiles a pattern with Ruby's meaning: `^` and `$` match at every line, and a match anywhere in the text is enough.
/// Groups that begin with `(?` are rejected, except `(?:`, because Ruby gives them another meaning.
fn pattern(text: &str) -> Result<Regex, String> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        if !escaped && rest.starts_with("(?") && !rest.starts_with("(?:") {
            return Err("unsupported group: of groups that begin with (? only (?: is supported".to_owned());
        }
        escaped = character == '\\' && !escaped;
    }
    let mut builder = RegexBuilder::new(text);
    builder.unicode(false).multi_line(true).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
    builder.build().map_err(|error| {
        let reason = error.to_string();
        format!("invalid pattern: {}", reason.lines().last().unwrap_or_default().trim_start_matches("error: "))
    })
}

/// Whether the pattern matches only whole texts or whole lines. False if a `|` is outside all groups: `^a|b$` also
/// matches a part of a line.
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
        count if count > MAX_ENTRIES => Err(FieldError::new(field, format!("must have at most {MAX_ENTRIES} entries"))),
        _ => Ok(()),
    }
}
