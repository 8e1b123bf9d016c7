//! Escapes in URIs (RFC 3261 §19.1.2, §25.1).

use std::borrow::Cow;
use std::fmt;

/// `%hh` resolved; what is no valid escape, or would not be UTF-8, stays as it is.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |byte: u8| char::from(byte).to_digit(16);
        if byte == b'%'
            && let [high, low, tail @ ..] = after
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            rest = tail;
        } else {
            out.push(byte);
            rest = after;
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// `user` with all that RFC 3261 §25.1 does not allow in a user part escaped.
pub fn escaped_user(user: &str) -> String {
    let mut text = String::with_capacity(user.len());
    escape_user(user, &mut text);
    text
}

/// Writes `user` with all that RFC 3261 §25.1 does not allow in a user part escaped.
pub(super) fn escape_user(user: &str, out: &mut String) {
    use fmt::Write as _;
    for byte in user.bytes() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'_'
                    | b'.'
                    | b'!'
                    | b'~'
                    | b'*'
                    | b'\''
                    | b'('
                    | b')'
                    | b'&'
                    | b'='
                    | b'+'
                    | b'$'
                    | b','
                    | b'/'
            );
        if plain {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}
