//! Utterances as comparable words.

/// The words of a phrase: as spoken, and in the form in which words are compared.
///
/// Compared are lower-case words without punctuation; hyphens part words, apostrophes stay inside them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Words(Vec<Word>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    spoken: String,
    plain: String,
}

impl Words {
    pub(super) fn of(phrase: &str) -> Self {
        let words = phrase
            .split(|c: char| c.is_whitespace() || matches!(c, '-' | '‐' | '–' | '—' | '/'))
            .filter_map(|raw| {
                let spoken = raw.trim_matches(|c: char| !c.is_alphanumeric());
                let plain: String = spoken
                    .chars()
                    .filter(|c| c.is_alphanumeric() || is_apostrophe(*c))
                    .map(|c| if is_apostrophe(c) { '\'' } else { c })
                    .flat_map(char::to_lowercase)
                    .collect();
                // Alexa hands values over in lower case, which is also what a comparison in a skill expects.
                (!plain.is_empty()).then(|| Word {
                    spoken: spoken.to_lowercase(),
                    plain,
                })
            })
            .collect();
        Self(words)
    }

    pub(super) fn as_slice(&self) -> &[Word] {
        &self.0
    }
}

impl Word {
    /// The form that is compared.
    pub(super) fn plain(&self) -> &str {
        &self.plain
    }
}

/// The phrase as a slot's value.
pub(super) fn spoken(words: &[Word]) -> String {
    words
        .iter()
        .map(|word| word.spoken.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | 'ʼ')
}
