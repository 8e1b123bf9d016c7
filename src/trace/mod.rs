//! Records of the messages that crossed a border, and the trace context that goes with them.
//!
//! A call has one trace id, which follows from its `clientSessionId` ([`TraceParent::of_session`]); that of a request of
//! Alexa follows from its requestId, so it is known as soon as the request is verified. A request that came with another
//! trace (of a proxy in front) keeps that as its parent.
//!
//! Messages are gathered while a request is served. Once the reply is out they are redacted and posted to the sidecar,
//! signed, so that nobody waits for it; without a sidecar they are dropped. A failure there costs no call.

mod records;

use std::cell::RefCell;

use skillcall_protocol::alexa::Envelope;
use skillcall_protocol::ids::{ClientSessionId, SessionId};
use skillcall_protocol::redact;
use skillcall_protocol::sma::Event;
use skillcall_protocol::trace::{Direction, Ids, Level, Party};
use skillcall_protocol::traceparent::{TRACEPARENT, TraceParent};

use crate::host::{Host, OutboundReply, OutboundRequest, SendError};
use crate::http::Response;
use crate::session::Session;
use crate::settings::Settings;

pub use records::Records;
use records::{Entry, Exchange, Post};

/// The trace of one request.
pub struct Recorder {
    /// What the request came with.
    incoming: Option<TraceParent>,
    began_us: u64,
    began_monotonic_us: u64,
    gathered: RefCell<Gathered>,
}

#[derive(Default)]
struct Gathered {
    /// The trace, once it is known.
    context: Option<TraceParent>,
    ids: Ids,
    entries: Vec<(u64, Entry)>,
    /// The request that is being served, until its response is known.
    incoming: Option<Incoming>,
}

struct Incoming {
    from: Party,
    name: String,
    body: Vec<u8>,
}

impl Recorder {
    /// Begins with a request, and with the trace that its sender names.
    pub fn begin<H: Host>(host: &H, traceparent: Option<&str>) -> Self {
        Self {
            incoming: traceparent.and_then(|text| text.parse().ok()),
            began_us: host.now_us(),
            began_monotonic_us: host.monotonic_us(),
            gathered: RefCell::default(),
        }
    }

    /// The request belongs to this session, and so to its trace.
    pub fn within<H: Host>(&self, host: &H, csi: &ClientSessionId) {
        self.of_session(host, csi.as_str());
    }

    /// The request belongs to this session of CallSignaling: all its messages have one trace.
    pub fn signaling<H: Host>(&self, host: &H, session: &SessionId) {
        self.of_session(host, session.as_str());
        self.session(session);
    }

    fn of_session<H: Host>(&self, host: &H, id: &str) {
        let context = TraceParent::of_session(id, span(host));
        let mut gathered = self.gathered.borrow_mut();
        gathered.ids.trace = Some(context.trace_id());
        gathered.ids.parent = self
            .incoming
            .filter(|incoming| !incoming.is_same_trace(&context))
            .map(|incoming| incoming.trace_id());
        gathered.context = Some(context);
    }

    /// The session's trace; of a request without a session the sender's, or a new one.
    fn context<H: Host>(&self, host: &H) -> TraceParent {
        let mut gathered = self.gathered.borrow_mut();
        if let Some(context) = gathered.context {
            return context;
        }
        let context = match self.incoming {
            Some(incoming) => incoming.child(span(host)),
            None => {
                let mut ids = [0; 24];
                host.random(&mut ids);
                TraceParent::root(ids)
            }
        };
        gathered.ids.trace = Some(context.trace_id());
        gathered.context = Some(context);
        context
    }

    /// The `traceparent` of a request to somebody else.
    pub fn traceparent<H: Host>(&self, host: &H) -> String {
        self.context(host).to_string()
    }

    /// Sends a request to Alexa, and records the exchange. The trace context goes with it once it is known: not with the
    /// fetch of the certificates, without which no request is anybody's.
    ///
    /// # Errors
    /// When there is no reply.
    pub fn send<H: Host>(
        &self,
        host: &H,
        mut request: OutboundRequest,
    ) -> Result<OutboundReply, SendError> {
        if let Some(context) = self.gathered.borrow().context {
            request.headers.push((TRACEPARENT, context.to_string()));
        }
        let (at, began) = (host.now_us(), host.monotonic_us());
        let reply = host.send(&request);
        let took = host.monotonic_us().saturating_sub(began);
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        let (outcome, answer) = match &reply {
            Ok(reply) => (Ok(reply.status), reply.body.clone()),
            Err(error) => (Err(error.to_string()), Vec::new()),
        };
        let exchange = Exchange {
            from: Party::Component,
            to: Party::Alexa,
            direction: Direction::Sent,
            name: format!("{} /{path}", request.method),
            outcome,
            took_us: took,
            request: request.body,
            reply: answer,
        };
        self.push(at, Entry::Exchange(Box::new(exchange)));
        reply
    }

