//! The Alexa service and a device with a voice, as exact as the facts allow.
//!
//! A skill's whole world on one machine: the service signs requests with its own authority, serves the APIs that a skill
//! calls, checks what the skill does by Amazon's rules, and has a device place calls to a SIP media application; a SIP
//! phone takes calls. Everything binds loopback.
//!
//! | module | what |
//! |---|---|
//! | [`authority`] | the certificate authority in Amazon's place, and signing (facts B) |
//! | [`model`] | the interaction model: an utterance becomes an intent (facts A2) |
//! | [`customer`], [`tokens`] | who speaks, what they allowed, and the tokens of requests (facts A7, C) |
//! | `skill` | request envelopes, the strict reading of answers (facts A) |
//! | `alexa`, `service` | sessions, calls, and the HTTP APIs (facts A5, C1, D) |
//! | [`echo`] | an Echo: calls by WebRTC (facts G9) |
//! | [`line`] | SIP and RTP of devices and phone (facts E1) |
//! | `login` | Login with Amazon (facts G7, H) |
//! | [`signaling`] | sessions of CallSignaling (facts G) |
//! | `provisioning` | service providers, their networks and users, address books (facts G8) |
//! | `control` | the control API |
//! | [`trouble`] | errors on order |

#![forbid(unsafe_code)]

mod alexa;
pub mod authority;
mod browser;
pub mod config;
mod control;
pub mod customer;
mod device;
pub mod echo;
pub mod line;
mod login;
pub mod model;
mod phone;
mod provisioning;
mod service;
pub mod signaling;
mod simulator;
mod skill;
mod stopping;
pub mod tokens;
mod trace;
pub mod trouble;

pub use self::alexa::{CONTACT_NOT_AVAILABLE, Outcome, Said, SayError, SessionView, Told};
pub use self::config::SimulatorConfig;
pub use self::device::{LWA_CLIENT_ID_HEADER, USER_TO_USER_HEADER};
pub use self::line::{
    Act, Answering, Call, CallBook, CallState, EndedBy, Ending, LineError, Manner, MediaFigures,
    Side, Step, Voice, WaitedInVain, When,
};
pub use self::login::LoginFigures;
pub use self::simulator::{Simulator, StartError};
pub use self::skill::{Reply, ReplyProblem};
pub use self::trace::TraceError;
