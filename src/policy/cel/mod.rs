//! Conditions in CEL, the Common Expression Language, within limits that are checked when a condition is compiled.
//! No other module may use the `cel` crate, and no error text repeats a value that a condition read.
//!
//! The `cel` crate has no limits of its own: a deep expression overflows the stack, nested loops run for minutes, and a
//! misspelt variable fails only when a token is requested. So `scan` measures a condition's text before the text is
//! parsed, `shape` measures the parsed tree and looks up the variables before the tree is evaluated, and `trial`
//! evaluates the condition on an example.

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