    /// Tells the log and the trace something that is no message.
    pub fn note<H: Host>(&self, host: &H, text: &str) {
        self.told(host, Level::Info, text);
    }

    /// Tells the log and the trace what did not go as meant.
    pub fn warn<H: Host>(&self, host: &H, text: &str) {
        self.told(host, Level::Warning, text);
    }

    fn told<H: Host>(&self, host: &H, level: Level, text: &str) {
        host.log(&redact::text(text));
        self.push(host.now_us(), Entry::Note(level, text.to_owned()));
    }

    /// The session that the request is about.
    pub fn csi<H: Host>(&self, host: &H, csi: &ClientSessionId) {
        self.within(host, csi);
        self.gathered.borrow_mut().ids.csi = Some(csi.as_str().to_owned());
    }

    /// Alexa's id of that session.
    pub fn session(&self, session: &SessionId) {
        self.gathered.borrow_mut().ids.session = Some(session.as_str().to_owned());
    }

    /// What the state knew of the session: it joins the call's trace to that of the request which began it.
    pub fn remembered(&self, session: &Session) {
        let mut gathered = self.gathered.borrow_mut();
        gathered.ids.request = Some(session.request.clone());
        gathered.ids.session.clone_from(&session.session);
    }

    /// A verified request of Alexa.
    pub fn alexa_request(&self, envelope: &Envelope, body: &[u8]) {
        let mut gathered = self.gathered.borrow_mut();
        gathered.ids.request = Some(envelope.request.request_id.as_str().to_owned());
        let name = format!("POST /alexa {}", envelope.request.type_name);
        gathered.incoming = Some(Incoming {
            from: Party::Alexa,
            name,
            body: body.to_vec(),
        });
    }

    /// An event of the SIP media application.
    pub fn event(&self, event: &Event, body: &[u8]) {
        let mut gathered = self.gathered.borrow_mut();
        let details = &event.call_details;
        gathered.ids.transaction =
            Some(details.transaction_id.as_str().to_owned()).filter(|id| !id.is_empty());
        gathered.ids.call = details
            .participants
            .iter()
            .map(|leg| leg.call_id.as_str().to_owned())
            .collect();
        let name = format!("POST /media/events {}", event.invocation_event_type);
        gathered.incoming = Some(Incoming {
            from: Party::Sidecar,
            name,
            body: body.to_vec(),
        });
    }

    /// What the sidecar orders.
    pub fn order(&self, name: &str, body: &[u8]) {
        self.gathered.borrow_mut().incoming = Some(Incoming {
            from: Party::Sidecar,
            name: name.to_owned(),
            body: body.to_vec(),
        });
    }

    /// The response to the request that is being served.
    pub fn response<H: Host>(&self, host: &H, response: &Response) {
        let Some(incoming) = self.gathered.borrow_mut().incoming.take() else {
            return;
        };
        let took = host.monotonic_us().saturating_sub(self.began_monotonic_us);
        let exchange = Exchange {
            from: incoming.from,
            to: Party::Component,
            direction: Direction::Received,
            name: incoming.name,
            outcome: Ok(response.status),
            took_us: took,
            request: incoming.body,
            reply: response.body.clone(),
        };
        self.push(self.began_us, Entry::Exchange(Box::new(exchange)));
    }

    fn push(&self, at_us: u64, entry: Entry) {
        self.gathered.borrow_mut().entries.push((at_us, entry));
    }

    /// What is left to do with the records: nothing when there is no sidecar to take them.
    #[must_use]
    pub fn aftermath<H: Host>(&self, host: &H, settings: &Settings) -> Records {
        let Some(url) = &settings.sidecar_url else {
            return Records::default();
        };
        let context = self.traceparent(host);
        let mut gathered = self.gathered.borrow_mut();
        let mut entries = std::mem::take(&mut gathered.entries);
        if entries.is_empty() {
            return Records::default();
        }
        entries.sort_by_key(|(at, _)| *at);
        Records::from(Post {
            url: url.clone(),
            keys: settings.sidecar_keys.clone(),
            context,
            ids: gathered.ids.clone(),
            entries,
        })
    }
}

/// 8 random bytes for a span's id.
fn span<H: Host>(host: &H) -> [u8; 8] {
    let mut span = [0; 8];
    host.random(&mut span);
    span
}
