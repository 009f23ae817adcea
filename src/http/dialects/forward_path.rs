//! Decoding of the path that forward authentication evaluates. A path that two servers could read differently must be
//! refused.

use percent_encoding::percent_decode_str;

/// Decodes the path of a request target once, without the query. Returns `None` if two servers could read the path
/// differently: dot or empty segments, an encoded slash, a backslash, a semicolon (some servers ignore the rest of the
/// segment), a control character, invalid UTF-8 or a fragment. The path may end in a slash. The only encoded slash that
/// is accepted is npm's `/@scope%2fname`, which is read as two segments, as npm registries do.
pub(crate) fn decoded(target: &str) -> Option<String> {
    if target.contains('#') {
        return None;
    }
    let path = target.split('?').next()?;
    let rest = path.strip_prefix('/')?;
    let mut decoded = String::with_capacity(path.len());
    let segments: Vec<&str> = rest.split('/').flat_map(scope_and_name).collect();
    let last = segments.len().saturating_sub(1);
    for (at, segment) in segments.into_iter().enumerate() {
        decoded.push('/');
        if segment.is_empty() && at == last {
            break;
        }
        let text = percent_decode_str(segment).decode_utf8().ok()?;
        let odd = |c: char| matches!(c, '/' | '\\' | ';') || c.is_control();
        if matches!(text.as_ref(), "" | "." | "..") || text.chars().any(odd) || !has_whole_escapes(segment) {
            return None;
        }
        decoded.push_str(&text);
    }
    Some(decoded)
}

/// Splits npm's `@scope%2fname` at the encoded slash; all other segments stay whole.
fn scope_and_name(segment: &str) -> impl Iterator<Item = &str> {
    let parts = ["%2f", "%2F"].into_iter().find_map(|slash| segment.split_once(slash));
    let (first, second) = match parts.filter(|_| segment.starts_with('@')) {
        Some((scope, name)) if !name.is_empty() => (scope, Some(name)),
        _ => (segment, None),
    };
    std::iter::once(first).chain(second)
}

/// Whether every `%` of the segment begins an escape of two hexadecimal digits.
fn has_whole_escapes(segment: &str) -> bool {
    segment
        .split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_two_servers_could_read_differently_is_no_path() {
        assert_eq!(decoded("/a/b%20c?x=/../y").as_deref(), Some("/a/b c"));
        assert_eq!(decoded("/legacy/").as_deref(), Some("/legacy/"));
        assert_eq!(decoded("/").as_deref(), Some("/"));
        assert_eq!(decoded("/a%252fb").as_deref(), Some("/a%2fb"), "decoded once");
        for scoped in ["/npm/@acme%2fapp", "/npm/@acme%2Fapp"] {
            assert_eq!(decoded(scoped).as_deref(), Some("/npm/@acme/app"), "as npm writes it");
        }
        for odd in [
            "",
            "a",
            "//",
            "/a//b",
            "/./a",
            "/a/..",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0ab",
            "/%ff",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a/..;/b",
            "/a;v=1/b",
            "/@acme%2f..",
            "/@acme%2f%2e%2e/other",
            "/@acme%2fapp%2fx",
            "/@acme%2f",
            "/@%2e%2e%2fapp%2f",
            "/acme%2f@app",
            "/a/%3b/b",
            "/a#/../b",
            "/a?x#y",
            "http://host/a",
        ] {
            assert_eq!(decoded(odd), None, "{odd}");
        }
    }
}
