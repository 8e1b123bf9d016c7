//! What is heard of a text: its words, and how long it is.

use std::time::Duration;

use quick_xml::events::Event;
use quick_xml::reader::Reader;
use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::{SpeechParameters, TextType};

use super::file::Setting;
use crate::engine::Failure;
use crate::speech::ssml;

/// A text as it is heard.
#[derive(Debug, Clone)]
pub(super) struct Spoken {
    pub(super) words: String,
    pub(super) length: Duration,
    /// What the speech engine would leave out.
    pub(super) notes: Vec<String>,
}

/// Makes a text what is heard of it, by the rules of the speech engine (facts F6): SSML must be well-formed, its aliases
/// are said, its breaks count.
pub(super) fn spoken(parameters: &SpeechParameters, setting: &Setting) -> Result<Spoken, Failure> {
    if parameters.text_type != Some(TextType::Ssml) {
        return Ok(Spoken {
            words: parameters.text.clone(),
            length: setting.spoken_for(&parameters.text),
            notes: Vec::new(),
        });
    }
    let invalid = |what: String| Failure::new(ErrorType::InvalidActionParameter, what);
    let prepared = ssml::prepare(&parameters.text).map_err(|error| invalid(error.to_string()))?;
    let (words, breaks) = plain(&prepared.text);
    Ok(Spoken {
        length: setting.spoken_for(&words) + breaks,
        words,
        notes: prepared.notes,
    })
}

/// The words of prepared SSML, and the sum of its breaks.
fn plain(prepared: &str) -> (String, Duration) {
    let mut reader = Reader::from_str(prepared);
    let (mut words, mut breaks) = (String::new(), Duration::ZERO);
    loop {
        match reader.read_event() {
            Ok(Event::Text(text)) => words.push_str(&text.xml10_content().unwrap_or_default()),
            Ok(Event::GeneralRef(reference)) => {
                let name = String::from_utf8_lossy(&reference).into_owned();
                words.push(match name.as_str() {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    _ => '\'',
                });
            }
            Ok(Event::Empty(tag)) if tag.name().as_ref() == b"break" => {
                let time = tag.try_get_attribute("time").ok().flatten();
                let millis = time
                    .and_then(|time| {
                        let text = String::from_utf8_lossy(&time.value).into_owned();
                        text.trim_end_matches("ms").parse().ok()
                    })
                    .unwrap_or(0);
                breaks += Duration::from_millis(millis);
                words.push(' ');
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    (words, breaks)
}
