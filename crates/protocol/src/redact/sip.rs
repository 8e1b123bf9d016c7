//! SIP messages.

use super::{DIGIT, HIDDEN, any, numbers, plain, sdp, tokens};

/// Headers in which long numbers are no phone numbers, in lower case, with their compact forms (RFC 3261 §7.3.3).
const STRUCTURAL: &[&str] = &[
    "call-id",
    "content-length",
    "cseq",
    "date",
    "i",
    "l",
    "max-forwards",
    "rack",
    "rseq",
    "session-expires",
    "timestamp",
    "v",
    "via",
    "x",
    "x-alexa-lwa-clientid",
];

/// Whether `text` begins as a SIP message does: a status line, or a request line (RFC 3261 §7).
pub(super) fn is_message(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.starts_with("SIP/2.0 ") || first.trim_end().ends_with(" SIP/2.0")
}

/// Redacts a SIP message: credentials in `Authorization` and `Proxy-Authorization` (also in challenges' answers), numbers in
/// URIs and display names; `User-to-User` in hex stays, as a `clientSessionId` is no secret; the body by its form; the
/// digit of an INFO (`application/dtmf-relay`, `application/dtmf`).
#[must_use]
pub fn sip(input: &str) -> String {
    let (head, gap, body) = split_body(input);
    let mut out = String::with_capacity(input.len());
    let mut header = String::new();
    let mut is_dtmf = false;
    for (n, line) in head.split_inclusive('\n').enumerate() {
        let content = line.trim_end_matches(['\r', '\n']);
        let ending = line.get(content.len()..).unwrap_or_default();
        if n == 0 {
            out.push_str(&numbers::redact(content));
        } else if sdp::is_secret_line(content) {
            // A body without an empty line before it.
            sdp::line(content, &mut out);
        } else if content.starts_with([' ', '\t']) {
            // A folded line belongs to the header before it; hidden credentials already stand for all of their lines.
            if is_secret(&header) {
                continue;
            }
            value(&header, content, &mut out);
        } else {
            let (name, rest) =
                content.split_at(content.find(':').map_or(content.len(), |at| at + 1));
            header = name.trim_end_matches(':').trim().to_ascii_lowercase();
            out.push_str(name);
            value(&header, rest, &mut out);
            is_dtmf |= matches!(header.as_str(), "content-type" | "c")
                && rest
                    .trim_start()
                    .to_ascii_lowercase()
                    .starts_with("application/dtmf");
        }
        out.push_str(ending);
    }
    out.push_str(gap);
    let signal = body.trim_start().strip_prefix("Signal");
    if is_dtmf || signal.is_some_and(|rest| rest.trim_start().starts_with('=')) {
        dtmf(body, &mut out);
    } else if !body.is_empty() {
        out.push_str(&any(body));
    }
    out
}

/// Head, the empty line, body. Peers end lines by LF alone, or now and then, too.
fn split_body(input: &str) -> (&str, &str, &str) {
    let mut end = 0;
    for line in input.split_inclusive('\n') {
        if line.trim_end_matches(['\r', '\n']).is_empty() {
            let (head, rest) = input.split_at(end);
            let (gap, body) = rest.split_at(line.len());
            return (head, gap, body);
        }
        end += line.len();
    }
    (input, "", "")
}

fn is_secret(header: &str) -> bool {
    matches!(
        header,
        "authorization"
            | "proxy-authorization"
            | "authentication-info"
            | "proxy-authentication-info"
    )
}

/// The body of an INFO with a digit: `Signal=5` and `Duration=160` on lines of `application/dtmf-relay`, or the digit alone
/// (`application/dtmf`). Which one is hidden, whatever the case and the blanks.
fn dtmf(body: &str, out: &mut String) {
    for line in body.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        let ending = line.get(content.len()..).unwrap_or_default();
        let (name, value) = match content.split_once('=') {
            Some((name, value)) => (name, value),
            None => ("", content),
        };
        if name.trim().eq_ignore_ascii_case("duration") && value.trim().len() <= 6 {
            out.push_str(content);
        } else if !content.trim().is_empty() {
            out.push_str(if name.is_empty() { "" } else { "Signal=" });
            out.push_str(DIGIT);
        }
        out.push_str(ending);
    }
}

