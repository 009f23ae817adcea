//! Statements of RubyGems' roles (RFC 0053 of rubygems). The last statement that matches decides; without one the token
//! is denied. Never allows a token by a claim of a type that cannot be compared.

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::VariantNames as _;

use crate::base::FieldError;
use crate::claims::glob_covers;

/// Maximum memory of a compiled pattern, in bytes.
const PATTERN_BYTES: usize = 256 * 1_024;
/// Maximum number of statements, and of conditions in one.
const MAX_ENTRIES: usize = 64;

/// The document of statements, as written and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementsSpec {
    /// The statements. The last one that matches decides.
    pub statements: Vec<StatementSpec>,
}

/// One statement of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementSpec {
    /// Effect of the statement: `allow` or `deny`.
    pub effect: String,
    /// Issuer whose tokens the statement applies to.
    #[serde(default)]
    pub principal: PrincipalSpec,
    /// Conditions, all of which must be true.
    pub conditions: Vec<ConditionSpec>,
}

/// Issuer whose tokens a statement applies to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalSpec {
    /// URL of the issuer; if absent or empty, that of the provider.
    #[serde(default)]
    pub oidc: String,
}

impl PrincipalSpec {
    /// Returns the issuer of the principal, or `provider_issuer` if the principal names none.
    #[must_use]
    pub fn issuer<'a>(&'a self, provider_issuer: &'a str) -> &'a str {
        if self.oidc.is_empty() { provider_issuer } else { &self.oidc }
    }
}

/// One condition of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionSpec {
    /// Operator: `string_equals`, `string_matches`, `string_equals_ignore_case`, `string_in` or `glob`.
    pub operator: String,
    /// Name of the claim.
    pub claim: String,
    /// Value to compare with: a string, or a list of strings for `string_in`.
    pub value: Value,
}

/// Names of the operators.
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

/// Reason for which statements deny a token. Statements are numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementsDenied {
    /// No statement matches the token.
    #[error("no statement matches the token")]
    None,
    /// The last statement that matches denies the token.
    #[error("statement {statement} denies the token")]
    Explicit {
        /// Number of the statement.
        statement: usize,
    },
    /// A pattern is compared with a claim that is not a string.
    #[error("statement {statement} matches a pattern against the claim {claim}, which is not a string")]
    NotText {
        /// Number of the statement.
        statement: usize,
        /// Name of the claim.
        claim: String,
    },
}

/// A condition and its result on a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionResult {
    /// Number of the statement, from 1.
    pub statement: usize,
    /// Whether the condition is true.
    pub holds: bool,
    /// Claim, operator and value of the condition.
    pub expected: String,
    /// The token's claim as JSON, or `absent`.
    pub actual: String,
}

impl Statements {
    /// Checks and compiles the statements of a role. `issuer` is that of the role's provider.
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

    /// Returns warnings of likely mistakes. `claims_supported` is the list of the provider's discovery document, if it
    /// has one.
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
                .push("a statement allows after one that denies; the last statement that matches decides".to_owned());
        }
        warnings
    }

    /// Evaluates the statements on a token's claims and returns the number of the statement that allows the token. The
    /// caller has checked the token's issuer.
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

    /// Returns the audiences in the `string_equals` conditions of a statement, which is numbered from 1.
    pub fn audiences(&self, statement: usize) -> impl Iterator<Item = &str> {
        let conditions =
            self.0.iter().skip(statement.saturating_sub(1)).take(1).flat_map(|statement| &statement.conditions);
        conditions.filter_map(|condition| match &condition.operator {
            Operator::Equals(value) if condition.spec.claim == "aud" => Some(value.as_str()),
            _ => None,
        })
    }

    /// Returns the audiences in the `string_equals` conditions of all statements.
    pub fn every_audience(&self) -> impl Iterator<Item = &str> {
        (1..=self.0.len()).flat_map(|statement| self.audiences(statement))
    }

    /// Returns every condition with its result on a token's claims.
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

/// A pattern was compared with a value that is not a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NotText;

impl Condition {
    fn holds(&self, claims: &Map<String, Value>) -> Result<bool, NotText> {
        let text = match claims.get(&self.spec.claim) {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => return Ok(false),
            // RubyGems' server answers 500 here; this one denies the token.
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
            return invalid("operator", format!("must be {}", OperatorName::VARIANTS.join(", ")));
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

/// Compiles a pattern with Ruby's meaning: `^` and `$` match at every line, and the pattern is searched for. Of Ruby's
/// groups that begin with `(?` only `(?:` is accepted, since the others differ.
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

/// Whether the pattern matches whole texts or whole lines only. An alternative outside a group escapes the anchors.
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
