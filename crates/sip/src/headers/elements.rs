//! The elements of a list, and how single ones are written.

use crate::message::{is_token, trim};

/// The most elements of one message that are looked at.
pub(super) const MAX_ELEMENTS: usize = 32;

/// Cuts a value at the commas outside quotes and angle brackets.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        loop {
            let all = rest?;
            let end = comma(all);
            let element = trim(all.get(..end).unwrap_or_default());
            rest = all.get(end + 1..);
            if !element.is_empty() {
                return Some(element);
            }
        }
    })
}

fn comma(value: &[u8]) -> usize {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'<' => angle = true,
            b'>' => angle = false,
            b',' if !angle => return at,
            _ => {}
        }
    }
    value.len()
}

/// A text as a quoted string; what would break the line is left out.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
    out
}

/// A text as a token where it is one, else as a quoted string.
pub(super) fn token_or_quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(is_token) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A display name and a URI.
pub(super) fn name_addr(display: Option<&str>, uri: &str) -> String {
    match display.filter(|display| !display.is_empty()) {
        Some(display) => format!("{} <{uri}>", quoted(display)),
        None => format!("<{uri}>"),
    }
}
