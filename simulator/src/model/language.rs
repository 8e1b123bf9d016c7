//! What the matching must know of a language: articles, numbers, and how one asks for a skill.

/// A language's words, all in the form of [`super::words::Words`].
#[derive(Debug)]
pub(super) struct Language {
    /// Words that may be there or not.
    pub(super) articles: &'static [&'static str],
    /// Phrases before a skill's name when something is asked of it.
    pub(super) ask: &'static [&'static str],
    /// Phrases before a skill's name when it is only opened; also used with a request behind.
    pub(super) open: &'static [&'static str],
    /// Words between the skill's name and the request.
    pub(super) link: &'static [&'static str],
    /// Words before a skill's name that ends the utterance: "call the desk using NAME".
    pub(super) through: &'static [&'static str],
    /// What is said to leave a skill without an intent: Alexa ends the session itself.
    pub(super) exit: &'static [&'static str],
    /// Numbers 0 to 20, in order.
    pub(super) numbers: &'static [&'static str],
    /// Tens from 20 to 90, in order.
    pub(super) tens: &'static [&'static str],
    /// Other words for digits, such as "oh" for 0.
    pub(super) digit_names: &'static [(&'static str, u32)],
    /// What is said for a built-in intent, beside the model's own samples.
    pub(super) built_in: &'static [(&'static str, &'static [&'static str])],
}

/// The language of a locale such as `en-GB`; a language without a table has only what its model says.
pub(super) fn of_locale(locale: &str) -> &'static Language {
    match locale.split('-').next().unwrap_or_default() {
        "en" => &ENGLISH,
        "de" => &GERMAN,
        "fr" => &FRENCH,
        "es" => &SPANISH,
        "it" => &ITALIAN,
        _ => &NONE,
    }
}

const HELP: &str = "AMAZON.HelpIntent";
const STOP: &str = "AMAZON.StopIntent";
const CANCEL: &str = "AMAZON.CancelIntent";
const YES: &str = "AMAZON.YesIntent";
const NO: &str = "AMAZON.NoIntent";
const REPEAT: &str = "AMAZON.RepeatIntent";

static ENGLISH: Language = Language {
    articles: &["a", "an", "the", "my", "please"],
    ask: &["ask", "tell", "use", "have"],
    open: &[
        "open", "launch", "start", "run", "begin", "load", "talk to", "speak to", "resume",
    ],
    link: &["to", "and", "for", "about", "if", "that", "whether"],
    through: &["using", "with", "from", "by", "through", "on"],
    exit: &["exit", "quit", "go home"],
    numbers: &[
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ],
    tens: &[
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ],
    digit_names: &[("oh", 0), ("o", 0)],
    built_in: &[
        (HELP, &["help", "help me", "can you help me"]),
        (STOP, &["stop", "off", "shut up"]),
        (CANCEL, &["cancel", "never mind", "forget it"]),
        (
            YES,
            &["yes", "yeah", "yes please", "sure", "okay", "ok", "yep"],
        ),
        (NO, &["no", "no thanks", "no thank you", "nope"]),
        (REPEAT, &["repeat", "say that again", "repeat that"]),
    ],
};

static GERMAN: Language = Language {
    articles: &[
        "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "mein",
        "meine", "meinen", "bitte",
    ],
    ask: &["frage", "frag", "sage", "sag", "bitte", "nutze"],
    open: &[
        "öffne",
        "starte",
        "beginne",
        "lade",
        "sprich mit",
        "rede mit",
    ],
    link: &[
        "nach", "und", "ob", "dass", "über", "er soll", "sie soll", "zu",
    ],
    through: &["mit", "von", "über", "bei"],
    exit: &["beenden", "verlassen"],
    numbers: &[
        "null",
        "eins",
        "zwei",
        "drei",
        "vier",
        "fünf",
        "sechs",
        "sieben",
        "acht",
        "neun",
        "zehn",
        "elf",
        "zwölf",
        "dreizehn",
        "vierzehn",
        "fünfzehn",
        "sechzehn",
        "siebzehn",
        "achtzehn",
        "neunzehn",
        "zwanzig",
    ],
    tens: &[
        "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig",
    ],
    digit_names: &[("zwo", 2), ("ein", 1)],
    built_in: &[
        (HELP, &["hilfe", "hilf mir"]),
        (STOP, &["stopp", "stop", "aufhören", "schluss"]),
        (CANCEL, &["abbrechen", "vergiss es"]),
        (YES, &["ja", "ja bitte", "gerne", "okay"]),
        (NO, &["nein", "nein danke"]),
        (REPEAT, &["wiederholen", "noch einmal"]),
    ],
};

