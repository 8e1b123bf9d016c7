//! Phone numbers in E.164 form.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// A phone number in E.164 form: `+` and 1 to 15 digits, the first of which is not 0 (ITU-T E.164 §6.2.1; facts D1).
///
/// `Display` gives the whole number, because it goes into messages; `Debug` and [`E164::redacted`] give only the last
/// four digits, because they go into logs.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct E164(Box<str>);

/// The most digits that an E.164 number has.
pub const E164_MAX_DIGITS: usize = 15;

/// Why a text is not an E.164 number. The text is not repeated: it may be a customer's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum E164Error {
    /// There is no number at all.
    #[error("the phone number is empty; expected E.164, such as +12045550100")]
    Empty,
    /// The number does not begin with `+`.
    #[error("the phone number does not begin with `+`; expected E.164, such as +12045550100")]
    NoPlus,
    /// Something else than a digit follows the `+`.
    #[error(
        "character {character:?} at position {position} of the phone number is no digit; expected E.164, such as +12045550100"
    )]
    NotADigit {
        /// The character.
        character: char,
        /// Its place, counted in characters from 0 (the `+`).
        position: usize,
    },
    /// Too many digits, or none.
    #[error("the phone number has {found} digits; E.164 allows 1 to 15")]
    Digits {
        /// Digits found.
        found: usize,
    },
    /// No country code begins with 0.
    #[error(
        "the phone number begins with 0 after the `+`; E.164 begins with the country code, which has no leading 0"
    )]
    LeadingZero,
}

impl E164 {
    /// Checks `text` and takes it.
    ///
    /// # Errors
    /// When `text` is not `+` and 1 to 15 digits without a leading 0. Nothing is stripped: see [`E164::from_parts`].
    pub fn parse(text: &str) -> Result<Self, E164Error> {
        if text.is_empty() {
            return Err(E164Error::Empty);
        }
        let digits = text.strip_prefix('+').ok_or(E164Error::NoPlus)?;
        if let Some((position, character)) = digits
            .chars()
            .enumerate()
            .find(|(_, c)| !c.is_ascii_digit())
        {
            return Err(E164Error::NotADigit {
                character,
                position: position + 1,
            });
        }
        if digits.is_empty() || digits.len() > E164_MAX_DIGITS {
            return Err(E164Error::Digits {
                found: digits.len(),
            });
        }
        if digits.starts_with('0') {
            return Err(E164Error::LeadingZero);
        }
        Ok(Self(text.into()))
    }

    /// Composes a number from the profile API's two members (facts C1): country code and phone number, stripped of all
    /// that is no digit. A phone number that itself begins with `+` is whole already (our choice).
    ///
    /// # Errors
    /// When what remains is no E.164 number.
    pub fn from_parts(country_code: &str, phone_number: &str) -> Result<Self, E164Error> {
        let whole = phone_number.trim_start().starts_with('+');
        let mut text = String::with_capacity(1 + E164_MAX_DIGITS);
        text.push('+');
        if !whole {
            text.extend(country_code.chars().filter(char::is_ascii_digit));
        }
        text.extend(phone_number.chars().filter(char::is_ascii_digit));
        Self::parse(&text)
    }

    /// The number with its `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits without the `+`.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.get(1..).unwrap_or_default()
    }

    /// `***` and the last four digits: the form for logs, traces and pages. A number of four digits or fewer is
    /// hidden wholly.
    #[must_use]
    pub fn redacted(&self) -> String {
        let digits = self.digits();
        let tail = if digits.len() > 4 {
            crate::ids::tail(digits, 4)
        } else {
            ""
        };
        format!("***{tail}")
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E164({})", self.redacted())
    }
}

impl AsRef<str> for E164 {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for E164 {
    type Err = E164Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for E164 {
    type Error = E164Error;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<E164> for String {
    fn from(number: E164) -> Self {
        number.0.into_string()
    }
}

impl<'de> Deserialize<'de> for E164 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for E164 {
    fn schema_name() -> Cow<'static, str> {
        "E164".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^\\+[1-9][0-9]{0,14}$", "description": "A phone number in E.164 form" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_e164_allows_and_nothing_else() {
        for good in ["+1", "+12045550100", "+123456789012345"] {
            assert_eq!(E164::parse(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", E164Error::Empty),
            ("12045550100", E164Error::NoPlus),
            (" +1204", E164Error::NoPlus),
            ("+", E164Error::Digits { found: 0 }),
            ("+1234567890123456", E164Error::Digits { found: 16 }),
            ("+0441234567", E164Error::LeadingZero),
            (
                "+1 204",
                E164Error::NotADigit {
                    character: ' ',
                    position: 2,
                },
            ),
            (
                "+1204555010٣",
                E164Error::NotADigit {
                    character: '٣',
                    position: 11,
                },
            ),
        ] {
            assert_eq!(E164::parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn composes_the_profile_number() {
        for (country, number, whole) in [
            ("+1", "2045550100", "+12045550100"),
            ("1", "(204) 555-0100", "+12045550100"),
            ("+44", "20 7946 0100", "+442079460100"),
            ("+1", "+12045550100", "+12045550100"),
            ("", "12045550100", "+12045550100"),
        ] {
            assert_eq!(E164::from_parts(country, number).unwrap().as_str(), whole);
        }
        assert_eq!(
            E164::from_parts("+1", "1234567890123456"),
            Err(E164Error::Digits { found: 17 })
        );
        assert_eq!(
            E164::from_parts("", ""),
            Err(E164Error::Digits { found: 0 })
        );
    }

    #[test]
    fn shows_only_four_digits() {
        let number = E164::parse("+12045550100").unwrap();
        assert_eq!(number.redacted(), "***0100");
        assert_eq!(format!("{number:?}"), "E164(***0100)");
        assert_eq!(number.to_string(), "+12045550100");
        assert_eq!(E164::parse("+123").unwrap().redacted(), "***");
    }

    #[test]
    fn wire_form_is_the_bare_string() {
        let number: E164 = serde_json::from_str("\"\\u002b12045550100\"").unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"+12045550100\"");
        assert!(serde_json::from_str::<E164>("\"2045550100\"").is_err());
    }
}
