//! Phone numbers in free text.
//!
//! Taken for a number: `+` (also as `%2B`) and at least seven digits, which may be separated; a run of at least seven
//! digits; groups of digits joined by `-`, `.` or a space in the ways numbers are written. Not taken: UUIDs, hex, dates,
//! times of day, IP addresses, and milli- or microseconds since 1970, none of which is a possible E.164 number.

use std::borrow::Cow;

use super::settled;

/// The fewest digits of what is taken for a phone number.
const LEAST: usize = 7;
/// How many digits stay.
const KEPT: usize = 4;

/// Replaces each phone number by `***` and its last four digits.
pub(super) fn redact(input: &str) -> Cow<'_, str> {
    if has_none(input) {
        return Cow::Borrowed(input);
    }
    settled(input, |text| Cow::Owned(scan(text, false)))
}

/// Like [`redact`], but eight digits that are a date stay.
pub(super) fn redact_but_dates(input: &str) -> Cow<'_, str> {
    if has_none(input) {
        return Cow::Borrowed(input);
    }
    settled(input, |text| Cow::Owned(scan(text, true)))
}

/// Whether there are too few digits for a number.
fn has_none(input: &str) -> bool {
    input.bytes().filter(u8::is_ascii_digit).count() < LEAST
}

/// `***` and the last four digits of a value that is known to be a number, however it is written. Four digits or fewer
/// are hidden wholly.
pub(super) fn hide(number: &str) -> String {
    let mut out = String::new();
    push_hidden(number, &mut out);
    out
}

fn push_hidden(number: &str, out: &mut String) {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    out.push_str("***");
    if digits > KEPT {
        out.extend(
            number
                .chars()
                .filter(char::is_ascii_digit)
                .skip(digits - KEPT),
        );
    }
}

fn scan(input: &str, dates: bool) -> String {
    let mut out = String::with_capacity(input.len());
    let mut rest = input;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        if let Some(len) = plus(rest) {
            let (number, digits) = separated(rest.get(len..).unwrap_or_default());
            if digits >= LEAST {
                let text = rest.get(len..len + number).unwrap_or_default();
                push_hidden(text, &mut out);
                rest = rest.get(len + number..).unwrap_or_default();
                before = Some('0');
                continue;
            }
        }
        if first.is_ascii_alphanumeric()
            && !before.is_some_and(|c: char| c.is_ascii_alphanumeric() || c == '*')
        {
            let token = token(rest);
            let taken = word(token, rest, dates, &mut out);
            before = rest.get(..taken).and_then(|t| t.chars().next_back());
            rest = rest.get(taken..).unwrap_or_default();
            continue;
        }
        out.push(first);
        before = Some(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    out
}

/// The length of a `+` at the start of `text`, however it is written.
fn plus(text: &str) -> Option<usize> {
    if !text.starts_with(['+', '%', '\\']) {
        return None;
    }
    ["+", "%2B", "%2b", "\\u002b", "\\u002B"]
        .iter()
        .find(|p| text.starts_with(**p))
        .map(|p| p.len())
}

/// The leading letters, digits, `-` and `_`.
fn token(text: &str) -> &str {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Length in bytes and digits of a number with separators at the start of `text`; single separators, then a digit.
fn separated(text: &str) -> (usize, usize) {
    let (mut length, mut digits, mut gap) = (0, 0, 0);
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            digits += 1;
            gap = 0;
            length = at + 1;
        } else if matches!(c, ' ' | '-' | '.' | '(' | ')' | '/') && gap < 3 {
            gap += 1;
        } else {
            break;
        }
    }
    (length, digits)
}

/// Writes the word at the start of `rest`, or the part of it before a `_`, redacted and tells how many bytes it took. The
/// names of recordings join identifiers by `_`, and must stay whole to be found.
fn word(token: &str, rest: &str, dates: bool, out: &mut String) -> usize {
    let token = token.split('_').next().unwrap_or_default();
    if is_identifier(token) {
        out.push_str(token);
        return token.len();
    }
    let groups = grouped(rest);
    if groups > 0 {
        push_hidden(rest.get(..groups).unwrap_or_default(), out);
        return groups;
    }
    let mut at = 0;
    while let Some(c) = token.get(at..).and_then(|t| t.chars().next()) {
        let run = token.get(at..).map_or("", |t| {
            t.get(..t.find(|c: char| !c.is_ascii_digit()).unwrap_or(t.len()))
                .unwrap_or_default()
        });
        if run.is_empty() {
            out.push(c);
            at += c.len_utf8();
            continue;
        }
        let after = token.get(at + run.len()..).and_then(|t| t.chars().next());
        let previous = token.get(..at).and_then(|t| t.chars().next_back());
        let bare = !previous.is_some_and(|c| c.is_ascii_alphabetic())
            && !after.is_some_and(|c| c.is_ascii_alphabetic());
        // Letters beside it make a short run part of a name; ten digits are a number whatever stands beside them.
        let long = run.len() >= if bare { LEAST } else { 10 };
        if long && !is_epoch(run) && !(dates && is_date(run)) {
            push_hidden(run, out);
        } else {
            out.push_str(run);
        }
        at += run.len();
    }
    token.len()
}

