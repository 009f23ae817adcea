//! Explanation of a verification: each check with the expected and the actual value. For operators; recorded only on
//! request.

use std::fmt;

use serde::Serialize;

use super::{Check, TokenRefusal};

/// One check of a verification, with its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplanationStep {
    /// Check that was made.
    pub check: Check,
    /// Whether the check passed.
    pub passed: bool,
    /// Value that passes the check.
    pub expected: String,
    /// Value that was found.
    pub actual: String,
}

/// Steps of one verification, in order. The last step decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Explanation {
    /// Checks in the order in which they were made.
    pub steps: Vec<ExplanationStep>,
}

impl Explanation {
    /// Returns whether the last step passed. An explanation without steps accepts nothing.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.steps.last().is_some_and(|step| step.passed)
    }

    /// Adds a step. A policy adds the parts of its rules, which may fail, and at the end its decision.
    pub fn step(&mut self, check: Check, passed: bool, expected: String, actual: String) {
        self.steps.push(ExplanationStep { check, passed, expected, actual });
    }

    /// Adds the failed step of a refusal.
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

/// Recorder of the steps of a verification. A silent trail records none.
#[derive(Debug)]
pub struct Trail {
    explanation: Option<Explanation>,
    signed_for: Option<String>,
}

impl Trail {
    /// Creates a trail that records no steps.
    #[must_use]
    pub const fn silent() -> Self {
        Self { explanation: None, signed_for: None }
    }

    /// Creates a trail that records every step.
    #[must_use]
    pub const fn recording() -> Self {
        Self { explanation: Some(Explanation { steps: Vec::new() }), signed_for: None }
    }

    /// Returns whether the trail records no steps.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.explanation.is_none()
    }

    /// Records, on silent trails too, that the credential is authentic: signed by a key of this provider, or issued for a
    /// token that was.
    pub fn found_good(&mut self, provider: &str) {
        self.signed_for = Some(provider.to_owned());
    }

    /// Returns the provider that the credential is known to come from; `None` if anybody could have made it up.
    #[must_use]
    pub fn signed_for(&self) -> Option<&str> {
        self.signed_for.as_deref()
    }

    /// Records a passed step. `texts` (expected, actual) is called only on a recording trail.
    pub fn passed(&mut self, check: Check, texts: impl FnOnce() -> (String, String)) {
        if let Some(explanation) = &mut self.explanation {
            let (expected, actual) = texts();
            explanation.step(check, true, expected, actual);
        }
    }

    /// Records the steps of a nested verification.
    pub fn within(&mut self, steps: Explanation) {
        if let Some(explanation) = &mut self.explanation {
            explanation.steps.extend(steps.steps);
        }
    }

    /// Records a failed step. `texts` (expected, actual) is called only on a recording trail.
    pub fn failed(&mut self, check: Check, texts: impl FnOnce() -> (String, String)) {
        if let Some(explanation) = &mut self.explanation {
            let (expected, actual) = texts();
            explanation.step(check, false, expected, actual);
        }
    }

    /// Returns the recorded steps; a silent trail has none.
    #[must_use]
    pub fn finish(self) -> Explanation {
        self.explanation.unwrap_or_default()
    }
}