static FRENCH: Language = Language {
    articles: &[
        "le", "la", "les", "l", "un", "une", "des", "mon", "ma", "mes",
    ],
    ask: &["demande à", "dis à", "utilise"],
    open: &["ouvre", "lance", "démarre", "commence", "parle à"],
    link: &["de", "d", "et", "si", "que", "pour"],
    through: &["avec", "sur", "par"],
    exit: &["quitter", "sortir"],
    numbers: &[
        "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix",
        "onze", "douze", "treize", "quatorze", "quinze", "seize", "dix sept", "dix huit",
        "dix neuf", "vingt",
    ],
    tens: &["vingt", "trente", "quarante", "cinquante", "soixante"],
    digit_names: &[("une", 1)],
    built_in: &[
        (HELP, &["aide", "aide moi"]),
        (STOP, &["stop", "arrête"]),
        (CANCEL, &["annule", "laisse tomber"]),
        (YES, &["oui", "d'accord"]),
        (NO, &["non", "non merci"]),
        (REPEAT, &["répète", "encore une fois"]),
    ],
};

static SPANISH: Language = Language {
    articles: &["el", "la", "los", "las", "un", "una", "mi", "mis", "al"],
    ask: &["pide a", "pregunta a", "di a", "usa"],
    open: &["abre", "lanza", "inicia", "comienza", "habla con"],
    link: &["que", "y", "si", "para", "a"],
    through: &["con", "en", "usando"],
    exit: &["salir"],
    numbers: &[
        "cero",
        "uno",
        "dos",
        "tres",
        "cuatro",
        "cinco",
        "seis",
        "siete",
        "ocho",
        "nueve",
        "diez",
        "once",
        "doce",
        "trece",
        "catorce",
        "quince",
        "dieciséis",
        "diecisiete",
        "dieciocho",
        "diecinueve",
        "veinte",
    ],
    tens: &[
        "veinte",
        "treinta",
        "cuarenta",
        "cincuenta",
        "sesenta",
        "setenta",
        "ochenta",
        "noventa",
    ],
    digit_names: &[("un", 1)],
    built_in: &[
        (HELP, &["ayuda", "ayúdame"]),
        (STOP, &["para", "detente"]),
        (CANCEL, &["cancela", "olvídalo"]),
        (YES, &["sí", "vale"]),
        (NO, &["no", "no gracias"]),
        (REPEAT, &["repite", "otra vez"]),
    ],
};

static ITALIAN: Language = Language {
    articles: &[
        "il", "lo", "la", "i", "gli", "le", "l", "un", "uno", "una", "mio", "mia",
    ],
    ask: &["chiedi a", "di a", "usa"],
    open: &["apri", "lancia", "avvia", "inizia", "parla con"],
    link: &["di", "e", "se", "che", "per"],
    through: &["con", "su", "usando"],
    exit: &["esci"],
    numbers: &[
        "zero",
        "uno",
        "due",
        "tre",
        "quattro",
        "cinque",
        "sei",
        "sette",
        "otto",
        "nove",
        "dieci",
        "undici",
        "dodici",
        "tredici",
        "quattordici",
        "quindici",
        "sedici",
        "diciassette",
        "diciotto",
        "diciannove",
        "venti",
    ],
    tens: &[
        "venti",
        "trenta",
        "quaranta",
        "cinquanta",
        "sessanta",
        "settanta",
        "ottanta",
        "novanta",
    ],
    digit_names: &[("un", 1)],
    built_in: &[
        (HELP, &["aiuto", "aiutami"]),
        (STOP, &["stop", "basta"]),
        (CANCEL, &["annulla", "lascia stare"]),
        (YES, &["sì", "va bene"]),
        (NO, &["no", "no grazie"]),
        (REPEAT, &["ripeti", "ancora"]),
    ],
};

static NONE: Language = Language {
    articles: &[],
    ask: &[],
    open: &[],
    link: &[],
    through: &[],
    exit: &[],
    numbers: &[],
    tens: &[],
    digit_names: &[],
    built_in: &[],
};

impl Language {
    pub(super) fn is_article(&self, plain: &str) -> bool {
        self.articles.contains(&plain)
    }

    /// The digits that spoken number words stand for: "twenty five" is 25, "one two three" is 123.
    pub(super) fn digits(&self, words: &[&str]) -> Option<String> {
        if words.is_empty() {
            return None;
        }
        let mut digits = String::new();
        let mut after_tens = false;
        for word in words {
            if word.bytes().all(|byte| byte.is_ascii_digit()) {
                digits.push_str(word);
                after_tens = false;
            } else if let Some(tens) = self.tens.iter().position(|one| one == word) {
                digits.push_str(&((tens + 2) * 10).to_string());
                after_tens = true;
            } else {
                let number = self
                    .numbers
                    .iter()
                    .position(|one| one == word)
                    .or_else(|| {
                        self.digit_names
                            .iter()
                            .find(|(name, _)| name == word)
                            .map(|(_, n)| *n as usize)
                    })?;
                if after_tens && (1..=9).contains(&number) {
                    digits.pop();
                }
                digits.push_str(&number.to_string());
                after_tens = false;
            }
        }
        Some(digits)
    }
}
