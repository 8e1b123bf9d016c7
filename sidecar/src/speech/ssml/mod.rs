//! SSML as handlers write it for Amazon Polly, made into the SSML that espeak-ng understands.
//!
//! Only what this file writes reaches the engine: markup that could name files or programs does not. Tags that are not
//! known are left out, and what stands in them is said; the trace is told.
//!
//! | Polly | here |
//! |---|---|
//! | `break` | `time` of 0 to 10 s; `strength` as pauses of 0 to 1.2 s |
//! | `prosody` | `rate` as a percentage (20 to 200), `pitch` as it is, `volume` in dB as a percentage |
//! | `say-as` | digits, telephone, date and ordinal are written out; characters are espeak-ng's |
//! | `emphasis`, `p`, `s` | espeak-ng's |
//! | `sub` | its alias |
//! | `lang` | another voice |

mod prosody;
mod say_as;

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::voices::language_voice;

/// Deepest nesting that is followed; a text of 1000 characters has no more.
const DEEPEST: usize = 100;

/// SSML that is ready for the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// For `espeak-ng -m`.
    pub(crate) text: String,
    /// What was left out or changed, for people.
    pub(crate) notes: Vec<String>,
}

/// SSML that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Text is no well-formed SSML at character {at}: {what}; expected <speak>…</speak>")]
pub(crate) struct SsmlError {
    at: usize,
    what: String,
}

/// What is open, and what closes it.
struct Open {
    /// Written when the tag ends.
    closing: &'static str,
    /// The text inside is not said as it stands.
    inside: Inside,
    /// The name as it was written.
    name: String,
}

#[derive(Clone)]
enum Inside {
    /// It is said.
    Said,
    /// An alias was said for it, or it says nothing.
    Skipped,
    /// It is collected, and said in another way.
    As(say_as::SayAs),
}

