//! Checks the texts that become claims. Every error names the field, and none repeats the field's value.

use crate::base::FieldError;

/// Maximum bytes of a name, an id or a ref.
const MAX_NAME_BYTES: usize = 255;

/// Maximum bytes of a text that is not a name, an id or a ref.
const MAX_TEXT_BYTES: usize = 1024;

/// Folds the case of a name. Two names are equal without regard to case if their folded forms are equal.
///
/// Converts to upper case first, because `ſ` and `s`, or `ς` and `σ`, are equal only in upper case.
pub(crate) fn fold_name(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// Checks that a text has one line and at most 1 KiB, and contains no URL with a user name or password.
pub(super) fn text(field: &str, value: &str) -> Result<(), FieldError> {
    bounded(field, value, MAX_TEXT_BYTES)?;
    no_userinfo(field, value)
}

/// Checks a name that may contain `/`: at most 255 bytes, and between slashes no `.`, no `..` and no empty text.
pub(super) fn path_name(field: &str, value: &str) -> Result<(), FieldError> {
    bounded(field, value, MAX_NAME_BYTES)?;
    if value.is_empty() {
        return Err(FieldError::new(field, "must not be empty"));
    }
    for part in value.split('/') {
        match part {
            "" => return Err(FieldError::new(field, "must not begin or end with / or contain //")),
            "." | ".." => return Err(FieldError::new(field, "must not contain . or .. between slashes")),
            part if part.trim() != part => return Err(FieldError::new(field, "must not begin or end with a space")),
            _ => {}
        }
    }
    Ok(())
}

/// Checks a name that must not contain `/`.
pub(super) fn plain_name(field: &str, value: &str) -> Result<(), FieldError> {
    path_name(field, value)?;
    if value.contains('/') {
        return Err(FieldError::new(field, "must not contain /"));
    }
    Ok(())
}

/// Checks an id: it has one line and at most 255 bytes, and no space at the beginning or end.
pub(super) fn id(field: &str, value: &str) -> Result<(), FieldError> {
    bounded(field, value, MAX_NAME_BYTES)?;
    if value.trim() != value {
        return Err(FieldError::new(field, "must not begin or end with a space"));
    }
    Ok(())
}

/// Checks the action of an event: it is a single word, so that `event:action` is unambiguous.
pub(super) fn word(field: &str, value: &str) -> Result<(), FieldError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if value.len() > 64 || !value.bytes().all(is_word) {
        return Err(FieldError::new(field, "must be at most 64 letters, digits, _ and -"));
    }
    Ok(())
}

/// Checks a full ref by git's rules (git-check-ref-format), such as `refs/heads/main`.
pub(super) fn git_ref(field: &str, value: &str) -> Result<(), FieldError> {
    const FORM: &str = "must be a full git ref, such as refs/heads/main or refs/pull/7/head";
    bounded(field, value, MAX_NAME_BYTES)?;
    let rest = value.strip_prefix("refs/").ok_or_else(|| FieldError::new(field, FORM))?;
    let part_is_good =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock") && !part.ends_with('.');
    let is_forbidden = |c: char| c.is_whitespace() || "~^:?*[\\".contains(c);
    let has_two_parts = rest.contains('/');
    if !has_two_parts
        || !rest.split('/').all(part_is_good)
        || value.contains("..")
        || value.contains("@{")
        || value.contains(is_forbidden)
    {
        return Err(FieldError::new(field, FORM));
    }
    Ok(())
}

/// Checks that a commit hash has 40 or 64 hexadecimal digits.
pub(super) fn sha(field: &str, value: &str) -> Result<(), FieldError> {
    if !matches!(value.len(), 40 | 64) || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(FieldError::new(field, "must be 40 or 64 hexadecimal digits"));
    }
    Ok(())
}

/// Checks that a text has one line and at most `most` bytes, and no control characters or bidirectional marks, which
/// make a text look different to a reader than to a program.
pub(super) fn bounded(field: &str, value: &str, most: usize) -> Result<(), FieldError> {
    if value.len() > most {
        return Err(FieldError::new(field, format!("must have at most {most} bytes")));
    }
    if value.chars().any(is_hostile) {
        return Err(FieldError::new(field, "must not contain control characters, line ends or bidirectional marks"));
    }
    Ok(())
}

fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Rejects a value that contains a URL with a user name or password.
pub(super) fn no_userinfo(field: &str, value: &str) -> Result<(), FieldError> {
    for (at, separator) in value.match_indices("://") {
        let rest = value.get(at + separator.len()..).unwrap_or_default();
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(FieldError::new(field, "must not contain a user name or password"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_refused() {
        for name in ["", "/a", "a/", "a//b", "..", "a/../b", ".", "a\nb", "a\u{202e}b", "a\0", " a", "a ", "a\u{2028}"]
        {
            assert!(path_name("org", name).is_err(), "{name:?}");
        }
        assert!(path_name("org", &"a".repeat(256)).is_err());
        assert!(plain_name("repo", "a/b").is_err());
        for name in ["acme", "group/sub", "a:b", "a@b", "a%2f", "ünï", "*"] {
            assert!(path_name("org", name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_ref_that_git_would_refuse_is_refused() {
        for git in [
            "main",
            "refs/",
            "refs/heads",
            "refs/heads/",
            "refs/heads/a..b",
            "refs/heads/.a",
            "refs/heads/a.lock",
            "refs/heads/a b",
            "refs/heads/a:b",
            "refs/heads/a@{1}",
            "refs/heads/a*",
            "refs/heads/a\\b",
            "refs//heads/a",
            "refs/heads/a.",
            "refs/heads/a\n",
        ] {
            assert!(git_ref("ref", git).is_err(), "{git:?}");
        }
        for git in ["refs/heads/main", "refs/heads/a/b", "refs/tags/v1.0", "refs/pull/7/head", "refs/heads/ü"] {
            assert!(git_ref("ref", git).is_ok(), "{git:?}");
        }
    }

    #[test]
    fn a_url_with_a_password_is_refused() {
        assert!(text("workflow_ref", "https://u:p@forge.example/x").is_err());
        assert!(text("workflow_ref", "https://forge.example/x@refs/heads/main").is_ok());
    }
}
