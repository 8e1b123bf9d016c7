//! From what was gathered to records that the sidecar takes: redacted, and signed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use skillcall_protocol::signing::{KeyRing, RequestParts};
use skillcall_protocol::trace::{Direction, Ids, Level, Message, Party, Protocol, Record};
use skillcall_protocol::traceparent::TRACEPARENT;

use crate::host::{Host, OutboundRequest};
use crate::sidecar_link;

/// Where the sidecar takes records.
const PATH: &str = "/v1/traces";
const LIMIT: Duration = Duration::from_millis(2000);

/// What was gathered.
pub(super) enum Entry {
    Exchange(Box<Exchange>),
    Note(Level, String),
}

/// A request and its answer as they were, secrets included.
pub(super) struct Exchange {
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) direction: Direction,
    pub(super) name: String,
    /// The answer's status, or why there was none.
    pub(super) outcome: Result<u16, String>,
    pub(super) took_us: u64,
    pub(super) request: Vec<u8>,
    pub(super) reply: Vec<u8>,
}

impl Exchange {
    /// As it may leave: redacted.
    fn redacted(&self) -> Message {
        let message = Message::new(
            self.from.clone(),
            self.to.clone(),
            self.direction,
            Protocol::Http,
            &self.name,
        )
        .took(self.took_us);
        match &self.outcome {
            Ok(status) => message
                .outcome(&outcome(*status, &self.reply))
                .body(&exchange(&self.request, &self.reply)),
            Err(error) => message.outcome(error).body(&self.request),
        }
    }
}

#[derive(Serialize)]
struct Posted<'r> {
    records: &'r [Record],
}

/// A status, and of a refusal the reason that its body gives: `code` and `message` of Alexa's APIs (facts C1, D2), `detail` of
/// a problem document.
fn outcome(status: u16, body: &[u8]) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Refusal {
        code: Option<String>,
        message: Option<String>,
        detail: Option<String>,
    }
    let refusal = match status {
        400.. => serde_json::from_slice(body).unwrap_or_default(),
        _ => Refusal::default(),
    };
    let reason = [refusal.code, refusal.message.or(refusal.detail)]
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(": ");
    if reason.is_empty() {
        status.to_string()
    } else {
        format!("{status} {reason}")
    }
}

/// Both bodies of an exchange as one JSON object, if both are JSON; else what was asked.
fn exchange(request: &[u8], reply: &[u8]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Both<'b> {
        #[serde(skip_serializing_if = "Option::is_none")]
        request: Option<&'b RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply: Option<&'b RawValue>,
    }
    let both = Both {
        request: serde_json::from_slice(request).ok(),
        reply: serde_json::from_slice(reply).ok(),
    };
    if both.request.is_none() && both.reply.is_none() {
        return request.to_vec();
    }
    serde_json::to_vec(&both).unwrap_or_default()
}

/// Records that are to be posted once the reply is out.
#[derive(Default)]
pub struct Records {
    post: Option<Post>,
}

/// What is to be posted, and where.
pub(super) struct Post {
    pub(super) url: String,
    pub(super) keys: KeyRing,
    /// The `traceparent`.
    pub(super) context: String,
    pub(super) ids: Ids,
    /// With their times, in microseconds since the Unix epoch.
    pub(super) entries: Vec<(u64, Entry)>,
}

impl From<Post> for Records {
    fn from(post: Post) -> Self {
        Self { post: Some(post) }
    }
}

impl Post {
    fn body(&self) -> Vec<u8> {
        let records: Vec<Record> = self
            .entries
            .iter()
            .zip(0u64..)
            .map(|((at, entry), seq)| {
                let ids = self.ids.clone();
                match entry {
                    Entry::Exchange(exchange) => {
                        Record::message(*at, Party::Component, ids, exchange.redacted())
                    }
                    Entry::Note(level, text) => {
                        Record::note(*at, Party::Component, ids, *level, text)
                    }
                }
                .with_seq(seq)
            })
            .collect();
        // Strings and numbers always become JSON.
        serde_json::to_vec(&Posted { records: &records }).unwrap_or_default()
    }
}

impl Records {
    /// Posts them. What fails here is only logged.
    pub fn post<H: Host>(self, host: &H) {
        let Some(post) = self.post else {
            return;
        };
        let body = post.body();
        let Post {
            url, keys, context, ..
        } = post;
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            (TRACEPARENT, context),
        ];
        headers.extend(sidecar_link::sign(
            host,
            &keys,
            RequestParts {
                method: "POST",
                path_and_query: PATH,
                body: &body,
            },
        ));
        let request = OutboundRequest {
            method: "POST",
            url: format!("{url}{PATH}"),
            headers,
            body,
            timeout: LIMIT,
            max_reply: 4096,
        };
        match host.send(&request) {
            Ok(reply) if reply.status < 300 => {}
            Ok(reply) => host.log(&format!(
                "trace: the sidecar answered {} to the records",
                reply.status
            )),
            Err(error) => host.log(&format!("trace: the records were not taken: {error}")),
        }
    }
}
