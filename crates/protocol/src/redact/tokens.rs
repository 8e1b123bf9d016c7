//! Tokens and the values of secret names in free text.

use std::borrow::Cow;

use super::{HIDDEN, names};

/// What tokens of Login with Amazon begin with (facts H).
const LWA: &[&str] = &["Atza|", "Atzr|", "Atc|"];
/// Authentication schemes whose credentials follow a space.
const SCHEMES: &[&str] = &["bearer ", "basic "];

/// Hides bearer and basic credentials, Login with Amazon tokens, JWTs, and what follows a secret name and `=` or `:`.
pub(super) fn redact(input: &str) -> Cow<'_, str> {
    let bytes = input.as_bytes();
    let mut out = String::new();
    // What lies before `copied` is in `out`; all that begins a secret is ASCII, so `at` is only looked at there.
    let (mut copied, mut at) = (0, 0);
    let mut starts_word = true;
    while let Some(byte) = bytes.get(at) {
        let is_word = byte.is_ascii_alphanumeric();
        let may_begin = *byte == b'A'
            || (starts_word && byte.is_ascii() && (is_word || *byte == b'_' || *byte == b'-'));
        if may_begin {
            let (kept, hidden) = secret_at(input.get(at..).unwrap_or_default(), starts_word);
            if hidden > 0 {
                out.push_str(input.get(copied..at + kept).unwrap_or_default());
                out.push_str(HIDDEN);
                at += kept + hidden;
                copied = at;
                starts_word = true;
                continue;
            }
        }
        starts_word = !is_word;
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(input);
    }
    out.push_str(input.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// How many bytes at the start of `text` stay, and how many after them are secret (0: none).
fn secret_at(text: &str, starts_word: bool) -> (usize, usize) {
    // `|` is written `%7C` in forms and `\u007c` in JSON; the prefixes are rare enough to be looked for anywhere.
    for prefix in LWA {
        if let Some(name) = prefix.strip_suffix('|')
            && text.starts_with(name)
            && let Some(tail) = text.get(name.len()..)
            && ["|", "%7C", "%7c", "\\u007c", "\\u007C"]
                .iter()
                .any(|bar| tail.starts_with(bar))
        {
            return (0, value_end(text));
        }
    }
    if !starts_word {
        return (0, 0);
    }
    if text.starts_with("eyJ") {
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(text.len());
        let token = text.get(..end).unwrap_or_default();
        if token.len() > 20 {
            return (0, end);
        }
    }
    for scheme in SCHEMES {
        if text
            .get(..scheme.len())
            .is_some_and(|t| t.eq_ignore_ascii_case(scheme))
        {
            let tail = text.get(scheme.len()..).unwrap_or_default();
            let secret = value_end(tail);
            // "bearer of news" is prose; credentials are longer, or hold what words do not.
            let prose = secret < 12
                && tail
                    .get(..secret)
                    .is_some_and(|t| t.bytes().all(|b| b.is_ascii_lowercase()));
            if !prose && !tail.starts_with(HIDDEN) {
                return (scheme.len(), secret);
            }
        }
    }
    named(text)
}

/// A secret name, its separator (`=`, `:`, quotes of JSON, escaped or not) and the value after it.
fn named(text: &str) -> (usize, usize) {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        .unwrap_or(text.len());
    if !(5..=32).contains(&end) {
        return (0, 0);
    }
    let tail = text.get(end..).unwrap_or_default();
    let gap = tail
        .find(|c: char| !matches!(c, ' ' | '\t' | '"' | '\'' | '\\' | '=' | ':'))
        .unwrap_or(tail.len());
    let separator = tail.get(..gap).unwrap_or_default();
    if !separator.contains(['=', ':']) {
        return (0, 0);
    }
    let Some(name) = names::plain(text.get(..end).unwrap_or_default()) else {
        return (0, 0);
    };
    let name = name.as_str();
    if !names::SECRET.contains(&name) {
        return (0, 0);
    }
    let value = tail.get(gap..).unwrap_or_default();
    if value.starts_with(HIDDEN) {
        return (0, 0);
    }
    let secret = if name.ends_with("authorization") || name.ends_with("cookie") {
        // Credentials of several words reach to the end of the line, unless they are quoted as in JSON.
        let quoted = separator.contains('"');
        value
            .find(|c| matches!(c, '\r' | '\n') || (quoted && c == '"'))
            .unwrap_or(value.len())
    } else {
        value_end(value)
    };
    (end + gap, secret)
}

/// Where a value ends that stands in text, a form, or JSON.
fn value_end(text: &str) -> usize {
    text.find(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '&' | ',' | ';' | '<' | '>' | '}' | ')')
    })
    .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_tokens() {
        for (input, output) in [
            ("Authorization: Bearer abc.def", "Authorization: [hidden]"),
            ("sent Bearer S3cr3t! to x", "sent Bearer [hidden] to x"),
            ("Atza|IwEBIA x", "[hidden] x"),
            ("Atzr%7CIwEBIA&x=1", "[hidden]&x=1"),
            ("\"Atc|MQ\"", "\"[hidden]\""),
            (
                "got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln!",
                "got [hidden]!",
            ),
            (
                "client_secret=hush&grant_type=x",
                "client_secret=[hidden]&grant_type=x",
            ),
            (
                "{\"apiAccessToken\":\"cut off",
                "{\"apiAccessToken\":\"[hidden] off",
            ),
            (
                "{\\\"refresh_token\\\": \\\"x\\\\y\\\"}",
                "{\\\"refresh_token\\\": \\\"[hidden]\"}",
            ),
            (
                "Proxy-Authorization: Digest username=\"a\", response=\"b\"\r\nX: y",
                "Proxy-Authorization: [hidden]\r\nX: y",
            ),
        ] {
            assert_eq!(redact(input), output);
            assert_eq!(redact(output), output, "twice");
        }
    }

    #[test]
    fn leaves_prose() {
        for input in [
            "the bearer of news",
            "token expired",
            "a basic call",
            "eyJ",
            "password required",
            "ätza|",
        ] {
            assert_eq!(redact(input), input);
        }
    }
}
