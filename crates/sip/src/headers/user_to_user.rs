//! User-to-User (RFC 7433, RFC 7434) in all its forms.

use std::fmt::{self, Write as _};

use super::elements::{MAX_ELEMENTS, elements, quoted};
use crate::message::{
    HeaderName, Headers, Params, Scan, UriRef, ValueError, is_token, text, unquote,
};

/// How the data is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `encoding=hex`.
    Hex,
    /// Nothing is said: hexadecimal by RFC 7433 §4.2 where it is hexadecimal, else as it stands.
    Unsaid,
    /// Another encoding, as it was written.
    Other(String),
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserToUser {
    /// The data as it is written, without quotes.
    pub written: String,
    /// It was written in quotes, and has to be again.
    pub quoted: bool,
    /// How.
    pub encoding: Encoding,
    /// `purpose`: what it is for, `isdn-uui` if that is said.
    pub purpose: Option<String>,
    /// `content`: what it holds.
    pub content: Option<String>,
    /// Other parameters in their order (`generic-param`), as they were written: a name, and behind `=` a token or a quoted
    /// string. One that holds an ASCII control character is not written again (our choice).
    pub others: Vec<String>,
}

/// The most values of one message, or of one URI, that are kept (our choice).
pub const MAX_VALUES: usize = 8;
/// The most bytes of all of them (our choice; RFC 7434 §5.1 has 256 for one value of ISDN's).
pub const MAX_BYTES: usize = 2048;

/// What a message or a URI carries, in its order and within [`MAX_VALUES`] and [`MAX_BYTES`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// The values that can be read and found room.
    pub values: Vec<UserToUser>,
    /// How many others there were.
    pub left_out: usize,
}

impl Carried {
    fn of<'v>(values: impl Iterator<Item = &'v [u8]>) -> Self {
        let (mut carried, mut bytes) = (Self::default(), 0);
        for value in values.take(MAX_ELEMENTS) {
            bytes += value.len();
            match UserToUser::parse(value) {
                Ok(read) if carried.values.len() < MAX_VALUES && bytes <= MAX_BYTES => {
                    carried.values.push(read);
                }
                _ => carried.left_out += 1,
            }
        }
        carried
    }
}

impl UserToUser {
    /// Hexadecimal data, as ISDN interworking has it.
    pub fn hex(data: &[u8]) -> Self {
        let mut written = String::with_capacity(data.len() * 2);
        for byte in data {
            // Writing to a String cannot fail.
            let _ = write!(written, "{byte:02x}");
        }
        Self {
            written,
            quoted: false,
            encoding: Encoding::Hex,
            purpose: None,
            content: None,
            others: Vec::new(),
        }
    }

