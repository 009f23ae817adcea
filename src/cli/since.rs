//! Parses a moment in the past, written as a time or as a duration before now.

use crate::base::{Moment, Seconds};

/// Parses `2026-11-25T04:31:34Z`, or `1h` as one hour before `now`.
pub(super) fn since(text: &str, now: Moment) -> Result<Moment, &'static str> {
    const FORM: &str = "must be a time such as 2026-11-25T04:31:34Z, or how long ago, such as 90s, 1h or 7d";
    match text.parse::<Seconds>() {
        Ok(ago) => Ok(now - ago),
        Err(_) => text.parse().map_err(|_| FORM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_parsed() {
        let now = Moment::from_unix(1_795_581_094);
        assert_eq!(since("1h", now), Ok(Moment::from_unix(1_795_577_494)));
        assert_eq!(since(&now.to_string(), now), Ok(now));
        assert!(since("yesterday", now).is_err());
    }
}
