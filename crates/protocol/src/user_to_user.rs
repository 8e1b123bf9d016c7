//! The `User-to-User` header (RFC 7433; facts E1, I1), in which a skill call carries its `clientSessionId`.
//!
//! Alexa's value is the hex of `csi=<clientSessionId>` followed by `;encoding=hex`, without a `purpose`. Writing is
//! exact; reading is lenient: quoted or bare, hex in either case, several values in a header, several headers,
//! parameters in any case. What cannot be read counts as absent, because a call must not fail for it.

use crate::ids::ClientSessionId;

/// What stands before the `clientSessionId` in the decoded text.
const CSI: &str = "csi=";

/// One value of a `User-to-User` header (`uui-value` in RFC 7433 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UuiValue {
    /// The data as it was sent, without the quotes and their escapes.
    pub data: String,
    /// The parameters in order: names in lower case, values without quotes, `None` for a parameter without `=`.
    pub parameters: Vec<(String, Option<String>)>,
}

impl UuiValue {
    /// The value of the parameter `name` (given in lower case).
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(n, _)| n == name)
            .and_then(|(_, value)| value.as_deref())
    }

    /// The decoded bytes: of an even number of hex digits when the encoding is `hex` or not named (RFC 7434 §3.4 makes
    /// hex its default). `None` for another encoding, which is passed on unread, and for malformed hex (facts I1).
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self.parameter("encoding") {
            Some(encoding) if !encoding.eq_ignore_ascii_case("hex") => None,
            _ if self.data.is_empty() => None,
            _ => hex::decode(&self.data).ok(),
        }
    }

    /// The `clientSessionId` that this value carries, if it is Alexa's.
    #[must_use]
    pub fn client_session_id(&self) -> Option<ClientSessionId> {
        let decoded = match self.bytes() {
            Some(bytes) => String::from_utf8(bytes).ok()?,
            // Some peers quote the text itself and name no encoding.
            None if self.parameter("encoding").is_none() => self.data.clone(),
            None => return None,
        };
        ClientSessionId::parse(decoded.strip_prefix(CSI)?).ok()
    }
}

/// The header value that carries `id`, exactly as Alexa writes it: `6373693d…;encoding=hex`.
#[must_use]
pub fn encode_csi(id: &ClientSessionId) -> String {
    let mut value = hex::encode(CSI);
    value.push_str(&hex::encode(id.as_str()));
    value.push_str(";encoding=hex");
    value
}

/// Finds the `clientSessionId` in the values of all `User-to-User` headers of a message: the first value that carries
/// one. Malformed values are passed over.
#[must_use]
pub fn decode_csi<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<ClientSessionId> {
    headers
        .into_iter()
        .flat_map(parse)
        .find_map(|value| value.client_session_id())
}

/// Splits one header's text into its values (RFC 7433 §4.1). Commas and semicolons within quotes do not separate. Never
/// fails: a value whose data is empty is left out, an unterminated quote ends with the text.
#[must_use]
pub fn parse(header: &str) -> Vec<UuiValue> {
    split(header, ',')
        .into_iter()
        .filter_map(parse_value)
        .collect()
}

fn parse_value(text: &str) -> Option<UuiValue> {
    let mut parts = split(text, ';').into_iter();
    let data = unquote(parts.next()?);
    if data.is_empty() {
        return None;
    }
    let parameters = parts
        .filter(|part| !part.trim().is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim().to_ascii_lowercase(), Some(unquote(value))),
            None => (part.trim().to_ascii_lowercase(), None),
        })
        .collect();
    Some(UuiValue { data, parameters })
}

/// Splits at `separator` outside quoted strings.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut quoted, mut escaped, mut start) = (false, false, 0);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// The content of a quoted string without its escapes, or the trimmed text when it is not quoted.
fn unquote(text: &str) -> String {
    let text = text.trim();
    let Some(inner) = text.strip_prefix('"') else {
        return text.to_owned();
    };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn csi(text: &str) -> Option<String> {
        decode_csi([text]).map(String::from)
    }

    #[test]
    fn writes_the_worked_example_of_e1() {
        let id = ClientSessionId::parse("a1-b2").unwrap();
        assert_eq!(encode_csi(&id), "6373693d61312d6232;encoding=hex");
    }

    #[test]
    fn reads_every_form_that_i1_allows() {
        for header in [
            "6373693d61312d6232;encoding=hex",
            "6373693D61312D6232;encoding=hex",
            "6373693d61312D6232 ; Encoding = HEX",
            "\"6373693d61312d6232\";encoding=hex",
            "\"6373693d61312d6232\";encoding=\"hex\"",
            "6373693d61312d6232;purpose=isdn-uui;content=isdn-uui;encoding=hex",
            "00c81234;encoding=hex, 6373693d61312d6232;encoding=hex",
            "\"a,b;c\";encoding=text,6373693d61312d6232;encoding=hex;flag",
            "6373693d61312d6232",
            "\"csi=a1-b2\"",
        ] {
            assert_eq!(csi(header).as_deref(), Some("a1-b2"), "{header}");
        }
    }

    #[test]
    fn malformed_is_absent() {
        for header in [
            "",
            ",;,",
            ";encoding=hex",
            "6373693d61312d623;encoding=hex",
            "6373693d61312d62zz;encoding=hex",
            "6373693d;encoding=hex",
            "6373693dff;encoding=hex",
            "6373693d61312d6232;encoding=base64",
            "666f6f3d61;encoding=hex",
        ] {
            assert_eq!(csi(header), None, "{header}");
        }
        let too_long = format!(
            "{};encoding=hex",
            hex::encode(format!("csi={}", "x".repeat(101)))
        );
        assert_eq!(csi(&too_long), None);
    }

    #[test]
    fn a_truncated_id_is_still_an_id() {
        let header = format!("{};encoding=hex", hex::encode("csi=db792233-8df"));
        assert_eq!(csi(&header).as_deref(), Some("db792233-8df"));
    }

    #[test]
    fn the_second_header_counts_when_the_first_is_foreign() {
        assert_eq!(
            decode_csi(["00c8;encoding=hex", "6373693d61312d6232;encoding=hex"])
                .unwrap()
                .as_str(),
            "a1-b2"
        );
        assert_eq!(decode_csi([]), None);
    }

    #[test]
    fn unterminated_quotes_end_with_the_text() {
        assert_eq!(csi("\"6373693d61312d6232").as_deref(), Some("a1-b2"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id in "[^\\p{Cc}]{1,100}") {
            let id = ClientSessionId::parse(id).unwrap();
            prop_assert_eq!(decode_csi([encode_csi(&id).as_str()]), Some(id));
        }

        #[test]
        fn reading_never_fails(text in ".*") {
            let _ = decode_csi([text.as_str()]);
        }
    }
}
