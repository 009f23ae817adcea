//! Conditions in CEL, the Common Expression Language, held within bounds that are proven when they are loaded.
//! No other module knows the crate behind it, and no text from here repeats a value that a rule looked at.
//!
//! The crate has no limit of its own: a deep expression ends the process, nested loops run for minutes, and a
//! misspelt name is noticed only when a token is asked for. So a condition is measured before it is parsed
//! (`scan`), its tree is measured and its names are looked up before it is evaluated (`shape`), and it is tried on an
//! example of what it will meet (`trial`).

mod error;
mod facts;
mod program;
mod scan;
mod shape;
mod tree;
mod trial;

pub use self::error::{CelError, CelFailure};
pub use self::facts::{Fact, Facts, Names};
pub use self::program::Program;
