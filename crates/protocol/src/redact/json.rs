//! JSON: one pass from the parser to the redacted text, which keeps the members' order and builds no tree.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{
    DIGIT, DIGITS, HIDDEN, free,
    names::{Meaning, meaning},
    numbers, tokens, unknown,
};

/// How many characters of a personal identifier stay.
const TAIL: usize = 4;

/// Redacts a JSON text: the values of secret names are hidden, numbers and tokens in all other strings too. A string that
/// is itself JSON, SIP or SDP is redacted as such. The result is compact. `None` when `input` is not one JSON value.
#[must_use]
pub fn json(input: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(input.len());
    let mut deserializer = serde_json::Deserializer::from_slice(input);
    Walker {
        name: "",
        parent: "",
        inherited: Meaning::Unknown,
        out: &mut out,
    }
    .deserialize(&mut deserializer)
    .ok()?;
    deserializer.end().ok()?;
    String::from_utf8(out).ok()
}

struct Walker<'a> {
    /// The member that the value belongs to; elements of an array belong to the array's.
    name: &'a str,
    /// The member that holds that member's object.
    parent: &'a str,
    /// What the object around it is said to be: everything within a secret is secret.
    inherited: Meaning,
    out: &'a mut Vec<u8>,
}

impl Walker<'_> {
    fn meaning(&self) -> Meaning {
        match self.inherited {
            Meaning::Secret => Meaning::Secret,
            _ => meaning(self.name, self.parent),
        }
    }

    fn string(&mut self, value: &str) {
        let redacted = match self.meaning() {
            Meaning::Secret if value.is_empty() => Cow::Borrowed(""),
            Meaning::Secret => Cow::Borrowed(HIDDEN),
            Meaning::Digits => Cow::Borrowed(digits(value)),
            Meaning::Number if value.is_empty() || value.starts_with("***") => Cow::Borrowed(value),
            Meaning::Number => Cow::Owned(numbers::hide(value)),
            Meaning::Personal if value.starts_with("***") => Cow::Borrowed(value),
            Meaning::Personal => Cow::Owned(format!(
                "***{}",
                crate::ids::tail(value, TAIL.min(value.chars().count() / 2))
            )),
            Meaning::Plain => tokens::redact(value),
            Meaning::Unknown => unknown(value),
        };
        push_string(&redacted, self.out);
    }

    fn number(&mut self, value: impl fmt::Display) {
        let value = value.to_string();
        match self.meaning() {
            Meaning::Secret => push_string(HIDDEN, self.out),
            Meaning::Digits => push_string(digits(&value), self.out),
            Meaning::Number => push_string(&numbers::hide(&value), self.out),
            _ => self.out.extend_from_slice(value.as_bytes()),
        }
    }
}

/// What is told of digits: none, one, or several.
fn digits(value: &str) -> &'static str {
    match value {
        "" => "",
        DIGIT => DIGIT,
        _ if value.chars().nth(1).is_none() => DIGIT,
        _ => DIGITS,
    }
}

fn push_string(value: &str, out: &mut Vec<u8>) {
    // A string always becomes JSON, and memory takes all that is written.
    let _ = serde_json::to_writer(out, value);
}

