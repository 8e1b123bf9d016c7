//! Session descriptions: keys and passwords go, the rest is needed to understand a call.

use super::{HIDDEN, numbers, plain};

/// Redacts a session description (RFC 8866): the inline keys of `a=crypto` (RFC 4568 §9.1), `a=ice-pwd` (RFC 8839 §5.4)
/// and `k=` are hidden; numbers in the origin's user name, in `s=`, `i=`, `p=`, `u=`, `e=` and in attributes keep their last
/// four digits. `a=fingerprint`, candidates and time stamps stay.
#[must_use]
pub fn sdp(input: &str) -> String {
    let mut out = String::with_capacity(input.len());
    for text in input.split_inclusive('\n') {
        line(text, &mut out);
    }
    out
}

/// Whether a line holds an SDP secret, whatever text it stands in.
pub(super) fn is_secret_line(line: &str) -> bool {
    let line = line.trim_start();
    ["a=crypto:", "a=ice-pwd:", "k="]
        .iter()
        .any(|p| starts_with(line, p))
}

fn starts_with(line: &str, prefix: &str) -> bool {
    line.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Writes one line, with its line ending, redacted.
pub(super) fn line(text: &str, out: &mut String) {
    let content = text.trim_end_matches(['\r', '\n']);
    let ending = text.get(content.len()..).unwrap_or_default();
    let indent = content.len() - content.trim_start().len();
    let is = |prefix: &str| {
        content
            .get(indent..)
            .is_some_and(|line| starts_with(line, prefix))
    };
    let keep_until = |end: usize, out: &mut String| {
        out.push_str(content.get(..end).unwrap_or_default());
        out.push_str(HIDDEN);
    };
    if is("a=crypto:") {
        crypto(content, out);
    } else if is("a=ice-pwd:") {
        keep_until(indent + "a=ice-pwd:".len(), out);
    } else if is("k=") {
        keep_until(indent + 2, out);
    } else if is("o=") {
        // The session's id and version are long numbers too, so only the user name is looked at.
        let (user, rest) = content.split_at(content.find(' ').unwrap_or(content.len()));
        out.push_str(&numbers::redact(user));
        out.push_str(rest);
    } else if [
        "a=candidate:",
        "a=ssrc",
        "a=fingerprint:",
        "t=",
        "m=",
        "c=",
        "b=",
    ]
    .iter()
    .any(|p| is(p))
    {
        out.push_str(content);
    } else {
        out.push_str(&plain(content));
    }
    out.push_str(ending);
}

/// `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4;inline:KEY UNENCRYPTED_SRTCP`: each key goes, its lifetime stays.
fn crypto(content: &str, out: &mut String) {
    let mut rest = content;
    let mut found = false;
    // ASCII case folding changes no byte's place.
    while let Some(at) = rest.to_ascii_lowercase().find("inline:") {
        found = true;
        let start = at + "inline:".len();
        out.push_str(&plain(rest.get(..start).unwrap_or_default()));
        out.push_str(HIDDEN);
        let tail = rest.get(start..).unwrap_or_default();
        let end = tail
            .find(|c: char| c.is_whitespace() || matches!(c, '|' | ';'))
            .unwrap_or(tail.len());
        rest = tail.get(end..).unwrap_or_default();
    }
    if found {
        out.push_str(&plain(rest));
    } else {
        // Another key method: what it holds is not known, so only the tag and the suite stay.
        for word in content.split(' ').take(2).filter(|word| *word != HIDDEN) {
            out.push_str(&plain(word));
            out.push(' ');
        }
        out.push_str(HIDDEN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_keys_and_keeps_the_rest() {
        let input = "v=0\r\no=+12045550100 4000000001 4000000002 IN IP4 192.0.2.1\r\ns=call of +12045550100\r\nt=0 0\r\n\
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4;inline:c2Vjb25k\r\n\
            A=CRYPTO:2 X INLINE:c2VjcmV0\r\n\
            a=ice-ufrag:simu\r\na=ice-pwd:simulatedpassword000000\r\na=fingerprint:sha-256 AA:BB\r\n\
            a=candidate:1 1 UDP 2013266431 192.0.2.10 40000 typ host\r\nk=clear:hush\r\n";
        let output = sdp(input);
        for secret in [
            "d0Rmdm",
            "c2Vjb25k",
            "c2VjcmV0",
            "simulatedpassword",
            "hush",
            "2045550100",
        ] {
            assert!(!output.contains(secret), "{secret} in {output}");
        }
        for kept in [
            "o=***0100 4000000001 4000000002 IN IP4 192.0.2.1\r\n",
            "inline:[hidden]|2^20|1:4;inline:[hidden]\r\n",
            "a=fingerprint:sha-256 AA:BB\r\n",
            "2013266431 192.0.2.10",
            "a=ice-ufrag:simu\r\n",
        ] {
            assert!(output.contains(kept), "{kept} not in {output}");
        }
        assert_eq!(sdp(&output), output);
        assert_eq!(
            crate::redact::text(&format!("--b\r\n{input}"))
                .matches("[hidden]")
                .count(),
            5
        );
    }

    #[test]
    fn a_malformed_crypto_line_shows_no_number_and_stays_as_it_is() {
        for (input, output) in [
            (
                "a=crypto:+12045550100 S inline:x",
                "a=crypto:***0100 S inline:[hidden]",
            ),
            ("a=crypto:1", "a=crypto:1 [hidden]"),
        ] {
            assert_eq!(sdp(input), output);
            assert_eq!(sdp(output), output, "twice");
        }
    }

    #[test]
    fn a_crypto_line_without_an_inline_key_shows_tag_and_suite() {
        assert_eq!(
            sdp("a=crypto:1 SUITE other:KEY\r\n"),
            "a=crypto:1 SUITE [hidden]\r\n"
        );
    }
}
