//! The locales of a plan: tags, voices, texts.

use std::collections::BTreeMap;

use super::finding::Findings;
use super::shape::Source;
use super::speech;
use crate::name::{best_locale, is_locale};
use crate::template::{self, Piece};
use crate::text::TextKey;

/// The locale when the plan names none.
const DEFAULT: &str = "en-US";

/// A locale with all its texts.
pub(super) struct CheckedLocale {
    pub(super) tag: String,
    /// The voice that the plan names, else the usual one; none where the SIP media application's own default fits.
    pub(super) voice: Option<String>,
    pub(super) texts: Vec<Vec<Piece>>,
    /// What stands for `{var.NAME}`.
    pub(super) variables: BTreeMap<String, String>,
}

impl CheckedLocale {
    /// The text with the plan's own variables in it.
    pub(super) fn fill(&self, text: &str) -> String {
        fill(text, &self.variables)
    }
}

fn fill(text: &str, variables: &BTreeMap<String, String>) -> String {
    if !text.contains("{var.") {
        return text.to_owned();
    }
    variables
        .iter()
        .fold(text.to_owned(), |text, (name, words)| {
            text.replace(&format!("{{var.{name}}}"), words)
        })
}

/// The plan's variables, those of the locale first.
fn variables(source: &Source, tag: &str) -> BTreeMap<String, String> {
    let mut variables = source.variables.clone();
    if let Some((_, locale)) = source
        .locale
        .iter()
        .find(|(known, _)| known.get_ref() == tag)
    {
        variables.extend(locale.variables.clone());
    }
    variables
}

/// A voice for a locale whose plan names none. `en-US` has none, because there the SIP media application's own
/// default (facts F6, Speak: Joanna) fits.
fn usual_voice(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "en-GB" => "Amy",
        "en-AU" => "Nicole",
        "en-IN" => "Aditi",
        "de-DE" | "de-AT" | "de-CH" => "Vicki",
        "fr-FR" => "Lea",
        "fr-CA" => "Chantal",
        "es-ES" => "Lucia",
        "es-MX" => "Mia",
        "es-US" => "Lupe",
        "it-IT" => "Bianca",
        "pt-BR" => "Camila",
        "ja-JP" => "Mizuki",
        _ => return None,
    })
}

/// The plan's locales, the default first, with each text in its own words, the built-in ones, or the default's.
pub(super) fn check(source: &Source, findings: &mut Findings<'_>) -> Vec<CheckedLocale> {
    let default = source.skill.default_locale.as_ref();
    let default_tag = default.map_or(DEFAULT, |tag| tag.get_ref());
    if let Some(tag) = default
        && !is_locale(tag.get_ref())
    {
        findings.error(
            &tag.span(),
            "skill.default-locale",
            wrong_tag(tag.get_ref()),
        );
    }
    let mut tags = vec![default_tag.to_owned()];
    for tag in source.locale.keys() {
        if !is_locale(tag.get_ref()) {
            findings.error(
                &tag.span(),
                format!("locale.{}", tag.get_ref()),
                wrong_tag(tag.get_ref()),
            );
        } else if tag.get_ref() != default_tag {
            tags.push(tag.get_ref().clone());
        }
    }
    let own: BTreeMap<&str, BTreeMap<TextKey, Vec<Piece>>> = source
        .locale
        .iter()
        .map(|(tag, locale)| {
            (
                tag.get_ref().as_str(),
                own_texts(
                    tag.get_ref(),
                    locale,
                    &variables(source, tag.get_ref()),
                    findings,
                ),
            )
        })
        .collect();
    let written = |tag: &str, key: TextKey| own.get(tag).and_then(|texts| texts.get(&key)).cloned();
    let built_in = |tag: &str, key: TextKey| {
        key.built_in(tag)
            .and_then(|text| template::parse(text).ok())
    };
    tags.into_iter()
        .map(|tag| {
            let texts = TextKey::ALL
                .iter()
                .map(|key| {
                    written(&tag, *key)
                        .or_else(|| built_in(&tag, *key))
                        .or_else(|| {
                            let span = source.locale.keys().find(|t| *t.get_ref() == tag).or(default).map_or(0..0, |t| t.span());
                            findings.warning(
                                &span,
                                format!("locale.{tag}.texts"),
                                format!("has no text `{}`, and none is built in for this language; the default locale's is said", key.name()),
                            );
                            written(default_tag, *key)
                        })
                        .or_else(|| built_in(default_tag, *key))
                        .or_else(|| built_in(DEFAULT, *key))
                        .unwrap_or_default()
                })
                .collect();
            let voice = source
                .locale
                .iter()
                .find(|(known, _)| *known.get_ref() == tag)
                .and_then(|(_, locale)| locale.voice.as_ref())
                .map(|voice| voice.get_ref().clone())
                .or_else(|| usual_voice(&tag).map(str::to_owned));
            CheckedLocale {
                variables: variables(source, &tag),
                tag,
                voice,
                texts,
            }
        })
        .collect()
}

fn own_texts(
    tag: &str,
    locale: &super::shape::Locale,
    variables: &BTreeMap<String, String>,
    findings: &mut Findings<'_>,
) -> BTreeMap<TextKey, Vec<Piece>> {
    let mut texts = BTreeMap::new();
    for (name, text) in &locale.texts {
        let place = format!("locale.{tag}.texts.{}", name.get_ref());
        let Some(key) = TextKey::named(name.get_ref()) else {
            let known: Vec<&str> = TextKey::ALL.iter().map(|key| key.name()).collect();
            findings.error(
                &name.span(),
                place,
                format!(
                    "is no text of the skill; expected one of {}",
                    known.join(", ")
                ),
            );
            continue;
        };
        let filled = fill(text.get_ref(), variables);
        if let Some(pieces) = speech::check(&filled, &text.span(), &place, findings) {
            texts.insert(key, pieces);
        }
    }
    texts
}

fn wrong_tag(found: &str) -> String {
    format!("found {found:?}; expected a locale of Alexa, as \"en-US\" or \"de-DE\"")
}

/// Of the plan's locales, the one that serves `wanted`; the default when none does.
pub(super) fn serving<'l>(locales: &'l [CheckedLocale], wanted: &str) -> Option<&'l CheckedLocale> {
    let index = best_locale(wanted, locales.iter().map(|l| l.tag.as_str())).unwrap_or(0);
    locales.get(index)
}
