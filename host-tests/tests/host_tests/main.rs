//! The component under wasmtime, and whole calls end to end: one file a topic.
//!
//! One program, because the component is compiled once in it, and the tests wait side by side.

mod alexa_errors;
mod browser;
mod callers;
mod certificates;
mod component_http;
mod component_typed;
mod custom_flow;
mod dialogs;
mod echo;
mod echo_to_pbx;
mod foreign_peers;
mod handler_trouble;
mod hang_ups;
mod limits;
mod login;
mod loss;
mod offers;
mod once;
mod over_tcp;
mod overload;
mod refusals;
mod relaxed;
mod sentences;
mod several_calls;
mod signaling;
mod spin;
mod told;
mod traces;
mod whole_call;