/// The bytes of digits grouped as people write phone numbers, with nothing of a word after them: `204-555-0100`,
/// `204 555 0100`, `1.204.555.0100`, `555-0100`. 0 when it is no such number.
fn grouped(text: &str) -> usize {
    let mut lengths = [0usize; 6];
    let (mut group, mut separator, mut end) = (0, None, 0);
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            let Some(length) = lengths.get_mut(group) else {
                return 0;
            };
            *length += 1;
            end = at + 1;
        } else if matches!(c, '-' | ' ' | '.') && separator.is_none_or(|s| s == c) && end == at {
            separator = Some(c);
            group += 1;
        } else {
            break;
        }
    }
    if text
        .get(end..)
        .and_then(|t| t.chars().next())
        .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        return 0;
    }
    match (separator, lengths) {
        (Some(_), [3, 3, 4, 0, ..] | [1..=3, 3, 3, 4, ..]) | (Some('-'), [3, 4, 0, ..]) => end,
        // Two groups, as in a range of ports, are a number only as 555-0100.
        (Some('-'), [a, b, c, d, ..]) if c > 0 => {
            let last = [d, c, b, a]
                .into_iter()
                .find(|n| *n > 0)
                .unwrap_or_default();
            let total = lengths.iter().sum::<usize>();
            if last >= 3 && (LEAST..=15).contains(&total) {
                end
            } else {
                0
            }
        }
        _ => 0,
    }
}

/// A UUID, or hex that has a letter: an identifier in which digits are no phone number.
fn is_identifier(token: &str) -> bool {
    let hex = |t: &str| t.bytes().all(|b| b.is_ascii_hexdigit());
    let mut groups = token.split('-');
    let uuid = [8, 4, 4, 4, 12]
        .iter()
        .all(|n| groups.next().is_some_and(|g| g.len() == *n && hex(g)));
    if uuid && groups.next().is_none() {
        return true;
    }
    token.len() >= 16
        && token.len().is_multiple_of(2)
        && hex(token)
        && token.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Milli- or microseconds since 1970 in this century: 13 or 16 digits beginning with 1. Numbers of country code 1 have
/// 11 digits, so no phone number looks like this.
fn is_epoch(run: &str) -> bool {
    matches!(run.len(), 13 | 16) && run.starts_with('1')
}

/// `YYYYMMDD` of this century.
fn is_date(run: &str) -> bool {
    let part = |from: usize, to: usize| {
        run.get(from..to)
            .and_then(|t| t.parse::<u32>().ok())
            .unwrap_or(99)
    };
    run.len() == 8
        && run.starts_with("20")
        && (1..=12).contains(&part(4, 6))
        && (1..=31).contains(&part(6, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_numbers_in_every_dress() {
        for (input, output) in [
            ("call +12045550100 now", "call ***0100 now"),
            ("sip:+12045550100@pbx.example", "sip:***0100@pbx.example"),
            ("sip:12045550100@pbx", "sip:***0100@pbx"),
            ("tel:+1-204-555-0100;x", "tel:***0100;x"),
            ("to=%2B12045550100&x=1", "to=***0100&x=1"),
            ("\\u002b12045550100", "***0100"),
            ("+1 (204) 555-0100.", "***0100."),
            ("(204) 555-0100", "(204) ***0100"),
            ("204-555-0100", "***0100"),
            ("204 555 0100", "***0100"),
            ("1.204.555.0100", "***0100"),
            ("5550100", "***0100"),
            ("user_12045550100", "user_***0100"),
            ("x12045550100y", "x***0100y"),
            (
                "+44 20 7946 0100 and +1 204 555 0199",
                "***0100 and ***0199",
            ),
        ] {
            assert_eq!(redact(input), output);
            assert_eq!(redact(output), output, "twice");
        }
    }

    #[test]
    fn what_is_hidden_does_not_leave_a_number_behind() {
        for input in [
            "00000040-0000-0000-0000-000000000",
            "1-204-555-0100-5550100",
        ] {
            let once = redact(input);
            assert_eq!(redact(&once), once);
        }
    }

    #[test]
    fn leaves_what_is_no_number() {
        for input in [
            "",
            "6b1f0000-1234-4234-8234-123456789012",
            "2024-05-01T10:11:12Z",
            "2024-05-01",
            "127.0.0.1:5060",
            "192.168.100.200",
            "1714558272000",
            "1714558272000123",
            "6373693d61312d6232",
            "port 40000-40999",
            "+123456",
            "123456",
            "z9hG4bK123456",
            "packets 250 lost 0",
            "ä+ö",
        ] {
            assert_eq!(redact(input), input);
        }
        assert_eq!(
            redact_but_dates("a/20260131/b+12045550100.wav"),
            "a/20260131/b***0100.wav"
        );
        assert_eq!(redact("20260131"), "***0131");
        // UUIDs may be all digits: a call recording is named by its time and two of them.
        let recording = "Amazon-Chime-SMA-Call-Recordings/2026/11/21/2026-11-21-06-29-34-209_12345678-1234-4234-8234-123456789012_87654321-4321-4321-8321-210987654321.wav";
        assert_eq!(redact_but_dates(recording), recording);
        assert_eq!(redact("a_5550100_b"), "a_***0100_b");
    }
}
