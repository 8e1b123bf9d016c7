//! The SIP media application's wire types: the events that a handler gets, the replies that it gives, and the
//! actions in them (facts E2, E3, F1 to F9, L).
//!
//! Reading is lenient (numbers as strings, empty ids: facts F5), writing is strict. What is refused is refused by
//! name: which action, which field, what was found and what would be right.
//!
//! A handler (the component) reads an [`event::Event`] and writes a [`reply::Reply`]; the sidecar does the reverse
//! with [`reply::parse_reply`].

pub mod action;
pub mod attributes;
pub mod error_type;
pub mod event;
mod fields;
#[doc(hidden)]
pub mod fuzz;
pub mod headers;
pub mod ids;
pub mod reply;

pub use action::{Action, ActionError};
pub use attributes::{AttributeUpdate, TransactionAttributes};
pub use error_type::ErrorType;
pub use event::{ActionData, CallDetails, Event, InvocationEventType, Participant};
pub use headers::SipHeaders;
pub use ids::{CallId, ParticipantTag, TransactionId};
pub use reply::{Reply, ReplyError, RequestedAction, parse_reply};

/// The only schema version there is (facts E2, F1).
pub const SCHEMA_VERSION: &str = "1.0";
