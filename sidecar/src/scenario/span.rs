//! Lengths of time, as people write them.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// The longest: a day.
const LONGEST: f64 = 86_400.0;

/// A length of time: a number of seconds, or a text as `"200 ms"`, `"1.5 s"`, `"2 min"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl Span {
    /// Whole and parts of seconds.
    pub(super) fn seconds(seconds: f64) -> Option<Self> {
        (seconds.is_finite() && (0.0..=LONGEST).contains(&seconds))
            .then(|| Self(Duration::from_secs_f64(seconds)))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let number: f64 = number.parse().ok()?;
        let factor = match unit.trim() {
            "ms" => 0.001,
            "s" | "" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        Self::seconds(number * factor)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "seconds from 0 to 86400, or a text such as \"200 ms\", \"1.5 s\", \"2 min\"",
                )
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Span, E> {
                Span::seconds(seconds)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Float(seconds), &self))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Span, E> {
                i32::try_from(seconds)
                    .ok()
                    .and_then(|seconds| Span::seconds(seconds.into()))
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(seconds), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                Span::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, millis) in [
            ("200 ms", Some(200)),
            ("1.5s", Some(1500)),
            ("2 min", Some(120_000)),
            ("3", Some(3000)),
            ("1 h", Some(3_600_000)),
            ("", None),
            ("-1 s", None),
            ("2 weeks", None),
            ("1.2.3 s", None),
            ("48 h", None),
        ] {
            let read = Span::parse(text).map(|span| span.0.as_millis());
            assert_eq!(read, millis, "{text:?}");
        }
    }
}
