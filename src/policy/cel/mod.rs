//! Conditions in CEL, the Common Expression Language, within limits that are checked when a condition is compiled.
//! No other module uses the `cel` crate, and no error text repeats a value that a condition read.
//!
//! The crate has no limits of its own: a deep expression overflows the stack, nested loops run for minutes, and a
//! misspelt variable fails only when a token is requested. So the text is measured before it is parsed (`scan`), the
//! tree is measured and its variables are looked up before it is evaluated (`shape`), and the condition is evaluated on
//! an example (`trial`).

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