    /// Parses one value.
    ///
    /// # Errors
    /// Neither a token nor a quoted string, or malformed parameters.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        scan.blanks();
        let is_quoted = scan.peek() == Some(b'"');
        let raw = if is_quoted {
            scan.quoted()?
        } else {
            // Wider than `token`: senders put base64 and URIs there unquoted.
            let raw = scan.take_while(|byte| {
                byte > b' ' && byte < 0x7f && !matches!(byte, b';' | b',' | b'"')
            });
            if raw.is_empty() {
                return Err(scan.expected("data"));
            }
            raw
        };
        let params = Params::scan(&mut scan)?;
        scan.expect_end("`;`, `,` or the end of the User-to-User")?;
        let param = |name: &str| params.value(name).map(|value| value.into_owned());
        let known = |name: &str| {
            let mut known = ["encoding", "purpose", "content"].into_iter();
            known.any(|known| known.eq_ignore_ascii_case(name))
        };
        let others = params.iter().filter(|other| !known(other.name));
        let others = others.map(|other| match other.raw {
            Some(raw) => format!("{}={}", other.name, text(raw)),
            None => other.name.to_owned(),
        });
        let encoding = match param("encoding") {
            None => Encoding::Unsaid,
            Some(name) if name.eq_ignore_ascii_case("hex") => Encoding::Hex,
            Some(other) => Encoding::Other(other),
        };
        Ok(Self {
            written: text(&unquote(raw)).into_owned(),
            quoted: is_quoted,
            encoding,
            purpose: param("purpose"),
            content: param("content"),
            others: others.collect(),
        })
    }

    /// The elements of one header's value that can be read, as they were written.
    pub fn readable(value: &[u8]) -> impl Iterator<Item = &[u8]> {
        elements(value).filter(|element| Self::parse(element).is_ok())
    }

    /// What a message carries: the values of all its headers and lists, in order.
    pub fn carried(headers: Headers<'_>) -> Carried {
        Carried::of(headers.all(HeaderName::UserToUser).flat_map(elements))
    }

    /// What a URI carries in its headers for who is called by it: in a Refer-To, or in the Contact of a 3xx (RFC 7433 §4.4).
    pub fn carried_by(uri: &UriRef<'_>) -> Carried {
        let headers: Vec<_> = uri
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case("User-to-User"))
            .take(MAX_ELEMENTS)
            .collect();
        let values = headers.iter().map(|(_, value)| value.as_bytes());
        Carried::of(values.flat_map(elements))
    }

    /// Whether another value is for the same `purpose`; a value that says none is ISDN's (RFC 7434 §3.3).
    pub fn is_for_the_same(&self, other: &Self) -> bool {
        let purpose = |value: &'_ Self| value.purpose.clone().unwrap_or("isdn-uui".to_owned());
        purpose(self).eq_ignore_ascii_case(&purpose(other))
    }

    /// All values of a message, of several headers and of lists; what cannot be read is left out.
    pub fn list(headers: Headers<'_>) -> Vec<Self> {
        headers
            .all(HeaderName::UserToUser)
            .flat_map(elements)
            .take(MAX_ELEMENTS)
            .filter_map(|element| Self::parse(element).ok())
            .collect()
    }

    /// The values that a URI carries in its headers: in a Refer-To, or in the Contact of a 3xx (RFC 7433 §4.4).
    pub fn of_uri(uri: &UriRef<'_>) -> Vec<Self> {
        uri.headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case("User-to-User"))
            .take(MAX_ELEMENTS)
            .filter_map(|(_, value)| Self::parse(value.as_bytes()).ok())
            .collect()
    }

    /// The data: hexadecimal decoded, anything else as it is written. `None` if it says that it is hexadecimal and is
    /// not, or names an encoding that this crate does not know.
    pub fn data(&self) -> Option<Vec<u8>> {
        match &self.encoding {
            Encoding::Hex => from_hex(&self.written),
            Encoding::Unsaid => {
                Some(from_hex(&self.written).unwrap_or_else(|| self.written.clone().into_bytes()))
            }
            Encoding::Other(_) => None,
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| {
            let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
            u8::try_from(digit(0)? * 16 + digit(1)?).ok()
        })
        .collect()
}

impl fmt::Display for UserToUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.written.is_empty() && self.written.bytes().all(is_token);
        if self.quoted || !plain {
            f.write_str(&quoted(&self.written))?;
        } else {
            f.write_str(&self.written)?;
        }
        let encoding = match &self.encoding {
            Encoding::Hex => Some("hex"),
            Encoding::Unsaid => None,
            Encoding::Other(other) => Some(other.as_str()),
        };
        for (name, value) in [
            ("purpose", self.purpose.as_deref()),
            ("content", self.content.as_deref()),
            ("encoding", encoding),
        ] {
            if let Some(value) = value {
                write!(f, ";{name}={}", super::elements::token_or_quoted(value))?;
            }
        }
        // What stands there may have been put there by hand, and a quoted string may hold any byte: nothing breaks the line.
        let plain = |other: &&String| !other.bytes().any(|byte| byte.is_ascii_control());
        for other in self.others.iter().filter(plain) {
            write!(f, ";{other}")?;
        }
        Ok(())
    }
}
