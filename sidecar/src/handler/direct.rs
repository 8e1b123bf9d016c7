//! One handler asked without an application, its limits and its trace: for scenarios.

use skillcall_protocol::signing::KeyRing;
use skillcall_protocol::sma::Event;
use url::Url;

use super::exchange::{self, Failed, Reply};
use super::{CONNECT, Handler, HandlerError, LONGEST, lambda};
use crate::engine::HandlerOutcome;
use crate::trace::CallIds;

/// A handler by its URL.
pub(crate) struct DirectHandler {
    client: reqwest::Client,
    handler: Handler,
    ids: CallIds,
}

impl DirectHandler {
    /// `keys` sign the events; replies need no signature.
    pub(crate) fn new(url: Url, keys: Option<KeyRing>) -> Result<Self, HandlerError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(LONGEST)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("skillcall-sidecar/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            handler: Handler {
                is_lambda: lambda::is_invocation(&url),
                url,
                keys,
                signed_replies: false,
                places: None,
            },
            ids: CallIds::new(String::new(), None, false),
        })
    }

    /// Posts an event; what came of it, and the reply's body.
    pub(crate) async fn ask(&self, event: &Event) -> (HandlerOutcome, Vec<u8>) {
        let unreachable = |reason: String| (HandlerOutcome::Unreachable { reason }, Vec::new());
        let body = match serde_json::to_vec(event) {
            Ok(body) => body,
            Err(error) => return unreachable(format!("the event: {error}")),
        };
        match exchange::post(&self.client, &self.handler, &self.ids, body).await {
            Ok(Reply {
                status,
                body,
                function_error: Some(detail),
            }) => (HandlerOutcome::Status { status, detail }, body),
            Ok(reply) => (
                HandlerOutcome::from_http(reply.status, &reply.body),
                reply.body,
            ),
            Err(Failed { reason, .. }) => unreachable(reason),
        }
    }
}
