//! Arguments that may be given on standard input instead, where other processes cannot see them.

use std::io::Read as _;

use super::failure::Failure;
use crate::jose;

/// Returns the token in `argument`, or reads it from standard input if that is `-`. Reads at most twice the maximum length.
pub(super) fn token(argument: &str) -> Result<String, Failure> {
    let mut token = argument.to_owned();
    if token == "-" {
        token.clear();
        std::io::stdin().lock().take(2 * jose::LONGEST_TOKEN as u64).read_to_string(&mut token)?;
    }
    Ok(token.trim().to_owned())
}
