//! The types of a point in time and of a duration, both in whole seconds. Neither type reads a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, in whole seconds since 1970 (RFC 7519's `NumericDate`, without fractions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// Creates a moment from seconds since 1970, UTC.
    #[must_use]
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Returns the seconds since 1970, UTC.
    #[must_use]
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// Returns the duration from `earlier` to `self`, or zero if `earlier` is the later of the two.
    #[must_use]
    pub fn since(self, earlier: Self) -> Seconds {
        Seconds(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Seconds> for Moment {
    type Output = Self;

    fn add(self, length: Seconds) -> Self {
        Self(self.0.saturating_add_unsigned(length.0))
    }
}

impl Sub<Seconds> for Moment {
    type Output = Self;

    fn sub(self, length: Seconds) -> Self {
        Self(self.0.saturating_sub_unsigned(length.0))
    }
}

/// Writes the time as RFC 3339 in UTC: `2026-11-25T04:31:34Z`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{}s", self.0),
        }
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    /// Parses a time in RFC 3339 and drops a fraction of a second.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| "a time reads like 2026-11-25T04:31:34Z")?;
        Ok(Self(timestamp.as_second()))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A duration in whole seconds, written as `90s`, `5m`, `12h`, `7d`, or as a sum of such parts: `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seconds(u64);

/// The units of a duration, each with its length in seconds, longest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Longest accepted duration: 100 years, in seconds. A longer duration is a typing mistake.
const LONGEST: u64 = 100 * 366 * 86_400;

impl Seconds {
    /// The duration of zero seconds.
    pub const ZERO: Self = Self(0);

    /// Creates a duration from a number of seconds.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the number of seconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Converts to the standard library's `Duration`, which timers use.
    #[must_use]
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0)
    }

    /// Returns `self` minus `other`, or zero if `other` is longer.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Seconds {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Mul<u64> for Seconds {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (letter, unit) in UNITS {
            if rest >= unit {
                write!(f, "{}{letter}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a duration reads like 90s, 5m, 12h, 7d or 1h30m, and is at most 100 years";
        let mut total: u64 = 0;
        let mut rest = text;
        let mut longest = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(FORM)?;
            let (number, tail) = rest.split_at(digits);
            let letter = tail.chars().next().ok_or(FORM)?;
            let (_, unit) = UNITS.into_iter().find(|(known, _)| *known == letter).ok_or(FORM)?;
            if unit >= longest {
                return Err(FORM);
            }
            longest = unit;
            let number: u64 = number.parse().map_err(|_| FORM)?;
            total = number.checked_mul(unit).and_then(|part| part.checked_add(total)).ok_or(FORM)?;
            rest = tail.get(1..).ok_or(FORM)?;
        }
        if text.is_empty() || total > LONGEST {
            return Err(FORM);
        }
        Ok(Self(total))
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads and writes an optional duration in TOML and JSON: `30m`, a bare number of seconds, or `PT30M` (ISO 8601, as
/// RubyGems writes durations).
pub mod optional_seconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Seconds;

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be a duration such as 30m, PT30M or 1800")]
    enum Spelling {
        Number(u64),
        Text(String),
    }

    /// Writes the duration as `30m`.
    ///
    /// # Errors
    /// The error of the serialiser, if the serialiser fails.
    pub fn serialize<S: Serializer>(length: &Option<Seconds>, serializer: S) -> Result<S::Ok, S::Error> {
        length.serialize(serializer)
    }

    /// Reads a duration that is written as `30m`, as a number of seconds, or as `PT30M`.
    ///
    /// # Errors
    /// An error that says what a duration must look like.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Seconds>, D::Error> {
        let text = match Spelling::deserialize(deserializer)? {
            Spelling::Number(seconds) => return Ok(Some(Seconds::new(seconds))),
            Spelling::Text(text) => text,
        };
        let iso = text.strip_prefix('P').map(|rest| rest.replace('T', "").to_lowercase());
        iso.as_deref().unwrap_or(&text).parse().map(Some).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_back_as_it_was_written() {
        for text in ["0s", "90s", "5m", "1h30m", "7d", "400d", "1d2h3m4s"] {
            let length: Seconds = text.parse().unwrap();
            assert_eq!(length.to_string().parse::<Seconds>(), Ok(length), "{text}");
        }
        assert_eq!("90s".parse(), Ok(Seconds::new(90)));
        assert_eq!(Seconds::new(5_400).to_string(), "1h30m");
    }

    #[test]
    fn a_duration_of_another_form_is_refused() {
        for text in ["", "5", "m", "5 m", "-5m", "5m5m", "1m1h", "5w", "1.5h", "99999999999999999999s", "200000d"] {
            assert!(text.parse::<Seconds>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_reads_as_rfc_3339() {
        let moment = Moment::from_unix(1_795_581_094);
        assert_eq!(moment.to_string().parse(), Ok(moment));
        assert!(moment.to_string().ends_with('Z'));
    }
}
