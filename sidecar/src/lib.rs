//! The SIP media application: SIP and RTP, the action engine, the control API.

pub mod engine;
