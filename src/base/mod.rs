//! Plain values that every module may use, such as times, ids and secrets. This module imports nothing from the rest of
//! the crate.

mod clock;
mod entropy;
mod field;
mod file_problem;
mod ids;
mod issuer_url;
mod moment;
#[cfg(feature = "server")]
mod rate;
#[cfg(feature = "server")]
mod release;
mod secret;

pub use self::clock::{Clock, SystemClock};
pub use self::entropy::{Entropy, EntropyError, SystemEntropy};
pub use self::field::FieldError;
pub(crate) use self::field::ParseProblem;
pub(crate) use self::file_problem::file_cause;
#[cfg(feature = "server")]
pub(crate) use self::file_problem::file_problem;
pub use self::ids::{
    BuildId, ClientId, CredentialId, EntitlementId, EventId, IdTokenId, IssuerId, Jti, RequestId, RequestTokenId,
    ServerId,
};
pub use self::issuer_url::IssuerUrl;
pub use self::moment::{Moment, Seconds, optional_seconds};
#[cfg(feature = "server")]
pub use self::rate::Rate;
#[cfg(feature = "server")]
pub use self::release::RELEASED;
pub(crate) use self::secret::secret_text;
pub use self::secret::{Secret, Sha256};
