//! Asking the handler of a scenario.

use futures_util::future::BoxFuture;
use serde_json::Value;
use skillcall_protocol::signing::KeyRing;
use skillcall_protocol::sma::Event;
use url::Url;

use crate::engine::HandlerOutcome;
use crate::handler::{DirectHandler, HandlerError};

/// What came of asking the handler once.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// For the engine.
    pub outcome: HandlerOutcome,
    /// The reply, as it was; null when it was no JSON.
    pub reply: Value,
}

impl Exchange {
    /// A reply of HTTP.
    pub fn of(outcome: HandlerOutcome, body: &[u8]) -> Self {
        Self {
            outcome,
            reply: serde_json::from_slice(body).unwrap_or_default(),
        }
    }
}

/// Who answers events.
pub trait Ask: Send {
    /// Asks once. The future is dropped when the time for an attempt is over.
    fn ask<'a>(&'a mut self, event: &'a Event) -> BoxFuture<'a, Exchange>;
}

/// A handler at a URL.
pub struct HttpHandler(DirectHandler);

impl HttpHandler {
    /// A handler at a URL; a path of Lambda's is asked as Lambda is. `keys` sign the events.
    ///
    /// # Errors
    /// The HTTP client could not be made, or the keys are no keys.
    pub fn new(url: Url, keys: Option<&str>) -> Result<Self, HandlerError> {
        let keys = keys.map(KeyRing::parse).transpose();
        let keys = keys.map_err(|error| HandlerError::Keys {
            id: url.to_string(),
            problem: error.to_string(),
        })?;
        DirectHandler::new(url, keys).map(Self)
    }
}

impl Ask for HttpHandler {
    fn ask<'a>(&'a mut self, event: &'a Event) -> BoxFuture<'a, Exchange> {
        Box::pin(async move {
            let (outcome, body) = self.0.ask(event).await;
            Exchange::of(outcome, &body)
        })
    }
}
