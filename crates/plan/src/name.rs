//! How spoken names are compared: what a person says, and what speech recognition makes of it, differ in case,
//! punctuation and spaces from what stands in the plan.

/// `spoken` in the form in which names are compared: lower case, letters and digits only, words parted by one space.
///
/// ```
/// assert_eq!(skillcall_plan::name::normalise("  The Front-Desk! "), "the front desk");
/// ```
#[must_use]
pub fn normalise(spoken: &str) -> String {
    let mut normal = String::with_capacity(spoken.len());
    let mut gap = false;
    for character in spoken.chars() {
        // Recognisers write "concierge's" and "concierges" alike.
        if matches!(character, '\'' | '’') {
            continue;
        }
        if character.is_alphanumeric() {
            if gap && !normal.is_empty() {
                normal.push(' ');
            }
            gap = false;
            normal.extend(character.to_lowercase());
        } else {
            gap = true;
        }
    }
    normal
}

/// Words that people put before a name, and recognisers into the slot.
const ARTICLES: [&str; 8] = ["the ", "a ", "an ", "der ", "die ", "das ", "den ", "dem "];

/// A normalised name without the article before it; none when there is none.
#[must_use]
pub fn without_article(normal: &str) -> Option<&str> {
    ARTICLES
        .iter()
        .find_map(|article| normal.strip_prefix(article))
        .filter(|rest| !rest.is_empty())
}

/// Whether `tag` has the form of Alexa's locales, as `de-DE`: two lower-case letters, a hyphen, two capitals.
#[must_use]
pub fn is_locale(tag: &str) -> bool {
    matches!(tag.as_bytes(), [a, b, b'-', c, d]
        if a.is_ascii_lowercase() && b.is_ascii_lowercase() && c.is_ascii_uppercase() && d.is_ascii_uppercase())
}

/// The language of a locale: what stands before the hyphen.
#[must_use]
pub fn language(locale: &str) -> &str {
    locale.split('-').next().unwrap_or(locale)
}

/// Of `candidates`, the place of the one that serves `wanted` best: the same locale, else the same language.
pub(crate) fn best_locale<'a>(
    wanted: &str,
    candidates: impl Iterator<Item = &'a str> + Clone,
) -> Option<usize> {
    candidates
        .clone()
        .position(|tag| tag.eq_ignore_ascii_case(wanted))
        .or_else(|| {
            candidates
                .clone()
                .position(|tag| language(tag).eq_ignore_ascii_case(language(wanted)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_by_letters_and_digits() {
        assert_eq!(normalise("Room 12, please"), "room 12 please");
        assert_eq!(normalise("Empfang – Süd"), "empfang süd");
        assert_eq!(normalise("the concierge's desk"), "the concierges desk");
        assert_eq!(normalise("!?"), "");
    }

    #[test]
    fn locales_match_exactly_before_they_match_by_language() {
        let tags = ["en-US", "de-DE", "en-GB"];
        assert_eq!(best_locale("en-GB", tags.into_iter()), Some(2));
        assert_eq!(best_locale("de-AT", tags.into_iter()), Some(1));
        assert_eq!(best_locale("fr-FR", tags.into_iter()), None);
        assert!(is_locale("de-DE") && !is_locale("X-Ab") && !is_locale("de_DE"));
    }
}
