//! What the logic needs of the outside: state, settings, time, chance, requests to others, a log.

use std::time::Duration;

use skillcall_protocol::sma::{Event, RequestedAction};

/// The state or the settings cannot be reached. The text is for the log, not for callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub String);

/// A request to somebody else.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The absolute URL.
    pub url: String,
    /// Header names, in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty with `GET`.
    pub body: Vec<u8>,
    /// When the whole exchange, the reply's body included, must be over.
    pub timeout: Duration,
    /// The longest reply's body that is taken, in bytes.
    pub max_reply: usize,
}

/// A reply from somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundReply {
    /// The HTTP status.
    pub status: u16,
    /// Header names as they came, and values; those that are not UTF-8 are left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What became of a request, for a line of the trace: the status, or why there was none.
pub(crate) fn outcome(reply: &Result<OutboundReply, SendError>) -> String {
    match reply {
        Ok(reply) => reply.status.to_string(),
        Err(error) => error.to_string(),
    }
}

impl OutboundReply {
    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It took too long. The other side may have acted on the request.
    #[error("no reply within {0:?}")]
    Timeout(Duration),
    /// The URL cannot be used.
    #[error("the URL {0:?} cannot be used")]
    Url(String),
    /// The host refuses requests to this place.
    #[error("the host does not allow requests to it")]
    Denied,
    /// The reply's body is longer than the request allows.
    #[error("the reply is longer than {0} bytes")]
    TooLong(usize),
    /// The connection failed, before or after the request was sent.
    #[error("the connection failed: {0}")]
    Connection(String),
}

/// The outside. One value lives for one request.
pub trait Host {
    /// The value at `key`, unless it has expired.
    ///
    /// # Errors
    /// When the store cannot be reached.
    fn state_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError>;

    /// Sets `key` for `ttl` seconds.
    ///
    /// # Errors
    /// When the store cannot be reached.
    fn state_set(&self, key: &str, value: &[u8], ttl: u32) -> Result<(), HostError>;

    /// Removes `key`.
    ///
    /// # Errors
    /// When the store cannot be reached.
    fn state_delete(&self, key: &str) -> Result<(), HostError>;

    /// Sets `key` for `ttl` seconds and answers true, if it is absent or expired; else answers false.
    ///
    /// # Errors
    /// When the store cannot be reached.
    fn state_claim(&self, key: &str, value: &[u8], ttl: u32) -> Result<bool, HostError>;

    /// A setting as text.
    ///
    /// # Errors
    /// When the settings cannot be reached.
    fn setting(&self, name: &str) -> Result<Option<String>, HostError>;

    /// A setting as bytes.
    ///
    /// # Errors
    /// When the settings cannot be reached.
    fn setting_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, HostError>;

    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> u64;

    /// Milliseconds since any fixed moment; never runs backwards.
    fn monotonic_ms(&self) -> u64;

    /// Microseconds since 1970-01-01T00:00:00Z, as fine as the clock is: records of other parts are ordered by them.
    fn now_us(&self) -> u64 {
        self.now_ms().saturating_mul(1000)
    }

    /// Microseconds since any fixed moment; never runs backwards.
    fn monotonic_us(&self) -> u64 {
        self.monotonic_ms().saturating_mul(1000)
    }

    /// Random bytes that nobody can foretell.
    fn random(&self, bytes: &mut [u8]);

    /// Waits.
    fn sleep(&self, time: Duration);

    /// Sends a request and waits for the reply.
    ///
    /// # Errors
    /// When there is none, or it is too long.
    fn send(&self, request: &OutboundRequest) -> Result<OutboundReply, SendError>;

    /// Sends a request and waits for the reply. If none has come `after` that time, `meanwhile` is called once, and the wait
    /// goes on: the request's own time-out is counted from its beginning.
    ///
    /// # Errors
    /// When there is none, or it is too long.
    fn send_meanwhile(
        &self,
        request: &OutboundRequest,
        after: Duration,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<OutboundReply, SendError>;

    /// What code that is plugged in decides about an event of a call (`skillcall:flow/custom-flow`); none leaves it to the
    /// call plan. A plug-in that traps takes the whole instance with it.
    ///
    /// # Errors
    /// The event or an action cannot be carried over; says what is wrong.
    fn custom_flow(&self, _event: &Event) -> Result<Option<Vec<RequestedAction>>, String> {
        Ok(None)
    }

    /// Writes a line to the log. Numbers and tokens are redacted by the caller.
    fn log(&self, line: &str);
}

/// Until when the answer to a request must be out.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    end_ms: u64,
}

impl Deadline {
    /// `limit` from now.
    pub fn within<H: Host>(host: &H, limit: Duration) -> Self {
        Self {
            end_ms: host.monotonic_ms().saturating_add(millis(limit)),
        }
    }

    /// What is left.
    pub fn left<H: Host>(&self, host: &H) -> Duration {
        Duration::from_millis(self.end_ms.saturating_sub(host.monotonic_ms()))
    }

    /// What is left, but at most `limit`.
    pub fn at_most<H: Host>(&self, host: &H, limit: Duration) -> Duration {
        self.left(host).min(limit)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
