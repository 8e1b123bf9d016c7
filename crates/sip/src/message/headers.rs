//! The headers of a parsed message.

use std::borrow::Cow;

use bytes::Bytes;

use super::ValueError;
use super::address::{Addresses, NameAddr};
use super::method::Method;
use super::name::HeaderName;
use super::scan::{Span, text};
use super::values::{CSeq, MediaType, RetryAfter, TokenList};
use super::via::Via;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) name: HeaderName,
    pub(crate) raw_name: Span,
    pub(crate) value: Span,
}

/// What every element needs of every message, read once.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    pub(crate) via: Span,
    pub(crate) branch: Option<Span>,
    pub(crate) sent_by: Span,
    pub(crate) from: Span,
    pub(crate) from_tag: Option<Span>,
    pub(crate) to: Span,
    pub(crate) to_tag: Option<Span>,
    pub(crate) call_id: Span,
    pub(crate) cseq: u32,
    pub(crate) cseq_method: Method,
}

/// The part that requests and responses share.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) wire: Bytes,
    pub(crate) lines: Vec<Line>,
    pub(crate) body: Span,
    pub(crate) core: Core,
}

impl Head {
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        span.of(&self.wire)
    }

    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers { head: self }
    }
}

/// One header as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, if this crate knows it.
    pub name: HeaderName,
    /// The name's bytes as they came.
    pub raw_name: &'a [u8],
    /// The value's bytes without the blanks around it; folded lines are joined by spaces.
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The value as text ([`text`]).
    pub fn text(&self) -> Cow<'a, str> {
        text(self.value)
    }
}

/// A view of a message's headers.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    head: &'a Head,
}

impl<'a> Headers<'a> {
    /// All headers in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let head = self.head;
        head.lines.iter().map(|line| Field {
            name: line.name,
            raw_name: head.bytes(line.raw_name),
            value: head.bytes(line.value),
        })
    }

    /// The values of each header called `name`, in order.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let head = self.head;
        head.lines
            .iter()
            .filter(move |line| line.name == name)
            .map(|line| head.bytes(line.value))
    }

    /// The value of the first header called `name`.
    pub fn get(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The value, as text, of the first header called `name`: any name, in any case.
    pub fn named(&self, name: &str) -> Option<Cow<'a, str>> {
        let known = HeaderName::from_bytes(name.as_bytes());
        let found = self.iter().find(|field| {
            if known == HeaderName::Other {
                field.raw_name.eq_ignore_ascii_case(name.as_bytes())
            } else {
                field.name == known
            }
        });
        found.map(|field| field.text())
    }

    /// The first Via element, the previous hop's.
    ///
    /// # Errors
    /// None for a message that [`super::parse`] made: it has checked it.
    pub fn via(&self) -> Result<Via<'a>, ValueError> {
        Via::parse_first(self.head.bytes(self.head.core.via))
    }

    /// From.
    ///
    /// # Errors
    /// None for a message that [`super::parse`] made; its URI may still be malformed.
    pub fn from(&self) -> Result<NameAddr<'a>, ValueError> {
        NameAddr::parse(self.head.bytes(self.head.core.from))
    }

    /// To.
    ///
    /// # Errors
    /// As [`Headers::from`].
    pub fn to(&self) -> Result<NameAddr<'a>, ValueError> {
        NameAddr::parse(self.head.bytes(self.head.core.to))
    }

    /// The tag of From.
    pub fn from_tag(&self) -> Option<&'a [u8]> {
        self.head.core.from_tag.map(|span| self.head.bytes(span))
    }

    /// The tag of To.
    pub fn to_tag(&self) -> Option<&'a [u8]> {
        self.head.core.to_tag.map(|span| self.head.bytes(span))
    }

    /// Call-ID.
    pub fn call_id(&self) -> &'a [u8] {
        self.head.bytes(self.head.core.call_id)
    }

    /// CSeq.
    pub fn cseq(&self) -> CSeq {
        CSeq {
            number: self.head.core.cseq,
            method: self.head.core.cseq_method.clone(),
        }
    }

    /// The first Contact; `None` without one, or for `Contact: *`.
    ///
    /// # Errors
    /// A malformed address.
    pub fn contact(&self) -> Result<Option<NameAddr<'a>>, ValueError> {
        match self.get(HeaderName::Contact) {
            None | Some(b"*") => Ok(None),
            Some(value) => Addresses::new(value).next().transpose(),
        }
    }

    /// The addresses of all headers called `name` (Contact, Route, Record-Route, P-Asserted-Identity).
    pub fn addresses(
        &self,
        name: HeaderName,
    ) -> impl Iterator<Item = Result<NameAddr<'a>, ValueError>> + use<'a> {
        self.all(name).flat_map(Addresses::new)
    }

    /// The tokens of all headers called `name` (Allow, Supported, Require).
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.all(name).flat_map(TokenList::new)
    }

    /// Max-Forwards, at most 255; `None` if absent or no number.
    pub fn max_forwards(&self) -> Option<u8> {
        let value = super::scan::decimal(self.get(HeaderName::MaxForwards)?)?;
        Some(u8::try_from(value).unwrap_or(u8::MAX))
    }

    /// Content-Type.
    ///
    /// # Errors
    /// A malformed media type.
    pub fn content_type(&self) -> Result<Option<MediaType<'a>>, ValueError> {
        self.get(HeaderName::ContentType)
            .map(MediaType::parse)
            .transpose()
    }

    /// Retry-After; `None` if absent or malformed.
    pub fn retry_after(&self) -> Option<RetryAfter> {
        RetryAfter::parse(self.get(HeaderName::RetryAfter)?).ok()
    }

    /// User-to-User as it came, with its `;encoding=` parameter (RFC 7433).
    pub fn user_to_user(&self) -> Option<Cow<'a, str>> {
        self.get(HeaderName::UserToUser).map(text)
    }
}
