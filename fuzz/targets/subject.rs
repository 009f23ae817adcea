//! A subject format is refused, or parses any subject without a panic. The input is the format, a line end and the
//! subject.

use buildpass::claims::SubjectFormat;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (format, subject) = text.split_once('\n').unwrap_or((text, "repo:acme@42/app@7:ref:refs/heads/main"));
    let Ok(format) = format.parse::<SubjectFormat>() else { return };
    if let Some(fields) = format.parse(subject) {
        assert!(fields.values().all(|value| value.len() <= subject.len()));
    }
}
