//! Measures the text of a condition before the text is parsed, because the parser recurses as deep as the text is
//! nested. Never decides what is valid CEL; may count too much, but never too little.

use super::error::CelError;

/// Maximum bytes of a condition's text.
pub(super) const SOURCE_BYTES: usize = 4_096;
/// Maximum number of tokens in a condition. A condition within the limit of nodes exceeds this maximum only by many
/// needless parentheses.
pub(super) const TOKENS: usize = 1_536;
/// Maximum depth of nested brackets (round, square and curly together).
pub(super) const NESTING: usize = 32;
/// Maximum number of conditionals (`a ? b : c`) in a condition. Conditionals nest without brackets, so the limit of
/// nested brackets does not limit conditionals.
pub(super) const CONDITIONALS: usize = 32;

/// Rejects a condition whose text could overflow the parser's stack.
///
/// # Errors
/// [`CelError`] at the place where a limit is exceeded, or where a string literal is malformed.
pub(super) fn scan(source: &str) -> Result<(), CelError> {
    let invalid = |offset: usize, message: String| Err(CelError::at(source, offset, message));
    if source.len() > SOURCE_BYTES {
        return invalid(0, format!("is longer than {SOURCE_BYTES} bytes"));
    }
    let text = Text(source.chars().collect());
    let (mut index, mut tokens, mut nesting, mut conditionals) = (0, 0, 0_usize, 0);
    while let Some(character) = text.at(index) {
        let start = index;
        if let Some(end) = text.blank_end(index) {
            index = end;
            continue;
        }
        index = match text.token_end(index) {
            Ok(end) => end,
            Err(problem) => return invalid(start, problem.to_owned()),
        };
        tokens += 1;
        match character {
            '(' | '[' | '{' => nesting += 1,
            ')' | ']' | '}' => nesting = nesting.saturating_sub(1),
            '?' => conditionals += 1,
            _ => {}
        }
        if tokens > TOKENS {
            return invalid(start, format!("has more than {TOKENS} tokens; split it into several rules"));
        }
        if nesting > NESTING {
            return invalid(start, format!("is nested more than {NESTING} brackets deep"));
        }
        if conditionals > CONDITIONALS {
            return invalid(start, format!("has more than {CONDITIONALS} conditionals"));
        }
    }
    Ok(())
}

/// Splits the text `a && b && c` into `a`, `b` and `c`. Any other text stays whole. The text must have passed [`scan`].
pub(super) fn conjuncts(source: &str) -> Vec<String> {
    let text = Text(source.chars().collect());
    let (mut index, mut nesting, mut from) = (0, 0_usize, 0);
    let mut parts = Vec::new();
    while let Some(character) = text.at(index) {
        if let Some(end) = text.blank_end(index) {
            index = end;
            continue;
        }
        match (character, text.at(index + 1)) {
            ('(' | '[' | '{', _) => nesting += 1,
            (')' | ']' | '}', _) => nesting = nesting.saturating_sub(1),
            // An operator that binds less tightly than `&&` means that the whole text is not a conjunction.
            ('|', Some('|')) | ('?', _) if nesting == 0 => return vec![source.trim().to_owned()],
            ('&', Some('&')) if nesting == 0 => {
                parts.push(text.slice(from, index));
                index += 2;
                from = index;
                continue;
            }
            _ => {}
        }
        index = text.token_end(index).unwrap_or(index + 1);
    }
    parts.push(text.slice(from, text.0.len()));
    parts
}

const fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The beginning of a string literal.
#[derive(Clone, Copy)]
struct Opening {
    /// Index of the literal's first quote.
    quote: usize,
    mark: char,
    raw: bool,
    triple: bool,
}

struct Text(Vec<char>);

impl Text {
    fn at(&self, index: usize) -> Option<char> {
        self.0.get(index).copied()
    }

    /// Returns the first index, from `index` on, of a character for which `kind` is false.
    fn skip(&self, index: usize, kind: impl Fn(char) -> bool) -> usize {
        let length = self.0.iter().skip(index).take_while(|character| kind(**character)).count();
        index + length
    }

    /// Returns the text between two indices, without white space at the beginning and end.
    fn slice(&self, from: usize, to: usize) -> String {
        let text: String = self.0.iter().skip(from).take(to.saturating_sub(from)).collect();
        text.trim().to_owned()
    }

    /// Returns the end of the white space or comment that begins at `index`; `None` if neither begins there.
    fn blank_end(&self, index: usize) -> Option<usize> {
        match self.at(index)? {
            character if character.is_whitespace() => Some(index + 1),
            '/' if self.at(index + 1) == Some('/') => Some(self.skip(index, |character| character != '\n')),
            _ => None,
        }
    }

    /// Returns the end of the token that begins at `index`.
    fn token_end(&self, index: usize) -> Result<usize, &'static str> {
        let Some(character) = self.at(index) else { return Ok(index) };
        if character.is_ascii_digit() {
            return Ok(self.skip(index, |character| character.is_ascii_digit()));
        }
        match self.string_at(index) {
            Some(string) => self.string_end(string),
            None if is_word(character) => Ok(self.skip(index, is_word)),
            None => Ok(index + 1),
        }
    }

    /// Returns the beginning of the string literal at `index`: a quote, perhaps after `r`, `b` or `br` in upper or
    /// lower case.
    fn string_at(&self, index: usize) -> Option<Opening> {
        let bytes = usize::from(matches!(self.at(index), Some('b' | 'B')));
        let raw = matches!(self.at(index + bytes), Some('r' | 'R'));
        let quote = index + bytes + usize::from(raw);
        let mark = self.at(quote).filter(|character| matches!(character, '"' | '\''))?;
        Some(Opening { quote, mark, raw, triple: self.is_triple(quote, mark) })
    }

    fn is_triple(&self, index: usize, mark: char) -> bool {
        (0..3).all(|offset| self.at(index + offset) == Some(mark))
    }

    /// Returns the end of a string literal by the rules of CEL. A malformed literal is an error here: the parser would
    /// read the literal's contents as code, and the limits would not count that code.
    fn string_end(&self, opening: Opening) -> Result<usize, &'static str> {
        let Opening { quote, mark, raw, triple } = opening;
        let mut index = quote + if triple { 3 } else { 1 };
        while let Some(character) = self.at(index) {
            index += match character {
                '\\' if !raw => {
                    self.escape_length(index).ok_or(r"has a string with an unknown escape; write \\ or r'…'")?
                }
                _ if character == mark && !triple => return Ok(index + 1),
                _ if triple && self.is_triple(index, mark) => return Ok(index + 3),
                '\n' | '\r' if !triple => break,
                _ => 1,
            };
        }
        Err("has a string that is not closed")
    }

    /// Returns the number of characters of the escape sequence that begins at `backslash`.
    fn escape_length(&self, backslash: usize) -> Option<usize> {
        let letter = self.at(backslash + 1)?;
        let (digits, radix) = match letter {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`' => (0, 16),
            'x' | 'X' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='3' => (2, 8),
            _ => return None,
        };
        let all = (0..digits)
            .all(|offset| self.at(backslash + 2 + offset).is_some_and(|character| character.is_digit(radix)));
        all.then_some(2 + digits)
    }
}
