//! What Alexa says: its length, and SSML that is well-formed.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;
use skillcall_protocol::alexa::SPEECH_MAX_CHARS;

use super::finding::Findings;
use crate::template::{self, Piece};

/// Parts a text at its variables, and checks what Alexa would refuse: more characters than it takes (facts A4), and SSML
/// that is not well-formed.
pub(super) fn check(
    text: &str,
    span: &Range<usize>,
    place: &str,
    findings: &mut Findings<'_>,
) -> Option<Vec<Piece>> {
    let pieces = match template::parse(text) {
        Ok(pieces) => pieces,
        Err(error) => {
            findings.error(span, place, error.to_string());
            return None;
        }
    };
    let chars: usize = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => text.chars().count(),
            Piece::Variable(variable) => variable.sample().chars().count(),
        })
        .sum();
    if chars > SPEECH_MAX_CHARS {
        findings.error(
            span,
            place,
            format!("has {chars} characters; Alexa takes at most {SPEECH_MAX_CHARS}"),
        );
        return None;
    }
    if text.trim_start().starts_with("<speak")
        && let Err(problem) = well_formed(text)
    {
        findings.error(
            span,
            place,
            format!("the SSML is not well-formed: {problem}; expected one <speak> element"),
        );
        return None;
    }
    Some(pieces)
}

/// Whether SSML is one `speak` element whose elements all end.
pub(super) fn well_formed(ssml: &str) -> Result<(), String> {
    let mut reader = Reader::from_str(ssml.trim());
    let (mut depth, mut roots) = (0u32, 0u32);
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                if depth == 0 {
                    roots += 1;
                    if element.name().as_ref() != b"speak" {
                        let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
                        return Err(format!("<{name}> stands outside"));
                    }
                }
                depth += 1;
            }
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Empty(element)) if depth == 0 => {
                let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
                return Err(format!("<{name}/> stands outside"));
            }
            Ok(Event::Text(text)) if depth == 0 && !text.is_empty() => {
                return Err("words stand outside".to_owned());
            }
            Ok(Event::Eof) if depth > 0 => return Err("an element does not end".to_owned()),
            Ok(Event::Eof) if roots != 1 => {
                return Err(format!("there are {roots} <speak> elements"));
            }
            Ok(Event::Eof) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_speak_element_is_ssml() {
        for right in [
            "<speak>Hello.</speak>",
            "<speak>Hello <break time=\"1s\"/> <amazon:effect name='whispered'>you</amazon:effect> &amp; me.</speak>",
        ] {
            well_formed(right).unwrap();
        }
        for wrong in [
            "<speak>Hello.",
            "<speak><p>Hello.</speak></p>",
            "<speak>Hello.</speak> And more.",
            "<speak>a</speak><speak>b</speak>",
            "<speak>",
            "<say>Hello.</say>",
        ] {
            assert!(well_formed(wrong).is_err(), "{wrong}");
        }
    }
}
