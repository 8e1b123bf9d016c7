//! What is said about a destination: one text for all locales, or one for each.

use toml::Spanned;

use super::finding::Findings;
use super::locale::{self, CheckedLocale};
use super::speech;
use crate::name::{is_locale, language};
use crate::template::Piece;

/// One text for all locales, or one for each.
pub(super) fn texts(
    written: Option<&Spanned<toml::Value>>,
    place: &str,
    locales: &[CheckedLocale],
    findings: &mut Findings<'_>,
) -> Vec<(String, Vec<Piece>)> {
    let Some(written) = written else {
        return Vec::new();
    };
    let span = written.span();
    let expected = "expected a text, or a table with a text for each locale, as { en-US = \"…\" }";
    let each: Vec<(&str, &toml::Value)> = match written.get_ref() {
        text @ toml::Value::String(_) => locales
            .iter()
            .map(|locale| (locale.tag.as_str(), text))
            .collect(),
        toml::Value::Table(each) => each
            .iter()
            .map(|(tag, text)| (tag.as_str(), text))
            .collect(),
        other => {
            findings.error(
                &span,
                place,
                format!("found {}; {expected}", other.type_str()),
            );
            return Vec::new();
        }
    };
    let mut texts = Vec::new();
    for (tag, text) in each {
        if !is_locale(tag) {
            findings.error(
                &findings.key_within(&span, tag),
                place,
                format!("found {tag:?}; expected locales, as {{ en-US = \"…\" }}"),
            );
            continue;
        }
        let serving = locale::serving(locales, tag);
        if serving.is_none_or(|l| language(&l.tag) != language(tag)) {
            findings.warning(
                &findings.key_within(&span, tag),
                place,
                format!("there is no [locale.{tag}], so the skill never speaks it"),
            );
        }
        let Some(text) = text.as_str() else {
            findings.error(
                &span,
                place,
                format!("found {}; {expected}", text.type_str()),
            );
            continue;
        };
        let filled = match serving {
            Some(locale) => locale.fill(text),
            None => text.to_owned(),
        };
        match speech::check(&filled, &span, place, findings) {
            // Facts A3: the skill must announce the call in speech.
            Some(pieces) if pieces.is_empty() => {
                findings.error(&span, place, "is empty, but the call must be announced; expected a text, or no `announce` for the built-in one");
            }
            Some(pieces) => texts.push((tag.to_owned(), pieces)),
            None => {}
        }
    }
    texts
}
