//! The Via header.

use super::ValueError;
use super::host::HostRef;
use super::params::Params;
use super::scan::{Scan, decimal};

/// The transport in a Via header; unknown ones are kept as text (RFC 4475 §3.1.1.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViaTransport<'a> {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// Another transport, as it was written.
    Other(&'a str),
}

/// What `keep` says (RFC 6223 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The sender would keep its flow alive.
    Offered,
    /// The answering side wants that, so many seconds apart; 0: however often (RFC 6223 §4.4).
    Wanted(u32),
}

/// One Via element (RFC 3261 §20.42).
#[derive(Debug, Clone, Copy)]
pub struct Via<'a> {
    /// The transport the request came over.
    pub transport: ViaTransport<'a>,
    /// The host of `sent-by`.
    pub host: HostRef<'a>,
    /// The port of `sent-by`, if written.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
    /// The element's bytes.
    pub raw: &'a [u8],
    /// `sent-by` as it was written.
    pub sent_by: &'a [u8],
}

impl<'a> Via<'a> {
    /// Parses the first element of a Via header's value.
    ///
    /// # Errors
    /// Anything but `protocol/version/transport host[:port]` with well-formed parameters.
    pub fn parse_first(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        let via = Self::scan(&mut scan)?;
        if !scan.take_loose(b',') {
            scan.expect_end("`;`, `,` or the end of the Via")?;
        }
        Ok(via)
    }

    /// All elements of a Via header's value; ends after the first that is malformed.
    pub fn list(value: &'a [u8]) -> impl Iterator<Item = Result<Self, ValueError>> + use<'a> {
        let mut scan = Scan::new(value);
        let mut done = false;
        std::iter::from_fn(move || {
            if done {
                return None;
            }
            let found = Self::scan(&mut scan);
            done = found.is_err() || !scan.take_loose(b',');
            Some(found)
        })
    }

    fn scan(scan: &mut Scan<'a>) -> Result<Self, ValueError> {
        scan.blanks();
        let start = *scan;
        // Any protocol name and version, as the grammar has it: a request of another version must be answered 505.
        scan.token("`SIP`")?;
        if !scan.take_loose(b'/') {
            return Err(scan.expected("`/` and `2.0`"));
        }
        scan.token("`2.0`")?;
        if !scan.take_loose(b'/') {
            return Err(scan.expected("`/` and a transport"));
        }
        let transport = scan.token("a transport")?;
        let transport = if transport.eq_ignore_ascii_case("UDP") {
            ViaTransport::Udp
        } else if transport.eq_ignore_ascii_case("TCP") {
            ViaTransport::Tcp
        } else if transport.eq_ignore_ascii_case("TLS") {
            ViaTransport::Tls
        } else {
            ViaTransport::Other(transport)
        };
        let before = scan.at();
        scan.blanks();
        if scan.at() == before {
            return Err(scan.expected("a blank before the host"));
        }
        let by = *scan;
        let host = HostRef::scan(scan)?;
        let port = if scan.take_loose(b':') {
            let digits = scan.take_while(|byte| byte.is_ascii_digit());
            let port = decimal(digits).and_then(|port| u16::try_from(port).ok());
            Some(port.ok_or_else(|| scan.expected("a port between 0 and 65535"))?)
        } else {
            None
        };
        let sent_by = by.rest().get(..scan.at() - by.at()).unwrap_or_default();
        let params = Params::scan(scan)?;
        let raw = start
            .rest()
            .get(..scan.at() - start.at())
            .unwrap_or_default();
        Ok(Self {
            transport,
            host,
            port,
            params,
            raw,
            sent_by,
        })
    }

    /// `keep` (RFC 6223): whether keep-alives are offered, or how many seconds apart they are wanted.
    pub fn keep(&self) -> Option<Keep> {
        let keep = self.params.find("keep")?;
        let Some(raw) = keep.raw else {
            return Some(Keep::Offered);
        };
        let seconds = decimal(raw).and_then(|seconds| u32::try_from(seconds).ok());
        seconds.map(Keep::Wanted)
    }

    /// Whether the sender takes requests over the connection that this one came by (`alias`, RFC 5923 §5).
    pub fn has_alias(&self) -> bool {
        self.params.find("alias").is_some()
    }

    /// The `branch` parameter's bytes.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.find("branch")?.raw
    }
}
