//! The skill: Alexa's requests and the SIP media application's events in, answers and actions out.
//!
//! The logic is generic over [`host::Host`], so that it runs natively in tests; what joins it to the WebAssembly
//! component's imports and exports is compiled for `wasm32` only. It has no clock, socket, file or secret but through
//! that trait.
//!
//! | module | what |
//! |---|---|
//! | [`http`] | the routes: `POST /alexa`, `POST /media/events`, `GET /health` |
//! | [`verify`] | whether a request comes from Alexa (facts B) |
//! | [`once`] | a repeated request has one effect and gets the stored answer |
//! | [`alexa`] | the answers to Alexa's requests (facts A) |
//! | [`caller`] | who calls: from a profile, the linked account, or the plan (facts C, D5) |
//! | [`limits`] | how many calls a customer places within an hour |
//! | [`progressive`] | words while the skill still works (facts A5) |
//! | [`session`] | StartCommunicationSession, and what is remembered of it (facts D) |
//! | [`flow`] | the call's decisions by the call plan (facts E3, F) |
//! | [`custom_flow`] | calls that code decides which is plugged in |
//! | [`handler`] | calls that the plan hands over |
//! | [`tokens`] | tokens of Login with Amazon (facts G7, H) |
//! | `signaling` | Alexa's messages of CallSignaling to the sidecar, and the sidecar's to Alexa (facts G) |
//! | [`aftermath`] | what is done once the reply is out |
//! | [`sidecar_link`] | signatures between component and sidecar |
//! | [`trace`] | records of the messages that crossed a border |
//! | [`settings`] | what the installation says |

pub mod aftermath;
pub mod alexa;
pub mod caller;
#[cfg(target_arch = "wasm32")]
mod component;
pub mod custom_flow;
pub mod flow;
#[doc(hidden)]
pub mod fuzz;
pub mod handler;
pub mod host;
pub mod http;
pub mod limits;
pub mod once;
pub mod progressive;
pub mod session;
pub mod settings;
pub mod sidecar_link;
pub(crate) mod signaling;
#[cfg(test)]
mod testing;
pub mod tokens;
pub mod trace;
pub mod verify;
