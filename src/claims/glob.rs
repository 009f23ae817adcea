//! Patterns in which `*` stands for any run of characters within one segment. A segment ends where names end.

/// What `*` never crosses.
const DELIMITERS: &[u8] = b"/:@?#";

/// Does the pattern cover the whole text?
///
/// Never more steps than the product of both lengths. Going back to the last `*` alone is enough: whatever a longer run
/// of an earlier one could reach, the last one reaches too, since neither crosses a delimiter.
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
                let Some((after, taken)) = last_star else { return false };
                if text.get(taken).is_none_or(|byte| DELIMITERS.contains(byte)) {
                    return false;
                }
                last_star = Some((after, taken + 1));
                (at, read) = (after, taken + 1);
            }
        }
    }
}
