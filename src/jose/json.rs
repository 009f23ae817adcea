//! Checks that a JSON text has no duplicate members. Never keeps the values of the text.
//!
//! Two parsers may read different values of a duplicate member (RFC 7515 §4, RFC 7519 §4), so that one parser would
//! accept a token that the other rejects.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

/// Reason for which a text is not one JSON object with unique members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonProblem {
    /// An object of the text, at any depth, has a duplicate member.
    Duplicate,
    /// The text is not JSON in UTF-8, or is nested too deeply.
    Syntax,
    /// The text is JSON, but not an object.
    Type,
}

/// Checks that `bytes` are one JSON object, and that no object in `bytes` has a duplicate member, at any depth.
pub(crate) fn require_unique_members(bytes: &[u8]) -> Result<(), JsonProblem> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonProblem::Syntax)?;
    match serde_json::from_str::<Unique>(text) {
        Ok(Unique) if text.trim_start().starts_with('{') => Ok(()),
        Ok(Unique) => Err(JsonProblem::Type),
        // `Unique` accepts every type, so that a duplicate member is the only error of this category.
        Err(error) if error.classify() == Category::Data => Err(JsonProblem::Duplicate),
        Err(_) => Err(JsonProblem::Syntax),
    }
}

/// Any JSON value without duplicate members in any of its objects.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut seen = HashSet::new();
        while let Some(Name(name)) = map.next_key()? {
            if !seen.insert(name) {
                return Err(A::Error::custom("duplicate member"));
            }
            map.next_value::<Unique>()?;
        }
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Unique, A::Error> {
        while sequence.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }
}

/// The unescaped name of a member. Borrowed from the text if the name has no escapes.
#[derive(PartialEq, Eq, Hash)]
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_members_are_accepted() {
        for text in [r"{}", r#" {"a":1,"b":[{"a":1},{"a":2}],"c":{"a":null,"b":1.5,"c":true,"d":"x","e":-1}} "#] {
            assert_eq!(require_unique_members(text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_duplicate_member_is_found_at_any_depth_and_in_any_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"{"x":[[{"a":1,"a":3}]]}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert_eq!(require_unique_members(text.as_bytes()), Err(JsonProblem::Duplicate), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_an_object_is_rejected() {
        for (text, problem) in [
            (&b"[]"[..], JsonProblem::Type),
            (b"\"x\"", JsonProblem::Type),
            (b"null", JsonProblem::Type),
            (b"", JsonProblem::Syntax),
            (b"{} {}", JsonProblem::Syntax),
            (b"\xef\xbb\xbf{}", JsonProblem::Syntax),
            (b"{\"a\":\"\xff\"}", JsonProblem::Syntax),
            (b"{\"a\":\"\\ud800\"}", JsonProblem::Syntax),
            (b"{\"a\":1e999}", JsonProblem::Syntax),
            (b"{\"a\":NaN}", JsonProblem::Syntax),
        ] {
            assert_eq!(require_unique_members(text), Err(problem), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn deep_nesting_is_rejected_and_not_followed() {
        let text = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(require_unique_members(text.as_bytes()), Err(JsonProblem::Syntax));
    }
}
