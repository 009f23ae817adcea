//! A subject format is taken or refused, and reads any subject without harm. The format comes first, the subject after
//! the first line end.

use buildpass::claims::SubjectFormat;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (format, subject) = text.split_once('\n').unwrap_or((text, "repo:acme@42/app@7:ref:refs/heads/main"));
    let Ok(format) = format.parse::<SubjectFormat>() else { return };
    if let Some(fields) = format.parse(subject) {
        assert!(fields.values().all(|value| value.len() <= subject.len()));
    }
}
