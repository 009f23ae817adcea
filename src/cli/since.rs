//! A point in the past, as people write one: a time, or how long ago.

use crate::base::{Moment, Seconds};

/// Reads `2026-11-25T04:31:34Z`, or `1h` for an hour before `now`.
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
    fn the_past_is_a_time_or_how_long_ago() {
        let now = Moment::from_unix(1_795_581_094);
        assert_eq!(since("1h", now), Ok(Moment::from_unix(1_795_577_494)));
        assert_eq!(since(&now.to_string(), now), Ok(now));
        assert!(since("yesterday", now).is_err());
    }
}
