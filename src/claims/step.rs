//! A CI server's or worker's description of one step of a build. The job itself never describes a step.

use serde::Deserialize;

use super::audience::AudiencePattern;
use super::build::{Build, BuildStep};
use super::image::Image;
use super::registration::{audience_patterns, optional};
use super::text;
use crate::base::{FieldError, Seconds};

/// JSON body of the request that creates a step's request token. Also the member `step` of a request in which a CI
/// server itself asks for an ID token.
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

/// The result of checking the description of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedStep {
    /// The step, as the step's tokens describe it.
    pub step: BuildStep,
    /// Patterns of the audiences that the step's tokens may have. `None` sets no limit, an empty list allows no
    /// audience.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Lifetime of the step's request token; `None` means until the build expires.
    pub lifetime: Option<Seconds>,
    /// Maximum number of ID tokens that the step's request token may fetch; `None` sets no limit.
    pub max_uses: Option<u64>,
}

impl StepRequest {
    /// Checks every value of the description. Drops the environment if the build is untrusted or not on a branch or
    /// tag.
    ///
    /// # Errors
    /// [`FieldError`] names the first invalid field.
    pub fn check(self, build: &Build, may_set_environment: bool) -> Result<CheckedStep, FieldError> {
        text::text("step", &self.step)?;
        if self.step.is_empty() {
            return Err(FieldError::new("step", "must not be empty"));
        }
        let environment = optional("environment", self.environment, text::text)?;
        if environment.is_some() && !may_set_environment {
            return Err(FieldError::new("environment", "cannot be set by a worker token; only a client may set it"));
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
