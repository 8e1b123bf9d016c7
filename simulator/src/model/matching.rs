//! An utterance to an intent with its slots.

use sha2::{Digest as _, Sha256};

use super::document::{Slot, SlotType};
use super::language::Language;
use super::sample::{Element, Sample};
use super::words::{Word, Words, spoken};
use super::{Model, Resolution};

/// Words that wake a device; they are no part of what is asked.
const WAKE_WORDS: [&str; 5] = ["alexa", "echo", "computer", "amazon", "ziggy"];
/// Steps that one utterance may cost; patterns with many slots could otherwise be tried in very many ways.
const STEPS: usize = 200_000;
/// An utterance has no more words than this; what follows is not heard.
const MAX_WORDS: usize = 64;

/// What Alexa makes of an utterance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The skill is opened: a LaunchRequest.
    Launch,
    /// An IntentRequest.
    Intent {
        /// The intent's name.
        name: String,
        /// All slots of the intent, in the model's order, filled or not.
        slots: Vec<SlotValue>,
    },
    /// The customer leaves: Alexa ends the session by itself.
    Exit,
    /// No intent fits and the model has no AMAZON.FallbackIntent: the skill hears nothing.
    NotUnderstood,
}

/// A slot of an intent as heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotValue {
    /// The slot's name.
    pub name: String,
    /// What was said; absent when the slot was not filled.
    pub value: Option<String>,
    /// The entity resolution; absent for built-in types, which have none.
    pub resolution: Option<Resolution>,
}

struct Best {
    score: usize,
    fills: Vec<(usize, Fill)>,
}

#[derive(Clone)]
struct Fill {
    value: String,
    resolution: Option<Resolution>,
    score: usize,
}

pub(super) fn hear(model: &Model, utterance: &str) -> Heard {
    let words = Words::of(utterance);
    let words = words.as_slice();
    let words = words.get(..MAX_WORDS).unwrap_or(words);
    let words = match words.split_first() {
        Some((first, rest)) if WAKE_WORDS.contains(&first.plain()) => rest,
        _ => words,
    };
    if words.is_empty() {
        return Heard::NotUnderstood;
    }
    let addressed = address(model, words);
    for part in addressed.iter().chain([&words]) {
        if part.is_empty() {
            return Heard::Launch;
        }
        if let Some(intent) = best_intent(model, part) {
            return intent;
        }
    }
    if phrase_is(words, model.language.exit) {
        Heard::Exit
    } else if model.declares("AMAZON.FallbackIntent") {
        Heard::Intent {
            name: "AMAZON.FallbackIntent".to_owned(),
            slots: Vec::new(),
        }
    } else if addressed.is_empty() {
        Heard::NotUnderstood
    } else {
        // The skill was asked for, but not what it should do: Alexa opens it.
        Heard::Launch
    }
}

/// The requests that may be meant when the skill's name is said; an empty one only opens the skill.
fn address<'a>(model: &Model, words: &'a [Word]) -> Vec<&'a [Word]> {
    let name = model.invocation.as_slice();
    let language = model.language;
    let mut parts: Vec<&[Word]> = Vec::new();
    for before in language
        .ask
        .iter()
        .chain(language.open)
        .copied()
        .chain([""])
    {
        let Some(rest) = strip_phrase(words, before) else {
            continue;
        };
        let Some(rest) = strip_name(rest, name, language) else {
            continue;
        };
        for link in language.link {
            if let Some(request) = strip_phrase(rest, link) {
                parts.push(request);
            }
        }
        parts.push(rest);
    }
    for through in language.through {
        for at in 0..words.len() {
            let (request, tail) = words.split_at(at);
            if let Some(tail) = strip_phrase(tail, through)
                && strip_name(tail, name, language).is_some_and(<[Word]>::is_empty)
                && !request.is_empty()
            {
                parts.push(request);
            }
        }
    }
    parts
}

fn strip_name<'a>(words: &'a [Word], name: &[Word], language: &Language) -> Option<&'a [Word]> {
    let words = match words.split_first() {
        Some((first, rest)) if language.is_article(first.plain()) && !starts_with(words, name) => {
            rest
        }
        _ => words,
    };
    starts_with(words, name)
        .then(|| words.get(name.len()..))
        .flatten()
}

