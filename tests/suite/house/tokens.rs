//! Splits Rust source into names, signs and literals, each with its line. Never fails: an unknown character is a sign,
//! and comments and lifetimes are no tokens.

/// Kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Sign,
    Literal,
}

/// Part of the source: a name without `r#`, `::` or another sign, or a literal with its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) line: usize,
}

/// Returns the tokens of a source text.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let (kind, length, skipped) = if first.is_whitespace() {
            (None, first.len_utf8(), 0)
        } else if rest.starts_with("//") {
            (None, rest.find('\n').unwrap_or(rest.len()), 0)
        } else if rest.starts_with("/*") {
            (None, block_comment(rest), 0)
        } else if let Some(length) = literal(rest) {
            (Some(Kind::Literal), length, 0)
        } else if first == '\'' {
            (None, 1 + word(&rest[1..]), 0)
        } else if rest.starts_with("r#") && rest[2..].starts_with(starts_name) {
            (Some(Kind::Name), 2 + word(&rest[2..]), 2)
        } else if starts_name(first) {
            (Some(Kind::Name), word(rest), 0)
        } else if first.is_alphanumeric() {
            (Some(Kind::Literal), word(rest), 0)
        } else if rest.starts_with("::") {
            (Some(Kind::Sign), 2, 0)
        } else {
            (Some(Kind::Sign), first.len_utf8(), 0)
        };
        if let Some(kind) = kind {
            tokens.push(Token { kind, text: &rest[skipped..length], line });
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn word(text: &str) -> usize {
    text.find(|c| !is_word(c)).unwrap_or(text.len())
}

/// Length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of a string or character literal, if the text begins with one.
fn literal(text: &str) -> Option<usize> {
    for prefix in ["r", "br", "cr"] {
        let Some(rest) = text.strip_prefix(prefix) else { continue };
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        if rest[hashes..].starts_with('"') {
            let opened = prefix.len() + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            return Some(text[opened..].find(&end).map_or(text.len(), |length| opened + length + end.len()));
        }
    }
    for prefix in ["", "b", "c"] {
        let Some(rest) = text.strip_prefix(prefix) else { continue };
        let mut chars = rest.char_indices();
        match chars.next() {
            Some((_, '"')) => {}
            Some((_, '\'')) => match (chars.next(), chars.next()) {
                (Some((_, '\\')), Some(_)) => {
                    return Some(chars.find(|(_, c)| *c == '\'').map_or(text.len(), |(end, _)| prefix.len() + end + 1));
                }
                (Some(_), Some((end, '\''))) => return Some(prefix.len() + end + 1),
                _ => continue,
            },
            _ => continue,
        }
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => drop(chars.next()),
                '"' => return Some(prefix.len() + at + 1),
                _ => {}
            }
        }
        return Some(text.len());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_lifetimes_and_quotes_within_literals_are_no_tokens() {
        let source =
            "a /* b /* c */ d */ // e\n::r#f <'g> 'h' '\\'' \"i\\\"j\" r#\"k\"l\"# br##\"m\"#n\"## b'\"' b\"\\\\\" o";
        let found: Vec<_> = tokens(source).iter().map(|token| token.text).collect();
        assert_eq!(
            found,
            [
                "a",
                "::",
                "f",
                "<",
                ">",
                "'h'",
                "'\\''",
                "\"i\\\"j\"",
                "r#\"k\"l\"#",
                "br##\"m\"#n\"##",
                "b'\"'",
                "b\"\\\\\"",
                "o"
            ]
        );
    }

    #[test]
    fn each_token_has_the_line_on_which_it_begins() {
        let lines: Vec<_> = tokens("a /*\n*/ \"\n\" b\n\n// c\nd").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 3, 6]);
    }
}
