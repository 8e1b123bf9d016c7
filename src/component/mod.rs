//! The joint between the logic and the component's imports and exports.
#![allow(
    clippy::duplicate_mod,
    reason = "actions.rs is compiled for two sets of generated types"
)]

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from wit/"
)]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "skill",
        generate_all,
    });
    use super::Skill;
    export!(Skill);
}

mod call_flow;
mod custom_flow;
mod incoming;
mod outside;
mod skill_requests;

/// The component: it has no state of its own.
struct Skill;
