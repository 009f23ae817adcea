//! Reads secret arguments. A secret may be given in a file or on standard input instead, where other processes cannot
//! see the secret. An error text never repeats an argument, which may be a secret.

use std::fs::File;
use std::io::{self, Read};

use super::failure::Failure;
use crate::exchange::KEY_PREFIX;
use crate::jose;

/// Returns the token in `argument`, or reads the token from standard input if `argument` is `-`. Reads at most twice
/// the maximum length of a token.
pub(super) fn token(argument: &str) -> Result<String, Failure> {
    if argument == "-" { Ok(read(io::stdin().lock())?) } else { Ok(argument.trim().to_owned()) }
}

/// Like [`token`], but an argument that has no form of a token names a file with the token.
pub(super) fn token_or_file(argument: &str) -> Result<String, Failure> {
    if argument == "-" || has_form_of_token(argument.trim()) {
        return token(argument);
    }
    File::open(argument).and_then(read).map_err(|error| {
        Failure::unreachable(format!("the token is neither a JWT, nor -, nor the name of a readable file: {error}"))
    })
}

/// Whether `text` is written like a JWT or an API key. A file with such a name is given as `./NAME`.
fn has_form_of_token(text: &str) -> bool {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte);
    text.starts_with(KEY_PREFIX) || text.matches('.').count() >= 2 && text.bytes().all(in_token)
}

/// Reads a token, without the line end at the end of a file.
fn read(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(2 * jose::LONGEST_TOKEN as u64).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}
