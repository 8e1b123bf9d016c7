//! The record: one line of a trace file.

use serde::{Deserialize, Serialize};

use super::Text;

/// The schema's version, in each record's `v`.
pub const VERSION: u8 = 1;

/// The name of a digit's message, before the digit itself if that is told.
const DIGIT: &str = "digit";

/// One line of a trace file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Record {
    /// Version of the schema.
    pub v: u8,
    /// When, in microseconds since the Unix epoch; for an HTTP exchange the time of the request.
    pub at: u64,
    /// Who wrote it.
    pub part: Party,
    /// The writer's own count, which orders records of one microsecond.
    #[serde(default)]
    pub seq: u64,
    /// Which call it belongs to.
    #[serde(default)]
    pub ids: Ids,
    /// What happened.
    #[serde(flatten)]
    pub kind: Kind,
}

/// Who takes part in a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The Alexa device.
    Device,
    /// The Alexa service.
    Alexa,
    /// The skill.
    Component,
    /// The SIP media application.
    Sidecar,
    /// The SIP phone, PBX or carrier at the far end.
    Phone,
    /// A handler other than the component.
    Handler,
    /// A part that this version does not know.
    #[serde(untagged)]
    Other(Text),
}

impl Party {
    /// The party's name, as it stands on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Device => "device",
            Self::Alexa => "alexa",
            Self::Component => "component",
            Self::Sidecar => "sidecar",
            Self::Phone => "phone",
            Self::Handler => "handler",
            Self::Other(name) => name,
        }
    }
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The ids by which a call is found. None of them is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Ids {
    /// TransactionId of the SIP media application (facts E2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// CallIds of its legs (facts E2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub call: Vec<String>,
    /// clientSessionId (facts D1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csi: Option<String>,
    /// sessionId of StartCommunicationSession's answer (facts D2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// requestId of the skill request (facts A1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// W3C trace id, 32 hexadecimal digits. All records of a call have the same one, which follows from its `csi`
    /// ([`crate::traceparent::TraceParent::of_session`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// W3C trace id that a request came with when it was another one: of a proxy in front of the skill, say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

impl Ids {
    /// All ids that are there.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [
            &self.transaction,
            &self.csi,
            &self.session,
            &self.request,
            &self.trace,
            &self.parent,
        ]
        .into_iter()
        .filter_map(|id| id.as_deref())
        .chain(self.call.iter().map(String::as_str))
    }

    /// Takes over what `other` has and these lack; CallIds are added.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.transaction, &other.transaction),
            (&mut self.csi, &other.csi),
            (&mut self.session, &other.session),
            (&mut self.request, &other.request),
            (&mut self.trace, &other.trace),
            (&mut self.parent, &other.parent),
        ];
        for (own, theirs) in pairs {
            if own.is_none() {
                own.clone_from(theirs);
            }
        }
        for call in &other.call {
            if !self.call.contains(call) {
                self.call.push(call.clone());
            }
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    /// A message crossed a border.
    Message(Message),
    /// Something worth knowing.
    #[non_exhaustive]
    Note {
        /// How grave it is.
        level: Level,
        /// What it is, in words.
        text: Text,
    },
    /// A leg's figures, at its end.
    Media(MediaFigures),
    /// A recording was written.
    #[non_exhaustive]
    Recording {
        /// The bucket that it lies in; absent when it lies elsewhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bucket: Option<Text>,
        /// Its key in the bucket, or else its file name: never an absolute path, which would tell of the machine and lead
        /// nowhere once the folder is moved.
        #[serde(deserialize_with = "Text::deserialize_path")]
        path: Text,
        /// Its length in seconds.
        seconds: f64,
    },
}

/// A message that crossed a border. For HTTP the request and its answer are one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Message {
    /// Who sent it.
    pub from: Party,
    /// Who received it.
    pub to: Party,
    /// Whether the writer sent or received it.
    pub direction: Direction,
    /// By what.
    pub protocol: Protocol,
    /// Such as `POST /alexa IntentRequest`, `INVITE`, `200 OK`, `digit`. The two ends of a message are joined by it: by its
    /// first two words for HTTP, by its first for RTP, by all of it otherwise.
    pub name: Text,
    /// What came of it: a status such as `200`, `401 BadToken`, `no answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Text>,
    /// Microseconds until the outcome; of a digit, how long it sounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// What it carried: redacted, and cut at [`BODY_MAX_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Text>,
}

