//! Checks of fields that occur in several kinds of entitlements, such as lifetimes and scopes.

use crate::base::{FieldError, Seconds};

/// Returns the requested lifetime, or the default, if the lifetime is from `least` to `most`, both inclusive.
pub(super) fn lifetime(
    field: &str,
    asked: Option<Seconds>,
    default: Seconds,
    (least, most): (Seconds, Seconds),
) -> Result<Seconds, FieldError> {
    match asked.unwrap_or(default) {
        length if length < least || length > most => {
            Err(FieldError::new(field, format!("must be from {least} to {most}, not {length}")))
        }
        length => Ok(length),
    }
}

/// Checks a name that operators type on command lines and that URL paths contain.
pub(in crate::exchange) fn plain_name(field: &str, text: &str) -> Result<(), FieldError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) && text != "." && text != ".." {
        return Ok(());
    }
    Err(FieldError::new(field, "must be 1 to 64 letters, digits, dots, hyphens and underscores"))
}

/// Checks the name of one gem by the rules of rubygems.org. Patterns such as `acme-*` are refused.
pub(super) fn gem_name(field: &str, text: &str) -> Result<(), FieldError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if text.len() <= 255 && text.chars().all(plain) && text.chars().any(|character| character.is_ascii_alphabetic()) {
        return Ok(());
    }
    Err(FieldError::new(
        field,
        format!("{text:?} is not a gem's name: it needs a letter, and may have digits, dots, hyphens and underscores"),
    ))
}

/// Checks that a text is on one line, not blank, and not over `longest` bytes.
pub(super) fn line(field: &str, text: &str, longest: usize) -> Result<(), FieldError> {
    if !text.trim().is_empty() && text.len() <= longest && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(FieldError::new(field, format!("must be text of 1 to {longest} bytes on one line")))
}

/// Checks that scopes are well-formed (RFC 6749 §3.3) and unique, and that there are at most 64 scopes.
pub(super) fn scopes(field: &str, scopes: &[String]) -> Result<(), FieldError> {
    let token = |text: &String| {
        !text.is_empty()
            && text.len() <= 128
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    if let Some(wrong) = scopes.iter().find(|scope| !token(scope)) {
        return Err(FieldError::new(
            field,
            format!("{wrong:?} is not a scope: it must be 1 to 128 printable ASCII characters, but no space, \" or \\"),
        ));
    }
    if scopes.iter().enumerate().any(|(at, scope)| scopes.iter().take(at).any(|other| other == scope)) {
        return Err(FieldError::new(field, "must not list a scope twice"));
    }
    if scopes.len() > 64 {
        return Err(FieldError::new(field, "must hold at most 64 scopes"));
    }
    Ok(())
}

/// Checks globs of package names, and returns the globs. If `globs` is `None`, returns `*`, which covers every package.
pub(super) fn packages(field: &str, globs: Option<Vec<String>>) -> Result<Vec<String>, FieldError> {
    let globs = globs.unwrap_or_else(|| vec!["*".to_owned()]);
    if globs.is_empty() {
        return Err(FieldError::new(field, "must hold at least one glob; leave the field out to cover every package"));
    }
    for glob in &globs {
        line(field, glob, 255)?;
    }
    if globs.len() > 64 {
        return Err(FieldError::new(field, "must hold at most 64 globs"));
    }
    Ok(globs)
}
