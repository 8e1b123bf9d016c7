//! A span, as OpenTelemetry's data model has it.

/// An interval of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    /// 32 hexadecimal digits.
    pub(super) trace: String,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) name: String,
    pub(super) kind: SpanKind,
    /// Microseconds since the Unix epoch.
    pub(super) start: u64,
    /// The same, never before the start.
    pub(super) end: u64,
    pub(super) attributes: Vec<Attribute>,
    pub(super) events: Vec<SpanEvent>,
    /// What failed, if anything did.
    pub(super) error: Option<String>,
}

/// Eight bytes, not all zero (W3C Trace Context §3.2.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanId([u8; 8]);

impl SpanId {
    pub(super) fn new(bytes: [u8; 8]) -> Self {
        let mut bytes = bytes;
        bytes[7] |= u8::from(bytes == [0; 8]);
        Self(bytes)
    }

    pub(super) fn hex(self) -> String {
        hex::encode(self.0)
    }
}

/// Which side of a request a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpanKind {
    Internal,
    Server,
    Client,
}

/// A moment within a span.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SpanEvent {
    /// Microseconds since the Unix epoch.
    pub(super) at: u64,
    pub(super) name: &'static str,
    pub(super) attributes: Vec<Attribute>,
}

/// A key of OpenTelemetry's semantic conventions where there is one, else of `sip` or `skillcall` (our choice).
pub(super) type Attribute = (&'static str, Value);

/// What an attribute may be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Double(f64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}
