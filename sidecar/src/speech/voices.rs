//! From Amazon's voices and language tags to the voices of espeak-ng.

use std::collections::BTreeMap;

/// Amazon Polly's voices: name, espeak-ng's language, whether the voice is a woman's or a girl's.
const POLLY: &[(&str, &str, bool)] = &[
    ("Zeina", "ar", true),
    ("Hala", "ar", true),
    ("Zayd", "ar", false),
    ("Arlet", "ca", true),
    ("Zhiyu", "cmn", true),
    ("Hiujin", "yue", true),
    ("Jitka", "cs", true),
    ("Naja", "da", true),
    ("Sofie", "da", true),
    ("Mads", "da", false),
    ("Laura", "nl", true),
    ("Lotte", "nl", true),
    ("Ruben", "nl", false),
    ("Lisa", "nl", true),
    ("Nicole", "en-gb", true),
    ("Olivia", "en-gb", true),
    ("Russell", "en-gb", false),
    ("Amy", "en-gb", true),
    ("Emma", "en-gb", true),
    ("Brian", "en-gb", false),
    ("Arthur", "en-gb", false),
    ("Aditi", "en-gb", true),
    ("Raveena", "en-gb", true),
    ("Kajal", "en-gb", true),
    ("Niamh", "en-gb", true),
    ("Aria", "en-gb", true),
    ("Ayanda", "en-gb", true),
    ("Geraint", "en-gb", false),
    ("Danielle", "en-us", true),
    ("Ivy", "en-us", true),
    ("Joanna", "en-us", true),
    ("Kendra", "en-us", true),
    ("Kimberly", "en-us", true),
    ("Salli", "en-us", true),
    ("Ruth", "en-us", true),
    ("Gregory", "en-us", false),
    ("Joey", "en-us", false),
    ("Justin", "en-us", false),
    ("Kevin", "en-us", false),
    ("Matthew", "en-us", false),
    ("Stephen", "en-us", false),
    ("Patrick", "en-us", false),
    ("Suvi", "fi", true),
    ("Celine", "fr-fr", true),
    ("Céline", "fr-fr", true),
    ("Lea", "fr-fr", true),
    ("Léa", "fr-fr", true),
    ("Mathieu", "fr-fr", false),
    ("Remi", "fr-fr", false),
    ("Rémi", "fr-fr", false),
    ("Isabelle", "fr-be", true),
    ("Chantal", "fr-fr", true),
    ("Gabrielle", "fr-fr", true),
    ("Liam", "fr-fr", false),
    ("Marlene", "de", true),
    ("Vicki", "de", true),
    ("Hans", "de", false),
    ("Daniel", "de", false),
    ("Hannah", "de", true),
    ("Sabrina", "de", true),
    ("Dora", "is", true),
    ("Dóra", "is", true),
    ("Karl", "is", false),
    ("Carla", "it", true),
    ("Bianca", "it", true),
    ("Giorgio", "it", false),
    ("Adriano", "it", false),
    ("Mizuki", "ja", true),
    ("Takumi", "ja", false),
    ("Kazuha", "ja", true),
    ("Tomoko", "ja", true),
    ("Seoyeon", "ko", true),
    ("Jihye", "ko", true),
    ("Liv", "nb", true),
    ("Ida", "nb", true),
    ("Ewa", "pl", true),
    ("Maja", "pl", true),
    ("Ola", "pl", true),
    ("Jacek", "pl", false),
    ("Jan", "pl", false),
    ("Camila", "pt-br", true),
    ("Vitoria", "pt-br", true),
    ("Vitória", "pt-br", true),
    ("Ricardo", "pt-br", false),
    ("Thiago", "pt-br", false),
    ("Ines", "pt", true),
    ("Inês", "pt", true),
    ("Cristiano", "pt", false),
    ("Carmen", "ro", true),
    ("Tatyana", "ru", true),
    ("Maxim", "ru", false),
    ("Conchita", "es", true),
    ("Lucia", "es", true),
    ("Alba", "es", true),
    ("Enrique", "es", false),
    ("Sergio", "es", false),
    ("Raul", "es", false),
    ("Mia", "es-419", true),
    ("Andres", "es-419", false),
    ("Lupe", "es-419", true),
    ("Penelope", "es-419", true),
    ("Miguel", "es-419", false),
    ("Pedro", "es-419", false),
    ("Astrid", "sv", true),
    ("Elin", "sv", true),
    ("Filiz", "tr", true),
    ("Burcu", "tr", true),
    ("Gwyneth", "cy", true),
];

/// espeak-ng's variant for a woman's voice; its plain voices are men's.
const FEMALE: &str = "+f3";

/// The voice table of an engine.
#[derive(Debug, Clone, Default)]
pub struct Voices {
    own: BTreeMap<String, String>,
}

impl Voices {
    /// The built-in table under the operator's own entries.
    pub fn with(own: &BTreeMap<String, String>) -> Self {
        Self { own: own.clone() }
    }

    /// espeak-ng's voice for Amazon's voice and language. An unknown voice takes the language's; without
    /// either it is American English.
    pub fn espeak(&self, voice: &str, language: Option<&str>) -> String {
        if let Some(own) = self.own.get(voice) {
            return own.clone();
        }
        let known = POLLY
            .iter()
            .find(|(name, ..)| name.eq_ignore_ascii_case(voice));
        let base = match (language.and_then(language_voice), known) {
            (Some(language), _) => language,
            (None, Some((_, language, _))) => (*language).to_owned(),
            (None, None) => "en-us".to_owned(),
        };
        match known {
            Some((_, _, false)) => base,
            Some((_, _, true)) => base + FEMALE,
            None => base,
        }
    }
}

/// `de-DE` is `de`, `en-US` is `en-us`: regions that espeak-ng tells apart are kept. What is no
/// language tag is no voice either: it would become an option or a path on a command line.
pub(super) fn language_voice(tag: &str) -> Option<String> {
    let plain = tag.len() <= 16
        && !tag.is_empty()
        && tag
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !plain {
        return None;
    }
    let tag = tag.to_ascii_lowercase();
    Some(match tag.as_str() {
        "en-us" | "pt-br" | "fr-be" | "fr-ch" | "fr-fr" => tag,
        "es-mx" | "es-us" => "es-419".into(),
        "cmn-cn" | "zh-cn" => "cmn".into(),
        "yue-cn" => "yue".into(),
        "arb" => "ar".into(),
        _ => match tag.split('-').next().unwrap_or(&tag) {
            "en" => "en-gb".into(),
            "fr" => "fr-fr".into(),
            language => language.to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_and_languages() {
        let own = BTreeMap::from([("Desk".to_owned(), "en-gb-scotland+f2".to_owned())]);
        let voices = Voices::with(&own);
        for (voice, language, expected) in [
            ("Joanna", None, "en-us+f3"),
            ("Matthew", None, "en-us"),
            ("Vicki", None, "de+f3"),
            ("Marlene", Some("de-DE"), "de+f3"),
            ("Hans", None, "de"),
            ("Lupe", Some("en-US"), "en-us+f3"),
            ("Unknown", None, "en-us"),
            ("Unknown", Some("it-IT"), "it"),
            ("Amy", Some("en-AU"), "en-gb+f3"),
            ("Desk", None, "en-gb-scotland+f2"),
            ("Joanna", Some("../../etc/passwd"), "en-us+f3"),
            ("Joanna", Some("--path"), "en-us+f3"),
        ] {
            assert_eq!(
                voices.espeak(voice, language),
                expected,
                "{voice} {language:?}"
            );
        }
    }
}
