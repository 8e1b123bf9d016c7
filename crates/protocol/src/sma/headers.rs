//! SIP headers in events and in CallAndBridge (facts E1, F9).

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest value of a header that an action may set, in characters (facts F9).
pub const MAX_VALUE_CHARS: usize = 2048;
/// Most headers that an action may set (facts F9, F10).
pub const MAX_HEADERS: usize = 20;

/// `SipHeaders`: header names and values, in the order in which they came.
///
/// Amazon's pages disagree on the case of names (facts E1), so [`SipHeaders::get`] disregards it; the case in which a
/// name came is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SipHeaders(Vec<(String, String)>);

impl SipHeaders {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header. A name that is there already keeps its place, and the values are joined by a comma
    /// (RFC 3261 §7.3.1), because the wire form is a map.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self
            .0
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name))
        {
            Some((_, present)) => {
                present.push_str(", ");
                present.push_str(&value);
            }
            None => self.0.push((name, value)),
        }
    }

    /// The value of a header, whatever the case of its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether there is no header.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether facts F9 shows this header of an incoming call to the handler: `X-…`, `User-to-User`, `Diversion`.
    pub fn is_surfaced(name: &str) -> bool {
        starts_with_x(name)
            || name.eq_ignore_ascii_case("User-to-User")
            || name.eq_ignore_ascii_case("Diversion")
    }

    /// Checks the headers that an action wants to send (facts F9). The error names what is wrong, in Amazon's words
    /// where they are known.
    ///
    /// # Errors
    /// A name that may not be set, a reserved one (`X-AMZN…`), a value that is too long or breaks the line, or too
    /// many headers.
    pub fn check_outgoing(&self) -> Result<(), String> {
        if self.0.len() > MAX_HEADERS {
            return Err(format!(
                "Too many SIP headers: {}, at most {MAX_HEADERS}",
                self.0.len()
            ));
        }
        let refused: Vec<&str> = self
            .0
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !Self::is_surfaced(name) || is_reserved(name) || !is_token(name))
            .collect();
        if !refused.is_empty() {
            return Err(format!(
                "Invalid SIP header(s) provided: {}",
                refused.join(", ")
            ));
        }
        for (name, value) in &self.0 {
            if value.chars().count() > MAX_VALUE_CHARS {
                return Err(format!(
                    "SIP header {name} is longer than {MAX_VALUE_CHARS} characters"
                ));
            }
            if value.chars().any(char::is_control) {
                return Err(format!("SIP header {name} holds a control character"));
            }
        }
        Ok(())
    }
}

fn starts_with_x(name: &str) -> bool {
    name.get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case("x-"))
}

fn is_reserved(name: &str) -> bool {
    name.get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("x-amzn"))
}

/// RFC 3261 §25.1 `token`.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for SipHeaders {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut all = Self::new();
        for (name, value) in headers {
            all.insert(name, value);
        }
        all
    }
}

impl Serialize for SipHeaders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for SipHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Headers;
        impl<'de> Visitor<'de> for Headers {
            type Value = SipHeaders;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of SIP header names and values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SipHeaders, A::Error> {
                let mut headers = SipHeaders::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    headers.insert(name, value);
                }
                Ok(headers)
            }
        }
        deserializer.deserialize_map(Headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_keep_theirs() {
        let headers: SipHeaders =
            serde_json::from_str(r#"{"user-to-user":"6373;encoding=hex","X-Room":"12"}"#).unwrap();
        assert_eq!(headers.get("User-to-User"), Some("6373;encoding=hex"));
        assert_eq!(headers.get("x-room"), Some("12"));
        assert_eq!(headers.get("X-Floor"), None);
        assert_eq!(
            serde_json::to_string(&headers).unwrap(),
            r#"{"user-to-user":"6373;encoding=hex","X-Room":"12"}"#
        );
    }

    #[test]
    fn outgoing_headers_are_checked_as_facts_f9_says() {
        let ok: SipHeaders = [
            ("X-Room", "12"),
            ("user-to-user", "aa;encoding=hex"),
            ("Diversion", "<sip:+1@h>"),
        ]
        .into_iter()
        .collect();
        assert_eq!(ok.check_outgoing(), Ok(()));
        for (name, value, told) in [
            ("X-AMZN", "1", "Invalid SIP header(s) provided: X-AMZN"),
            (
                "x-amzn-Trace",
                "1",
                "Invalid SIP header(s) provided: x-amzn-Trace",
            ),
            ("Via", "1", "Invalid SIP header(s) provided: Via"),
            (
                "X-A\r\nVia",
                "1",
                "Invalid SIP header(s) provided: X-A\r\nVia",
            ),
            (
                "X-A",
                "1\r\nVia: x",
                "SIP header X-A holds a control character",
            ),
        ] {
            let headers: SipHeaders = [(name, value)].into_iter().collect();
            assert_eq!(headers.check_outgoing(), Err(told.to_owned()));
        }
        let long: SipHeaders = [("X-A", "a".repeat(2049))].into_iter().collect();
        assert!(long.check_outgoing().unwrap_err().contains("2048"));
        let many: SipHeaders = (0..21).map(|n| (format!("X-{n}"), "1")).collect();
        assert!(many.check_outgoing().unwrap_err().contains("21"));
    }
}
