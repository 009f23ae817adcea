//! The only map from a refusal or a fault to status, public text and log level. Every text is written here by hand;
//! causes are for the log alone.

mod code;
mod problem;
mod texts;

pub use self::code::Code;
pub(in crate::http) use self::problem::{Noted, Problem};
