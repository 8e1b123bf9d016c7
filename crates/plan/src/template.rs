//! Texts and actions with variables.
//!
//! A variable stands in braces, `{destination.name}`. `{{` is a brace itself; a brace that is followed by
//! something else than a name (as in the regular expression `\d{2}`) stands for itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

macro_rules! variables {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $sample:literal;)*) => {
        /// What may stand in braces. The order is part of the compiled form: new ones go to the end.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Variable {
            $($(#[$doc])* $variant,)*
        }

        impl Variable {
            /// All variables.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that stands in the braces.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// A value of the form that the variable has in a call: what checks put in its place.
            #[must_use]
            pub fn sample(self) -> &'static str {
                match self { $(Self::$variant => $sample,)* }
            }

            /// The variable called `name`.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

variables! {
    /// The destination's name as it stands in the plan; empty in calls without session.
    DestinationName = "destination.name", "front desk";
    /// The destination's id; empty in calls without session.
    DestinationId = "destination.id", "front-desk";
    /// The number that the destination is reached at, E.164.
    DestinationNumber = "destination.number", "+16075550199";
    /// The number that calls (`From` of leg A), E.164.
    CallerNumber = "caller.number", "+12045550100";
    /// The number that was called (`To` of leg A), E.164: the skill's own number.
    CalledNumber = "called.number", "+16075550199";
    /// The digits that were received last.
    Digits = "digits", "1";
    /// The locale of the session, or the plan's default.
    Locale = "locale", "en-US";
    /// The `CallId` of leg A.
    LegA = "leg-a.call-id", "9f3c1c34-7f5a-4f3e-9d6b-000000000001";
    /// The `CallId` of leg B; empty while there is none.
    LegB = "leg-b.call-id", "9f3c1c34-7f5a-4f3e-9d6b-000000000002";
    /// The `TransactionId` of the call.
    Transaction = "transaction.id", "9f3c1c34-7f5a-4f3e-9d6b-000000000003";
    /// The `clientSessionId`; empty in calls without session.
    Csi = "csi", "0123456789abcdef";
    /// In the text `which-of`: the destinations to choose from, `the front desk or housekeeping`.
    Choices = "choices", "front desk or housekeeping";
    /// In the text `opens`: when the destination opens, `tomorrow at 7 AM`.
    DestinationOpens = "destination.opens", "tomorrow at 7 AM";
}

/// A stretch of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part<'a> {
    /// Text that stands for itself; in the template of an action it is JSON already.
    Literal(&'a str),
    /// A variable's value.
    Variable(Variable),
}

/// A text, or an action's JSON, with variables in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template<'a> {
    /// The stretches in order.
    #[serde(borrow)]
    pub parts: Vec<Part<'a>>,
}

impl Template<'_> {
    /// The text with the variables' values put in.
    pub fn render<'v>(&self, value: impl Fn(Variable) -> Cow<'v, str>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(variable) => text.push_str(&value(*variable)),
            }
        }
        text
    }

    /// SSML with the variables' values put in, escaped as the content of elements wants it (XML 1.0 §2.4).
    pub fn render_ssml<'v>(&self, value: impl Fn(Variable) -> Cow<'v, str>) -> String {
        let mut ssml = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => ssml.push_str(literal),
                Part::Variable(variable) => escape_xml(&value(*variable), &mut ssml),
            }
        }
        ssml
    }

    /// Whether it is SSML: it begins with a `speak` element.
    #[must_use]
    pub fn is_ssml(&self) -> bool {
        matches!(self.parts.first(), Some(Part::Literal(text)) if text.trim_start().starts_with("<speak>"))
    }

    /// The JSON with the variables' values put in, escaped as JSON strings want it (RFC 8259 §7).
    pub fn render_json<'v>(&self, value: impl Fn(Variable) -> Cow<'v, str>) -> String {
        let mut json = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => json.push_str(literal),
                Part::Variable(variable) => escape_json(&value(*variable), &mut json),
            }
        }
        json
    }
}

fn escape_xml(text: &str, xml: &mut String) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            other => xml.push(other),
        }
    }
}

/// Writes `text` as it stands between the quotes of a JSON string.
pub(crate) fn escape_json(text: &str, json: &mut String) {
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if (control as u32) < 0x20 => {
                json.push_str("\\u00");
                for shift in [4u32, 0] {
                    json.push(
                        char::from_digit(((control as u32) >> shift) & 0xf, 16).unwrap_or('0'),
                    );
                }
            }
            other => json.push(other),
        }
    }
}

/// A stretch of a template as it is read from the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands for itself.
    Literal(String),
    /// A variable's value.
    Variable(Variable),
}

/// A name in braces that is no variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{{{0}}} is no variable; expected one of {list}, or {{{{ for a brace", list = known_names())]
pub struct UnknownVariable(pub String);

fn known_names() -> String {
    Variable::ALL
        .iter()
        .map(|v| format!("{{{}}}", v.name()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Parts a text into what stands for itself and variables.
///
/// # Errors
/// When a name stands in braces that is no variable.
pub fn parse(text: &str) -> Result<Vec<Piece>, UnknownVariable> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        literal.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            literal.push('{');
            rest = after;
            continue;
        }
        match after.split_once('}').filter(|(name, _)| is_name(name)) {
            Some((name, after)) => {
                let variable =
                    Variable::named(name).ok_or_else(|| UnknownVariable(name.to_owned()))?;
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Variable(variable));
                rest = after;
            }
            None => {
                literal.push('{');
                rest = after;
            }
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_that_are_no_variable_stand_for_themselves() {
        assert_eq!(
            parse(r"^\d{2}#$").unwrap(),
            [Piece::Literal(r"^\d{2}#$".into())]
        );
        assert_eq!(
            parse("a {{b} {digits}c{").unwrap(),
            [
                Piece::Literal("a {b} ".into()),
                Piece::Variable(Variable::Digits),
                Piece::Literal("c{".into())
            ]
        );
        let error = parse("{destination.nam}").unwrap_err().to_string();
        assert!(
            error.contains("{destination.nam} is no variable")
                && error.contains("{destination.name}"),
            "{error}"
        );
    }

    #[test]
    fn each_variable_is_found_by_its_name() {
        for variable in Variable::ALL {
            assert_eq!(Variable::named(variable.name()), Some(*variable));
            assert_eq!(
                parse(&format!("{{{}}}", variable.name())).unwrap(),
                [Piece::Variable(*variable)]
            );
        }
    }

    #[test]
    fn values_cannot_leave_their_ssml_element() {
        let template = Template {
            parts: vec![
                Part::Literal("<speak>"),
                Part::Variable(Variable::Digits),
                Part::Literal("</speak>"),
            ],
        };
        assert!(template.is_ssml());
        assert_eq!(
            template.render_ssml(|_| Cow::Borrowed("</speak><audio src='x'/>&")),
            "<speak>&lt;/speak&gt;&lt;audio src=&apos;x&apos;/&gt;&amp;</speak>"
        );
    }

    #[test]
    fn values_cannot_leave_their_json_string() {
        let template = Template {
            parts: vec![
                Part::Literal("{\"Text\":\""),
                Part::Variable(Variable::Digits),
                Part::Literal("\"}"),
            ],
        };
        let json = template.render_json(|_| Cow::Borrowed("\",\"x\":\"\\\n\u{1}"));
        assert_eq!(json, "{\"Text\":\"\\\",\\\"x\\\":\\\"\\\\\\n\\u0001\"}");
        assert_eq!(template.render(|_| Cow::Borrowed("7")), "{\"Text\":\"7\"}");
    }
}
