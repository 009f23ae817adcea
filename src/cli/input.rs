//! Reads secret arguments. A secret may be given on standard input instead, where other processes cannot see the
//! secret.

use std::io::Read as _;

use super::failure::Failure;
use crate::jose;

/// Returns the token in `argument`, or reads the token from standard input if `argument` is `-`. Reads at most twice
/// the maximum length of a token.
pub(super) fn token(argument: &str) -> Result<String, Failure> {
    let mut token = argument.to_owned();
    if token == "-" {
        token.clear();
        std::io::stdin().lock().take(2 * jose::LONGEST_TOKEN as u64).read_to_string(&mut token)?;
    }
    Ok(token.trim().to_owned())
}
