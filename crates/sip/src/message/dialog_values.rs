//! Typed values of headers that live in dialogs: RAck, Session-Expires, Min-SE, Replaces.

use std::fmt;

use super::ValueError;
use super::method::Method;
use super::params::Params;
use super::scan::{Scan, decimal, text};

/// `RAck` (RFC 3262 §7.2): which response a PRACK acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RAck {
    /// The response's RSeq.
    pub rseq: u32,
    /// The CSeq number of the request that it answered.
    pub cseq: u32,
    /// The method of that request.
    pub method: Method,
}

impl RAck {
    /// Parses a value.
    ///
    /// # Errors
    /// Anything but two numbers of 32 bits and a method.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        let rseq = number(&mut scan)?;
        let cseq = number(&mut scan)?;
        scan.blanks();
        let method = Method::from_token(scan.token("a method")?);
        scan.expect_end("the end of RAck")?;
        Ok(Self { rseq, cseq, method })
    }
}

fn number(scan: &mut Scan<'_>) -> Result<u32, ValueError> {
    scan.blanks();
    let start = *scan;
    decimal(scan.take_while(|byte| byte.is_ascii_digit()))
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| start.expected("a number below 4294967296"))
}

/// Who refreshes a session, seen from the request (RFC 4028 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The request's client.
    Uac,
    /// The request's server.
    Uas,
}

/// `Session-Expires` (RFC 4028 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires {
    /// The interval in seconds.
    pub seconds: u32,
    /// Who refreshes; `None` if it is left open.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Parses a value; an unknown refresher counts as left open.
    ///
    /// # Errors
    /// No number of 32 bits, or malformed parameters.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        let seconds = number(&mut scan)?;
        let params = Params::scan(&mut scan)?;
        scan.expect_end("the end of Session-Expires")?;
        let refresher = params.value("refresher").and_then(|who| {
            if who.eq_ignore_ascii_case("uac") {
                Some(Refresher::Uac)
            } else if who.eq_ignore_ascii_case("uas") {
                Some(Refresher::Uas)
            } else {
                None
            }
        });
        Ok(Self { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

/// `Min-SE` in seconds (RFC 4028 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinSe(pub u32);

impl MinSe {
    /// Parses a value; parameters are passed over.
    ///
    /// # Errors
    /// No number of 32 bits, or malformed parameters.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        let seconds = number(&mut scan)?;
        Params::scan(&mut scan)?;
        scan.expect_end("the end of Min-SE")?;
        Ok(Self(seconds))
    }
}

/// `Replaces` (RFC 3891 §6.1): the dialog that a new one takes the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: String,
    /// The tag of the side that receives the header.
    pub to_tag: String,
    /// The tag of the other side.
    pub from_tag: String,
    /// Only while that dialog is not answered.
    pub early_only: bool,
}

impl Replaces {
    /// Parses a value, as it stands in the header or, its escapes resolved, in a Refer-To URI.
    ///
    /// # Errors
    /// No Call-ID, or one of the tags is missing.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        scan.blanks();
        let call_id = scan.take_while(|byte| byte > b' ' && byte != b';' && byte != b',');
        if call_id.is_empty() {
            return Err(scan.expected("a Call-ID"));
        }
        let params = Params::scan(&mut scan)?;
        scan.expect_end("`;` or the end of Replaces")?;
        let tag = |name: &str, expected| {
            params
                .find(name)
                .and_then(|param| param.raw)
                .map(|raw| text(raw).into_owned())
                .ok_or(ValueError { at: 0, expected })
        };
        Ok(Self {
            call_id: text(call_id).into_owned(),
            to_tag: tag("to-tag", "the parameter `to-tag`")?,
            from_tag: tag("from-tag", "the parameter `from-tag`")?,
            early_only: params.has("early-only"),
        })
    }

    /// The value escaped for the headers part of a URI: `sip:a@b?Replaces=…` (RFC 3891 §5).
    pub fn in_uri(&self) -> String {
        use fmt::Write as _;
        let mut out = String::new();
        for byte in self.to_string().bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~') {
                out.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call_id,
            to_tag,
            from_tag,
            ..
        } = self;
        write!(f, "{call_id};to-tag={to_tag};from-tag={from_tag}")?;
        if self.early_only {
            f.write_str(";early-only")?;
        }
        Ok(())
    }
}
