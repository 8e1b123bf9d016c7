//! SIP messages: parsing, typed headers, and writing (RFC 3261 §7, §20, §25).
//!
//! A parsed message keeps the bytes it came in and the order of its headers; typed views are made when
//! they are asked for. Only what every SIP element needs (top `Via`, tags, `Call-ID`, `CSeq`) is read at once.

mod address;
mod dialog_values;
mod error;
mod escape;
mod headers;
mod host;
mod method;
mod multipart;
mod name;
mod params;
mod parse;
mod redirect;
mod request;
mod response;
mod scan;
mod sipfrag;
mod start_line;
mod status;
mod stream;
mod uri;
mod uri_equal;
mod values;
mod via;
mod write;

pub use address::{Addresses, NameAddr};
pub use dialog_values::{MinSe, RAck, Refresher, Replaces, SessionExpires};
pub use error::{ParseError, ParseErrorKind, ValueError};
pub use escape::escaped_user;
pub use headers::{Field, Headers};
pub use host::{Host, HostRef};
pub use method::Method;
pub use multipart::{BodyPart, parts};
pub use name::HeaderName;
pub use params::{Param, Params};
pub use parse::{Framing, MAX_HEADERS, MAX_MESSAGE, parse};
pub use redirect::RedirectTarget;
pub use request::Request;
pub use response::Response;
pub use scan::text;
pub use sipfrag::SipFrag;
pub use status::StatusCode;
pub use stream::{Frame, FrameError, StreamFramer};
pub use uri::{Scheme, Uri, UriRef};
pub use values::{CSeq, MediaType, RetryAfter, TokenList};
pub use via::{Keep, Via, ViaTransport};
pub use write::{ExtraHeader, InvalidHeader, MessageWriter};

pub(crate) use address::needs_quotes;
pub(crate) use headers::Head;
pub(crate) use scan::{Scan, Span, decimal, is_token, trim, unquote};

/// A parsed SIP message (RFC 3261 §7).
#[derive(Debug, Clone)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// The headers, in the order in which they came.
    pub fn headers(&self) -> Headers<'_> {
        match self {
            Self::Request(request) => request.headers(),
            Self::Response(response) => response.headers(),
        }
    }

    /// The body: `Content-Length` bytes, or on a datagram without that header all that follows (RFC 3261 §18.3).
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Request(request) => request.body(),
            Self::Response(response) => response.body(),
        }
    }

    /// The message's bytes, with folded header lines joined by spaces and nothing else changed.
    pub fn wire(&self) -> &[u8] {
        match self {
            Self::Request(request) => request.wire(),
            Self::Response(response) => response.wire(),
        }
    }
}
