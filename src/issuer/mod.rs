//! The issuer: registers builds, issues request tokens, signs ID tokens, and publishes the discovery document and key
//! set.

mod authentication;
mod documents;
mod draft;
mod environment;
mod issuance;
mod issued;
#[expect(clippy::module_inception, reason = "the issuer is what the floor is named for")]
mod issuer;
mod lookup;
mod parts;
mod paths;
mod pulse;
mod rates;
mod readiness;
mod refusal;
mod registration;
mod settings;
mod step_tokens;
mod token_request;
mod token_verifier;

pub(crate) use self::authentication::{ClientCredential, TokenCaller};
pub(crate) use self::documents::{Document, Documents};
pub(crate) use self::issued::{Issued, IssuedToken, Preview};
pub use self::issuer::Issuer;
pub(crate) use self::parts::IssuerParts;
pub(crate) use self::paths::Paths;
pub(crate) use self::pulse::PULSE_INTERVAL;
pub(crate) use self::rates::Rates;
pub(crate) use self::readiness::Readiness;
pub(crate) use self::refusal::{IssueError, IssueRefusal, NotIssued, Quota};
pub(crate) use self::settings::IssuerSettings;
pub(crate) use self::token_request::{DirectRequest, PullPath, TokenRequest};
pub(crate) use self::token_verifier::TokenVerifier;
