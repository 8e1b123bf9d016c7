//! Alexa's limits of a response (facts A4): what is too long is cut where a sentence ends.

use super::{OutputSpeech, ResponseEnvelope, SPEECH_MAX_CHARS, WHOLE_MAX_BYTES};

/// What was cut from a response so that Alexa takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A speech had more than [`SPEECH_MAX_CHARS`] characters.
    Speech,
    /// The card went, because the whole had more than [`WHOLE_MAX_BYTES`] bytes.
    Card,
    /// Speech was shortened, because the whole had too many bytes.
    Whole,
}

impl ResponseEnvelope {
    /// Cuts what is beyond the limits of facts A4, and says what was cut: speech at the end of a sentence, SSML to plain
    /// text first, as a cut could part its elements.
    pub fn keep_within_limits(&mut self) -> Vec<Cut> {
        let mut cuts = Vec::new();
        if self.shorten_speeches(SPEECH_MAX_CHARS) {
            cuts.push(Cut::Speech);
        }
        if self.bytes() > WHOLE_MAX_BYTES && self.response.card.take().is_some() {
            cuts.push(Cut::Card);
        }
        let mut chars = SPEECH_MAX_CHARS;
        while self.bytes() > WHOLE_MAX_BYTES && chars > 250 {
            chars /= 2;
            if self.shorten_speeches(chars) && !cuts.contains(&Cut::Whole) {
                cuts.push(Cut::Whole);
            }
        }
        cuts
    }

    fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |bytes| bytes.len())
    }

    fn shorten_speeches(&mut self, chars: usize) -> bool {
        let reprompt = self
            .response
            .reprompt
            .as_mut()
            .and_then(|reprompt| reprompt.output_speech.as_mut());
        let mut cut = false;
        for speech in [self.response.output_speech.as_mut(), reprompt]
            .into_iter()
            .flatten()
        {
            if speech.content().chars().count() > chars {
                let text = match &*speech {
                    OutputSpeech::Ssml { ssml, .. } => without_tags(ssml),
                    OutputSpeech::PlainText { text, .. } => text.clone(),
                };
                *speech = OutputSpeech::text(sentences(&text, chars));
                cut = true;
            }
        }
        cut
    }
}

/// The sentences at the beginning of `text` that fit into `chars` characters; if not one does, as many words as fit.
#[must_use]
pub fn sentences(text: &str, chars: usize) -> &str {
    let Some((end, _)) = text.char_indices().nth(chars) else {
        return text;
    };
    let head = text.get(..end).unwrap_or_default();
    let sentence = head
        .char_indices()
        .filter(|(_, c)| matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？'))
        .map(|(at, c)| at + c.len_utf8())
        // A period in the middle of a word or a number ends no sentence.
        .rfind(|at| {
            text.get(*at..)
                .and_then(|rest| rest.chars().next())
                .is_none_or(|next| next.is_whitespace() || !next.is_ascii())
        });
    let end = sentence.or_else(|| head.rfind(char::is_whitespace));
    head.get(..end.unwrap_or(head.len()))
        .unwrap_or(head)
        .trim_end()
}

/// The words of SSML.
fn without_tags(ssml: &str) -> String {
    let mut text = String::with_capacity(ssml.len());
    let mut rest = ssml;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::alexa::Card;

    #[test]
    fn a_cut_falls_between_sentences_else_between_words() {
        assert_eq!(sentences("One. Two. Three.", 100), "One. Two. Three.");
        assert_eq!(sentences("One. Two. Three.", 12), "One. Two.");
        assert_eq!(
            sentences("Version 1.5 is out, see there", 12),
            "Version 1.5"
        );
        assert_eq!(sentences("Donaudampfschiff", 5), "Donau");
        assert_eq!(sentences("äöü. ß", 4), "äöü.");
    }

    #[test]
    fn what_is_short_stays_as_it_is() {
        let mut response = ResponseEnvelope::ask("Whom?", "Whom?");
        let before = response.clone();
        assert!(response.keep_within_limits().is_empty());
        assert_eq!(response, before);
    }

    #[test]
    fn long_speech_is_cut_at_a_sentence() {
        let mut response = ResponseEnvelope::tell("A sentence of words. ".repeat(500));
        assert_eq!(response.keep_within_limits(), [Cut::Speech]);
        let speech = response.response.output_speech.unwrap();
        assert!(speech.content().ends_with("words.") && speech.content().len() <= 8000);
    }

    #[test]
    fn long_ssml_becomes_text_before_it_is_cut() {
        let ssml = format!(
            "<speak>{}</speak>",
            "<p>Bread &amp; butter.</p> ".repeat(500)
        );
        let mut response = ResponseEnvelope::tell("");
        response.response.output_speech = Some(OutputSpeech::speech(ssml));
        assert_eq!(response.keep_within_limits(), [Cut::Speech]);
        let speech = response.response.output_speech.unwrap();
        assert!(
            matches!(&speech, OutputSpeech::PlainText { text, .. } if text.starts_with("Bread & butter."))
        );
    }

    #[test]
    fn a_response_is_never_longer_than_alexa_takes() {
        // Characters of three bytes: 8,000 of them in speech and reprompt are 48 KB.
        let text = "Ein Satz mit Wörtern …… ".repeat(330);
        let mut response =
            ResponseEnvelope::ask("字。 ".repeat(3000), text).with_card(Card::Simple {
                title: None,
                content: Some("x".repeat(9000)),
            });
        response.session_attributes.insert("a".to_owned(), json!(1));
        let cuts = response.keep_within_limits();
        assert!(
            cuts.contains(&Cut::Card) && cuts.contains(&Cut::Speech),
            "{cuts:?}"
        );
        assert!(serde_json::to_vec(&response).unwrap().len() <= WHOLE_MAX_BYTES);
    }
}
