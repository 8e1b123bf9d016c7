//! Identity (RFC 8224): a signed statement about the caller's number (STIR). It is passed on, not judged.

use std::fmt;

use super::elements::{MAX_ELEMENTS, elements, quoted, token_or_quoted};
use crate::message::{HeaderName, Headers, Scan, ValueError, text, unquote};

/// One Identity header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIdentity {
    /// The PASSporT: three parts of base64url with dots between; the first two are empty in the compact form.
    pub passport: String,
    /// Where the certificate lies, without angle brackets.
    pub info: String,
    /// The algorithm; `ES256` where nothing is said.
    pub alg: Option<String>,
    /// The extension, such as `shaken` or `div`.
    pub ppt: Option<String>,
}

impl SignedIdentity {
    /// Parses one value.
    ///
    /// # Errors
    /// A PASSporT of other than three parts of base64url, or no `info`.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        scan.blanks();
        let start = scan;
        let passport = scan.take_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'.')
        });
        let mut parts = passport.split(|byte| *byte == b'.');
        let signed = parts.nth(2).is_some_and(|signature| !signature.is_empty());
        if !signed || parts.next().is_some() {
            return Err(
                start.expected("a PASSporT: header, payload and signature with dots between")
            );
        }
        // `info=<uri>` is no generic value, so it is read before the parameters are.
        let mut info = None;
        let (mut alg, mut ppt) = (None, None);
        while scan.take_loose(b';') {
            let name = scan.token("a parameter name")?;
            if !scan.take_loose(b'=') {
                continue;
            }
            if scan.take(b'<') {
                let uri = scan.take_while(|byte| byte != b'>');
                if !scan.take(b'>') {
                    return Err(scan.expected("`>`"));
                }
                if name.eq_ignore_ascii_case("info") {
                    info = Some(text(uri).into_owned());
                }
                continue;
            }
            let raw = if scan.peek() == Some(b'"') {
                scan.quoted()?
            } else {
                scan.take_while(|byte| byte > b' ' && !matches!(byte, b';' | b',' | b'"'))
            };
            let value = text(unquote(raw).as_ref()).into_owned();
            match name.to_ascii_lowercase().as_str() {
                "info" => info = Some(value),
                "alg" => alg = Some(value),
                "ppt" => ppt = Some(value),
                _ => {}
            }
        }
        scan.expect_end("`;` or the end of the Identity")?;
        let missing = ValueError {
            at: value.len(),
            expected: "the parameter `info`",
        };
        Ok(Self {
            passport: text(passport).into_owned(),
            info: info.ok_or(missing)?,
            alg,
            ppt,
        })
    }

    /// All of a message; what cannot be read is left out.
    pub fn list(headers: Headers<'_>) -> Vec<Self> {
        headers
            .all(HeaderName::Identity)
            .flat_map(elements)
            .take(MAX_ELEMENTS)
            .filter_map(|element| Self::parse(element).ok())
            .collect()
    }
}

impl fmt::Display for SignedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info: String = self
            .info
            .chars()
            .filter(|letter| !letter.is_control() && *letter != '>')
            .collect();
        write!(f, "{};info=<{info}>", self.passport)?;
        if let Some(alg) = &self.alg {
            write!(f, ";alg={}", token_or_quoted(alg))?;
        }
        if let Some(ppt) = &self.ppt {
            write!(f, ";ppt={}", quoted(ppt))?;
        }
        Ok(())
    }
}
