//! The only map from a refusal or an error to status, public text and log level. Every public text is written here by
//! hand; causes are for the log alone.

mod code;
mod problem;
mod texts;

pub use self::code::Code;
pub(in crate::http) use self::problem::{NO_SUCH_PATH, NOT_FOUND, Noted, Problem};
