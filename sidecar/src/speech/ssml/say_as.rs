//! `say-as`: digits, telephone numbers and dates are written out, because espeak-ng reads them as one number.

use quick_xml::escape::escape;

/// How a text is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SayAs {
    /// Letter by letter.
    Characters,
    /// Digit by digit.
    Digits,
    /// Digit by digit, in groups.
    Telephone,
    /// First, second, third.
    Ordinal,
    /// By its parts, in the order of the format.
    Date(Vec<Part>),
    /// As it stands: the engine reads numbers, times and fractions by itself.
    Plain,
}

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Month,
    Day,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const UNITS: [&str; 20] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

impl SayAs {
    /// By the tag's attributes; `None` when `interpret-as` is not known.
    pub(super) fn new(interpret_as: &str, format: Option<&str>) -> Option<Self> {
        Some(match interpret_as {
            "characters" | "spell-out" | "verbatim" => Self::Characters,
            "digits" => Self::Digits,
            "telephone" => Self::Telephone,
            "ordinal" => Self::Ordinal,
            "date" => Self::Date(date_parts(format.unwrap_or("mdy"))),
            "cardinal" | "number" | "fraction" | "unit" | "time" | "address" => Self::Plain,
            _ => return None,
        })
    }

    /// The text as markup for the engine.
    pub(super) fn written(&self, text: &str) -> String {
        let text = text.trim();
        match self {
            Self::Characters => format!(
                "<say-as interpret-as=\"characters\">{}</say-as>",
                escape(text)
            ),
            Self::Digits => apart(text),
            Self::Telephone => telephone(text),
            Self::Ordinal => match text.parse::<u32>() {
                Ok(number) => ordinal(number),
                Err(_) => escape(text).into_owned(),
            },
            Self::Date(parts) => date(text, parts).unwrap_or_else(|| escape(text).into_owned()),
            Self::Plain => escape(text).into_owned(),
        }
    }
}

/// Characters one by one.
fn apart(text: &str) -> String {
    let apart: Vec<String> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_string())
        .collect();
    escape(apart.join(" ").as_str()).into_owned()
}

/// Digits one by one; a group, and each three or four of a long one, is followed by a short pause.
fn telephone(text: &str) -> String {
    let mut groups: Vec<String> = Vec::new();
    let plus = text.starts_with('+').then(|| "plus".to_owned());
    for run in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|run| !run.is_empty())
    {
        let characters: Vec<char> = run.chars().collect();
        let mut rest = characters.as_slice();
        // From the end: four, then threes; what is left over stands in front.
        let mut parts = Vec::new();
        loop {
            let size = if parts.is_empty() { 4 } else { 3 };
            if rest.len() <= size {
                break;
            }
            let (head, tail) = rest.split_at(rest.len() - size);
            parts.push(tail);
            rest = head;
        }
        parts.push(rest);
        for part in parts.iter().rev() {
            let spaced: Vec<String> = part.iter().map(char::to_string).collect();
            groups.push(spaced.join(" "));
        }
    }
    let all: Vec<String> = plus.into_iter().chain(groups).collect();
    escape(all.join(", ").as_str()).into_owned()
}

fn date_parts(format: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for character in format.to_ascii_lowercase().chars() {
        let part = match character {
            'y' => Part::Year,
            'm' => Part::Month,
            'd' => Part::Day,
            _ => continue,
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

/// "March fifteenth, 2024". Years are read by the engine.
fn date(text: &str, parts: &[Part]) -> Option<String> {
    let mut numbers: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    // "20240315", and "????0315" where there is no year.
    let compact = text.trim_matches('?');
    let whole = numbers.len() == 1 && compact.bytes().all(|b| b.is_ascii_digit());
    let mut order = parts.to_vec();
    if whole && compact.len() == 8 {
        numbers = vec![compact.get(..4)?, compact.get(4..6)?, compact.get(6..)?];
        order = vec![Part::Year, Part::Month, Part::Day];
    } else if whole && compact.len() == 4 && text.starts_with('?') {
        numbers = vec![compact.get(..2)?, compact.get(2..)?];
        order = vec![Part::Month, Part::Day];
    }
    if numbers.len() != order.len() {
        return None;
    }
    let of = |wanted: Part| {
        let at = order.iter().position(|part| *part == wanted)?;
        numbers.get(at).copied()
    };
    let month = match of(Part::Month) {
        None => None,
        Some(month) => Some(match month.parse::<usize>() {
            Ok(number) => (*MONTHS.get(number.checked_sub(1)?)?).to_owned(),
            Err(_) => escape(month).into_owned(),
        }),
    };
    let day = match of(Part::Day) {
        None => None,
        Some(day) => Some(ordinal(
            day.parse().ok().filter(|day| (1..=31).contains(day))?,
        )),
    };
    let year = match of(Part::Year) {
        None => None,
        Some(year) => Some(year.parse::<u32>().ok()?.to_string()),
    };
    let front: Vec<String> = month.into_iter().chain(day).collect();
    let all: Vec<String> = Some(front.join(" "))
        .filter(|front| !front.is_empty())
        .into_iter()
        .chain(year)
        .collect();
    Some(all.join(", "))
}

/// An English ordinal in words up to 99th, with its ending beyond.
fn ordinal(number: u32) -> String {
    const TENS: [(&str, &str); 8] = [
        ("twentieth", "twenty"),
        ("thirtieth", "thirty"),
        ("fortieth", "forty"),
        ("fiftieth", "fifty"),
        ("sixtieth", "sixty"),
        ("seventieth", "seventy"),
        ("eightieth", "eighty"),
        ("ninetieth", "ninety"),
    ];
    if let Some(word) = UNITS.get(number as usize) {
        return (*word).to_owned();
    }
    let ten = TENS.get((number / 10).saturating_sub(2) as usize);
    match (ten, UNITS.get((number % 10) as usize)) {
        (Some((whole, _)), _) if number.is_multiple_of(10) => (*whole).to_owned(),
        (Some((_, ten)), Some(unit)) if number < 100 => format!("{ten} {unit}"),
        _ => {
            let ending = match (number % 100, number % 10) {
                (11..=13, _) => "th",
                (_, 1) => "st",
                (_, 2) => "nd",
                (_, 3) => "rd",
                _ => "th",
            };
            format!("{number}{ending}")
        }
    }
}
