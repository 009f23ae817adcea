//! Checks of fields that several kinds of entitlements share.

use crate::base::{FieldError, Seconds};

/// Checks a lifetime against its bounds, both inclusive.
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

/// Checks a name that is typed on command lines and used in paths.
pub(in crate::exchange) fn plain_name(field: &str, text: &str) -> Result<(), FieldError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) && text != "." && text != ".." {
        return Ok(());
    }
    Err(FieldError::new(field, "must be 1 to 64 letters, digits, dots, hyphens and underscores"))
}

/// Checks the name of one gem as rubygems.org does; patterns are refused.
pub(super) fn gem_name(field: &str, text: &str) -> Result<(), FieldError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if text.len() <= 255 && text.chars().all(plain) && text.chars().any(|character| character.is_ascii_alphabetic()) {
        return Ok(());
    }
    Err(FieldError::new(
        field,
        format!("{text:?} is not a gem's name: letters, digits, dots, hyphens and underscores, at least one letter"),
    ))
}

/// Checks text of one line.
pub(super) fn line(field: &str, text: &str, longest: usize) -> Result<(), FieldError> {
    if !text.trim().is_empty() && text.len() <= longest && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(FieldError::new(field, format!("must be text of 1 to {longest} bytes on one line")))
}

/// Checks scopes (RFC 6749 §3.3): well-formed, unique, at most 64.
pub(super) fn scopes(field: &str, scopes: &[String]) -> Result<(), FieldError> {
    let token = |text: &String| {
        !text.is_empty()
            && text.len() <= 128
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    if let Some(wrong) = scopes.iter().find(|scope| !token(scope)) {
        return Err(FieldError::new(field, format!("{wrong:?} is not a scope: printable characters except \" and \\")));
    }
    if scopes.iter().enumerate().any(|(at, scope)| scopes.iter().take(at).any(|other| other == scope)) {
        return Err(FieldError::new(field, "must be unique"));
    }
    if scopes.len() > 64 {
        return Err(FieldError::new(field, "must hold at most 64 scopes"));
    }
    Ok(())
}

/// Checks globs of package names. Absent globs cover every package, as `*` does.
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
