//! The only place that maps refusals and errors to status, public text and log level. Every public text is written here
//! by hand; the cause of an error must reach only the log.

mod code;
mod problem;
mod texts;

pub use self::code::Code;
pub(in crate::http) use self::problem::{NO_SUCH_OBJECT, NO_SUCH_PATH, Noted, Problem};
