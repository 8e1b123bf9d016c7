//! Samples as patterns of literal words and slots.

use super::document::Document;
use super::language::Language;
use super::words::{Word, Words};

/// One part of a sample's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Slot(&'a str),
}

/// Parts a sample at its braces; the error says what is wrong with them.
pub(super) fn pieces(sample: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = sample.trim();
    while let Some(open) = rest.find(['{', '}']) {
        let (text, from) = rest.split_at(open);
        if from.starts_with('}') {
            return Err("a `}` stands without its `{`".to_owned());
        }
        if !text.trim().is_empty() {
            parts.push(Piece::Text(text));
        }
        let inside = from.get(1..).unwrap_or_default();
        let close = inside
            .find(['{', '}'])
            .filter(|at| inside[*at..].starts_with('}'));
        let Some(close) = close else {
            return Err("a `{` stands without its `}`".to_owned());
        };
        let name = inside[..close].trim();
        if name.is_empty() {
            return Err("`{}` names no slot".to_owned());
        }
        parts.push(Piece::Slot(name));
        rest = inside.get(close + 1..).unwrap_or_default();
    }
    if !rest.trim().is_empty() {
        parts.push(Piece::Text(rest));
    }
    Ok(parts)
}

/// One element of a pattern.
#[derive(Debug)]
pub(super) enum Element {
    Literal(Word),
    /// The slot's place in its intent.
    Slot(usize),
}

/// A way to say an intent.
#[derive(Debug)]
pub(super) struct Sample {
    /// The intent's name.
    pub(super) intent: String,
    /// The intent's place in the document.
    pub(super) intent_at: usize,
    pub(super) elements: Vec<Element>,
}

/// All samples of a document: the model's own, and those of the declared built-in intents.
pub(super) fn all(document: &Document, language: &Language) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (intent_at, intent) in document
        .interaction_model
        .language_model
        .intents
        .iter()
        .enumerate()
    {
        let built_in = language
            .built_in
            .iter()
            .find(|(name, _)| *name == intent.name)
            .map_or(&[][..], |(_, said)| *said);
        for text in intent
            .samples
            .iter()
            .map(String::as_str)
            .chain(built_in.iter().copied())
        {
            let mut elements = Vec::new();
            for piece in pieces(text).unwrap_or_default() {
                match piece {
                    Piece::Text(text) => {
                        elements.extend(
                            Words::of(text)
                                .as_slice()
                                .iter()
                                .cloned()
                                .map(Element::Literal),
                        );
                    }
                    Piece::Slot(name) => {
                        if let Some(at) = intent.slots.iter().position(|slot| slot.name == name) {
                            elements.push(Element::Slot(at));
                        }
                    }
                }
            }
            samples.push(Sample {
                intent: intent.name.clone(),
                intent_at,
                elements,
            });
        }
    }
    samples
}
