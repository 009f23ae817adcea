//! The claims of the tokens that this issuer signs, and the registrations of the builds. This module has no clock, no
//! store and no HTTP.

mod audience;
mod build;
mod event;
mod extra;
mod fields;
mod glob;
mod image;
mod presets;
mod registration;
mod step;
mod subject;
mod subject_template;
mod template;
mod text;
mod token;
mod trust;

pub use self::audience::{AudienceError, AudiencePattern, Audiences};
pub use self::build::{Build, BuildStep};
pub use self::event::Event;
pub use self::extra::ExtraClaims;
pub(crate) use self::fields::{FieldSource, FieldValue, condition_variables};
pub(crate) use self::glob::glob_covers;
pub use self::image::Image;
pub use self::presets::{Preset, Presets};
pub use self::registration::{CheckedRegistration, Registration, RegistrationError, RegistrationRules};
pub use self::step::{CheckedStep, StepRequest};
pub use self::subject::{Subject, SubjectFormat, SubjectUnavailable};
pub use self::subject_template::SubjectTemplate;
pub(crate) use self::text::fold_name;
pub use self::token::{IdToken, MAX_TOKEN_BYTES, Window, claims_supported, largest_claims};
