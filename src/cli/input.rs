//! Reads secret arguments. A secret may be given in a file or on standard input instead, where other processes cannot
//! see the secret. An error text never repeats an argument that may be a secret.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::failure::Failure;
use crate::base::{Secret, file_cause, secret_text};
use crate::exchange::KEY_PREFIX;
use crate::jose;

/// Maximum length of a file name that an error text may repeat. A longer argument may be a secret.
const MAX_FILE_NAME: usize = 40;

/// Returns the token in `argument`, or reads the token from standard input if `argument` is `-`. Reads at most twice
/// the maximum length of a token.
pub(super) fn token(argument: &str) -> Result<String, Failure> {
    if argument == "-" { Ok(read(io::stdin().lock())?) } else { Ok(secret_text(argument).to_owned()) }
}

/// Like [`token`], but takes an argument that does not look like a token as the name of a file with the token.
pub(super) fn token_or_file(argument: &str) -> Result<String, Failure> {
    if argument == "-" || has_form_of_token(secret_text(argument)) {
        return token(argument);
    }
    File::open(argument).and_then(read).map_err(|error| {
        let file = if may_be_secret(argument) { "a token" } else { argument };
        let cause = file_cause(Path::new(argument), &error);
        Failure::unreachable(format!("{file}: neither a JWT, nor -, nor the name of a readable file: {cause}"))
    })
}

/// Reads the secret in a file, or from standard input if the path is `-`. A secret may be as long as a token.
pub(super) fn secret_file(file: &Path) -> Result<Secret<String>, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Secret::new(read(io::stdin().lock())?));
    }
    let secret = File::open(file).and_then(read).map(Secret::new);
    secret.map_err(|error| {
        let cause = file_cause(file, &error);
        Failure::unreachable(format!("{}: could not read the file: {cause}", file.display()))
    })
}

/// Whether `text` looks like a JWT or an API key. A file with such a name must be given as `./NAME`.
fn has_form_of_token(text: &str) -> bool {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte);
    text.starts_with(KEY_PREFIX) || text.matches('.').count() >= 2 && text.bytes().all(in_token)
}

/// Whether `text` may be a damaged token or another secret of this server rather than the name of a file.
fn may_be_secret(text: &str) -> bool {
    let is_path = text.starts_with(['/', '.']);
    let is_ours = text.starts_with("bp") && text.get(3..4) == Some("_");
    text.starts_with("eyJ") || is_ours || text.contains(char::is_control) || !is_path && text.len() > MAX_FILE_NAME
}

/// Reads a token, without the line end at the end of a file.
fn read(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(2 * jose::LONGEST_TOKEN as u64).read_to_string(&mut text)?;
    Ok(secret_text(&text).to_owned())
}
