//! What is given to a command as an argument, or on standard input where other processes can't see it.

use std::io::Read as _;

use super::failure::Failure;
use crate::jose;

/// A token: the argument, or what stands on standard input where it is `-`. Reads no more than a token may have.
pub(super) fn token(argument: &str) -> Result<String, Failure> {
    let mut token = argument.to_owned();
    if token == "-" {
        token.clear();
        std::io::stdin().lock().take(2 * jose::LONGEST_TOKEN as u64).read_to_string(&mut token)?;
    }
    Ok(token.trim().to_owned())
}