impl<'de> DeserializeSeed<'de> for Walker<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walker<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.out
            .extend_from_slice(if value { &b"true"[..] } else { b"false" });
        Ok(())
    }

    fn visit_i64<E>(mut self, value: i64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_u64<E>(mut self, value: u64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_f64<E>(mut self, value: f64) -> Result<(), E> {
        // In 15 digits: the parser may be wrong in the 17th, and what was redacted is to read as the same again.
        let rounded = format!("{value:.14e}").parse().unwrap_or(value);
        self.number(serde_json::Value::from(rounded));
        Ok(())
    }

    fn visit_str<E>(mut self, value: &str) -> Result<(), E> {
        self.string(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.out.push(b'[');
        loop {
            // The comma is written before it is known whether an element follows, and taken back when none does.
            let before = self.out.len();
            if before > 0 && !self.out.ends_with(b"[") {
                self.out.push(b',');
            }
            let element = Walker {
                name: self.name,
                parent: self.parent,
                inherited: self.inherited,
                out: &mut *self.out,
            };
            if elements.next_element_seed(element)?.is_none() {
                self.out.truncate(before);
                break;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inherited = match self.meaning() {
            Meaning::Secret => Meaning::Secret,
            _ => Meaning::Unknown,
        };
        self.out.push(b'{');
        let mut first = true;
        while let Some(name) = members.next_key::<String>()? {
            if !first {
                self.out.push(b',');
            }
            first = false;
            // A name can hold a number too, as in a map from numbers to people.
            push_string(&free(&name), self.out);
            self.out.push(b':');
            members.next_value_seed(Walker {
                name: &name,
                parent: self.name,
                inherited,
                out: &mut *self.out,
            })?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(input: &str) -> String {
        let output = json(input.as_bytes()).unwrap();
        assert_eq!(json(output.as_bytes()).unwrap(), output, "twice");
        output
    }

    #[test]
    fn hides_by_name_at_any_depth_and_keeps_the_order() {
        assert_eq!(
            redacted(
                r#"{"z":1,"context":{"System":{"apiAccessToken":"abc","apiEndpoint":"https://api.amazonalexa.com"}},"a":[true,null,1.5,-2]}"#
            ),
            r#"{"z":1,"context":{"System":{"apiAccessToken":"[hidden]","apiEndpoint":"https://api.amazonalexa.com"}},"a":[true,null,1.5,-2]}"#
        );
        assert_eq!(
            redacted(r#"{"grant":{"type":"t","code":"c"},"code":"InvalidInput"}"#),
            r#"{"grant":{"type":"t","code":"[hidden]"},"code":"InvalidInput"}"#
        );
        assert_eq!(
            redacted(r#"{"Authorization":["Bearer x",{"y":1}]}"#),
            r#"{"Authorization":["[hidden]",{"y":"[hidden]"}]}"#
        );
    }

    #[test]
    fn hides_numbers_and_digits() {
        assert_eq!(
            redacted(
                r#"{"From":"+12045550100","phoneNumber":"55501","countryCode":"+1","ReceivedDigits":"4711","digits":"1","skillcall.digits":"47","Digits":"","StartTimeInMilliseconds":"1714558272000","Sequence":3}"#
            ),
            r#"{"From":"***0100","phoneNumber":"***5501","countryCode":"+1","ReceivedDigits":"[digits]","digits":"[digit]","skillcall.digits":"[digits]","Digits":"","StartTimeInMilliseconds":"1714558272000","Sequence":3}"#
        );
        assert_eq!(
            redacted(r#"{"phoneNumber":2045550100,"+12045550100":"x"}"#),
            r#"{"phoneNumber":"***0100","***0100":"x"}"#
        );
    }

    #[test]
    fn keeps_identifiers_and_the_tail_of_personal_ones() {
        assert_eq!(
            redacted(
                r#"{"TransactionId":"12345678","userId":"amzn1.ask.account.ABCDEFGH","SipHeaders":{"User-to-User":"3132333435363738;encoding=hex"}}"#
            ),
            r#"{"TransactionId":"12345678","userId":"***EFGH","SipHeaders":{"User-to-User":"3132333435363738;encoding=hex"}}"#
        );
    }

    #[test]
    fn looks_into_strings_that_are_json_or_sdp() {
        assert_eq!(
            redacted(r#"{"body":"{\"accessToken\":\"abc\"}","sdp":"v=0\r\na=ice-pwd:hush\r\n"}"#),
            r#"{"body":"{\"accessToken\":\"[hidden]\"}","sdp":"v=0\r\na=ice-pwd:[hidden]\r\n"}"#
        );
    }

    #[test]
    fn a_long_fraction_is_the_same_when_it_is_redacted_again() {
        assert_eq!(
            redacted("[0.1,1.5,-2.25e-7,77777777777777777777.77777777777777777]"),
            "[0.1,1.5,-2.25e-7,7.77777777777778e+19]"
        );
        redacted(&format!("[{}0131]", "7".repeat(176)));
    }

    #[test]
    fn empty_containers_and_what_is_no_json() {
        assert_eq!(
            redacted(r#"{"a":[],"b":{},"c":[[]],"d":[[],[]]}"#),
            r#"{"a":[],"b":{},"c":[[]],"d":[[],[]]}"#
        );
        for bad in ["", "{", "{}x", "\u{1}"] {
            assert_eq!(json(bad.as_bytes()), None);
        }
    }
}