/// Whether the writer of a record sent or received the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The writer sent it.
    Sent,
    /// The writer received it.
    Received,
}

/// What a message travelled by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP.
    Http,
    /// SIP.
    Sip,
    /// RTP: media and digits.
    Rtp,
    /// What is said and heard, and Alexa's orders to the device.
    Voice,
}

/// How grave a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Info,
    /// It went on, but not as meant.
    Warning,
    /// Something failed.
    Error,
}

/// A leg's figures, at its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct MediaFigures {
    /// Which leg: `LEG-A`, `LEG-B`, `device`, `phone`.
    pub leg: Text,
    /// Such as `PCMU`.
    pub codec: Text,
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets received.
    pub received: u64,
    /// Packets that were expected and never came.
    pub lost: u64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Interarrival jitter in milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: f64,
    /// Estimated mean opinion score, 1 to 4.5 (ITU-T G.107).
    pub mos: f64,
}

impl Message {
    /// A message without outcome and body.
    #[must_use]
    pub fn new(
        from: Party,
        to: Party,
        direction: Direction,
        protocol: Protocol,
        name: &str,
    ) -> Self {
        Self {
            from,
            to,
            direction,
            protocol,
            name: Text::line(name),
            outcome: None,
            duration_us: None,
            body: None,
        }
    }

    /// A digit that was sent or received as telephone events (RFC 4733), and how long it sounded. Which one it was is
    /// told only when `shown` says it: digits may be a PIN.
    #[must_use]
    pub fn digit(
        from: Party,
        to: Party,
        direction: Direction,
        sounded_us: u64,
        shown: Option<char>,
    ) -> Self {
        let name = match shown {
            Some(digit) => format!("{DIGIT} {digit}"),
            None => DIGIT.to_owned(),
        };
        Self::new(from, to, direction, Protocol::Rtp, &name).took(sounded_us)
    }

    /// What came of it.
    #[must_use]
    pub fn outcome(mut self, outcome: &str) -> Self {
        self.outcome = Some(Text::line(outcome));
        self
    }

    /// Microseconds until the outcome.
    #[must_use]
    pub fn took(mut self, duration_us: u64) -> Self {
        self.duration_us = Some(duration_us);
        self
    }

    /// What it carried. It is redacted by its form (JSON, SIP, SDP or text) before it is cut.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = (!body.is_empty()).then(|| Text::body(body));
        self
    }
}

impl Record {
    fn new(at: u64, part: Party, ids: Ids, kind: Kind) -> Self {
        Self {
            v: VERSION,
            at,
            part,
            seq: 0,
            ids,
            kind,
        }
    }

    /// A message that crossed a border. `at` is in microseconds since the Unix epoch.
    #[must_use]
    pub fn message(at: u64, part: Party, ids: Ids, message: Message) -> Self {
        Self::new(at, part, ids, Kind::Message(message))
    }

    /// A note; its text is redacted.
    #[must_use]
    pub fn note(at: u64, part: Party, ids: Ids, level: Level, text: &str) -> Self {
        let text = Text::prose(text);
        Self::new(at, part, ids, Kind::Note { level, text })
    }

    /// A leg's figures.
    #[must_use]
    pub fn media(at: u64, part: Party, ids: Ids, figures: MediaFigures) -> Self {
        // JSON has no NaN and no infinity: what could not be measured is 0.
        let finite = |figure: f64| if figure.is_finite() { figure } else { 0.0 };
        let figures = MediaFigures {
            jitter_ms: finite(figures.jitter_ms),
            mos: finite(figures.mos),
            ..figures
        };
        Self::new(at, part, ids, Kind::Media(figures))
    }

    /// A recording that was written: its bucket, if it lies in one, and its key or file name.
    #[must_use]
    pub fn recording(
        at: u64,
        part: Party,
        ids: Ids,
        bucket: Option<&str>,
        path: &str,
        seconds: f64,
    ) -> Self {
        let kind = Kind::Recording {
            bucket: bucket.map(Text::line),
            path: Text::path(path),
            seconds,
        };
        Self::new(at, part, ids, kind)
    }

    /// The same record with the writer's count.
    #[must_use]
    pub fn with_seq(mut self, seq: u64) -> Self {
        self.seq = seq;
        self
    }

    /// The record as one line of JSON, without the line's end.
    #[must_use]
    pub fn to_line(&self) -> String {
        // Strings, numbers and enums always make JSON; figures that are no number become null.
        serde_json::to_string(self).unwrap_or_default()
    }
}
