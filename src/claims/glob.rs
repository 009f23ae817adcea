//! Patterns in which `*` matches any number of characters except the delimiters `/`, `:`, `@`, `?` and `#`. The time to
//! match a pattern never grows faster than the lengths of pattern and text together.

/// Characters that `*` never matches.
const DELIMITERS: &[char] = &['/', ':', '@', '?', '#'];

/// Returns whether the pattern matches the whole text, in time linear in the lengths of both.
pub(crate) fn glob_covers(pattern: &str, text: &str) -> bool {
    Search::new(text).covers(pattern)
}

/// Searches the text from left to right for the pieces of a pattern, which are the texts between its stars.
///
/// The search takes the first place where a piece fits, and never goes back. For a piece without a delimiter, the first
/// place leaves the most text to the following pieces. A piece with a delimiter fits at one place only: no star matches
/// a delimiter, so the piece's first delimiter must be the next delimiter of the text.
struct Search<'a> {
    text: &'a str,
    /// Index of the byte from which the next piece is searched.
    at: usize,
    /// Index of the first delimiter at or after `at`, or the length of the text.
    segment_end: usize,
    /// Upper bound of the number of bytes compared so far. A test compares this bound with the lengths of pattern and
    /// text.
    steps: usize,
}

impl<'a> Search<'a> {
    fn new(text: &'a str) -> Self {
        let mut search = Self { text, at: 0, segment_end: 0, steps: 0 };
        search.find_segment_end();
        search
    }

    fn covers(&mut self, pattern: &str) -> bool {
        let mut pieces = pattern.split('*');
        let (Some(first), last) = (pieces.next(), pieces.next_back()) else { return false };
        if !self.take(first) {
            return false;
        }
        let Some(last) = last else { return self.at == self.text.len() };
        pieces.all(|piece| self.find(piece)) && self.find_at_end(last)
    }

    /// Moves past the piece if the rest of the text begins with it. Returns whether it does.
    fn take(&mut self, piece: &str) -> bool {
        self.steps += piece.len();
        self.rest().starts_with(piece) && self.go_to(self.at + piece.len())
    }

    /// Skips characters that a star may match, up to the first place of the piece, and moves past the piece. Returns
    /// whether the piece was found.
    fn find(&mut self, piece: &str) -> bool {
        let delimiter = piece.find(DELIMITERS);
        self.steps += delimiter.unwrap_or(piece.len());
        if let Some(before) = delimiter {
            let Some(at) = self.segment_end.checked_sub(before).filter(|at| *at >= self.at) else { return false };
            return self.text.is_char_boundary(at) && self.go_to(at) && self.take(piece);
        }
        // `str::find` is the two-way algorithm, linear in the searched text and the piece.
        let segment = self.text.get(self.at..self.segment_end).unwrap_or_default();
        let found = segment.find(piece);
        self.steps += piece.len() + found.map_or(segment.len(), |found| found + piece.len());
        found.is_some_and(|found| self.go_to(self.at + found + piece.len()))
    }

    /// Returns whether the text ends with the last piece, after characters that a star may match.
    fn find_at_end(&mut self, piece: &str) -> bool {
        self.steps += piece.len();
        let Some(at) = self.text.len().checked_sub(piece.len()).filter(|at| *at >= self.at) else { return false };
        at <= self.segment_end && self.text.ends_with(piece)
    }

    fn go_to(&mut self, at: usize) -> bool {
        self.at = at;
        if self.at > self.segment_end {
            self.find_segment_end();
        }
        true
    }

    fn find_segment_end(&mut self) {
        let length = self.rest().find(DELIMITERS).unwrap_or(self.rest().len());
        self.steps += length + 1;
        self.segment_end = self.at + length;
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns whether the pattern matches the text, by trying every number of characters for every star.
    fn covers_by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', after)), read) => {
                covers_by_definition(after, text)
                    || read.is_some_and(|(byte, rest)| {
                        !DELIMITERS.contains(&char::from(*byte)) && covers_by_definition(pattern, rest)
                    })
            }
            (Some((wanted, after)), Some((byte, rest))) => wanted == byte && covers_by_definition(after, rest),
            _ => false,
        }
    }

    fn steps(pattern: &str, text: &str) -> usize {
        let mut search = Search::new(text);
        search.covers(pattern);
        search.steps
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn a_pattern_matches_as_its_definition_says(pattern in "[ab/é*]{0,9}", text in "[ab/é]{0,9}") {
            let expected = covers_by_definition(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(glob_covers(&pattern, &text), expected);
        }

        #[test]
        fn a_text_that_a_pattern_was_made_of_matches(pieces in prop::collection::vec(("[ab/:]{0,4}", "[ab]{0,4}"), 0..6)) {
            let pattern: String = pieces.iter().map(|(piece, _)| format!("{piece}*")).collect();
            let text: String = pieces.iter().map(|(piece, star)| format!("{piece}{star}")).collect();
            prop_assert!(glob_covers(&pattern, &text));
        }

        #[test]
        fn no_pattern_takes_more_steps_than_twice_both_lengths(pattern in "[ab/*]{0,200}", text in "[ab/]{0,200}") {
            let allowed = 2 * (pattern.len() + text.len()) + 2;
            prop_assert!(steps(&pattern, &text) <= allowed, "{}", steps(&pattern, &text));
        }
    }

    #[test]
    fn hostile_patterns_take_no_more_steps_than_twice_both_lengths() {
        let (many, long) = ("a".repeat(1_000), "a".repeat(500));
        for (pattern, text) in [
            (format!("*{long}b"), many.clone()),
            (format!("*{long}b*"), many.clone()),
            ("*a".repeat(500) + "b", many.clone()),
            ("*".repeat(1_000), many.clone()),
            ("*a*".repeat(300), "a/".repeat(500)),
            ("*/".repeat(500), "/".repeat(1_000)),
        ] {
            let (took, allowed) = (steps(&pattern, &text), 2 * (pattern.len() + text.len()) + 2);
            assert!(took <= allowed, "{took} steps, {allowed} allowed: {pattern}");
        }
    }
}
