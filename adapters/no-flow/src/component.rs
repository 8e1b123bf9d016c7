//! The export.

extern crate alloc;

use alloc::vec::Vec;

#[allow(missing_docs, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/deps/skillcall-flow",
        world: "skillcall:flow/plug-in",
    });
}

use bindings::exports::skillcall::flow::custom_flow::{Action, Event, Guest};

struct NoFlow;

bindings::export!(NoFlow with_types_in bindings);

impl Guest for NoFlow {
    fn decide(_event: Event) -> Option<Vec<Action>> {
        None
    }
}