fn value(header: &str, text: &str, out: &mut String) {
    if is_secret(header) {
        let blank = text.len() - text.trim_start().len();
        let scheme = text
            .trim_start()
            .split([' ', '\t'])
            .next()
            .unwrap_or_default();
        let scheme = if scheme.is_empty() || scheme == HIDDEN || scheme.contains('=') {
            ""
        } else {
            scheme
        };
        out.push_str(text.get(..blank).unwrap_or_default());
        out.push_str(scheme);
        out.push_str(if scheme.is_empty() { "" } else { " " });
        out.push_str(HIDDEN);
    } else if header == "user-to-user" {
        user_to_user(text, out);
    } else if STRUCTURAL.contains(&header) {
        out.push_str(&tokens::redact(text));
    } else {
        // A tag is an identifier that may be all digits, and dialogs are recognised by it.
        let mut rest = text;
        while let Some(at) = rest.to_ascii_lowercase().find("tag=") {
            let start = at + "tag=".len();
            out.push_str(&plain(rest.get(..start).unwrap_or_default()));
            let tail = rest.get(start..).unwrap_or_default();
            let end = tail.find([';', ',', '>', ' ', '\t']).unwrap_or(tail.len());
            out.push_str(tail.get(..end).unwrap_or_default());
            rest = tail.get(end..).unwrap_or_default();
        }
        out.push_str(&plain(rest));
    }
}

fn user_to_user(text: &str, out: &mut String) {
    for (n, part) in text.split(',').enumerate() {
        if n > 0 {
            out.push(',');
        }
        let data = part
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .trim_matches('"');
        let hex = data.len().is_multiple_of(2)
            && !data.is_empty()
            && data.bytes().all(|b| b.is_ascii_hexdigit());
        let named = part.to_ascii_lowercase().contains("hex");
        if hex && named {
            out.push_str(part)
        } else {
            out.push_str(&plain(part))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+16075550199@127.0.0.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bK12345678901\r\n\
        From: \"Room +12045550100\" <sip:+12045550100@alexa.example>;tag=12345678\r\n\
        t: <tel:+16075550199>\r\n\
        Call-ID: 98765432109@127.0.0.1\r\n\
        CSeq: 31415926 INVITE\r\n\
        User-to-User: 3132333435363738;encoding=hex\r\n\
        Authorization: Digest username=\"desk\",\r\n response=\"0123456789abcdef\"\r\n\
        P-Asserted-Identity: <sip:12045550100@x>\r\n\
        Content-Type: application/sdp\r\n\r\n\
        v=0\r\na=ice-pwd:hushhushhushhushhushhush\r\n";

    #[test]
    fn hides_numbers_and_credentials() {
        let output = sip(INVITE);
        for secret in [
            "2045550100",
            "6075550199",
            "desk",
            "0123456789abcdef",
            "hushhush",
        ] {
            assert!(!output.contains(secret), "{secret} in {output}");
        }
        for kept in [
            "INVITE sip:***0199@127.0.0.1 SIP/2.0\r\n",
            "branch=z9hG4bK12345678901\r\n",
            "<sip:***0100@alexa.example>;tag=12345678\r\n",
            "t: <tel:***0199>\r\n",
            "Call-ID: 98765432109@127.0.0.1\r\n",
            "CSeq: 31415926 INVITE\r\n",
            "User-to-User: 3132333435363738;encoding=hex\r\n",
            "Authorization: Digest [hidden]\r\nP-Asserted",
            "a=ice-pwd:[hidden]\r\n",
        ] {
            assert!(output.contains(kept), "{kept} not in {output}");
        }
        assert_eq!(sip(&output), output);
        assert_eq!(any(INVITE), output);
    }

    #[test]
    fn a_number_as_user_to_user_is_hidden_unless_it_is_hex() {
        assert!(
            sip("SIP/2.0 200 OK\r\nUser-to-User: +12045550100\r\n\r\n")
                .contains("User-to-User: ***0100")
        );
    }

    #[test]
    fn a_body_is_found_however_lines_end() {
        for gap in ["\r\n\r\n", "\n\n", "\n\r\n", "\r\n\n", "\r\n"] {
            let input =
                format!("SIP/2.0 200 OK\r\nX: y{gap}v=0\na=crypto:1 S inline:planted|2^20\n");
            let output = sip(&input);
            assert!(!output.contains("planted"), "{gap:?}: {output}");
            assert_eq!(sip(&output), output);
        }
    }

    #[test]
    fn the_digit_of_an_info_is_hidden() {
        for (head, body, hidden) in [
            (
                "",
                "Signal=5\r\nDuration=160\r\n",
                "Signal=[digit]\r\nDuration=160\r\n",
            ),
            (
                "",
                "Signal= 5 \nDuration= 160",
                "Signal=[digit]\nDuration= 160",
            ),
            (
                "Content-Type: application/dtmf-relay\r\n",
                "signal=#\r\n\r\n",
                "Signal=[digit]\r\n\r\n",
            ),
            ("c: Application/DTMF\r\n", "5", "[digit]"),
            (
                "Content-Type: text/plain\r\n",
                "Signals are fine",
                "Signals are fine",
            ),
        ] {
            let info = |body| format!("INFO sip:a@b SIP/2.0\r\n{head}\r\n{body}");
            let output = sip(&info(body));
            assert_eq!(output, info(hidden));
            assert_eq!(sip(&output), output, "twice");
        }
    }
}
