//! The ids of one call.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use skillcall_protocol::sma::CallId;
use skillcall_protocol::trace::Ids;
use skillcall_protocol::traceparent::TraceParent;

use crate::capture::CallCapture;
use crate::engine::LegId;

/// By what a call is found, and the W3C trace that its HTTP requests and its records belong to: that of its client session,
/// or a new one for a call without.
#[derive(Debug)]
pub(crate) struct CallIds {
    transaction: Option<String>,
    csi: Option<String>,
    root: TraceParent,
    traced: bool,
    legs: Mutex<Vec<(LegId, String)>>,
    correlation: Option<Arc<str>>,
    capture: OnceLock<Arc<CallCapture>>,
}

impl CallIds {
    /// The ids of a call that is placed; `traced`: whether its records are kept.
    pub(crate) fn new(transaction: String, csi: Option<String>, traced: bool) -> Self {
        Self {
            correlation: Some(transaction.as_str().into()),
            transaction: Some(transaction),
            traced,
            ..Self::refused(csi)
        }
    }

    /// Of a call that is refused: at most its client session is known.
    pub(crate) fn refused(csi: Option<String>) -> Self {
        let root = match &csi {
            Some(csi) => TraceParent::of_session(csi, rand::random()),
            None => TraceParent::root(rand::random()),
        };
        Self {
            transaction: None,
            csi,
            root,
            traced: true,
            legs: Mutex::default(),
            correlation: None,
            capture: OnceLock::new(),
        }
    }

    /// Whether its records are kept.
    pub(crate) fn is_traced(&self) -> bool {
        self.traced
    }

    /// Whether Alexa made the call.
    pub(crate) fn is_skill_call(&self) -> bool {
        self.csi.is_some()
    }

    /// What the messages of all its legs have in common, for a collector.
    pub(crate) fn correlation(&self) -> Option<&Arc<str>> {
        self.correlation.as_ref()
    }

    /// The capture that its packets go to.
    pub(crate) fn capture(&self) -> Option<&Arc<CallCapture>> {
        self.capture.get()
    }

    /// Its packets go there from now on; false when they go elsewhere already.
    pub(crate) fn capture_into(&self, capture: Arc<CallCapture>) -> bool {
        self.capture.set(capture).is_ok()
    }

    /// A leg's CallId, from now on.
    pub(crate) fn add_leg(&self, leg: LegId, call_id: &CallId) {
        self.legs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((leg, call_id.to_string()));
    }

    /// The `traceparent` of a request: the call's trace, and a span of its own.
    pub(crate) fn traceparent(&self) -> String {
        self.root.child(rand::random()).to_string()
    }

    /// For a record about one leg, or about all.
    pub(super) fn record_ids(&self, leg: Option<LegId>) -> Ids {
        let legs = self.legs.lock().unwrap_or_else(PoisonError::into_inner);
        let of_leg = legs
            .iter()
            .filter(|(id, _)| leg.is_none_or(|leg| leg == *id));
        Ids {
            transaction: self.transaction.clone(),
            csi: self.csi.clone(),
            trace: Some(self.root.trace_id()),
            call: of_leg.map(|(_, call)| call.clone()).collect(),
            ..Ids::default()
        }
    }
}
