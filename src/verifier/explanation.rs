//! Explains the verification of a token: each check with the expected and the actual value. An explanation is for
//! operators, and is recorded only on request.

use std::fmt;

use serde::Serialize;

use super::{Check, TokenRefusal};

/// One check of a token's verification, with the check's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplanationStep {
    /// Check that this step describes.
    pub check: Check,
    /// Whether the check passed.
    pub passed: bool,
    /// Value that would pass the check.
    pub expected: String,
    /// Value that the check found in the token.
    pub actual: String,
}

/// The steps of one token's verification, in order. The last step decides whether the token is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Explanation {
    /// Steps of the verification, in the order of the checks.
    pub steps: Vec<ExplanationStep>,
}

impl Explanation {
    /// Returns whether the last step passed, so that the token is accepted. False for an explanation without steps.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.steps.last().is_some_and(|step| step.passed)
    }

    /// Adds a check with its result. A policy adds a step for each part of its rules, and then a step for its decision.
    /// Only the last step decides whether the token is accepted.
    pub fn step(&mut self, check: Check, passed: bool, expected: String, actual: String) {
        self.steps.push(ExplanationStep { check, passed, expected, actual });
    }

    /// Adds a failed step with the check and the values of `refusal`.
    pub fn refused(&mut self, refusal: &TokenRefusal) {
        self.step(refusal.check(), false, refusal.expected(), refusal.actual());
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            let mark = if step.passed { "passed" } else { "FAILED" };
            writeln!(f, "{mark}  {}: expected {}, found {}", step.check, step.expected, step.actual)?;
        }
        Ok(())
    }
}

/// Recorder of the checks that explain a decision on a token. A silent recorder keeps no checks.
#[derive(Debug)]
pub struct Trail {
    explanation: Option<Explanation>,
    signed_for: Option<String>,
}

impl Trail {
    /// Creates a recorder that keeps no checks, for a decision that nobody asked to explain.
    #[must_use]
    pub const fn silent() -> Self {
        Self { explanation: None, signed_for: None }
    }

    /// Creates a recorder that keeps every check with the expected and the actual value.
    #[must_use]
    pub const fn recording() -> Self {
        Self { explanation: Some(Explanation { steps: Vec::new() }), signed_for: None }
    }

    /// Returns whether this recorder keeps no checks.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.explanation.is_none()
    }

    /// Records that the presented token or API key is authentic: `provider` signed the token, or signed the token that
    /// was exchanged for the API key. A silent recorder records this too.
    pub fn found_good(&mut self, provider: &str) {
        self.signed_for = Some(provider.to_owned());
    }

    /// Returns the name of the provider that signed the presented token, or that signed the token that was exchanged
    /// for the presented API key. Returns `None` if the token or API key may be forged.
    #[must_use]
    pub fn signed_for(&self) -> Option<&str> {
        self.signed_for.as_deref()
    }

    /// Records a passed check. `texts` returns the expected and the actual value; a silent recorder does not call it.
    pub fn passed(&mut self, check: Check, texts: impl FnOnce() -> (String, String)) {
        if let Some(explanation) = &mut self.explanation {
            let (expected, actual) = texts();
            explanation.step(check, true, expected, actual);
        }
    }

    /// Adds the steps of a verification that is one part of the explained decision.
    pub fn within(&mut self, steps: Explanation) {
        if let Some(explanation) = &mut self.explanation {
            explanation.steps.extend(steps.steps);
        }
    }

    /// Records a failed check. `texts` returns the expected and the actual value; a silent recorder does not call it.
    pub fn failed(&mut self, check: Check, texts: impl FnOnce() -> (String, String)) {
        if let Some(explanation) = &mut self.explanation {
            let (expected, actual) = texts();
            explanation.step(check, false, expected, actual);
        }
    }

    /// Returns the recorded checks; none if the recorder is silent.
    #[must_use]
    pub fn finish(self) -> Explanation {
        self.explanation.unwrap_or_default()
    }
}