/// Makes SSML ready for the engine.
///
/// # Errors
/// [`SsmlError`] when it is not well-formed.
pub(crate) fn prepare(ssml: &str) -> Result<Prepared, SsmlError> {
    let mut reader = Reader::from_str(ssml);
    let mut writer = Writer::default();
    let mut open: Vec<Open> = Vec::new();
    let mut seen_root = false;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let wrong = |what: String| SsmlError { at: at + 1, what };
        let event = reader
            .read_event()
            .map_err(|error| wrong(error.to_string()))?;
        match event {
            Event::Start(tag) => {
                if open.len() >= DEEPEST {
                    return Err(wrong(format!("tags are nested more than {DEEPEST} deep")));
                }
                seen_root = true;
                let opened = writer.open(&tag).map_err(wrong)?;
                open.push(opened);
            }
            Event::Empty(tag) => {
                seen_root = true;
                let opened = writer.open(&tag).map_err(wrong)?;
                writer.close(opened);
            }
            Event::End(_) => {
                // The reader has compared the names.
                if let Some(opened) = open.pop() {
                    writer.close(opened);
                }
            }
            Event::Text(text) => {
                let text = text
                    .xml10_content()
                    .map_err(|error| wrong(error.to_string()))?;
                writer.say(&open, &text);
            }
            Event::CData(text) => {
                let text = text
                    .xml10_content()
                    .map_err(|error| wrong(error.to_string()))?;
                writer.say(&open, &text);
            }
            Event::GeneralRef(reference) => {
                let name = String::from_utf8_lossy(&reference).into_owned();
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(character),
                    Ok(None) => predefined(&name),
                    Err(_) => None,
                };
                let character =
                    character.ok_or_else(|| wrong(format!("&{name}; is no character")))?;
                writer.say(&open, character.encode_utf8(&mut [0; 4]));
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if let Some(unclosed) = open.last() {
        return Err(SsmlError {
            at: ssml.len(),
            what: format!("<{}> is not closed", unclosed.name),
        });
    }
    if !seen_root {
        writer.note("the text has no <speak>; it is said as it stands".to_owned());
    }
    Ok(Prepared {
        text: format!("<speak>{}</speak>", writer.text),
        notes: writer.notes,
    })
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

#[derive(Default)]
struct Writer {
    text: String,
    notes: Vec<String>,
    /// The text of a say-as.
    collected: String,
}

impl Writer {
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn say(&mut self, open: &[Open], text: &str) {
        // XML takes no control characters, and nor does the engine.
        let text: String = text
            .chars()
            .filter(|c| !c.is_control() || c.is_whitespace())
            .collect();
        let inside = open
            .iter()
            .rev()
            .map(|open| &open.inside)
            .find(|inside| !matches!(inside, Inside::Said));
        match inside {
            None | Some(Inside::Said) => self.text.push_str(&escape(text.as_str())),
            Some(Inside::Skipped) => {}
            Some(Inside::As(_)) => self.collected.push_str(&text),
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<Open, String> {
        let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
        let attributes = Attributes::of(tag)?;
        let (opening, closing, inside) = match name.as_str() {
            "speak" | "w" => (String::new(), "", Inside::Said),
            "p" => ("<p>".to_owned(), "</p>", Inside::Said),
            "s" => ("<s>".to_owned(), "</s>", Inside::Said),
            // A place in the text, which nobody asked to be told of.
            "mark" => (String::new(), "", Inside::Said),
            "break" => (self.pause(&attributes), "", Inside::Skipped),
            "emphasis" => {
                let level = attributes
                    .get("level")
                    .filter(|level| ["strong", "moderate", "reduced", "none"].contains(level))
                    .unwrap_or("moderate");
                let opening = format!("<emphasis level=\"{level}\">");
                (opening, "</emphasis>", Inside::Said)
            }
            "prosody" => {
                let written: String = ["rate", "pitch", "volume"]
                    .into_iter()
                    .filter_map(|name| self.prosody(name, attributes.get(name)?))
                    .collect();
                (format!("<prosody{written}>"), "</prosody>", Inside::Said)
            }
            "sub" => match attributes.get("alias") {
                Some(alias) => (escape(alias).into_owned(), "", Inside::Skipped),
                None => (String::new(), "", Inside::Said),
            },
            "lang" => match attributes.get("xml:lang").and_then(language_voice) {
                Some(voice) => (
                    format!("<voice xml:lang=\"{voice}\">"),
                    "</voice>",
                    Inside::Said,
                ),
                None => {
                    self.note("<lang> names no language in xml:lang and is left out".to_owned());
                    (String::new(), "", Inside::Said)
                }
            },
            "say-as" => {
                self.collected.clear();
                let wanted = attributes.get("interpret-as").unwrap_or_default();
                match say_as::SayAs::new(wanted, attributes.get("format")) {
                    Some(say_as) => (String::new(), "", Inside::As(say_as)),
                    None => {
                        self.note(format!(
                            "<say-as interpret-as={wanted:?}> is not known; its text is said as it stands"
                        ));
                        (String::new(), "", Inside::Said)
                    }
                }
            }
            other => {
                let shown: String = other.chars().take(40).collect();
                self.note(format!(
                    "<{shown}> is not known to this engine; its text is said without it"
                ));
                (String::new(), "", Inside::Said)
            }
        };
        self.text.push_str(&opening);
        Ok(Open {
            closing,
            inside,
            name,
        })
    }

    fn close(&mut self, open: Open) {
        if let Inside::As(say_as) = &open.inside {
            let collected = std::mem::take(&mut self.collected);
            self.text.push_str(&say_as.written(&collected));
        }
        self.text.push_str(open.closing);
    }

    fn pause(&mut self, attributes: &Attributes) -> String {
        match prosody::pause(attributes.get("time"), attributes.get("strength")) {
            Ok(0) => String::new(),
            Ok(millis) => format!("<break time=\"{millis}ms\"/>"),
            Err(note) => {
                self.note(note);
                String::new()
            }
        }
    }

    fn prosody(&mut self, name: &str, value: &str) -> Option<String> {
        let written = match name {
            "rate" => prosody::rate(value),
            "pitch" => prosody::pitch(value),
            _ => prosody::volume(value),
        };
        match written {
            Some(written) => Some(format!(" {name}=\"{written}\"")),
            None => {
                let shown: String = value.chars().take(40).collect();
                self.note(format!(
                    "<prosody {name}={shown:?}> is not known and left out"
                ));
                None
            }
        }
    }
}

struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn of(tag: &BytesStart<'_>) -> Result<Self, String> {
        tag.attributes()
            .map(|attribute| {
                let attribute = attribute.map_err(|error| error.to_string())?;
                let value: Cow<'_, str> = attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|error| error.to_string())?;
                let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
                Ok((name, value.into_owned()))
            })
            .collect::<Result<_, String>>()
            .map(Self)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests;
