//! A range of engine versions, as people write it in data files.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer};

use super::{NEWEST, OLDEST, Version};

/// Engine versions, both ends included.
///
/// | written | is |
/// |---|---|
/// | `15` | any 15.x |
/// | `15+` | 15 and later |
/// | `10-14` | these, whole |
/// | `11.4` | this one |
/// | `11.4+` | 11.4 and later of 11 |
/// | `11.0-11.3` | these |
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EngineRange {
    first: (u16, u16),
    last: (u16, u16),
}

impl Default for EngineRange {
    fn default() -> Self {
        Self::ALL
    }
}

impl EngineRange {
    /// All versions that the suite is written for.
    pub const ALL: Self = Self {
        first: (OLDEST, 0),
        last: (NEWEST, u16::MAX),
    };

    /// Whether a version is in it. One without a minor number counts as the
    /// newest of its major version.
    #[must_use]
    pub fn holds(self, engine: Version) -> bool {
        let engine = (engine.major, engine.minor.unwrap_or(u16::MAX));
        (self.first..=self.last).contains(&engine)
    }

    /// The first and the last minor version of a major one that are in it.
    #[must_use]
    pub fn minors_of(self, major: u16) -> Option<(u16, u16)> {
        let whole = Self {
            first: (major, 0),
            last: (major, u16::MAX),
        };
        let (first, last) = self.meet(whole)?;
        Some((first.1, last.1))
    }

    /// The minor versions of a major one at which it begins, and behind which it
    /// ends.
    pub fn turns(self, major: u16) -> impl Iterator<Item = u16> {
        let (first, last) = self.minors_of(major).unwrap_or((0, u16::MAX));
        let first = (first > 0).then_some(first);
        first.into_iter().chain(last.checked_add(1))
    }

    /// The first version that is in both.
    #[must_use]
    pub fn first_in_both(self, other: Self) -> Option<Version> {
        self.meet(other).map(|((major, minor), _)| Version {
            major,
            minor: Some(minor),
        })
    }

    /// Whether all of it is in the other.
    #[must_use]
    pub fn is_within(self, other: Self) -> bool {
        other.first <= self.first && self.last <= other.last
    }

    fn meet(self, other: Self) -> Option<((u16, u16), (u16, u16))> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some((first, last))
    }
}

impl FromStr for EngineRange {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, ParseRangeError> {
        parse(text).ok_or_else(|| ParseRangeError(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for EngineRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for EngineRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first, self.last);
        let whole = first.1 == 0 && last.1 == u16::MAX;
        match (first.0 == last.0, whole) {
            (true, true) => write!(f, "{}", first.0),
            (false, true) if last.0 == NEWEST => write!(f, "{}+", first.0),
            (false, true) => write!(f, "{}-{}", first.0, last.0),
            (_, false) if last.1 == u16::MAX => write!(f, "{}.{}+", first.0, first.1),
            (_, false) if first == last => write!(f, "{}.{}", first.0, first.1),
            (_, false) => write!(f, "{}.{}-{}.{}", first.0, first.1, last.0, last.1),
        }
    }
}

/// A text that is no range of engine versions.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{0:?} is no range of engines: write \"15\", \"15+\", \"10-14\", \"11.4+\" or \"11.0-11.3\", from {OLDEST} to {NEWEST}"
)]
pub struct ParseRangeError(String);

fn parse(text: &str) -> Option<EngineRange> {
    let newest_of = |version: Version| (version.major, version.minor.unwrap_or(u16::MAX));
    let (first, last) = if let Some(first) = text.strip_suffix('+') {
        let first: Version = first.parse().ok()?;
        let major = first.minor.map_or(NEWEST, |_| first.major);
        (first, (major, u16::MAX))
    } else if let Some((first, last)) = text.split_once('-') {
        let (first, last): (Version, Version) = (first.parse().ok()?, last.parse().ok()?);
        if first.minor.is_some() != last.minor.is_some() {
            return None;
        }
        (first, newest_of(last))
    } else {
        let version: Version = text.parse().ok()?;
        (version, newest_of(version))
    };
    let range = EngineRange {
        first: (first.major, first.minor.unwrap_or(0)),
        last,
    };
    (range.first <= range.last && range.is_within(EngineRange::ALL)).then_some(range)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("15", "15.0", true)]
    #[case("15", "15", true)]
    #[case("15", "16.1", false)]
    #[case("15+", "18.2", true)]
    #[case("15+", "14.99", false)]
    #[case("10-14", "14.20", true)]
    #[case("10-14", "15.0", false)]
    #[case("11.4", "11.4", true)]
    #[case("11.4", "11.5", false)]
    #[case("11.4+", "11", true)]
    #[case("11.4+", "11.3", false)]
    #[case("11.4+", "12.5", false)]
    #[case("11.0-11.3", "11.3", true)]
    #[case("11.0-11.3", "11", false)]
    fn holds_what_it_says(#[case] range: &str, #[case] engine: &str, #[case] expected: bool) {
        let range: EngineRange = range.parse().unwrap();
        assert_eq!(range.holds(engine.parse().unwrap()), expected);
    }

    #[rstest]
    #[case("10-14", 12, Some((0, u16::MAX)))]
    #[case("11.4+", 11, Some((4, u16::MAX)))]
    #[case("11.0-11.3", 11, Some((0, 3)))]
    #[case("11.4+", 12, None)]
    fn tells_its_part_of_a_major_version(
        #[case] range: &str,
        #[case] major: u16,
        #[case] expected: Option<(u16, u16)>,
    ) {
        let range: EngineRange = range.parse().unwrap();
        assert_eq!(range.minors_of(major), expected);
    }

    #[rstest]
    #[case("15")]
    #[case("15+")]
    #[case("10-14")]
    #[case("11.4")]
    #[case("11.4+")]
    #[case("11.0-11.3")]
    fn reads_back_as_it_is_written(#[case] text: &str) {
        assert_eq!(text.parse::<EngineRange>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("")]
    #[case("+")]
    #[case("9")]
    #[case("19")]
    #[case("14-10")]
    #[case("11.4-")]
    #[case("11.4-12")]
    #[case("10,11")]
    fn anything_else_is_an_error(#[case] text: &str) {
        assert!(text.parse::<EngineRange>().is_err());
    }
}
