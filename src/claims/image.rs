//! OCI image references, kept as written. Never adds a registry, `library/` or a tag that the CI server did not write.

use serde::{Deserialize, Serialize};

/// Text of the error for an invalid image reference.
const FORM: &str = "must be an image reference: [registry[:port]/]name[:tag][@algorithm:digest]";

/// Maximum bytes of an image reference.
const MAX_BYTES: usize = 1024;

/// An image reference with the positions of its parts, by the grammar of the OCI distribution specification.
///
/// A registry's port and a digest do not count as a tag, and a reference may have both a tag and a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Image {
    reference: String,
    name: std::ops::Range<usize>,
    tag: Option<std::ops::Range<usize>>,
    digest: Option<std::ops::Range<usize>>,
}

impl Image {
    /// Returns the whole image reference, as written.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Returns the image's name: registry and repository, without tag and digest.
    #[must_use]
    pub fn name(&self) -> &str {
        self.reference.get(self.name.clone()).unwrap_or_default()
    }

    /// Returns the image's tag, if the reference has a tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.reference.get(self.tag.clone()?)
    }

    /// Returns the image's digest with the hash algorithm (`sha256:…`), if the reference has a digest.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.reference.get(self.digest.clone()?)
    }
}

impl TryFrom<String> for Image {
    type Error = &'static str;

    fn try_from(reference: String) -> Result<Self, Self::Error> {
        if reference.len() > MAX_BYTES {
            return Err(FORM);
        }
        let (rest, digest) = match reference.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(rest.len() + 1..reference.len())),
            Some(_) => return Err(FORM),
            None => (reference.as_str(), None),
        };
        // A colon before the last slash begins the registry's port and not a tag.
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let colon = rest.get(last..).and_then(|part| part.find(':')).map(|at| last + at);
        let (name, tag) = match colon {
            Some(colon) => (rest.get(..colon).unwrap_or_default(), Some(colon + 1..rest.len())),
            None => (rest, None),
        };
        if !is_name(name) || tag.clone().is_some_and(|tag| !rest.get(tag).is_some_and(is_tag)) {
            return Err(FORM);
        }
        let name = 0..name.len();
        Ok(Self { name, tag, digest, reference })
    }
}

impl From<Image> for String {
    fn from(image: Image) -> Self {
        image.reference
    }
}

/// Whether the name consists of valid components, the first of which may be a registry.
fn is_name(name: &str) -> bool {
    let mut parts = name.split('/');
    let Some(first) = parts.next() else { return false };
    let rest: Vec<&str> = parts.collect();
    let first_is_good = is_component(first) || (!rest.is_empty() && is_registry(first));
    first_is_good && rest.into_iter().all(is_component)
}

fn is_component(part: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_well =
        part.bytes().next().is_some_and(is_alphanumeric) && part.bytes().last().is_some_and(is_alphanumeric);
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends_well
        && separators
            .into_iter()
            .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

fn is_registry(part: &str) -> bool {
    let (host, port) = match part.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, after)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() || !(after.is_empty() || after.starts_with(':')) {
                return false;
            }
            ("v6", after.strip_prefix(':'))
        }
        None => part.split_once(':').map_or((part, None), |(host, port)| (host, Some(port))),
    };
    let label_is_good = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(label_is_good)
        && port.is_none_or(|port| {
            !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
        })
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(reference: &str) -> Option<(String, Option<String>, Option<String>)> {
        let image = Image::try_from(reference.to_owned()).ok()?;
        assert_eq!(image.reference(), reference);
        Some((image.name().to_owned(), image.tag().map(str::to_owned), image.digest().map(str::to_owned)))
    }

    #[test]
    fn a_port_and_a_digest_are_not_tags() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (reference, name, tag, has_digest) in [
            ("alpine".to_owned(), "alpine", None, false),
            ("alpine:3".to_owned(), "alpine", Some("3"), false),
            (format!("alpine@{digest}"), "alpine", None, true),
            ("reg.io:5000/org/app".to_owned(), "reg.io:5000/org/app", None, false),
            ("reg.io:5000/org/app:1.2".to_owned(), "reg.io:5000/org/app", Some("1.2"), false),
            (format!("reg.io:5000/org/app@{digest}"), "reg.io:5000/org/app", None, true),
            (format!("reg.io:5000/org/app:1.2@{digest}"), "reg.io:5000/org/app", Some("1.2"), true),
            ("[::1]:5000/app:x".to_owned(), "[::1]:5000/app", Some("x"), false),
            ("localhost/a__b/c--d".to_owned(), "localhost/a__b/c--d", None, false),
        ] {
            let expected = (name.to_owned(), tag.map(str::to_owned), has_digest.then(|| digest.clone()));
            assert_eq!(parts(&reference), Some(expected), "{reference}");
        }
    }

    #[test]
    fn a_malformed_reference_is_rejected() {
        for reference in [
            "",
            ":",
            "@",
            "/",
            "a/",
            "/a",
            "a//b",
            "a:",
            "a:b:c",
            "a@",
            "a@b",
            "a@sha256:abc",
            "a@md5:00",
            "A",
            "a b",
            "a\n",
            "a:-x",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "reg.io:99999/a",
            "reg.io:/a",
            "reg.io:x/a",
            "[zz]/a",
            "ä",
            "https://reg.io/a",
            "a@sha256:x@sha256:y",
            "\u{202e}a",
        ] {
            assert_eq!(parts(reference), None, "{reference:?}");
        }
    }
}
