//! The wire types of skillcall and their rules: Alexa, SIP media application, signing, trace.
//!
//! Nothing here does I/O: no clock, no socket, no random number. Time, random bytes and message bytes are passed in;
//! what comes out is a value or an error that names the field and the rule. "facts D1" in the documentation cites
//! section D1 of the project's protocol digest.
//!
//! | module | what |
//! |---|---|
//! | [`ids`], [`e164`] | identifiers and phone numbers, checked once at the border |
//! | [`alexa`] | the skill's requests and responses, chain URL and freshness (facts A, B) |
//! | [`communication`], [`profile`], [`manifest`] | StartCommunicationSession, the customer profile API, the skill manifest (facts C, D, A8) |
//! | [`lwa`], [`messaging`] | tokens of Login with Amazon, and messages to a customer's skill (facts H) |
//! | [`user_to_user`] | the `User-to-User` header that carries the `clientSessionId` (facts E1, I1) |
//! | [`trace`], [`redact`] | what each part records of a call, and what never leaves a part |
//! | [`signing`], [`traceparent`] | how the parts know each other over HTTP, and the trace context that crosses it |
//! | [`sma`] | the SIP media application's events and actions (facts E2 to F7) |
//! | [`provisioning`] | service providers, networks, users and address books of CallSignaling (facts G8) |
//! | [`signaling`] | the messages of `Alexa.Comms.CallSignaling`, both ways (facts G2 to G5) |
//!
//! The feature `schema` derives `schemars::JsonSchema` for the types whose schema is published.

pub mod alexa;
pub mod communication;
pub mod e164;
#[doc(hidden)]
pub mod fuzz;
pub mod ids;
pub mod lwa;
pub mod manifest;
pub mod messaging;
pub mod profile;
pub mod provisioning;
pub mod redact;
pub mod signaling;
pub mod signing;
pub mod sma;
pub mod trace;
pub mod traceparent;
pub mod user_to_user;
