//! Each step of a judgement with what was expected and what was there. For operators and those whom they tell; made
//! only where somebody asks.

use std::fmt;

use serde::Serialize;

use super::{Check, TokenRefusal};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplanationStep {
    /// Which check.
    pub check: Check,
    /// Did it pass?
    pub passed: bool,
    /// What would pass.
    pub expected: String,
    /// What was there.
    pub actual: String,
}

/// The steps of one judgement, in their order; the last decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Explanation {
    /// The steps.
    pub steps: Vec<ExplanationStep>,
}

impl Explanation {
    /// Did the last step pass? Without any there was no judgement.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.steps.last().is_some_and(|step| step.passed)
    }

    /// Adds a step: of a policy, a part of a rule that did not have to hold, and at the end the decision.
    pub fn step(&mut self, check: Check, passed: bool, expected: String, actual: String) {
        self.steps.push(ExplanationStep { check, passed, expected, actual });
    }

    /// Adds the step that failed.
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

/// Where a judgement notes its steps, if anybody wants to read them.
#[derive(Debug)]
pub struct Trail {
    explanation: Option<Explanation>,
    signed_for: Option<String>,
}

impl Trail {
    /// Nobody wants to read them.
    #[must_use]
    pub const fn silent() -> Self {
        Self { explanation: None, signed_for: None }
    }

    /// Somebody wants to read them.
    #[must_use]
    pub const fn recording() -> Self {
        Self { explanation: Some(Explanation { steps: Vec::new() }), signed_for: None }
    }

    /// Does nobody want to read them?
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.explanation.is_none()
    }

    /// Notes, for every reader, that the credential was found to be this provider's: signed by its key, or given for
    /// what was.
    pub fn found_good(&mut self, provider: &str) {
        self.signed_for = Some(provider.to_owned());
    }

    /// The provider whose credential it was found to be; none where a stranger may have made it up.
    #[must_use]
    pub fn signed_for(&self) -> Option<&str> {
        self.signed_for.as_deref()
    }

    /// Notes a step that passed; its texts are made only where they are read.
    pub fn passed(&mut self, check: Check, texts: impl FnOnce() -> (String, String)) {
        if let Some(explanation) = &mut self.explanation {
            let (expected, actual) = texts();
            explanation.step(check, true, expected, actual);
        }
    }

    /// Notes the steps of a judgement within this one.
    pub fn within(&mut self, steps: Explanation) {
        if let Some(explanation) = &mut self.explanation {
            explanation.steps.extend(steps.steps);
        }
    }

    /// Notes the step that failed.
    pub fn failed(&mut self, check: Check, texts: impl FnOnce() -> (String, String)) {
        if let Some(explanation) = &mut self.explanation {
            let (expected, actual) = texts();
            explanation.step(check, false, expected, actual);
        }
    }

    /// The steps; none where nobody wanted to read them.
    #[must_use]
    pub fn finish(self) -> Explanation {
        self.explanation.unwrap_or_default()
    }
}
