//! What a CI server or a worker says of one step. Never comes from the job itself.

use serde::Deserialize;

use super::registration::{audience_patterns, optional};
use super::text;
use super::{AudiencePattern, Build, BuildStep, Image};
use crate::base::{FieldError, Seconds};

/// The body that makes a step's request token, and the `step` of a direct token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRequest {
    step: String,
    image: Option<String>,
    request: Option<String>,
    commands: Option<bool>,
    environment: Option<String>,
    audiences: Option<Vec<String>>,
    lifetime: Option<String>,
    max_uses: Option<u64>,
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedStep {
    /// What it adds to the claims.
    pub step: BuildStep,
    /// Audiences that it allows; `None` says nothing, an empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// How long its request token lives; `None` as long as the build.
    pub lifetime: Option<Seconds>,
    /// How many ID tokens it may fetch.
    pub max_uses: Option<u64>,
}

impl StepRequest {
    /// Checks every value. An environment is dropped for untrusted builds and pull refs, as on a registration.
    ///
    /// # Errors
    /// [`FieldError`].
    pub fn check(self, build: &Build, may_set_environment: bool) -> Result<CheckedStep, FieldError> {
        text::text("step", &self.step)?;
        if self.step.is_empty() {
            return Err(FieldError::new("step", "must not be empty"));
        }
        let environment = optional("environment", self.environment, text::text)?;
        if environment.is_some() && !may_set_environment {
            return Err(FieldError::new("environment", "is for clients; a worker token can't set it"));
        }
        let image = self.image.filter(|image| !image.is_empty()).map(Image::try_from).transpose();
        let image = image.map_err(|problem| FieldError::new("image", problem))?;
        let lifetime = self.lifetime.map(|text| text.parse::<Seconds>()).transpose();
        let lifetime = lifetime.map_err(|problem| FieldError::new("lifetime", problem))?;
        if lifetime == Some(Seconds::ZERO) {
            return Err(FieldError::new("lifetime", "must be at least 1s"));
        }
        if self.max_uses.is_some_and(|uses| uses == 0 || uses > u64::from(u32::MAX)) {
            return Err(FieldError::new("max_uses", "must be from 1 to 4294967295"));
        }
        let step = BuildStep {
            step: self.step,
            image,
            request: optional("request", self.request, text::text)?,
            commands: self.commands,
            environment: environment.filter(|_| build.is_vouched()),
        };
        let audiences = audience_patterns(self.audiences)?;
        Ok(CheckedStep { step, audiences, lifetime, max_uses: self.max_uses })
    }
}
