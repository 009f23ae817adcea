//! The act of issuing: registering builds, issuing request tokens, signing ID tokens, publishing documents.

mod asked;
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
mod rates;
mod readiness;
mod refusal;
mod registration;
mod settings;
mod step_tokens;
mod token_verifier;

pub use self::asked::{DirectRequest, PullPath, TokenRequest};
pub use self::authentication::{ClientCredential, TokenCaller};
pub use self::documents::{Document, Documents};
pub use self::environment::JobEnvironment;
pub use self::issued::{Issued, IssuedToken, Preview};
pub use self::issuer::Issuer;
pub use self::parts::IssuerParts;
pub use self::paths::Paths;
pub use self::rates::Rates;
pub use self::readiness::Readiness;
pub use self::refusal::{IssueError, IssueRefusal, NotIssued, Quota};
pub use self::registration::Registration;
pub use self::settings::IssuerSettings;
pub use self::step_tokens::StepToken;
pub use self::token_verifier::TokenVerifier;
