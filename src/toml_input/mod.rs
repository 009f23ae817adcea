//! TOML that operators write: values with their lines, and every fault of a table in one run. Never repeats a value,
//! which may be a secret, and knows neither the configuration nor the rules file.

mod deserializer;
mod fault;
mod tolerant;
mod value;

pub(crate) use self::deserializer::read;
pub(crate) use self::fault::{Fault, Faults, PathStep};
pub(crate) use self::tolerant::{TableRead, read_with_every_fault};
pub(crate) use self::value::{Located, Value, parse, parse_value};