fn starts_with(words: &[Word], name: &[Word]) -> bool {
    words
        .get(..name.len())
        .is_some_and(|head| head.iter().zip(name).all(|(a, b)| a.plain() == b.plain()))
}

fn strip_phrase<'a>(words: &'a [Word], phrase: &str) -> Option<&'a [Word]> {
    let mut rest = words;
    for wanted in phrase.split_whitespace() {
        let (first, others) = rest.split_first()?;
        if first.plain() != wanted {
            return None;
        }
        rest = others;
    }
    Some(rest)
}

fn phrase_is(words: &[Word], phrases: &[&str]) -> bool {
    phrases
        .iter()
        .any(|phrase| strip_phrase(words, phrase).is_some_and(<[Word]>::is_empty))
}

fn best_intent(model: &Model, words: &[Word]) -> Option<Heard> {
    let mut steps = STEPS;
    let mut found: Option<(&Sample, Best)> = None;
    for sample in &model.samples {
        let slots = slots_of(model, sample);
        let mut search = Search {
            model,
            slots,
            steps: &mut steps,
        };
        if let Some(best) = search.fit(&sample.elements, words)
            && found
                .as_ref()
                .is_none_or(|(_, other)| best.score > other.score)
        {
            found = Some((sample, best));
        }
    }
    let (sample, best) = found?;
    let slots = slots_of(model, sample)
        .iter()
        .enumerate()
        .map(|(at, slot)| {
            let fill = best
                .fills
                .iter()
                .find(|(filled, _)| *filled == at)
                .map(|(_, fill)| fill.clone());
            SlotValue {
                name: slot.name.clone(),
                value: fill.as_ref().map(|fill| fill.value.clone()),
                resolution: fill.and_then(|fill| fill.resolution),
            }
        })
        .collect();
    Some(Heard::Intent {
        name: sample.intent.clone(),
        slots,
    })
}

fn slots_of<'a>(model: &'a Model, sample: &Sample) -> &'a [Slot] {
    model
        .document
        .interaction_model
        .language_model
        .intents
        .get(sample.intent_at)
        .map_or(&[], |intent| intent.slots.as_slice())
}

struct Search<'a> {
    model: &'a Model,
    slots: &'a [Slot],
    steps: &'a mut usize,
}

impl Search<'_> {
    fn fit(&mut self, elements: &[Element], words: &[Word]) -> Option<Best> {
        *self.steps = self.steps.checked_sub(1)?;
        let language = self.model.language;
        let mut best: Option<Best> = None;
        if let Some((word, rest)) = words.split_first()
            && language.is_article(word.plain())
        {
            keep_better(&mut best, self.fit(elements, rest));
        }
        match elements.split_first() {
            None if words.is_empty() => keep_better(
                &mut best,
                Some(Best {
                    score: 0,
                    fills: Vec::new(),
                }),
            ),
            None => {}
            Some((Element::Literal(literal), others)) => {
                if let Some((word, rest)) = words.split_first()
                    && word.plain() == literal.plain()
                {
                    keep_better(
                        &mut best,
                        self.fit(others, rest).map(|fit| Best {
                            score: fit.score + 2,
                            ..fit
                        }),
                    );
                }
                if language.is_article(literal.plain()) {
                    keep_better(&mut best, self.fit(others, words));
                }
            }
            Some((Element::Slot(at), others)) => {
                let slot = self.slots.get(*at)?;
                for length in 1..=words.len() {
                    let (value, rest) = words.split_at(length);
                    let Some(fill) = fill(self.model, &slot.slot_type, value) else {
                        continue;
                    };
                    if let Some(mut fit) = self.fit(others, rest) {
                        fit.score += fill.score;
                        fit.fills.push((*at, fill));
                        keep_better(&mut best, Some(fit));
                    }
                }
            }
        }
        best
    }
}

fn keep_better(best: &mut Option<Best>, other: Option<Best>) {
    if let Some(other) = other
        && best.as_ref().is_none_or(|one| other.score > one.score)
    {
        *best = Some(other);
    }
}

