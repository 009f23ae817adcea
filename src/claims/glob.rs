//! Patterns in which `*` matches any number of characters within one segment. A `*` never matches a delimiter of names.

/// Characters that `*` never matches.
const DELIMITERS: &[u8] = b"/:@?#";

/// Returns whether the pattern matches the whole text.
///
/// The match takes at most as many steps as the product of the lengths of the pattern and the text. Backtracking to the
/// last `*` alone is enough: no `*` matches a delimiter, so the last `*` reaches every text that a longer match of an
/// earlier `*` could reach.
pub(crate) fn glob_covers(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), text.get(read)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                last_star = Some((at + 1, read));
                at += 1;
            }
            (Some(wanted), Some(byte)) if wanted == byte => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((after, matched)) = last_star else { return false };
                if text.get(matched).is_none_or(|byte| DELIMITERS.contains(byte)) {
                    return false;
                }
                last_star = Some((after, matched + 1));
                (at, read) = (after, matched + 1);
            }
        }
    }
}