/// The answer to a question for a slot.
pub(super) fn slot_value(
    model: &Model,
    intent: &str,
    slot: &str,
    utterance: &str,
) -> Option<SlotValue> {
    let intents = &model.document.interaction_model.language_model.intents;
    let intent = intents.iter().find(|one| one.name == intent)?;
    let slot = intent.slots.iter().find(|one| one.name == slot)?;
    let words = Words::of(utterance);
    let fill = fill(model, &slot.slot_type, words.as_slice())?;
    Some(SlotValue {
        name: slot.name.clone(),
        value: Some(fill.value),
        resolution: fill.resolution,
    })
}

/// Whether an utterance is one of the language's ways to say yes or no.
pub(super) fn confirmation(language: &Language, utterance: &str) -> Option<bool> {
    let words = Words::of(utterance);
    let said = |intent: &str| {
        let phrases = language.built_in.iter().find(|(name, _)| *name == intent);
        phrases.is_some_and(|(_, phrases)| phrase_is(words.as_slice(), phrases))
    };
    if said("AMAZON.YesIntent") {
        Some(true)
    } else if said("AMAZON.NoIntent") {
        Some(false)
    } else {
        None
    }
}

/// Fills a slot of a type with words, or says that they do not fit.
fn fill(model: &Model, type_name: &str, words: &[Word]) -> Option<Fill> {
    let language = model.language;
    let own = model
        .document
        .interaction_model
        .language_model
        .types
        .iter()
        .find(|one| one.name == type_name);
    if let Some(own) = own {
        let bare = without_articles(words, language);
        let values = resolve(own, &bare, language);
        let known = !values.is_empty();
        return Some(Fill {
            value: spoken_without_articles_around(words, language),
            resolution: Some(Resolution {
                slot_type: own.name.clone(),
                values,
            }),
            score: if known { 3 * words.len() } else { 0 },
        });
    }
    let digits = || language_digits(words, language);
    let plain = |value: String, score| {
        Some(Fill {
            value,
            resolution: None,
            score,
        })
    };
    match type_name {
        "AMAZON.NUMBER" | "AMAZON.Ordinal" => plain(digits()?, 3 * words.len()),
        "AMAZON.FOUR_DIGIT_NUMBER" => plain(
            digits().filter(|digits| digits.len() == 4)?,
            3 * words.len(),
        ),
        // E.164 allows 15 digits; the shortest numbers that people call are three.
        "AMAZON.PhoneNumber" => plain(
            digits().filter(|digits| (3..=15).contains(&digits.len()))?,
            3 * words.len(),
        ),
        _ => plain(spoken(words), 0),
    }
}

fn language_digits(words: &[Word], language: &Language) -> Option<String> {
    let plain: Vec<&str> = words.iter().map(Word::plain).collect();
    if plain.is_empty() {
        return None;
    }
    language.digits(&plain).or_else(|| {
        // Without a table, digits are still digits.
        plain
            .iter()
            .all(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| plain.concat())
    })
}

/// "the front desk, please" is the value "front desk".
fn spoken_without_articles_around(words: &[Word], language: &Language) -> String {
    let is_article = |word: &Word| language.is_article(word.plain());
    let first = words.iter().position(|word| !is_article(word));
    let last = words.iter().rposition(|word| !is_article(word));
    match (first, last) {
        (Some(first), Some(last)) => spoken(words.get(first..=last).unwrap_or(words)),
        _ => spoken(words),
    }
}

fn without_articles<'a>(words: &'a [Word], language: &Language) -> Vec<&'a str> {
    words
        .iter()
        .map(Word::plain)
        .filter(|word| !language.is_article(word))
        .collect()
}

fn resolve(slot_type: &SlotType, said: &[&str], language: &Language) -> Vec<(String, String)> {
    slot_type
        .values
        .iter()
        .filter(|value| {
            std::iter::once(&value.name.value)
                .chain(&value.name.synonyms)
                .any(|form| {
                    let form = Words::of(form);
                    let bare = without_articles(form.as_slice(), language);
                    !said.is_empty() && bare == said
                })
        })
        .map(|value| {
            let id = value
                .id
                .clone()
                .filter(|id| !id.is_empty())
                .unwrap_or_else(|| derived_id(&value.name.value));
            (value.name.value.clone(), id)
        })
        .collect()
}

/// Amazon derives an id of 32 hex digits for a value without one.
fn derived_id(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    hex::encode(digest.get(..16).unwrap_or(&digest))
}
